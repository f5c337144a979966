"""The sweep: every minute, whatever is due. With it a job ends whatever crashed on its way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from broker.errors import Conflict, NotFound
from broker.jobs.ending import change, fail_undeliverable, reckon_calls
from broker.jobs.head import SHARDS, Head, Status, job_id_of
from broker.jobs.store import Jobs, Payloads, Queue
from broker.jobs.transitions import tend
from broker.storage import Item

PER_SHARD = 250


class DeadLetters(Protocol):
    """The dead-letter queues of the lanes."""

    def take(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Job ids of dead messages, each with the call that deletes its message."""
        ...


@dataclass(slots=True)
class Swept:
    """What one sweep did, as counts."""

    expired: int = 0
    requeued: int = 0
    failed: int = 0
    waiting: int = 0
    reckoned: int = 0
    deliveries: int = 0
    batches: int = 0
    dead_letters: int = 0
    errors: list[str] = field(default_factory=list)
    """Names of exceptions; what they struck is still due and comes again."""


class Sweep:
    """Tends what is due: leases, deadlines, jobs never sent, deliveries, batches to collect, dead letters."""

    def __init__(
        self,
        jobs: Jobs,
        payloads: Payloads,
        queue: Queue,
        dead_letters: DeadLetters,
        resend_delivery: Callable[[Item, int], bool],
        resend_batch: Callable[[Item, int], bool] = lambda item, now: False,
    ) -> None:
        self._jobs = jobs
        self._payloads = payloads
        self._queue = queue
        self._dead_letters = dead_letters
        self._resend_delivery = resend_delivery
        self._resend_batch = resend_batch

    def __call__(self, now: int, *, time_left: Callable[[], bool] = lambda: True) -> Swept:
        """Sweep once. May run twice at the same time and may stop anywhere: what is left is due the next time.

        Args:
            now: milliseconds.
            time_left: False when the rest should wait for the next sweep.
        """
        swept = Swept()
        for shard in range(SHARDS):
            for item in self._jobs.due(shard, now, PER_SHARD):
                if not time_left():
                    return swept
                try:
                    self._tend(item, now, swept)
                except Exception as error:  # one bad item must not keep the others waiting
                    swept.errors.append(type(error).__name__)
        for job_id, delete in self._dead_letters.take():
            try:
                swept.failed += fail_undeliverable(self._jobs, job_id, now) is not None
                delete()
            except Exception as error:
                swept.errors.append(type(error).__name__)
            swept.dead_letters += 1
        return swept

    def _tend(self, item: Item, now: int, swept: Swept) -> None:
        if item["sk"] == "BATCH":
            swept.batches += self._resend_batch(item, now)
            return
        if item["sk"] != "HEAD":
            swept.deliveries += self._resend_delivery(item, now)
            return
        try:
            head = self._jobs.get(job_id_of(item))
            if head.status.terminal:
                reckon_calls(self._jobs, self._payloads, head, now)
                swept.reckoned += 1
                return
            head = change(self._jobs, head.id, lambda current: tend(_if_due(current, now), now=now), known=head)
        except (Conflict, NotFound):
            return
        if head.status is Status.QUEUED:
            self._queue.send(head)
            swept.requeued += 1
        elif head.status is Status.EXPIRED:
            swept.expired += 1
        elif head.status is Status.FAILED:
            swept.failed += 1
        else:
            swept.waiting += 1


def _if_due(head: Head, now: int) -> Head:
    """The index lags behind the table: what is no longer due is left alone."""
    if head.due_at is None or head.due_at > now:
        raise Conflict(f"job {head.id} is not due")
    return head
