"""Budgets in slices, for tests: jobs that hold and end, and crowds that have a budget cut."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.storage import If, Item, Put, Update
from broker.tenants import ledger, slices
from broker.tenants.budgets import TRIES, Budgets

from tests.fakes.database import FakeDatabase

TENANT, PERIOD = "acme", "2026-11"
BUCKET = f"{TENANT}/{PERIOD}"


@dataclass
class Spending:
    """One tenant's jobs, as far as the ledger knows them."""

    database: FakeDatabase = field(default_factory=FakeDatabase)
    allowed: int = 1_600

    def __post_init__(self) -> None:
        self.process().open(TENANT, PERIOD, self.allowed)

    def process(self) -> Budgets:
        """A fresh one, which has to learn everything."""
        return Budgets(self.database)

    def hold(self, job_id: str, nusd: int, process: Budgets | None = None) -> str:
        """Accept a job; gives the slice."""
        names: list[str] = []

        def write(name: str, writes: Sequence[Put | Update]) -> None:
            names.append(name)
            head = {"pk": job_id, "sk": "HEAD", "held_from": name, "nusd": nusd}
            self.database.write(Put("jobs", head, (If("pk", "absent"),)), *writes, tries=TRIES)

        (process or self.opened()).hold(TENANT, PERIOD, nusd, job_id, write)
        return names[-1]

    def head(self, job_id: str) -> Item:
        """The job's."""
        found = self.database.get("jobs", job_id, "HEAD")
        assert found is not None
        return found

    @property
    def running(self) -> list[Item]:
        """Heads of jobs that have not ended."""
        return [item for item in self.database.items() if "held_from" in item and "spent" not in item]

    def opened(self) -> Budgets:
        """A fresh one that has seen the budget, as each does before it accepts a job."""
        made = self.process()
        made.open(TENANT, PERIOD, self.allowed)
        return made

    def end(self, job_id: str, *costs: int) -> None:
        """End a job that made calls of these costs; without any it gives all back at once."""
        head = self.head(job_id)
        calls, back = [call(cost) for cost in costs], head["nusd"] - sum(costs)
        ended = Put("jobs", head | {"spent": sum(costs)}, (If("spent", "absent"),))
        self.database.write(ended, *ledger.book(TENANT, PERIOD, job_id, calls, {head["held_from"]: back}))

    def crowd(self) -> None:
        """Others meet the next job on the first slice, until it has the budget cut."""
        self.database.held[f"BUDGET#{TENANT}"] = TRIES

    @property
    def found(self) -> slices.Slices:
        """The budget as it lies there."""
        return slices.read_all(self.database, BUCKET)

    @property
    def stands(self) -> ledger.Standing:
        """The budget as it is told."""
        return ledger.standing(self.database, TENANT, PERIOD)


def call(cost: int, model: str = "m") -> dict[str, Any]:
    return {"model": model, "cost": cost, "paid": "yes", "input_tokens": 1, "output_tokens": 1}
