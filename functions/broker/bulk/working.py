"""Working on a bulk operation: page by page, and no longer in one message than others may be kept waiting.

    message ──► page: each job canceled, or accepted again ──► figures and place written ──► next page … next message

Each part may be repeated: a job that is canceled stays so, a retry has an id that follows from the first, and both
are counted by what is found, not by who did it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from broker.batches.ports import ShardQueue
from broker.batches.rows.tries import LINE_S
from broker.bounds import Overrun, within
from broker.bulk.finding import Find
from broker.bulk.record import Bulk, Bulks
from broker.bulk.retrying import asked_again, retry_id
from broker.errors import BrokerError, NotCancelable, Unavailable
from broker.jobs.accepting import Accept, Caller
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head, Status
from broker.jobs.request import JobRequest
from broker.jobs.store import REQUEST, Jobs, Payloads
from broker.permissions.who import Member

SLICE_MS = 20_000
"""Of one message; what is left goes on in another, behind those of other tenants."""

PAUSE_S = 30
"""Before a page is tried again that something kept."""

TRIES = 5
"""Of a page; then what fails in it is told as faulty, and the next one comes."""

LAST_S = 1.5
"""A job's time at the last of them: a page of a hundred that all hang has to end before its function does."""

MOST_CODES = 30
"""Of errors that are told apart."""

FAULT = "bulk_failed"
"""The code of what failed as nobody foresaw."""

Worst = Callable[[JobRequest, Caller, int], int]
"""Nano-dollars that a request can cost at most, at a moment. Raises what accepting it would."""


class _Held(Exception):
    """Something keeps the page that may pass by itself."""


@dataclass(slots=True)
class _Tally:
    """What came of the jobs of a page."""

    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    worst: int = 0


@dataclass(frozen=True, slots=True)
class WorkOnBulk:
    """Takes a bulk operation further."""

    bulks: Bulks
    find: Find
    jobs: Jobs
    payloads: Payloads
    accept: Accept
    worst: Worst
    queue: ShardQueue
    on_failure: Callable[[str, str, BaseException], None] = lambda bulk_id, job_id, error: None
    """Told of each job that failed as nobody foresaw."""

    def __call__(
        self, message: dict[str, Any], clock: Callable[[], int], time_left: Callable[[], bool] = lambda: True
    ) -> None:
        """Go on with the bulk that a message names, as far as there is time.

        Args:
            message: `{"bulk_id"}`.
            clock: gives the milliseconds.
            time_left: False when the rest should go on in another message.

        Raises:
            Exception: of the cloud; the message should come again.
        """
        bulk, until = self.bulks.find(message["bulk_id"]), clock() + SLICE_MS
        while bulk is not None and bulk.ended_at is None:
            if not time_left() or clock() >= until:
                self.queue.again(message, bulk.tenant, 0)
                return
            try:
                after = self._page(bulk, clock)
            except _Held:
                if self.bulks.save(bulk, replace(bulk, tries=bulk.tries + 1)):
                    self.queue.again(message, bulk.tenant, PAUSE_S)
                return
            bulk = self.bulks.save(bulk, after)  # None where another message is at it

    def _page(self, bulk: Bulk, clock: Callable[[], int]) -> Bulk:
        found, tally = self.find(bulk), _Tally()
        for head, status in found.jobs:
            tally.statuses[status.value] += 1
            tally.counts[self._outcome(bulk, head, tally, clock())] += 1
        now = clock()
        after = replace(
            bulk,
            cursor=found.cursor,
            counts=_sum(bulk.counts, tally.counts),
            statuses=_sum(bulk.statuses, tally.statuses),
            errors=_few(_sum(bulk.errors, tally.errors)),
            worst=bulk.worst + tally.worst,
            tries=0,
            looks=0,
        ).looked_at(now)
        return after if found.cursor is not None else replace(after, ended_at=now, due_at=None)

    def _outcome(self, bulk: Bulk, head: Head, tally: _Tally, now: int) -> str:
        """What came of one job (`record.OUTCOMES`).

        Raises:
            _Held: the page is to be tried again.
        """
        try:
            with within(LINE_S if bulk.tries + 1 < TRIES else LAST_S):
                return self._cancel(bulk, head, now) if bulk.action == "cancel" else self._retry(bulk, head, tally, now)
        except (Exception, Overrun) as error:
            if isinstance(error, BrokerError) and not isinstance(error, Unavailable):
                tally.errors[error.code] += 1
                return "refused"
            if bulk.tries + 1 < TRIES:
                raise _Held from error
            self.on_failure(bulk.id, head.id, error)
            tally.errors[FAULT] += 1
            return "faulty"

    def _cancel(self, bulk: Bulk, head: Head, now: int) -> str:
        if not bulk.is_dry and not head.status.terminal:
            try:
                cancel_job(self.jobs, head.id, bulk.tenant, now)
            except NotCancelable:
                if self.jobs.get(head.id).status is not Status.CANCELED:
                    raise
        return "done"

    def _retry(self, bulk: Bulk, head: Head, tally: _Tally, now: int) -> str:
        job_id = retry_id(head)
        if there := self.jobs.find(job_id):
            return "done" if there.correlation_id == bulk.id else "repeated"
        document = self.payloads.load(head.id, REQUEST, fresh=True)
        if document is None:
            return "gone"
        request, prepared = asked_again(document)
        caller = Caller(
            *(bulk.tenant, bulk.principal, "rest", bulk.id),
            policies=head.policies,
            retry_of=head.id,
            prepared=prepared,
            key=bulk.key,
            member=Member.of(bulk.member),
        )
        if bulk.is_dry:
            tally.worst += self.worst(request, caller, now)
        else:
            self.accept(request, caller, now, job_id=job_id)
        return "done"


def _sum(before: Any, more: Counter[str]) -> dict[str, int]:
    return dict(Counter(before) + more)


def _few(errors: dict[str, int]) -> dict[str, int]:
    """The codes that came first by name; all others are one."""
    kept = dict(sorted(errors.items())[:MOST_CODES])
    rest = sum(errors.values()) - sum(kept.values())
    return kept | ({"other": kept.get("other", 0) + rest} if rest else {})
