"""The REST door, as tests call it."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from broker.clock import now_ms
from broker.delivery.delivering import Deliver
from broker.delivery.sending import Sent
from broker.delivery.starting import StartDelivery
from broker.endpoints.registered import RegisteredEndpoints
from broker.errors import BrokerError
from broker.prompts.listing import Listing
from broker.rest.api import Api
from broker.rest.http import Reply, Request
from broker.steps.estimating import EstimateJob
from broker.steps.trying import TryPolicies
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants
from broker.tenants.usage import Usage
from broker.tenants.waits import Waits

from tests.fakes.batch_door import BatchWorld
from tests.fakes.circuits import FakeCircuits
from tests.fakes.conversations import FakeTurns
from tests.fakes.endpoints import FakeSeal, an_endpoint_door, endpoints_of
from tests.fakes.file_bucket import FakeFileBucket, a_file_door
from tests.fakes.questions import answers
from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import BASE_URL, CHAT, INBOX, JOB_ID, World, a_model

BODY = json.dumps(CHAT)


@dataclass
class Door:
    """The REST door of a broker in memory."""

    world: World = field(default_factory=World)
    redelivered: list[str] = field(default_factory=list)
    turns: FakeTurns = field(default_factory=FakeTurns)
    health: FakeCircuits = field(default_factory=FakeCircuits)
    bucket: FakeFileBucket = field(default_factory=FakeFileBucket)
    deliveries: FakeDeliveries = field(default_factory=FakeDeliveries)
    receives: Sent = field(default_factory=lambda: Sent(204, None, None, 7))
    posted: list[tuple[str, str, bytes, list[str]]] = field(default_factory=list)
    """What went out to registered endpoints: address, id, body and secrets."""
    own_headers: dict[str, str] = field(default_factory=dict)
    """The receiver's own of the last."""
    waits: Waits | None = None
    batches: BatchWorld = field(init=False)

    def __post_init__(self) -> None:
        self.batches = BatchWorld(self.world)
        self.batches.finds.uploads = a_file_door(self.world.database, self.bucket).files
        self.world.register(a_model("small"), a_model("large", status="disabled"))
        self.world.tenant()
        self.world.tenant("other", models=["large"])

    @property
    def deliver(self) -> Deliver:
        """Attempts webhooks; receivers answer with `receives`."""
        database, seal = self.world.database, FakeSeal()
        start = StartDelivery(database, self.deliveries)
        kept = endpoints_of(database)
        registered = RegisteredEndpoints(database, kept, start, seal.open, lambda kind, detail: None)
        return Deliver(
            *(database, self.world.jobs, self.deliveries, self._send, lambda note, sent: None), registered=registered
        )

    def attempt(self) -> None:
        """Attempt all that is asked for."""
        asked, self.deliveries.sent = self.deliveries.sent, []
        for owner, _, name, _ in asked:
            self.deliver(owner, name, now_ms(), BASE_URL)

    def _send(
        self, tenant: str, url: str, event_id: str, now: int, body: bytes, *, secrets: Any, headers: Any, client: Any
    ) -> Sent:
        self.posted.append((url, event_id, body, list(secrets())))
        self.own_headers = headers()
        return self.receives

    def _redeliver(self, job_id: str, now: int) -> list[str]:
        self.redelivered.append(job_id)
        return ["evt_1"]

    @property
    def api(self) -> Api:
        """What it answers by, made anew for each call."""
        world = self.world
        tenants = Tenants(world.database)
        estimate = EstimateJob(world.preparing(), self.health, world.check_webhook)
        return Api(
            world.accepting(),
            world.jobs,
            world.payloads,
            world.models(),
            tenants,
            self._redeliver,
            answers(world.database).forget,
            self.turns,
            self.health,
            estimate,
            TryPolicies(tenants, Policies(world.database)),
            Listing(world.database, world.prompts()),
            lambda: a_file_door(world.database, self.bucket),
            self.batches.door,
            self.batches.bulk,
            lambda: an_endpoint_door(world.database, self.deliveries, self.deliver.again, self.attempt),
            lambda: Usage(world.database),
            places=lambda limits: [each.standing(world.database) for each in limits],
            inbox=INBOX,
            waits=self.waits,
        )

    def __call__(
        self,
        method: str,
        resource: str,
        body: str | None = None,
        *,
        tenant: str = "acme",
        scopes: str = "*",
        job_id: str = JOB_ID,
        query: dict[str, str] | None = None,
        ago_s: float = 0,
        base_url: str = BASE_URL,
        proxy: str = "",
        **headers: str,
    ) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        first, _, second = job_id.partition(" ")
        path = {"id": first} if "{id}" in resource else {"proxy": proxy} if proxy else {}
        for name in ("delivery_id", "item_id"):
            if f"{{{name}}}" in resource:
                path[name] = second
        who = frozenset(scopes.split())
        began = time.monotonic() - ago_s
        return self.api(
            Request(method, resource, path, query or {}, named, body, tenant, "ci", who, "req-1", base_url, began)
        )

    def fails(self, *arguments: Any, **options: Any) -> BrokerError:
        with pytest.raises(BrokerError) as failure:
            self(*arguments, **options)
        return failure.value
