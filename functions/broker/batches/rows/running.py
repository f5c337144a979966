"""Running: the rows of a shard become jobs, each once, whoever does it and however often.

    row ──► Accept, as at every door ──► a job, whose id follows from the batch and the row
      └───► its own fault ──► rejected, with the reason

No row keeps the others waiting. One that fails as nobody foresaw, or takes too long, is passed by and tried again when
the others are done (`tries`); after `TRIES` it is rejected. What is left when the time is over, another message takes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from broker.batches.batch import BY_KEY, BY_MEMBER, Batch
from broker.batches.ports import RowBytes, ShardQueue
from broker.batches.rows.capping import FIRST_WAIT_S, WAIT_S, Purse, Worst
from broker.batches.rows.duplicates import Duplicates
from broker.batches.rows.sources import Content, Span, content_of, rows_of
from broker.batches.rows.tries import LINE_S, LineFailed, Pass
from broker.batches.shard import Shard, row_job_id
from broker.batches.store import Batches
from broker.bounds import Overrun, within
from broker.errors import BrokerError, InvalidRequest, NotFound, Unavailable
from broker.jobs.accepting import Accept, Caller
from broker.jobs.idempotency import fingerprint
from broker.jobs.request import MOST_WAIT_S, JobRequest, stored_form
from broker.jobs.store import Jobs
from broker.permissions.who import Member
from broker.storage import Contended

LEASE_MS = 200_000
"""Longer than the function that runs a shard may take: nobody else runs it as long as that one lives."""

HELD_S = 120
"""Before rows come again that something kept which passes by itself."""

LOOK_MS = 2_000
"""How often who runs rows looks whether their batch has been stopped."""


@dataclass(slots=True)
class _Work:
    """What is left of a shard's rows, and how far this way through them has come."""

    batch: Batch
    shard: Shard
    way: Pass
    begun: bool
    """True where someone was at these rows before: some may be jobs already."""
    looked_at: int
    """When the batch was read."""
    done: set[int] = field(default_factory=set)
    """Places of rows that became jobs now, or were rejected."""
    purse: Purse | None = None
    """Of a batch with a `max_cost_usd`."""

    @property
    def places(self) -> list[int]:
        """Of the rows that are to be tried, in the order of this way."""
        shard = self.shard
        found = [place for place in range(shard.rows) if self.way.has(place) and place not in shard.ends]
        return found[::-1] if self.way.is_backwards else found


@dataclass(frozen=True, slots=True)
class RunRows:
    """Makes the jobs of a shard's rows."""

    batches: Batches
    duplicates: Duplicates
    rows: RowBytes
    jobs: Jobs
    accept: Accept
    queue: ShardQueue
    on_failure: Callable[[str, int, BaseException], None] = lambda batch_id, row, error: None
    """Told of each row that failed as nobody foresaw."""
    line_s: float = LINE_S
    """The time of a row."""
    worst: Worst = lambda request, batch, now, known: 0
    """What a row can cost at most; asked only where the batch has a `max_cost_usd`."""

    def __call__(
        self,
        batch: Batch,
        shard: Shard,
        message: dict[str, Any],
        clock: Callable[[], int],
        time_left: Callable[[], bool],
    ) -> Shard | None:
        """Run what is left of a shard.

        Args:
            batch: as of now.
            shard: as of now.
            message: that asked for it, perhaps with `goes_on`.
            clock: gives the milliseconds; it is asked for each row.
            time_left: False when the rest should go on in another message.

        Returns:
            The shard, with `is_sent` where nothing of it is left to run; None where it is gone, or another runs it.

        Raises:
            Exception: of the cloud; the message should come again.
        """
        leased = self.batches.lease(shard, clock() + LEASE_MS, clock())
        if leased is None:
            return None
        work = _Work(batch, leased, Pass.of(message, self.line_s), shard.lease_until is not None, clock())
        try:
            if "max_cost" in batch.asked:
                work.purse = Purse(self.batches, self.worst, batch, leased)
                work.purse.open(self.jobs)
            rest = self._go(work, clock, time_left)
            if work.purse:
                work.purse.close()
        except NotFound as error:  # what the rows are read from
            self._reject(work, self._open(work), error)
            rest = None
        except Exception:
            self.batches.end_lease(leased)
            raise
        after = self.batches.end_lease(leased, is_sent=rest is None)
        if rest and rest.message:
            self.queue.again(rest.message, batch.tenant, rest.delay_s)
        elif rest and not self.batches.get(batch.id).is_paused:  # who resumed it sent it while it was in our hands
            self.queue.send(batch.id, batch.tenant, [leased.number])
        return after

    def _go(self, work: _Work, clock: Callable[[], int], time_left: Callable[[], bool]) -> "_Rest | None":
        """Go through the rows once; None where nothing is left to be done."""
        way, places = work.way, [] if work.batch.has_stopped else work.places
        for number, (span, data) in enumerate(self._rows(work, places) if places else ()):
            self._look(work, clock())
            if work.batch.has_stopped:
                break
            if work.batch.is_paused:
                return _Rest()  # who resumes it sends it again
            if not time_left():
                return _Rest(way.cut(places[number:]))
            self._try(work, span, data, clock())
        self._look(work, clock())
        if work.batch.has_stopped:
            self.batches.pass_over(work.shard, self._open(work))
            return None
        if way.failed and not way.is_last:
            return _Rest(way.next(), way.pause_s)
        if not way.held:
            return None
        if work.purse and work.purse.has_waiting:
            message, pause_s = way.waits(FIRST_WAIT_S, WAIT_S, anew=work.purse.has_admitted)
            return _Rest(message, pause_s)
        return _Rest(way.cut(()), HELD_S)

    def _rows(self, work: _Work, places: Sequence[int]) -> Iterator[tuple[Span, bytes]]:
        """Rows with their bytes. The first way is through a stream; later ones look where each is, and pick it."""
        wanted = set(places)
        found = ((span, data) for span, data in rows_of(work.batch, work.shard, self.rows) if span.place in wanted)
        if work.way.lines is None:
            yield from found
            return
        spans = {span.place: span for span, _ in found}
        for place in places:
            span = spans[place]
            yield span, next(self.rows.lines(work.batch.rows_in or {}, span.offset, span.length))

    def _look(self, work: _Work, now: int) -> None:
        if work.purse and work.purse.stopped:
            work.batch = work.purse.stopped
        elif now - work.looked_at >= LOOK_MS:
            work.batch, work.looked_at = self.batches.get(work.batch.id), now

    def _open(self, work: _Work) -> list[int]:
        """Places of the rows that have not ended, are no jobs, and do not wait for another's answer."""
        shard, apart = work.shard, self.batches.rows_apart(work.batch.id, work.shard.number)
        settled = shard.ends.keys() | work.done | {place for place, item in apart.items() if "first" in item}
        places = [each for each in range(shard.rows) if each not in settled]
        return [each for each in places if not (work.begun and self.jobs.find(_job_id(work, each)))]

    def _reject(self, work: _Work, places: Iterable[int], error: BrokerError) -> None:
        for place in places:
            row = work.shard.first_row + place
            self.batches.reject_row(work.batch.id, row, {**error.facts(), "param": error.param})
            work.done.add(place)

    def _try(self, work: _Work, span: Span, data: bytes, now: int) -> None:
        way = work.way
        try:
            with within(way.patience_s):
                self._take(work, span, data, now)
            way.succeed()
        except (Unavailable, Contended):
            way.held.append(span.place)  # it says itself that it will pass
        except (Exception, Overrun) as error:
            self.on_failure(work.batch.id, work.shard.first_row + span.place, error)
            way.fail(span.place, error)
            if way.is_last and not self.jobs.find(_job_id(work, span.place)):
                self._reject(work, [span.place], LineFailed())

    def _take(self, work: _Work, span: Span, data: bytes, now: int) -> None:
        job_id = _job_id(work, span.place)
        if work.begun and self.jobs.find(job_id):
            return  # what was accepted stands, whatever the registry says by now
        batch, row = work.batch, work.shard.first_row + span.place
        content = content_of(batch, work.shard, span, data)
        try:
            if content.error:
                raise content.error
            request = content.request.parse()
            if not self._follows(work, content, request):
                caller = replace(
                    asks_for(batch, content.known), line=content.line, custom_id=content.custom_id, row=row
                )
                self._accept(work, content, in_time(request, batch, now), caller, now, job_id)
        except InvalidRequest as error:
            self._reject(work, [span.place], error)
        work.done.add(span.place)

    def _accept(
        self, work: _Work, content: Content, request: JobRequest, caller: Caller, now: int, job_id: str
    ) -> None:
        try:
            if work.purse:
                left = work.shard.rows - len(work.shard.ends.keys() | work.done)
                request = work.purse.admit(request, left, now, content.known)
            self.accept(request, caller, now, job_id=job_id)
        except InvalidRequest as error:
            raise content.request.named(error) from None

    def _follows(self, work: _Work, content: Content, request: JobRequest) -> bool:
        """True of a row that takes the answer of one before it, where its batch asks for that."""
        if not work.batch.asked.get("dedupe"):
            return False
        same = fingerprint(stored_form(request))
        return self.duplicates.follows(work.batch, work.shard, content.place, content.line, same)


class _Rest(NamedTuple):
    """What is left of a shard, and how it goes on: by a message after a pause, or as someone asks for it."""

    message: dict[str, Any] | None = None
    delay_s: int = 0


def _job_id(work: _Work, place: int) -> str:
    return row_job_id(work.batch.id, work.batch.created_at, work.shard.first_row + place)


def in_time(request: JobRequest, batch: Batch, now: int) -> JobRequest:
    """A row's request with a deadline: its own, but none beyond the time of its batch."""
    left = min(max(1, (batch.ends_at - now) // 1000), request.ttl_seconds, MOST_WAIT_S)
    if "deadline_seconds" in request.model_fields_set:
        left = min(left, request.deadline_seconds)
    return request.model_copy(update={"deadline_seconds": left})


def asks_for(batch: Batch, known: Mapping[str, Any]) -> Caller:
    """Who asks for a row of a batch, but for which; `known` is what was made of the row before."""
    return Caller(
        *(batch.tenant, batch.principal, "batch", batch.id, batch.id),
        policies=tuple(batch.asked.get("policies", ())),
        prepared=known,
        key=batch.asked.get(BY_KEY, ""),
        member=Member.of(batch.asked.get(BY_MEMBER, {})),
    )
