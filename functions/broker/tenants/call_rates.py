"""How many calls of the API a tenant may make in a second, looks among them, without a write for each.

API Gateway's own throttle is one for all: it keeps the account from a flood, and cannot know whose calls these are. So
each tenant has a rate of its own, far below. A process lets through a little by itself, and asks nobody; only a tenant
that calls more often is counted in the ledger, a tenth of a second's calls at once (`tenants.limiting`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from broker.storage import Database
from broker.tenants.limiting import Limits
from broker.tenants.limits import Limit

FREE, FREE_A_SECOND = 20, 1
"""Calls of a tenant that a process lets through by itself: at once, and for each second since."""

PARTS = {"second": 10}
"""What a process takes beyond the call at hand is this part of a second's calls."""

MOST = 1_000
"""Tenants that are remembered."""


@dataclass(slots=True)
class CallRates:
    """The rates of all tenants, as one process knows them."""

    database: Database
    usual: int
    """Calls a second of a tenant whose entry says nothing."""
    said: Callable[[str, int], int | None]
    """What the entry says; asked of those alone that call often."""
    _limits: Limits = field(init=False)
    _used: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By tenant: when it called last, and how many of its free calls were used then."""

    def __post_init__(self) -> None:
        self._limits = Limits(self.database, PARTS)

    def check(self, tenant: str, now: int) -> None:
        """Let a call through.

        Raises:
            RateLimited: the tenant has had its calls of this second.
        """
        at, used = self._used.get(tenant, (now, 0.0))
        used = max(0.0, used - FREE_A_SECOND * max(0, now - at) / 1000)
        free = used <= FREE - 1
        if len(self._used) >= MOST:
            self._used.clear()
        self._used[tenant] = now, used + 1 if free else used
        if not free:
            amount = self.said(tenant, now) or self.usual
            self._limits.take(tenant, (Limit("tenant", tenant, "calls", "second", amount),), 0, now, whole=True)
