"""What tests of registered endpoints begin with: endpoints of tenants, jobs that end, and receivers that answer so."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from broker.delivery.client_certificates import Identity
from broker.delivery.delivering import Deliver
from broker.delivery.publishing import HeadChange, Publish
from broker.delivery.sending import Client, Headers, Secrets, Sent, no_client
from broker.delivery.signing import sign
from broker.delivery.starting import StartDelivery
from broker.endpoints.bodies import EVENTS
from broker.endpoints.keeping import Endpoints
from broker.endpoints.log import DeliveryLog
from broker.endpoints.record import Endpoint, Form, NewEndpoint, new_endpoint_id
from broker.endpoints.registered import RegisteredEndpoints, exhausted
from broker.endpoints.telling import Listeners, TellEndpoints
from broker.jobs.head import Head, Status
from broker.storage import Item

from tests.fakes.bus import FakeBus
from tests.fakes.endpoints import FakeSeal, endpoints_of
from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import BASE_URL, NOW, World, a_head

OK, GONE, BROKEN = (Sent(status, None, None, 7) for status in (204, 410, 500))
URL = "https://example.com/hook"


@dataclass(frozen=True)
class Posted:
    """One POST."""

    tenant: str
    url: str
    event_id: str
    at: int
    body: bytes
    secrets: Sequence[str]
    given: dict[str, str]
    """The receiver's own headers."""
    client: Identity | None

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def headers(self) -> dict[str, str]:
        """As the receiver gets them."""
        stamp = self.at // 1000
        signature = sign(self.secrets, self.event_id, stamp, self.body)
        return {"webhook-id": self.event_id, "webhook-timestamp": str(stamp), "webhook-signature": signature}


@dataclass
class Shop:
    """Tenants' endpoints, and a receiver of each that answers by a script for its address, then with 204."""

    world: World = field(default_factory=World)
    bus: FakeBus = field(default_factory=FakeBus)
    queue: FakeDeliveries = field(default_factory=FakeDeliveries)
    seal: FakeSeal = field(default_factory=FakeSeal)
    now: int = NOW
    posts: list[Posted] = field(default_factory=list)
    script: dict[str, list[Sent]] = field(default_factory=dict)
    always: dict[str, Sent] = field(default_factory=dict)
    uncounted: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def __post_init__(self) -> None:
        self.listeners = Listeners(self.world.database)

    @property
    def endpoints(self) -> Endpoints:
        return endpoints_of(self.world.database, self.seal)

    def register(
        self, tenant: str = "acme", url: str = URL, form: Form = "native", events: Sequence[str] | None = None
    ) -> Endpoint:
        self.made += 1
        new = NewEndpoint(form, url, tuple(events or EVENTS[form]), "The shop's")
        made, secret = self.endpoints.register(tenant, new, new_endpoint_id(self.now + self.made), self.now)
        self.secrets[made.id] = secret
        return made

    @property
    def deliver(self) -> Deliver:
        database = self.world.database
        registered = RegisteredEndpoints(
            *(database, self.endpoints, StartDelivery(database, self.queue), self.seal.open, self.bus_one),
            on_failure=lambda error: self.uncounted.append(type(error).__name__),
            clock=lambda: self.now,
        )
        return Deliver(
            *(database, self.world.jobs, self.queue, self._send, lambda note, sent: None),
            chance=lambda: 0.0,
            registered=registered,
            on_exhausted=lambda owner, note: self.bus_one(*exhausted(owner, note, self.now)),
        )

    def bus_one(self, kind: str, detail: dict[str, Any]) -> None:
        assert self.bus.put([(kind, detail)]) == []

    def _send(
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
        assert secrets is not None
        self.posts.append(Posted(tenant, url, event_id, now, body, list(secrets()), dict(headers()), client()))
        script = self.script.get(url)
        return script.pop(0) if script else self.always.get(url, OK)

    @property
    def telling(self) -> TellEndpoints:
        return TellEndpoints(self.listeners, StartDelivery(self.world.database, self.queue))

    def publish(self, *changes: HeadChange) -> str | None:
        world = self.world
        publish = Publish(
            *(world.database, world.jobs, self.bus, self.queue, BASE_URL, lambda head: None),
            tell_endpoints=self.telling.of_job,
        )
        return publish(changes, self.now)

    def end(self, number: int = 1, status: Status = Status.SUCCEEDED, **changes: Any) -> Head:
        """A job ends, and that is published."""
        job_id = f"job_0193a0000000700080000000{number:08x}"
        before = a_head(id=job_id, status=Status.RUNNING, run=1, started_at=self.now, rev=2, **changes)
        head = self.world.put(replace(before, status=status, ended_at=self.now + 9, model="small", rev=3))
        assert self.publish(HeadChange(f"s-{number}", before, head)) is None
        return head

    def work(self) -> list[str]:
        """Attempt whatever is asked for; gives what became of each."""
        self.fan_out()
        asked, self.queue.sent = self.queue.sent, []
        return [self.deliver(owner, name, self.now, BASE_URL) for owner, _, name, _ in asked]

    def fan_out(self) -> None:
        """Start what is to be started."""
        asked, self.queue.sent = self.queue.sent, []
        for owner, tenant, name, delay in asked:
            if name.startswith("FAN#"):
                assert self.deliver(owner, name, self.now, BASE_URL) == "delivered"
            else:
                self.queue.sent.append((owner, tenant, name, delay))

    def attempt(self, owner: str, name: str) -> str:
        """One attempt; what it asks for again is not made."""
        became = self.deliver(owner, name, self.now, BASE_URL)
        self.queue.sent.clear()
        return became

    def again(self, owner: str, name: str, note: Item, now: int) -> bool:
        return self.deliver.again(owner, name, note, now)

    @property
    def log(self) -> DeliveryLog:
        return DeliveryLog(self.world.database, self.again)

    def note(self, head: Head, endpoint: Endpoint) -> Item:
        notes = self.world.jobs.notes(head.id, "DELIVERY#")
        (found,) = [note for note in notes.values() if note.get("endpoint") == endpoint.id]
        return found
