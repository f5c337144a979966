"""Sixty-four clients at one budget rule, and at one bound of jobs that have not ended: never above, and all of it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, Lock
from typing import Any

import pytest
from broker.errors import BudgetExceeded, TooManyAtOnce
from broker.jobs.ending import cancel_job
from broker.tenants import slices

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW, World
from tests.unit.test_budget_rules import WORST, a_world, ask, usd

CLIENTS, EACH = 64, 4
FIT = 150
RULES: list[dict[str, Any]] = [
    {"id": "daily", "usd": usd(FIT + 0.5), "period": "day"},
    {"id": "principals", "usd": usd(FIT + 0.5), "per": "principal", "period": "total"},
]


def race(world: World) -> tuple[list[str], list[int]]:
    """The jobs that are accepted of all clients, which ask at the same time; and the thresholds they passed."""
    start, accepted, crossed, lock = Barrier(CLIENTS), list[str](), list[int](), Lock()

    def client(number: int) -> None:
        start.wait()
        for _ in range(EACH):
            with suppress(BudgetExceeded, TooManyAtOnce):
                head = ask(world, key=f"k-{number}").head
                with lock:
                    accepted.append(head.id)
                    crossed.extend(head.crossed.values())

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    return accepted, crossed


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["id"]))
def test_who_races_for_a_budget_gets_all_of_it_and_no_more(rule: dict[str, Any]) -> None:
    world = a_world({**rule, "warn_at": [50, 90]})
    accepted, crossed = race(world)
    assert len(accepted) == FIT
    assert sorted(crossed) == [50, 90], "each threshold is told once"
    for job_id in accepted:
        cancel_job(world.jobs, job_id, "acme", NOW)
    (name,) = {
        each["pk"].removeprefix("BUDGET#") for each in world.database.items() if each["pk"].startswith("BUDGET#acme:")
    }
    period = next(each["sk"] for each in world.database.items() if each["pk"] == f"BUDGET#{name}")
    assert slices.read_all(world.database, f"{name}/{period}").available == int((FIT + 0.5) * WORST), "all came back"


def test_who_races_for_places_among_jobs_that_have_not_ended_gets_all_of_them_and_no_more() -> None:
    world = a_world(limits={"queued_jobs": FIT})
    accepted, _ = race(world)
    assert len(accepted) == FIT
    for job_id in accepted[:10]:
        cancel_job(world.jobs, job_id, "acme", NOW)
    again, _ = race(world)
    assert len(again) == 10


def test_a_crowded_rule_lies_in_slices_and_holds_the_same(database: FakeDatabase | None = None) -> None:
    world = a_world({"id": "daily", "usd": usd(40), "period": "day"})
    ask(world)
    (pk,) = {each["pk"] for each in world.database.items() if each["pk"].startswith("BUDGET#acme:")}
    world.database.held[pk] = 3
    heads = [ask(world).head for _ in range(39)]
    with pytest.raises(BudgetExceeded):
        ask(world)
    assert len({name for head in heads for name in head.holds}) > 4, "they hold from many slices"
    for head in heads:
        cancel_job(world.jobs, head.id, "acme", NOW)
    for _ in range(39):
        ask(world)
    with pytest.raises(BudgetExceeded):
        ask(world)
