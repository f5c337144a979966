"""Many clients at one budget, where transactions on one item cancel each other: all that fits is taken, and no more."""

import random

import pytest

from bench.contention import COSTS, HELD, Run, at_random

CLIENTS = 64


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fits", [0, 1, 40, CLIENTS])
def test_of_sixty_four_at_once_as_many_are_taken_as_the_budget_covers(seed: int, fits: int) -> None:
    random.seed(seed)
    run = Run(budget=fits * HELD + HELD // 2)([0.0] * CLIENTS)
    assert (run.ends["202"], run.ends["402"], run.ends["503"]) == (fits, CLIENTS - fits, 0)
    assert (run.stands.spent, run.stands.held) == (fits * COSTS, 0), "all have ended"
    assert run.stands.available == run.stands.allowed - fits * COSTS


@pytest.mark.parametrize("seed", range(2))
def test_a_tenant_has_five_hundred_jobs_a_second_taken(seed: int) -> None:
    random.seed(seed)
    run = Run()(at_random(500, 2))
    assert run.ends["202"] > 900
    assert run.ends["503"] == run.ends["again"] == 0
    assert run.most_units() < 1_000, "of one partition key in a second"
    assert run.stands.available == run.budget - run.ends["202"] * COSTS


def test_one_item_for_all_would_not_do() -> None:
    random.seed(1)
    run = Run(slices=1)(at_random(300, 1))
    assert run.ends["503"] > 50
    assert run.stands.available == run.budget - run.ends["202"] * COSTS


@pytest.mark.parametrize("seed", range(2))
def test_money_that_comes_back_is_held_again_by_those_who_come_then(seed: int) -> None:
    """A budget of hardly more than is under way at a time, of which each job gives most back, and others take it."""
    random.seed(seed)
    run = Run(budget=150 * HELD)(at_random(40, 12))
    assert run.ends["202"] > 400
    assert run.ends["503"] < 10
    assert run.stands.available == run.budget - run.ends["202"] * COSTS
