"""What tests of bulk operations begin with: a broker in memory, with jobs that stand in some way."""

from dataclasses import dataclass, field
from typing import Any

from broker.batches.store import Batches
from broker.bulk.asking import AskForBulk
from broker.bulk.finding import Find
from broker.bulk.record import Bulk, Bulks
from broker.bulk.request import parse_bulk
from broker.bulk.working import WorkOnBulk
from broker.jobs.accepting import Accept, Caller, as_asked
from broker.jobs.head import Head, Status
from broker.jobs.request import JobRequest, stored_form
from broker.jobs.transitions import Outcome, claim, finish
from broker.permissions.who import NOBODY, Member

from tests.fakes.batches import FakeShards
from tests.fakes.world import MINUTE, NOW, World
from tests.unit.accepting_case import accepting_world


@dataclass
class BulkWorld:
    """The use cases and all they touch."""

    world: World = field(default_factory=accepting_world)
    shards: FakeShards = field(default_factory=FakeShards)
    now: int = NOW
    failures: list[str] = field(default_factory=list)
    made: int = 0
    member: Member = NOBODY
    """As what who asks for operations asks."""

    @property
    def bulks(self) -> Bulks:
        """The records."""
        return Bulks(self.world.database)

    @property
    def ask(self) -> AskForBulk:
        """The use case."""
        return AskForBulk(self.bulks, Batches(self.world.database), self.shards)

    def working(self, accept: Accept | None = None) -> WorkOnBulk:
        """The work, as a fresh process builds it."""
        world = self.world

        def worst(request: JobRequest, caller: Caller, now: int) -> int:
            return world.preparing().quote(caller.tenant, as_asked(stored_form(request), caller), now)[1]

        return WorkOnBulk(
            *(self.bulks, Find(world.jobs, Batches(world.database)), world.jobs, world.payloads),
            *(accept or world.accepting(), worst, self.shards),
            lambda bulk_id, job_id, error: self.failures.append(job_id),
        )

    def job(self, status: Status = Status.QUEUED, *, tenant: str = "acme", **said: Any) -> Head:
        """A job that was accepted a millisecond after the one before it, and came to stand so."""
        self.made += 1
        self.now += 1
        body = {"input": f"Question {self.made}", **said}
        head = self.world.accept(body, now=self.now, tenant=tenant).head
        if status is not Status.QUEUED:
            head = self.world.jobs.change(head.id, lambda now: claim(now, now=self.now, lease_ms=MINUTE, by="m"))
        if status.terminal:
            head = self.end(head, status)
        return head

    def end(self, head: Head, status: Status) -> Head:
        """End a job."""
        return self.world.jobs.change(head.id, lambda now: finish(now, Outcome(status), now=self.now))

    def asked(self, action: str, *, tenant: str = "acme", key: str | None = None, **said: Any) -> Bulk:
        """Ask for something, a moment after the last job."""
        self.now += MINUTE
        dry = said.pop("dry_run", False)
        body = parse_bulk({"action": action, "filter": said, "dry_run": dry})
        caller = Caller(tenant, "key:1", "rest", "corr-2", member=self.member)
        return self.ask(body, caller, self.now, key).made

    def work(self, *, accept: Accept | None = None, time_left: Any = lambda: True) -> None:
        """Take the message that is next."""
        message, delay_s = self.shards.later.pop(0)
        self.now += delay_s * 1000
        self.working(accept)(message, lambda: self.now, time_left)

    def done(self, action: str, **said: Any) -> dict[str, Any]:
        """Ask for something, and work until it is over; gives how it stands."""
        bulk = self.asked(action, **said)
        while self.shards.later:
            self.work()
        return self.shown(bulk)

    def shown(self, bulk: Bulk) -> dict[str, Any]:
        """As of now, in its public form."""
        return self.bulks.get(bulk.id, bulk.tenant).shown

    def heads(self) -> list[Head]:
        """All jobs that there are, by id."""
        items = [item for item in self.world.database.items() if item.get("sk") == "HEAD"]
        return sorted((Head.from_item(item) for item in items), key=lambda head: head.id)

    def status(self, head: Head) -> Status:
        """How a job stands."""
        return self.world.jobs.get(head.id).status

    def retries(self, *of: Head) -> list[Head]:
        """The jobs that were made of some."""
        ids = {head.id for head in of}
        return [head for head in self.heads() if head.retry_of in ids]
