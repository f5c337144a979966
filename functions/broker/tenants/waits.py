"""How many calls of a tenant wait for answers at once: each holds a function of the API as long as it waits.

| item of the ledger | pk | sk | attributes |
|---|---|---|---|
| the waits of a tenant | `LIMITS#tenant` | `WAITS` | `even`, `odd`: a generation, and its waits that go on |

A wait asks for a place when it has lasted a while, by one small write, and gives it back by another. Places are counted
by generations of forty seconds, which is longer than a call lasts: those of this one and of the one before are all
that there can be, and what a function that died had is free again when its generation is forgotten. Nobody adds to the
generation before, so its count as it was last seen is never too small.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from broker.clock import now_ms
from broker.storage import ConditionFailed, Contended, Database, If, Item, Update

SK = "WAITS"

GENERATION_MS = 40_000
"""API Gateway cuts a call after 29 seconds; the rest is for clocks that differ."""

COUNTED = 10**9
"""What stands before a generation's count."""

MOST_FREE_MS = 1_000
"""A wait asks for no place before this at the latest: most answers are there by then."""

PART, AT_LEAST = 10, 2
"""A tenant may have this part of the functions that may run wait for its answers, where nobody says another number."""

FULL_MS = 250
"""For so long a process that found no place looks for none."""

LASTS_S = 3_600
"""So long an item is kept after its last wait began."""

MOST_KNOWN = 1_000
"""Tenants that a process remembers."""

READ_MS, UNKNOWN_MS = 900_000, 10_000
"""For so long it is known how many jobs may run; and where it is not, it is asked for after so long."""

ROUNDS = 6

NAMES = ("even", "odd")


class Place(NamedTuple):
    """A wait that is counted."""

    tenant: str
    generation: int


class Room(NamedTuple):
    """What a tenant may do."""

    most: int
    """Waits at once."""
    calls_per_second: int

    @property
    def free_ms(self) -> int:
        """How long a wait costs nothing: as long as the tenant's calls of that time are no more than its waits."""
        return min(MOST_FREE_MS, 1000 * self.most // self.calls_per_second)


@dataclass(slots=True)
class UsualWaits:
    """How many calls may wait of a tenant whose entry says nothing."""

    said: int
    """By an operator; 0 for none of these three."""
    reserved: int
    """Functions that are kept for the API."""
    jobs_at_once: int
    """Jobs that may run, which are `jobs_part` of the functions."""
    jobs_part: float
    read: Callable[[], int | None]
    """Reads that number, where nobody said it; None where it is not known yet."""
    _known: int = 0
    _again_at: int = 0

    def at(self, now: int) -> int:
        """So many, as an operator said, or by what is kept for the API, or by what may run: few until that is known."""
        if self.said:
            return self.said
        if self.reserved:
            return max(AT_LEAST, self.reserved // PART)
        jobs = self.jobs_at_once or self._read(now)
        return max(AT_LEAST, int(jobs / self.jobs_part) // PART)

    def _read(self, now: int) -> int:
        if now >= self._again_at:
            self._known = self.read() or 0
            self._again_at = now + (READ_MS if self._known else UNKNOWN_MS)
        return self._known


@dataclass(slots=True)
class Waits:
    """The waits of all tenants, as one process knows them."""

    database: Database
    room: Callable[[str, int], Room]
    """Of a tenant at a moment (milliseconds); asked where one begins to wait."""
    clock: Callable[[], int] = now_ms
    lasting: Callable[[], float] = time.monotonic
    _known: dict[str, Item] = field(default_factory=dict)
    _full_until: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def waiting(self, tenant: str) -> Iterator["Stay"]:
        """Wait for something; what this gives is asked before each look whether the call may go on waiting."""
        stay = Stay(self, tenant, self.lasting())
        try:
            yield stay
        finally:
            if stay.place:
                self.give_back(stay.place)

    def claim(self, tenant: str, now: int) -> Place | None:
        """Take a place; None where the tenant has as many waits as it may have."""
        if now < self._full_until.get(tenant, now) <= now + FULL_MS:
            return None
        most, was_read = self.room(tenant, now).most, False
        for _ in range(ROUNDS):
            if tenant not in self._known:
                self._forget_some()
                self._known[tenant] = self.database.get("ledger", f"LIMITS#{tenant}", SK) or {}
                was_read = True
            item = self._known[tenant]
            generation, write = _claiming(tenant, item, most, now)
            if write is None:
                if was_read:
                    self._full_until[tenant] = now + FULL_MS
                    return None
                del self._known[tenant]
                continue
            try:
                self._known[tenant] = self.database.update(write)
            except (ConditionFailed, Contended):
                del self._known[tenant]
                continue
            return Place(tenant, generation)
        return None

    def give_back(self, place: Place) -> None:
        """Let another wait. May be lost, never done twice: then it is free when its generation is over."""
        name = NAMES[place.generation % 2]
        there = If(name, ">=", place.generation * COUNTED + 1), If(name, "<", (place.generation + 1) * COUNTED)
        self._full_until.pop(place.tenant, None)
        self._known.pop(place.tenant, None)
        with suppress(ConditionFailed, Contended):
            write = Update("ledger", f"LIMITS#{place.tenant}", SK, add={name: -1}, when=there)
            self._known[place.tenant] = self.database.update(write)

    def _forget_some(self) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
            self._full_until.clear()


@dataclass(slots=True)
class Stay:
    """One call that waits."""

    waits: Waits
    tenant: str
    began: float
    place: Place | None = None
    had_place: bool = True
    """False once it was told that there is none."""
    _free_s: float | None = None

    def __call__(self) -> bool:
        """Whether it may wait on: it has a place, or needs none yet."""
        if self.place or not self.had_place:
            return self.had_place
        now = self.waits.clock()
        if self._free_s is None:
            self._free_s = self.waits.room(self.tenant, now).free_ms / 1000
        if self.waits.lasting() - self.began >= self._free_s:
            self.place = self.waits.claim(self.tenant, now)
            self.had_place = self.place is not None
        return self.had_place


def _claiming(tenant: str, item: Item, most: int, now: int) -> tuple[int, Update | None]:
    """The generation, and the write that adds one to it; None where these are as many as may be."""
    mine = now // GENERATION_MS
    begun = max(item.get(name, 0) // COUNTED for name in NAMES)
    generation = begun if begun == mine + 1 else mine  # by a clock that is ahead
    name, other = NAMES[generation % 2], NAMES[(generation - 1) % 2]
    before = (generation - 1) * COUNTED
    last = max(0, item.get(other, 0) - before)
    first = generation * COUNTED
    state = item.get(name, 0)
    if max(0, state - first) + last >= most:
        return generation, None
    set_to = {"expires_at": now // 1000 + LASTS_S}
    when = [If(other, "<", before + last + 1) if other in item else If(other, "absent")]
    if state < first:
        when.append(If(name, "<", first) if name in item else If(name, "absent"))
        return generation, Update("ledger", f"LIMITS#{tenant}", SK, set={**set_to, name: first + 1}, when=when)
    when += [If(name, ">=", first), If(name, "<", first + most - last)]
    return generation, Update("ledger", f"LIMITS#{tenant}", SK, set=set_to, add={name: 1}, when=when)
