"""How many jobs run at once, and whose turn it is to have another started.

Each process of dispatch remembers which jobs it started. As long as they are few it asks nobody, but for a look before
its first. When they are more, it reads which of them have ended (their heads say so, and nothing has to give a slot
back), tells the others which are left in an item of its own, and reads what they told: at most once a second, whatever
it starts. No item is written by two, and a process that is gone is no loss: who finds that it has told nothing for a
while takes its jobs over.

The bound is soft. Processes that decide at the same moment share what is left, and what starts in excess all the same
is throttled by Lambda and waits in its workflow.

The same heads and items carry what the rate governor learns and tells (`jobs.pacing`).

| item of the ledger | pk | sk | attributes |
|---|---|---|---|
| what a process started | `IN_FLIGHT` | its name | `jobs` (ids by lane and tenant), `pace`, `turns`, `told_at`, `rev` |
| what the account allows | `IN_FLIGHT` | `LIMIT` | `limit`, `read_at` |
"""

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from broker.jobs.account_limit import LIMIT, PK
from broker.jobs.dispatching import size_of
from broker.jobs.head import BULK, Head, job_pk
from broker.jobs.leaving import Looks
from broker.jobs.occupying import Started, has_room, jobs_of, takes_functions
from broker.jobs.pacing import Pace
from broker.storage import ConditionFailed, Database, If, Item, Put, Update

LOOK_MS, FORGET_MS = 1_000, 100
"""A process looks no more often; and while it has left no job, at its own jobs."""

TELL_MS = 5_000
"""What has not changed is told again after so long."""

STALE_MS = 15_000
"""Who has told nothing for so long may be gone, and its jobs are taken over. It will notice when it tells again."""

LIMIT_MS = 900_000
"""For so long the account's limit is taken as read; where it could not be, it is asked for after `AGAIN_MS`."""
AGAIN_MS = 60_000

PRESSED_MS = 60_000
"""For so long after it had to leave a job, or met one that was left, a process starts none without a look."""

MOST_READERS = 8
"""Processes that read the lanes, as the template has them."""

FEW, PART = 3, 40
"""So many jobs a process starts without a look, or this part of all; never more than half of its share of all."""

NEW_MS = 5_000
"""For so long a new process takes all readers to share what is free: they may be as new."""

RESERVED_MS = 3_000
"""What a process said that it may start counts for so long: then it has told what it did start, or is gone."""

MOST_READ, YOUNG, YOUNG_MS = 200, 100, 1_000
"""Heads that one look reads: the oldest, which have ended most likely, and of the others so many of the youngest that
are so old, which tell first what their models refuse."""

EXPRESS_MS, MARGIN_MS = 300_000, 60_000
"""An Express execution is over after five minutes; of a Standard one so much is kept beside its time budget."""

EXPIRES_S = 3_600


@dataclass(slots=True)
class InFlight:
    """What one process of dispatch knows of the jobs that run."""

    database: Database
    process: str
    """Its name, unlike all others'."""
    fixed: int | None
    """How many jobs may run at once, where an operator said so."""
    read_limit: Callable[[], int]
    """The same by the account's own limit."""
    on_failure: Callable[[Exception], None]
    """Told why it could not look. It goes on by what it knew, a job at a time; where it knows no limit, by none."""
    chance: Callable[[], float] = random.random
    pace: Pace = field(default_factory=Pace)
    """The governor of the bulk lane."""
    looks: Looks = field(default_factory=Looks)
    _first_look_at: int = 0
    _own: dict[str, Started] = field(default_factory=dict)
    _told: frozenset[str] = frozenset()
    _told_at: int = 0
    _rev: int = 0
    _others: Counter[tuple[str, str]] = field(default_factory=Counter)
    _limit: int | None = None
    _limit_again_at: int = 0
    _looked_at: int = 0
    _forgot_at: int = 0
    _pressed_until: int = 0
    _may_start: int = 0
    """Until it looks again: so many are reserved, and others leave them to it."""
    _reserved: int = 0
    """As was told."""
    _to_tell: bool = False

    def admits(self, head: Head, now: int, *, was_left: bool = False) -> bool:
        """True where there is room for this job; a job that `was_left` says that there was none."""
        if was_left:
            self._pressed_until = now + PRESSED_MS
        for job_id in [each for each, job in self._own.items() if job.over_at is not None and job.over_at <= now]:
            del self._own[job_id]
        if not self._has_few(now):
            self._learn(now)
        admitted = self._admits(head, now)
        if not admitted:
            self._pressed_until = now + PRESSED_MS
        if self._to_tell:
            self._tell_safely(now, self._may_start if self._reserved else 0)
        return admitted

    def _admits(self, head: Head, now: int) -> bool:
        has_few = self._has_few(now)
        fits = has_few or self._has_room(head)
        if fits and (head.lane != BULK or self.pace.admits(head, now, math.inf if has_few else self._may_start)):
            if has_few or self._reserves(head, now):
                return True
            fits = False
        if head.lane == BULK and not fits:
            self.pace.left_without_room(head, now)
        return False

    def _reserves(self, head: Head, now: int) -> bool:
        """Have others leave to this process what it may start; False where they took it since it looked."""
        if self._reserved or self._limit is None:
            return True
        if self._looked_at != now:
            self._look_safely(now)
        if not self._has_room(head):
            return False
        self._tell_safely(now, max(1, self._may_start))
        return True

    def again_s(self, head: Head, now: int) -> float | None:
        """In how many seconds a job that was just left is to be looked at again; None where nothing is known of it."""
        return self.pace.again_s(head, now, self.chance()) if head.lane == BULK else None

    def _learn(self, now: int) -> None:
        """Read what has ended, and what the others told, where that is some time ago."""
        if not 0 <= now - self._forgot_at < (FORGET_MS if now >= self._pressed_until else LOOK_MS):
            self._forgot_at = now
            self._safely(lambda: self._forget_ended(now), now)
        if not 0 <= now - self._looked_at < LOOK_MS and not self._has_few(now):
            self._look_safely(now)

    def _look_safely(self, now: int) -> None:
        self._looked_at, self._first_look_at = now, self._first_look_at or now
        self._safely(lambda: self._look(now), now)

    def _tell_safely(self, now: int, reserved: int) -> None:
        self._safely(lambda: self._tell(now, reserved), now)

    def _safely(self, act: Callable[[], None], now: int) -> None:
        try:
            act()
        except Exception as error:
            self._looked_at, self._may_start, self._to_tell = now, max(self._may_start, 1), False
            self.on_failure(error)

    def started(self, head: Head, now: int) -> None:
        """Remember a job that was started."""
        runs_ms = EXPRESS_MS if size_of(head) == "express" else head.timeout_s * 1000 + MARGIN_MS
        charge = self.pace.started(head, now)
        self._own[head.id] = Started(head.lane, head.tenant, now, now + runs_ms, charge)
        self._may_start -= 1

    def batch_is_over(self, now: int) -> None:
        """Tell what was started in place of what was reserved, and give back the rest."""
        if self._reserved:
            self._tell_safely(now, 0)
            self._may_start = self._looked_at = 0  # there was room lately: the next look need not wait

    def came_to_nothing(self, head: Head, now: int) -> None:
        """A job that was to be started was canceled: its tenant has had its turn all the same."""
        if head.lane == BULK:
            self.pace.took_turn(head, now)

    def _has_few(self, now: int) -> bool:
        if self._limit is None or now < self._pressed_until or self.pace.governs(now):
            return False
        return len(self._own) < max(1, min(FEW, self._limit // (2 * MOST_READERS)), self._limit // PART)

    def _has_room(self, head: Head) -> bool:
        if self._limit is None:
            return True
        return has_room(self._limit, self._running(), head.lane, head.tenant, self._may_start)

    def _running(self) -> Counter[tuple[str, str]]:
        return self._others + Counter((job.lane, job.tenant) for job in self._own.values())

    def _look(self, now: int) -> None:
        found = {item["sk"]: item for item in self.database.query("ledger", PK)}
        limit, mine = found.pop(LIMIT, None), found.pop(self.process, None)
        if (mine["rev"] if mine else 0) != self._rev:
            # Another has taken over what was told, or the reply to what was told last was lost.
            self._rev = mine["rev"] if mine else 0
            if mine is None or not mine["jobs"]:
                self._forget_told()
        others: Counter[tuple[str, str]] = Counter()
        active, reserved = 1, 0
        for item in found.values():
            if now - item["told_at"] < STALE_MS:
                active += 1
                others.update({key: len(ids) for key, ids in jobs_of(item).items()})
                reserved += item.get("reserved", 0) if now - item["told_at"] < RESERVED_MS else 0
            elif item["jobs"]:
                self._take_over(item)
        self._others = others
        self.pace.hear([(item["told_at"], item.get("pace")) for item in found.values()], now)
        turns = {name: (item["told_at"], item.get("turns", {})) for name, item in found.items()}
        self.pace.fair.hear(turns, self.process, now)
        self._limit = self._limit_of(limit, now)
        room = max(0, (self._limit or 0) - self._running().total() - reserved)
        share = room / (active if now - self._first_look_at >= NEW_MS else max(active, MOST_READERS))
        self._may_start = min(room, max(1, int(share + self.chance())))
        self._to_tell = bool(self._own or self._told or now < self._pressed_until)

    def _forget_ended(self, now: int) -> None:
        by_age = sorted(self._own, key=lambda job_id: self._own[job_id].at)
        if len(by_age) > MOST_READ:
            oldest, others = by_age[: MOST_READ - YOUNG], by_age[MOST_READ - YOUNG :]
            by_age = oldest + [each for each in others if self._own[each].at <= now - YOUNG_MS][-YOUNG:]
        found = self.database.get_many("jobs", [(job_pk(each), "HEAD") for each in by_age])
        heads = {item["pk"]: item for item in found}
        for job_id in by_age:
            item, job = heads.get(job_pk(job_id)), self._own[job_id]
            if job.charge and item:
                self.pace.learn(job_id, job.charge, job.at, item, now)
            if item is None or not takes_functions(item, job.at, now):
                del self._own[job_id]
                if job.charge:
                    self.pace.ended(job.charge, item, now)
        self.pace.decide(now)

    def _forget_told(self) -> None:
        for job_id in self._told:
            self._own.pop(job_id, None)
        self._told = frozenset()

    def _take_over(self, item: Item) -> None:
        taken = Update(
            *("ledger", PK, item["sk"]), set={"jobs": {}, "rev": item["rev"] + 1}, when=(If("rev", "=", item["rev"]),)
        )
        try:
            self.database.write(taken)
        except ConditionFailed:
            return  # another was first, or it is there after all
        for (lane, tenant), ids in jobs_of(item).items():
            self._own.update({job_id: Started(lane, tenant, item["told_at"], None) for job_id in ids})

    def _tell(self, now: int, reserved: int) -> None:
        self._to_tell = False
        ids, pace = frozenset(self._own), self.pace.told(now)
        if (
            ids == self._told
            and reserved == self._reserved
            and not self.pace.governs(now)
            and now - self._told_at < TELL_MS
        ):
            return
        jobs: dict[str, list[str]] = {}
        for job_id, job in self._own.items():
            jobs.setdefault(f"{job.lane}/{job.tenant}", []).append(job_id)
        item = {"pk": PK, "sk": self.process, "jobs": jobs, "told_at": now, "expires_at": now // 1000 + EXPIRES_S}
        if reserved:
            item["reserved"] = reserved
        if pace:
            item["pace"] = pace
        if turns := self.pace.fair.told(now):
            item["turns"] = turns
        as_known = If("rev", "=", self._rev) if self._rev else If("pk", "absent")
        try:
            self.database.write(Put("ledger", item | {"rev": self._rev + 1}, (as_known,)))
        except ConditionFailed:
            self._forget_told()
            return
        self._told, self._told_at, self._rev, self._reserved = ids, now, self._rev + 1, reserved

    def _limit_of(self, kept: Item | None, now: int) -> int | None:
        if self.fixed is not None:
            return self.fixed
        known = kept["limit"] if kept else self._limit
        if (kept and now - kept["read_at"] < LIMIT_MS) or now < self._limit_again_at:
            return known
        self._limit_again_at = now + AGAIN_MS
        limit = self.read_limit()
        self.database.write(Put("ledger", {"pk": PK, "sk": LIMIT, "limit": limit, "read_at": now}))
        return limit
