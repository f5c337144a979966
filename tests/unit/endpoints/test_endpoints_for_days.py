"""Receivers that are slow, down, cut, redirecting, or answer 410, 429 and 500, for virtual days by real sockets."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from broker.delivery.addresses import Target
from broker.delivery.post import post
from broker.delivery.sending import Sender, Sent, make_sender
from broker.delivery.signing import sign, verify
from broker.endpoints.record import BY_FAILURE, BY_RECEIVER, Endpoint
from broker.jobs.head import Head

from tests.fakes.world import HOUR
from tests.unit.endpoints.endpoints_case import Shop
from tests.unit.provider_server import ProviderServer, Script

DAY = 24 * HOUR
OK = Script(status=204)
BROKEN = Script(status=500)

ANSWERS: dict[str, list[Script]] = {
    "quick": [],
    "slow": [Script(how="hang")] * 2,
    "cut": [Script(how="cut"), Script(how="drip_head"), Script(how="cut")],
    "busy": [Script(status=429, headers={"retry-after": "7200"})] * 2,
    "broken": [BROKEN] * 6,
}
"""What a receiver does first; then it takes whatever comes."""

NEVER: dict[str, Script] = {
    "redirecting": Script(status=302, headers={"location": "http://127.0.0.1:1/"}),
    "failing": BROKEN,
    "gone": Script(status=410),
}
"""What one does each time."""


@dataclass
class Days(Shop):
    """A shop whose webhooks go over the loopback interface, each receiver with a server of its own."""

    ports: dict[str, int] = field(default_factory=dict)
    heads: list[Head] = field(default_factory=list)

    @property
    def sender(self) -> Sender:
        def resolve(url: str) -> Target:
            host = str(urlsplit(url).hostname)
            return Target("http", host, self.ports[host.partition(".")[0]], "/hook", "127.0.0.1")

        return make_sender(lambda tenant: [], resolve, sign, partial(post, timeout_s=0.3))

    def _send(self, *what: Any, **more: Any) -> Sent:
        return self.sender(*what, **more)

    def happens(self, number: int) -> None:
        """A job ends, and all endpoints are to be told."""
        self.heads.append(self.end(number))
        self.fan_out()
        self.queue.sent.clear()

    def pass_until(self, then: int) -> None:
        """Make each attempt when it is due."""
        while True:
            waiting = [
                (note["due_at"], head.id, name)
                for head in self.heads
                for name, note in self.world.jobs.notes(head.id, "DELIVERY#").items()
                if note["state"] == "pending" and note["due_at"] <= then
            ]
            if not waiting:
                break
            due, owner, name = min(waiting)
            self.now = max(self.now, due)
            self.attempt(owner, name)
        self.now = then


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, ProviderServer]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(ProviderServer()) for name in (*ANSWERS, *NEVER)}


def attempts(shop: Days, endpoint: Endpoint) -> list[tuple[str, list[Any]]]:
    notes = [shop.note(head, endpoint) for head in shop.heads]
    return [(note["state"], note["attempts"]) for note in notes]


def test_whatever_receivers_do_for_days_each_gets_its_messages_or_it_is_told(
    servers: dict[str, ProviderServer],
) -> None:
    shop = Days(ports={name: int(each.url.rpartition(":")[2]) for name, each in servers.items()})
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        shop.ports["down"] = nobody.getsockname()[1]
    for name, server in servers.items():
        server.answer(*([NEVER[name]] * 99 if name in NEVER else [*ANSWERS[name], *[OK] * 99]))
    mine = {name: shop.register(url=f"https://{name}.example.com/hook") for name in shop.ports}
    shop.now += 11_000
    began = shop.now
    for number, day in enumerate((0, 2, 4)):
        shop.pass_until(began + day * DAY)
        shop.happens(number + 1)
    shop.pass_until(began + 12 * DAY)

    for name, first in ANSWERS.items():
        told = attempts(shop, mine[name])
        assert [state for state, _ in told] == ["delivered"] * 3, name
        assert sum(len(each) for _, each in told) == len(first) + 3, name
        asked = servers[name].asked
        assert len({each.headers["webhook-id"] for each in asked}) == 3, name
        for each in asked:
            stamp, sent = int(each.headers["webhook-timestamp"]), json.dumps(each.body, separators=(",", ":")).encode()
            assert began // 1000 <= stamp <= shop.now // 1000
            verify([shop.secrets[mine[name].id]], each.headers, sent, stamp)
        assert len({each.headers["webhook-signature"] for each in asked}) == len(asked), "each is signed anew"
        bodies = {(each.headers["webhook-id"], str(each.body)) for each in asked}
        assert len(bodies) == 3, "a message is the same at each attempt"
    (_, busy), *_ = attempts(shop, mine["busy"])
    assert all(later["at"] - sooner["at"] >= 2 * HOUR for sooner, later in pairwise(busy))

    ends = {name: shop.endpoints.get("acme", each.id).off for name, each in mine.items()}
    assert {name for name, off in ends.items() if off is None} == ANSWERS.keys()
    assert ends["gone"] == BY_RECEIVER and len(servers["gone"].asked) == 1
    assert {ends[name] for name in ("down", "failing", "redirecting")} == {BY_FAILURE}
    for name in ("down", "failing", "redirecting"):
        (state, made), *_ = attempts(shop, mine[name])
        assert (state, len(made)) == ("failed", 10), "the whole schedule"
    kinds = [kind for kind, _ in shop.bus.events]
    assert kinds.count("WebhookEndpointDisabled") == 4
    assert kinds.count("WebhookExhausted") >= 3
