"""Push in memory: what clients do and hear, and what the stream brings."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from broker.batches.batch import Batch, BatchStatus
from broker.batches.store import Batches
from broker.delivery.publishing import HeadChange
from broker.jobs.head import Head, Status
from broker.push.changes import BatchChange
from broker.push.connection import Connection, Connections
from broker.push.listening import Caller, Listen
from broker.push.messages import parse, ref_of
from broker.push.telling import TellConnections
from broker.push.watching import MayListen
from broker.side_by_side import one_by_one
from broker.storage import Put
from broker.tenants.api_keys import key_item
from broker.tenants.identity import is_good

from tests.fakes.sockets import FakeGateway
from tests.fakes.world import BASE_URL, HOUR, JOB_ID, NOW, World, a_head

BATCH_ID = "batch_0193a000000070008000000000000002"
DIGESTS = {"acme": "a" * 64, "rival": "b" * 64}

QUEUED = a_head()
RUNNING = replace(QUEUED, status=Status.RUNNING, run=1, started_at=NOW + 5, rev=2)
DONE = replace(RUNNING, status=Status.SUCCEEDED, ended_at=NOW + 9, model="small", rev=3)
READS = frozenset({"jobs:read"})


def a_batch(**changes: Any) -> Batch:
    known: dict[str, Any] = {
        "id": BATCH_ID,
        "tenant": "acme",
        "principal": "key:1",
        "created_at": NOW,
        "expires_at": (NOW + 24 * HOUR) // 1000,
        "ends_at": NOW + HOUR,
        "source": {"kind": "file"},
    }
    return Batch(**{**known, **changes})


@dataclass
class Push:
    """One deployment with two tenants, a key each."""

    world: World = field(default_factory=World)
    gateway: FakeGateway = field(default_factory=FakeGateway)
    unsent: list[tuple[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Tenants whose rate was asked for."""

    def __post_init__(self) -> None:
        for tenant, digest in DIGESTS.items():
            self.key(tenant, digest)
        self.connections = Connections(self.world.database)
        self.may_listen = MayListen(self.connections, lambda digest, now: is_good(self.world.database, digest, now))
        self.listen = Listen(
            *(self.connections, self.world.jobs, Batches(self.world.database), self.may_listen),
            lambda tenant, now: self.asked.append(tenant),
            BASE_URL,
        )

    def key(self, tenant: str, digest: str, **changes: Any) -> None:
        item = key_item(digest, tenant=tenant, principal="p", scopes=("jobs:read",), created_at=NOW, expires_at=None)
        self.world.database.write(Put("registry", item | changes))

    def open(self, connection_id: str, tenant: str = "acme", *, now: int = NOW, **caller: Any) -> None:
        self.gateway.opened.add(connection_id)
        given = {"scopes": READS, "digest": DIGESTS.get(tenant, ""), **caller}
        self.listen.open(connection_id, Caller(tenant, **given), now)

    def says(self, connection_id: str, tenant: str = "acme", *, now: int = NOW, **message: Any) -> Any:
        """What a message is answered with; None where the connection is to be closed."""
        text = json.dumps(message)
        answer = self.listen.hear(connection_id, tenant, parse(text), ref_of(text), now)
        return None if answer is None else json.loads(answer)

    def listens(self, connection_id: str, tenant: str = "acme", **subject: Any) -> Any:
        """Open a connection and subscribe."""
        self.open(connection_id, tenant)
        return self.says(connection_id, tenant, action="subscribe", **subject)

    def tells(
        self, *changes: HeadChange | BatchChange, now: int = NOW, seconds_left: Callable[[], float] = lambda: 5.0
    ) -> int:
        """What the stream brings; gives how many messages were to be sent."""

        def unsent(connection: Connection, error: Exception | None) -> None:
            self.unsent.append((connection.id, type(error).__name__ if error else "no time"))

        use = self.connections, self.gateway, self.may_listen, BASE_URL, lambda works, left: one_by_one(works), unsent
        return TellConnections(*use)(changes, now, seconds_left)

    def heard(self, connection_id: str) -> list[dict[str, Any]]:
        """All changes that a connection was told of."""
        texts = [json.loads(text) for text in self.gateway.texts(connection_id)]
        assert all(each["type"] == "changes" for each in texts)
        return [change for each in texts for change in each["changes"]]

    def put(self, head: Head = DONE) -> Head:
        """Have a job as it is given, whatever it was."""
        self.world.database.write(Put("jobs", head.to_item()))
        return head

    def put_batch(self, **changes: Any) -> Batch:
        batch = a_batch(**changes)
        self.world.database.write(Put("jobs", batch.to_item()))
        return batch


def a_change(before: Head | None, after: Head) -> HeadChange:
    return HeadChange("1", before, after)


def ends(job_id: str = JOB_ID, **changes: Any) -> HeadChange:
    """A job's end."""
    return a_change(replace(RUNNING, id=job_id, **changes), replace(DONE, id=job_id, **changes))


COMPLETED = BatchChange(a_batch(status=BatchStatus.FINALIZING), a_batch(status=BatchStatus.COMPLETED, rev=9))
