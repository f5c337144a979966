"""When jobs of the bulk lane that were left for a model's rate are looked at again."""

from dataclasses import dataclass, field

AHEAD, HORIZON_MS, FIRST_HORIZON_MS = 2, 45_000, 8_000
"""Jobs that are left come back at so many times the rate, and within so long; sooner while the rate doubles."""

OVER_MS = 1_000
"""By so much the turns that are given out may be later than that."""


@dataclass(slots=True)
class Turns:
    """The turns that a process gave to jobs that it left."""

    _next: dict[str, int] = field(default_factory=dict)
    """When the next job that a tenant leaves is to come back."""

    def wait_ms(self, tenant: str, now: int, rate: float, horizon_ms: int, chance: float) -> int:
        """In how many milliseconds a job of a tenant's that was left should be looked at again.

        Each of a tenant's jobs gets a turn after those that were left before, somewhat early: so there is always one to
        start, and few are looked at in vain. Those for which there is no turn so soon come spread over the time until
        then, and not all at its end: so some of each tenant's are always at hand.

        Args:
            tenant: whose job it is.
            now: milliseconds.
            rate: calls a second that this process may let through.
            horizon_ms: within which it comes.
            chance: from 0 to 1.
        """
        turn = max(now, self._next.get(tenant, now))
        if turn - now > horizon_ms + OVER_MS:
            self._next[tenant] = min(turn, now + horizon_ms + 2 * OVER_MS)  # the clock may have jumped back
            return round(horizon_ms * (1 - chance / 2))
        self._next[tenant] = turn + round(1000 / (AHEAD * rate))
        return turn - now

    def are_given(self, now: int) -> bool:
        """True while jobs that were left are to come back."""
        return any(now < turn for turn in self._next.values())
