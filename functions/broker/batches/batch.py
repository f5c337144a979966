"""The record of a batch: what was asked for, how far its shards have come, and the sums of those that have ended.

    pk BATCH#id   sk BATCH   its place among those of its tenant: `batches.listing`

All changes are decided here by what stood before, and written on condition of `rev` (`batches.store`). A change that is
repeated changes nothing more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Literal, Self

from broker.batches.listing import Place, batch_id_of, batch_pk, tenant_of
from broker.batches.shard import MODELS, Sums
from broker.jobs.head import due_partition
from broker.storage import Item

KEEP_S = 30 * 86_400
"""How long the record is kept once it was made: longer than a job may take, and a message lie in the dead letters."""

MOST_BUSY = 40
"""Shards that run with most of their rows open: a few thousand rows keep the lane filled, and no more than that is
accepted, held in the budget and to be called back when the batch stops."""

MOST_OPEN = 200
"""Shards that have not ended, those included of which a few rows take long."""

LOOK_MS, BEGUN_MS = 300_000, 60_000
"""How often the sweep looks whether a batch only waits for a message that was lost, each time in vain twice as long;
and when it starts one that nobody has touched since it was made."""

MOST_LOOK_MS = 3_600_000


class BatchStatus(StrEnum):
    """How a batch stands, in OpenAI's words (API reference, "The batch object")."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True where nothing changes any more."""
        return self in ENDS.values() or self is BatchStatus.FAILED


Stop = Literal["cancelled", "expired", "capped"]
"""Why a batch begins no more rows: it was canceled, its time is over, or its money is."""

ENDS: Mapping[Stop | None, BatchStatus] = {
    None: BatchStatus.COMPLETED,
    "cancelled": BatchStatus.CANCELLED,
    "expired": BatchStatus.EXPIRED,
    "capped": BatchStatus.COMPLETED,
}
"""How a batch ends whose rows have all ended. One that stopped for its money has all it may have, and says so."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch. Times are milliseconds, `expires_at` SECONDS since the epoch, money nano-dollars."""

    id: str
    tenant: str
    principal: str
    created_at: int
    expires_at: int
    ends_at: int
    """When the time for its rows is over (`completion_window`)."""
    source: dict[str, Any]
    """What its rows come from, as `batches.sources` reads it."""
    asked: dict[str, Any] = field(default_factory=dict)
    """What the request says beside its rows, as `batches.request` keeps it: `prompt`, `dedupe`, `max_cost`, `webhook`,
    `metadata`, where results go …"""
    rev: int = 1
    status: BatchStatus = BatchStatus.VALIDATING
    rows_in: dict[str, Any] | None = None
    """The object that shards read their bytes of, one JSON value a line: `bucket`, `key`, `etag`, `version`."""
    cursor: dict[str, int] = field(default_factory=dict)
    """Where planning goes on: `offset` and `line`."""
    stages: dict[str, Any] = field(default_factory=dict)
    """Of a document (`batches.documents`), by name: `shard`, its first, and `rows`. The last may not be planned yet."""
    shards: int = 0
    """Planned so far, and all of them when `is_planned`."""
    rows: int = 0
    is_planned: bool = False
    released: int = 0
    """Shards below it were told to run, in order."""
    open: tuple[int, ...] = ()
    """Those of them that have not been folded into the sums."""
    busy: tuple[int, ...] = ()
    """Those of the open ones that have most of their rows before them."""
    is_paused: bool = False
    stop: Stop | None = None
    sums: Sums = field(default_factory=Sums)  # of the folded shards
    reserved: int = 0
    """Of `max_cost`: what rows have cost, and may cost that have not ended."""
    settled: int = 0  # the part of it that was paid
    holds: dict[str, int] = field(default_factory=dict)  # its tokens, by the tenant's bucket of them (`rows.enqueuing`)
    error: dict[str, Any] | None = None  # why it failed as a whole
    output: dict[str, Any] = field(default_factory=dict)
    """Where its results are, once they are."""
    writing: dict[str, Any] = field(default_factory=dict)
    """How far its files of results are, by kind, where one invocation is not enough (`results.assembling`)."""
    token: str | None = None
    """By which the workflow that waits for the rows goes on."""
    stamps: dict[str, int] = field(default_factory=dict)
    """When it came to each status, by its name."""
    told: int = 0
    """The last twentieth of its rows that was told to the bus."""
    told_at: int = 0  # when that was
    erased_at: int | None = None
    """Since when its rows are erased; all of them, once none of its shards is `open`."""
    collects_anew: bool = False
    """True where the results of its shards were not all there in the end, and are taken from the jobs once more."""
    looks: int = 0
    """How often the sweep looked in vain since something last changed."""
    due_at: int | None = None
    """When the sweep looks at it; None when all has been told."""

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        known = {spec.name: item[spec.name] for spec in fields(cls) if spec.name in item}
        known["id"], known["tenant"] = batch_id_of(item), tenant_of(item)
        known["status"] = BatchStatus(item["status"])
        known["sums"] = Sums.of(item.get("sums", {}))
        for name in ("open", "busy"):
            known[name] = tuple(item.get(name, ()))
        return cls(**known)

    def to_item(self) -> Item:
        """The stored form: absent fields left out, index keys added."""
        item: Item = {"pk": batch_pk(self.id), "sk": "BATCH"}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if value is not None and value != () and value != {} and value is not False:
                item[spec.name] = list(value) if isinstance(value, tuple) else value
        item |= {"status": self.status.value, "sums": self.sums.kept}
        item |= Place.of(self.id, self.created_at).keys(self.tenant, is_open=not self.status.terminal)
        if self.due_at is not None:
            item["due"] = due_partition(self.id)
        return item

    @property
    def has_stopped(self) -> bool:
        """True where no more rows begin."""
        return self.stop is not None or self.status is BatchStatus.FAILED

    @property
    def is_done(self) -> bool:
        """True when each row has ended or was passed over, and its results are to be put together."""
        return self.is_planned and self.released == self.shards and not self.open

    @property
    def may_release(self) -> int:
        """How many more shards may be told to run. Where rows are only passed over, a pause keeps none."""
        if not self.is_planned or (self.is_paused and not self.has_stopped):
            return 0
        room = min(MOST_BUSY - len(self.busy), MOST_OPEN - len(self.open), self.shards - self.released)
        return max(0, room)

    def opens_at(self, now: int) -> int:
        """When rows may begin, by `not_before` and its off-peak hours: now, or later. Milliseconds."""
        begins: int = max(now, self.asked.get("not_before", 0))
        if "window" not in self.asked:
            return begins
        from broker.batches.asking.hours import OffPeak  # few batches have hours, and time zones are slow to load

        return OffPeak.of(self.asked["window"]).opens_at(begins)

    def planned(self, shards: int, rows: int, cursor: dict[str, int], *, is_last: bool, now: int) -> Self:
        """After more of its rows were laid out; `shards` and `rows` are those of all plans up to this."""
        if not is_last:
            return replace(self, shards=shards, rows=rows, cursor=cursor).looked_at(now)
        laid = replace(self, shards=shards, rows=rows, cursor={}, is_planned=True)
        return laid if self.has_stopped else laid._at(BatchStatus.IN_PROGRESS, now)

    def with_stage(self, name: str, rows: int, rows_in: dict[str, Any]) -> Self:
        """After more rows were asked for, those of another stage; the same where it has that stage."""
        if name in self.stages or self.status.terminal:
            return self
        stages = {**self.stages, name: {"shard": self.shards, "rows": rows}}
        return replace(self, stages=stages, rows_in=rows_in, is_planned=False, cursor={})

    def release(self, now: int) -> Self:
        """After telling as many more shards to run as may; the same where none may.

        Before its time only the sweep's look is put to when that comes; rows that are passed over wait for none.
        """
        more = tuple(range(self.released, self.released + self.may_release))
        if not more:
            return self
        if not (self.has_stopped or self.collects_anew) and (opens_at := self.opens_at(now)) > now:
            return self if self.due_at == opens_at else replace(self, looks=0, due_at=opens_at)
        moved = replace(self, released=more[-1] + 1, open=self.open + more, busy=self.busy + more)
        return moved.looked_at(now)

    def lighten(self, shard: int) -> Self:
        """After most rows of a shard have ended: another may begin."""
        return replace(self, busy=tuple(each for each in self.busy if each != shard))

    def fold(self, shard: int, sums: Sums, now: int, reserved: int = 0, settled: int = 0) -> Self:
        """After all rows of a shard have ended and were collected; a second time changes nothing.

        Of a batch with a `max_cost`, `reserved` and `settled` are the shard's: what its rows cost takes their place.
        """
        if shard not in self.open:
            return self
        still = tuple(each for each in self.open if each != shard)
        folded = replace(self.lighten(shard), open=still, sums=self.sums + sums).looked_at(now)
        if "max_cost" not in self.asked:
            return folded
        if self.collects_anew:  # it was reckoned with when it was folded the first time
            return folded
        more, paid = sums.cost - reserved, sums.cost - settled
        return replace(folded, reserved=self.reserved + more, settled=self.settled + paid)

    def stopped(self, why: Stop, now: int) -> Self:
        """After it was stopped: the first reason stays, and what has ended stays as it is."""
        if self.has_stopped or self.status.terminal or self.status is BatchStatus.FINALIZING:
            return self
        moved = replace(self, stop=why, is_paused=False).looked_at(now)
        return moved._at(BatchStatus.CANCELLING, now) if why == "cancelled" else moved

    def finalizing(self, now: int) -> Self:
        """When all rows have ended. One that was canceled says so to its end."""
        if self.status.terminal or not self.is_done or self.stop == "cancelled":
            return self
        return self._at(BatchStatus.FINALIZING, now)

    def ended(self, output: dict[str, Any], now: int) -> Self:
        """When its results are written."""
        if self.status.terminal:
            return self
        return replace(self, output=output, token=None, writing={})._at(ENDS[self.stop], now)

    def failed(self, error: dict[str, Any], now: int) -> Self:
        """After it could not be taken as a whole; nothing of it was begun."""
        return self if self.status.terminal else replace(self, error=error, token=None)._at(BatchStatus.FAILED, now)

    def erasing(self, now: int) -> Self:
        """When its rows are to be erased: its shards are told once more, and it keeps nothing of what was asked."""
        if self.erased_at is not None:
            return self
        untold = ("webhook",) if self.due_at is not None else ()  # who tells of its end forgets it
        kept = {name: value for name, value in self.asked.items() if name in (*KEPT_OF_ERASED, *untold)}
        empty: dict[str, Any] = {"asked": kept, "output": {}, "released": 0, "open": (), "busy": (), "is_paused": False}
        empty["rows_in"] = self.rows_in and {name: value for name, value in self.rows_in.items() if name != MODELS}
        erased = replace(self, erased_at=now, **empty)
        return erased.looked_at(now) if self.is_planned else erased

    def collecting_anew(self) -> Self:
        """When results of its shards are missing that were there: all of them are to be collected once more."""
        return replace(self, collects_anew=True, is_paused=False, released=0, open=(), busy=(), sums=Sums(), writing={})

    def looked_at(self, now: int) -> Self:
        """With the sweep's next look put off, for something moved."""
        return replace(self, looks=0, due_at=now + LOOK_MS)

    def awaited(self, until: int) -> Self:
        """With the sweep's next look not before then, for someone is at it; not written anew each time it is said."""
        if self.due_at is None or self.due_at >= until:
            return self
        return replace(self, due_at=until + 3 * LOOK_MS)

    def looked_in_vain(self, now: int) -> Self:
        """With the sweep's next look put off for twice as long as the last."""
        return replace(self, looks=self.looks + 1, due_at=now + min(LOOK_MS << (self.looks + 1), MOST_LOOK_MS))

    def _at(self, status: BatchStatus, now: int) -> Self:
        if status is self.status:
            return self
        return replace(self, status=status, stamps={**self.stamps, status.value: now}).looked_at(now)


KEPT_OF_ERASED = ("endpoint", "dedupe", "max_cost", "completion_window_s", "retry_of", "output")
"""Of what was asked: neither texts nor addresses."""

BY_KEY = "by_key"
"""In `Batch.asked`, the id of the API key of who asked, where it was one: what goes by keys goes by it for each row."""

BY_MEMBER = "by_member"
"""In `Batch.asked`: as what they asked (`permissions.who.Member.kept`), where that is anything."""

MESSAGES = "message_requests"
"""In `Batch.asked` of a batch that came by the route of Anthropic's batches (`doors.message_batches`): how many it has.
Its results are lines of that form, in one file."""

DOCUMENT = "document"
"""In `Batch.source`, the kind of those that are of a document; in `Batch.asked`, by which recipe it goes."""


def is_document(batch: Batch) -> bool:
    """True for the batch of a document: its rows come stage by stage, and it has one result."""
    return bool(batch.source.get("kind") == DOCUMENT)
