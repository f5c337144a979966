"""Whose turn it is among tenants who want more than there is: who has had the fewest tokens, by weight.

The virtual token counter of Sheng et al., "Fairness in Serving Large Language Models" (2024): each tenant has a counter
of the tokens that it was served, divided by its weight, and the one with the least goes next. Who has not waited is
lifted to the least of those who wait, so nobody saves up, and while nobody waits all are equal. A job is charged
with what is expected of it when it is started, and with the difference when it has ended.

Each process counts what it starts, and tells it, and what the others told. Until it hears of more, a second later, it
takes them to do as it does: so an error is mended by all together, and not by each. So that they do not all start the
next large job at once, half of it counts before it is started, and for one process after the other another half. They
also tell when the jobs that they left come back: a tenant is there while any of its jobs is to come, whoever left it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.jobs.heard import Shares

WAITING_MS = 60_000
"""Who has left nothing for so long does not wait any more: a job that was left is looked at again sooner."""

PRESENT_MS = 5_000
"""Who comes before others keeps them back while it left a job within so long, or one that it left comes back within so
long, or should have come so lately: a tenant with few jobs left is seen seldom, and is not gone for that. Nothing lies
idle for longer for somebody who wants no more."""

RECENT = 0.1
"""How much the newest job counts in the mean size of a tenant's."""

MOST_TENANTS, MOST_TOLD = 1_000, 50
"""That a process remembers, and of which it tells."""

AGREES = 0.03
"""The part of a difference between what processes take for the counters that a process gives up each time, at least;
more at first, when each has begun to count at a time of its own. What another told is a second old, so to give up much
each time would be to forget the newest."""

BITS = 60
"""Seconds from one to the next, of which is told whether a job comes back then."""

HEARD_MS = 5_000
"""A process that told something within so long does as this one does."""


@dataclass(slots=True)
class _Known:
    """A tenant."""

    counter: float = 0.0
    left_at: int | None = None
    """When it last left a job for want of something."""
    half: float = 0.0
    """Tokens of half of a job, in the mean of those that were looked at: by the size of the one at hand small jobs
    would go first, and large ones be left for the end."""
    own: float = 0.0
    """What this process added to the counter."""
    assumed: float = 0.0
    """What the others are taken to have added since they were heard."""

    def add(self, amount: float, others: int = 0) -> None:
        """Count it, and as much for each of the others, which do as this process does."""
        self.counter += amount * (1 + others)
        self.own, self.assumed = self.own + amount, self.assumed + amount * others

    def told(self) -> list[int]:
        """What this process added, and what all did as far as it knows."""
        return [round(self.own), round(self.counter - self.assumed)]

    def waits(self, now: int) -> bool:
        return self.left_at is not None and 0 <= now - self.left_at < WAITING_MS


@dataclass(slots=True)
class _Left:
    """What a tenant has left for want of something."""

    at: int
    """When it last did, in milliseconds."""
    due: set[int] = field(default_factory=set)
    """When what it left comes back, in seconds."""

    def is_present(self, now: int) -> bool:
        self._forget(now)
        last = (now + PRESENT_MS) // 1000
        return 0 <= now - self.at < PRESENT_MS or any(each <= last for each in self.due)

    def told(self, now: int) -> list[int]:
        """When what it left comes back: the first second, and a bit for each from there on."""
        self._forget(now)
        first = min(self.due, default=0)
        return [first, sum(1 << (each - first) for each in self.due if each - first < BITS)]

    def hear(self, first: int, bits: int, now: int) -> None:
        """The same of another process."""
        self.due |= {first + place for place in range(BITS) if bits >> place & 1}
        self._forget(now)

    def _forget(self, now: int) -> None:
        seconds = now // 1000
        self.due = {each for each in self.due if -PRESENT_MS <= (each - seconds) * 1000 <= BITS * 1000}


@dataclass(slots=True)
class FairShare:
    """The counters of one process."""

    weight: Callable[[str, int], float] = lambda tenant, now: 1
    """Of a tenant, with the time in milliseconds; asked where several want the same."""
    _known: dict[str, _Known] = field(default_factory=dict)
    _left: dict[str, dict[str, _Left]] = field(default_factory=dict)
    """By what they want, and tenant."""
    _heard: dict[str, dict[str, int]] = field(default_factory=dict)
    """What other processes added, as they told last: by their names, and tenant."""
    _others: int = 0
    """Processes that were heard lately."""
    _rank: int = 0
    """How many of them come before this one."""
    _agreed: int = 0
    """How often it heard another."""
    _level: float = 0.0
    """The counter of all who are served while nobody waits."""

    def sees(self, tenant: str, tokens: int, now: int) -> None:
        """A tenant's job of so many tokens is looked at."""
        known = self._known.pop(tenant, None) or _Known()
        if not known.waits(now):
            waiting = [each.counter for each in self._known.values() if each.waits(now)]
            known.counter = max(known.counter, min(waiting, default=self._level))
            if not waiting:
                self._level = known.counter
        known.half += (tokens / 2 - known.half) * (RECENT if known.half else 1)
        self._known[tenant] = known
        while len(self._known) > MOST_TENANTS:
            del self._known[next(iter(self._known))]

    def is_next(self, what: str, tenant: str, now: int) -> bool:
        """True where nobody who waits for the same comes before this tenant, which was seen."""
        waiting = self._left.get(what, {})
        present = {each for each, left in waiting.items() if left.is_present(now)}
        for each in [each for each, left in waiting.items() if each not in present and not left.due]:
            del waiting[each]
        others = [each for each in present if each != tenant and each in self._known]
        mine = self._place(tenant, now) if others else 0
        return all(mine <= self._place(each, now) for each in others)

    def left(self, what: str, tenant: str, now: int) -> None:
        """A tenant's job was left for want of something."""
        self._left.setdefault(what, {}).setdefault(tenant, _Left(now)).at = now
        self._known[tenant].left_at = now

    def comes_back(self, what: str, tenant: str, at: int) -> None:
        """A job that was left is looked at again then (milliseconds)."""
        if left := self._left.get(what, {}).get(tenant):
            left.due.add(at // 1000)

    def charge(self, tenant: str, tokens: int, now: int) -> None:
        """Count tokens; negative ones where fewer were used than had been expected."""
        if known := self._known.get(tenant):
            before = known.counter
            crowded = any(len(waiting) > 1 for waiting in self._left.values())
            known.add(tokens / (self.weight(tenant, now) if crowded else 1.0), self._others)
            if tokens < 0:  # whose jobs were taken for larger than they are has no arrears of more than a job
                others = ((name, each) for name, each in self._known.items() if name != tenant and each.waits(now))
                least = min((each.counter - 2 * each.half / self.weight(name, now) for name, each in others), default=0)
                known.add(max(0.0, min(before, least) - known.counter))

    def told(self, now: int) -> dict[str, Any]:
        """What the other processes are to know; nothing where there are no two tenants that wait."""
        tenants = [each for each, known in self._known.items() if known.waits(now)][-MOST_TOLD:]
        if len(tenants) < 2:
            return {}
        due = {
            what: {each: left.told(now) for each, left in some.items() if left.due and each in tenants}
            for what, some in list(self._left.items())[-MOST_TOLD:]
        }
        counters = {each: self._known[each].told() for each in tenants}
        return {"counters": counters, "due": {what: some for what, some in due.items() if some}}

    def hear(self, told: Mapping[str, tuple[int, Any]], process: str, now: int) -> None:
        """What the other processes told, and when, by their names; `process` is this one's."""
        young = [name for name, (at, _) in told.items() if 0 <= now - at < HEARD_MS]
        self._others = len(young)
        self._rank = sum(each < process for each in young)
        for known in self._known.values():
            known.counter, known.assumed = known.counter - known.assumed, 0.0
        for name, (at, one) in told.items():
            before, shares = self._heard.setdefault(name, {}), Shares.of(one)
            for tenant, (own, _) in shares.counters.items():
                if tenant in self._known and tenant in before:
                    self._known[tenant].counter += own - before[tenant]
                before[tenant] = own
            if name in young:
                self._agree({tenant: of_all for tenant, (_, of_all) in shares.counters.items()})
            for what, due in shares.due.items():
                for tenant in due.keys() & self._known.keys():
                    self._left.setdefault(what, {}).setdefault(tenant, _Left(0)).hear(*due[tenant], now)
                    self._known[tenant].left_at = max(self._known[tenant].left_at or 0, at)
        for gone in self._heard.keys() - told.keys():
            del self._heard[gone]

    def _agree(self, counters: Mapping[str, int]) -> None:
        """Come nearer to how far apart tenants are for another process."""
        self._agreed += 1
        part = max(AGREES, 1 / (1 + self._agreed))
        apart = {each: counters[each] - self._known[each].counter for each in counters if each in self._known}
        level = sum(apart.values()) / max(1, len(apart))
        for tenant, more in apart.items():
            self._known[tenant].counter += part * (more - level)

    def forget(self, what: str) -> None:
        """Nobody wants it any more."""
        self._left.pop(what, None)

    def _place(self, tenant: str, now: int) -> float:
        known = self._known[tenant]
        return known.counter + known.half * (1 + self._rank) / self.weight(tenant, now)
