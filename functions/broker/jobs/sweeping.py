"""The sweep: every minute, whatever is due. With it a job ends whatever crashed on its way."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from broker.errors import Conflict, NotFound
from broker.jobs.ending import settle_orphaned_calls
from broker.jobs.head import SHARDS, Head, Status, job_id_of
from broker.jobs.reconciling import reconcile, send_soon
from broker.jobs.store import Jobs, Payloads, Queue
from broker.storage import Item

PAGE = 100
"""Keys of the due index that are read at once."""

TURN = 25
"""Items of one shard before the next has its turn."""

MINUTE_MS = 60_000


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
        # Each minute another shard is first, and each has its turn before one has a second, as have the dead letters:
        # what there is no time for is not the same each time.
        first = now // MINUTE_MS
        turns = deque(self._due((first + place) % SHARDS, now, swept) for place in range(SHARDS))
        turns.append(self._dead(now, swept))
        while turns:
            turn = turns.popleft()
            for _ in range(TURN):
                try:
                    work = next(turn, None)
                    if work is None:
                        break
                    if not time_left():
                        return swept
                    work()
                except Exception as error:  # one bad item, or shard, must not keep the others waiting
                    swept.errors.append(type(error).__name__)
            else:
                turns.append(turn)
        return swept

    def _due(self, shard: int, now: int, swept: Swept) -> Iterator[Callable[[], None]]:
        cursor = None
        while True:
            page = self._jobs.due(shard, now, PAGE, cursor)
            for item in page.items:
                yield partial(self._tend, item, now, swept)
            if (cursor := page.cursor) is None:
                return

    def _dead(self, now: int, swept: Swept) -> Iterator[Callable[[], None]]:
        for job_id, delete in self._dead_letters.take():
            yield partial(self._bury, job_id, delete, now, swept)

    def _bury(self, job_id: str, delete: Callable[[], None], now: int, swept: Swept) -> None:
        """Have the job of a dead message sent again soon; another message of it may be under way as well."""
        swept.dead_letters += 1
        with suppress(Conflict, NotFound):
            self._jobs.change(job_id, lambda head: send_soon(head, now=now))
        delete()

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
                settle_orphaned_calls(self._jobs, self._payloads, head, now)
                swept.reckoned += 1
                return
            head = self._jobs.change(head.id, lambda current: reconcile(_if_due(current, now), now=now), known=head)
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
