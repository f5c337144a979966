"""Whose turn it is among tenants who want more than there is: who has had the fewest tokens, by weight.

The virtual token counter of Sheng et al., "Fairness in Serving Large Language Models" (2024): each tenant has a counter
of the tokens that it was served, divided by its weight, and the one with the least goes next. Who has not waited is
lifted to the least of those who wait, so nobody saves up, and while nobody waits all are equal. A job is charged
with what is expected of it when it is started, and with the difference when it has ended.

Each process counts what it starts itself, and nothing is shared: as messages come to any of them, a tenant that has its
share of each has its share of all. So that differences do not add up, half of a job counts before it is started: a
process is never further from an equal share than half a job.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

WAITING_MS = 60_000
"""Who has left nothing for so long does not wait any more: a job that was left is looked at again sooner."""

PRESENT_MS = 5_000
"""Who comes before others keeps them back while it left a job within so long. What it has left comes back sooner, and
is started where there is anything to have: so nothing lies idle for somebody who wants no more."""

RECENT = 0.1
"""How much the newest job counts in the mean size of a tenant's."""

MOST_TENANTS = 1_000
"""That a process remembers."""


@dataclass(slots=True)
class _Known:
    """A tenant."""

    counter: float = 0.0
    left_at: int | None = None
    """When it last left a job for want of something."""
    half: float = 0.0
    """Tokens of half of a job, in the mean of those that were looked at: by the size of the one at hand small jobs
    would go first, and large ones be left for the end."""

    def waits(self, now: int) -> bool:
        return self.left_at is not None and 0 <= now - self.left_at < WAITING_MS


@dataclass(slots=True)
class FairShare:
    """The counters of one process."""

    weight: Callable[[str, int], float] = lambda tenant, now: 1
    """Of a tenant, with the time in milliseconds; asked where several want the same."""
    _known: dict[str, _Known] = field(default_factory=dict)
    _left: dict[str, dict[str, int]] = field(default_factory=dict)
    """When a tenant last left a job for want of something, by what that is."""
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
        for each in [each for each, at in waiting.items() if not 0 <= now - at < PRESENT_MS]:
            del waiting[each]
        others = [each for each in waiting if each != tenant and each in self._known]
        mine = self._place(tenant, now) if others else 0
        return all(mine <= self._place(each, now) for each in others)

    def left(self, what: str, tenant: str, now: int) -> None:
        """A tenant's job was left for want of something."""
        self._left.setdefault(what, {})[tenant] = now
        self._known[tenant].left_at = now

    def charge(self, tenant: str, tokens: int, now: int) -> None:
        """Count tokens; negative ones where fewer were used than had been expected."""
        if known := self._known.get(tenant):
            before = known.counter
            crowded = any(len(waiting) > 1 for waiting in self._left.values())
            known.counter += tokens / (self.weight(tenant, now) if crowded else 1.0)
            if tokens < 0:  # whose jobs were taken for larger than they are has no arrears of more than a job
                others = ((name, each) for name, each in self._known.items() if name != tenant and each.waits(now))
                least = min((each.counter - 2 * each.half / self.weight(name, now) for name, each in others), default=0)
                known.counter = max(known.counter, min(before, least))

    def forget(self, what: str) -> None:
        """Nobody wants it any more."""
        self._left.pop(what, None)

    def _place(self, tenant: str, now: int) -> float:
        known = self._known[tenant]
        return known.counter + known.half / self.weight(tenant, now)
