"""One POST of a webhook: signed by whoever it is of, and sent to an address that was checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from broker.delivery.client_certificates import Identity
from broker.storage import Item

Secrets = Callable[[], Sequence[str]]
"""Gives signing secrets, newest first."""

Headers = Callable[[], Mapping[str, str]]
"""Gives what a receiver wants beside ours."""

Client = Callable[[], Identity | None]
"""Gives the client certificate that a receiver asks for."""


def no_client() -> Identity | None:
    """None."""
    return None


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one POST: the reply's status, or None and an error's code."""

    status: int | None
    error: str | None
    retry_after_s: float | None
    latency_ms: int
    control: str | None = None
    """What the receiver said in `webhook-delivery`, if it did (`schedule.verdict`)."""


class Sender(Protocol):
    """Signs and posts."""

    def __call__(
        self,
        tenant: str,
        url: str,
        event_id: str,
        now: int,
        body: bytes,
        *,
        secrets: Secrets | None = None,
        headers: Headers = dict,
        client: Client = no_client,
    ) -> Sent:
        """Post once, signed with these secrets, or with the tenant's; none of these `headers` takes the place of ours.

        Raises:
            InvalidRequest: the address is refused.
        """
        ...


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a delivery goes, and whose secrets sign it."""

    url: str
    secrets: Secrets | None = None
    """None for the tenant's own."""
    headers: Headers = dict
    client: Client = no_client
    full: bool = False
    """Whether it is told answers, as far as they fit."""


class Registered(Protocol):
    """What deliveries name that go to a registered endpoint: they hold no address, so a new one holds at once."""

    def destination(self, note: Item) -> Destination | None:
        """Of a delivery; None where its endpoint takes nothing (any more)."""
        ...

    def fan_out(self, owner: str, note: Item, now: int) -> None:
        """Start the deliveries that a note has in its `fan`; may be repeated."""
        ...

    def begins(self, owner: str, name: str, note: Item) -> None:
        """Told before its first attempt, and where there will be none; may be repeated."""
        ...

    def attempted(self, owner: str, note: Item, sent: Sent, now: int) -> None:
        """Told of each attempt before it is on record; may be repeated."""
        ...


class NoneRegistered:
    """No endpoints."""

    def destination(self, note: Item) -> Destination | None:
        """See `Registered.destination`."""
        return None

    def fan_out(self, owner: str, note: Item, now: int) -> None:
        """See `Registered.fan_out`."""

    def begins(self, owner: str, name: str, note: Item) -> None:
        """See `Registered.begins`."""

    def attempted(self, owner: str, note: Item, sent: Sent, now: int) -> None:
        """See `Registered.attempted`."""


def make_sender(
    secrets: Callable[[str], Sequence[str]],
    resolve: Callable[[str], Any],
    sign: Callable[[Sequence[str], str, int, bytes], str],
    post: Callable[..., Any],
) -> Sender:
    """Put signing, the address guard and the POST together.

    Args:
        secrets: a tenant's signing secrets, newest first.
        resolve: the address guard, from a URL to a checked target.
        sign: gives the `webhook-signature` header.
        post: sends a body with headers to a target (`identity`: as which client), and gives an object with `status`,
            `retry_after_s`, `latency_ms` and `control`.
    """
    of_tenant = secrets

    def send(
        tenant: str,
        url: str,
        event_id: str,
        now: int,
        body: bytes,
        *,
        secrets: Secrets | None = None,
        headers: Headers = dict,
        client: Client = no_client,
    ) -> Sent:
        stamp = now // 1000
        ours = {
            "content-type": "application/json",
            "user-agent": "inference-broker/1",
            "webhook-id": event_id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(secrets() if secrets else of_tenant(tenant), event_id, stamp, body),
        }
        reply = post(resolve(url), body, {**headers(), **ours}, identity=client())
        return Sent(reply.status, None, reply.retry_after_s, reply.latency_ms, reply.control)

    return send
