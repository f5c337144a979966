"""What deliveries need of registered endpoints: where they go, a log of them, and what follows from how they fare."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.clock import iso, now_ms
from broker.delivery.client_certificates import Identity
from broker.delivery.owners import owner_pk
from broker.delivery.schedule import verdict, wants_no_more
from broker.delivery.sending import Destination, Sent
from broker.delivery.starting import StartDelivery
from broker.endpoints.keeping import Endpoints
from broker.endpoints.log import log_sk
from broker.endpoints.record import BY_FAILURE, BY_RECEIVER, Endpoint, counts_sk, endpoints_pk
from broker.endpoints.telling import start_one
from broker.envelope import envelope
from broker.errors import NotFound
from broker.storage import ConditionFailed, Database, If, Item, Put, Update

FAILING_MS = 5 * 86_400_000
"""An endpoint at which all attempts of so long failed is disabled."""


COUNTED_S = 90 * 86_400
"""How long counts are kept after the last attempt."""


@dataclass(frozen=True, slots=True)
class RegisteredEndpoints:
    """See `delivery.sending.Registered`."""

    database: Database
    endpoints: Endpoints
    start: StartDelivery
    open: Callable[[str, str, bytes], str]
    """Of `keeping.Seal`."""
    tell: Callable[[str, dict[str, Any]], None]
    """Puts an event on the bus: detail-type and detail."""
    on_failure: Callable[[Exception], None] = lambda error: None
    """Told where an attempt could not be counted; it counts for nothing then."""
    clock: Callable[[], int] = now_ms

    def destination(self, note: Item) -> Destination | None:
        """See `Registered.destination`. A test is sent to a disabled endpoint as well."""
        try:
            endpoint = self.endpoints.get(note["tenant"], note["endpoint"])
        except NotFound:
            return None
        if endpoint.off and not note.get("test"):
            return None

        def secrets() -> list[str]:
            return [self.open(endpoint.tenant, endpoint.id, each.sealed) for each in endpoint.signing(self.clock())]

        def headers() -> dict[str, str]:
            if endpoint.headers is None:
                return {}
            return dict(json.loads(self.open(endpoint.tenant, endpoint.id, endpoint.headers)))

        def client() -> Identity | None:
            kept = endpoint.client
            return Identity(kept.chain, self.open(endpoint.tenant, endpoint.id, kept.key)) if kept else None

        return Destination(endpoint.url, secrets, headers, client, endpoint.full)

    def fan_out(self, owner: str, note: Item, now: int) -> None:
        """See `Registered.fan_out`."""
        for form, event, endpoint_id in note["fan"]:
            which = event, note["run"], endpoint_id
            start_one(self.start, owner, note["tenant"], note["expires_at"], which, note["of"][form], now)

    def begins(self, owner: str, name: str, note: Item) -> None:
        """See `Registered.begins`: the log has it from now on."""
        keys = {"pk": owner_pk(note["endpoint"]), "sk": log_sk(note["at"], note["event_id"])}
        about = {"owner": owner, "name": name, "event": note["event"], "expires_at": note["expires_at"]}
        self.database.write(Put("jobs", keys | about))

    def attempted(self, owner: str, note: Item, sent: Sent, now: int) -> None:
        """See `Registered.attempted`."""
        if note.get("test"):
            return
        since = None
        try:
            since = self._counted(note, sent, now)
        except Exception as error:
            self.on_failure(error)
        if wants_no_more(sent.status, sent.control):
            self._disable(note, BY_RECEIVER, since, now)
        elif since is not None and since + FAILING_MS <= now:
            self._disable(note, BY_FAILURE, since, now)

    def _counted(self, note: Item, sent: Sent, now: int) -> int | None:
        """Count an attempt; gives since when all have failed, where this one did."""
        became = verdict(sent.status, sent.control) if sent.status else "retry"
        pk, sk = endpoints_pk(note["tenant"]), counts_sk(note["endpoint"])
        ended = {"last_status": sent.status, "last_error": sent.error, "last_at": now}
        ended["expires_at"] = now // 1000 + COUNTED_S  # also of an endpoint that was deleted meanwhile
        if became in ("delivered", "abort"):  # whoever says that a message is not to come again is there
            count = {"attempts": 1, "delivered": int(became == "delivered"), "latency_ms": sent.latency_ms}
            self.database.write(Update("jobs", pk, sk, set=ended, add=count, remove=("failing_since",)))
            return None
        count = {"attempts": 1, "failed": 1, "latency_ms": sent.latency_ms}
        item = self.database.update(Update("jobs", pk, sk, set=ended, add=count))
        if "failing_since" in item:
            return int(item["failing_since"])
        try:
            first = If("failing_since", "absent")
            self.database.write(Update("jobs", pk, sk, set={"failing_since": now}, when=(first,)))
        except ConditionFailed:
            return None  # another attempt failed at the same moment
        return now

    def _disable(self, note: Item, by: str, since: int | None, now: int) -> None:
        try:
            endpoint = self.endpoints.get(note["tenant"], note["endpoint"])
        except NotFound:
            return
        if endpoint.off:
            return
        self.tell("WebhookEndpointDisabled", _told(endpoint, by, since, now))  # before it is on record, for it is told
        self.endpoints.disable(endpoint, by, now)


def _told(endpoint: Endpoint, by: str, since: int | None, now: int) -> dict[str, Any]:
    facts = {"endpoint_id": endpoint.id, "disabled_by": by, "failing_since": iso(since)}
    event_id = f"evt_{endpoint.id.removeprefix('we_')}_disabled_{endpoint.rev}"
    return envelope(event_id, endpoint.id, endpoint.tenant, now, facts)


def exhausted(owner: str, note: Item, now: int) -> tuple[str, dict[str, Any]]:
    """The event of a delivery whose schedule is over; its address is not told."""
    last = note["attempts"][-1]
    facts = {
        "about": owner,
        "event": note["event"],
        "webhook_id": note["event_id"],
        "endpoint_id": note.get("endpoint"),
        "attempts": note["tries"],
        "last_status": last["status"],
        "last_error": last["error"],
    }
    which = f"{note.get('endpoint', 'given').removeprefix('we_')}_{note.get('schedule_from', 0)}"
    event_id = f"{note['event_id']}_exhausted_{which}"
    return "WebhookExhausted", envelope(event_id, owner, note["tenant"], now, facts)
