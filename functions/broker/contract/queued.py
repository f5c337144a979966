"""Where a job stands that has not begun."""

from typing import Literal

from broker.contract.common import Count, Shown


class WaitsFor(Shown):
    """A job that was sent back to its queue."""

    waits_for: Literal["circuits", "capacity", "moderation", "rate"]


class StartedLately(Shown):
    """How many jobs before this one were started, and in how many seconds."""

    jobs_started: Count
    in_seconds: Count


class Queued(Shown):
    """Where a queued job stands among the jobs of its own tenant."""

    lane: Literal["interactive", "bulk"]
    position: Count | None
    """About how many of the tenant's jobs in this lane were given before it and wait; null where it waits for something
    else than its turn, or nobody can tell now."""
    is_least: bool
    """True where there may be more: a hundred jobs before it are looked at."""
    eta_seconds: Count | None
    """Until it is started, about, or looked at again; null where that is not known."""
    basis: WaitsFor | StartedLately | None
    """What `eta_seconds` is reckoned from."""
