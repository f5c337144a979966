"""What tests of transitions begin with: heads of jobs, and how one ends."""

from dataclasses import replace

from broker.jobs.head import Head, Status
from broker.jobs.transitions import Fence, Outcome, claim, finish

from tests.fakes.world import NOW, a_head

FENCE = Fence(1, "exec-1")
PAID = {"outcome": "succeeded", "cost": 3, "paid": "yes", "ended_at": NOW}
WON = Outcome(Status.SUCCEEDED, model="small", output="OUTPUT#1.1", usage={"input_tokens": 1})


def running(**changes: object) -> Head:
    head = claim(a_head(), now=NOW, lease_ms=90_000, by="m1")
    return replace(head, **{"execution": "exec-1", **changes})  # type: ignore[arg-type]


def ended(status: Status = Status.SUCCEEDED, **changes: object) -> Head:
    return replace(finish(running(), Outcome(status), now=NOW + 5, fence=FENCE), **changes)  # type: ignore[arg-type]


def with_calls(head: Head, *calls: tuple[int, int | None]) -> Head:
    """Calls of the first run as `(reserve, cost)`; None where it is open."""
    made = {
        f"1.{place}": {"m": "small", "r": reserve} | ({} if cost is None else {"c": cost, "o": "succeeded"})
        for place, (reserve, cost) in enumerate(calls, start=1)
    }
    return replace(head, calls=made)
