"""A document's budget: whatever its children cost, they cost no more together."""

from typing import Any

from broker.documents.planning import Fit, next_step
from broker.documents.spending import NANO
from broker.documents.steps import Ended, Final, Stage
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.unit.documents.recipes_case import FIT, cites, document, recipe

WAYS = ["map_reduce", "refine", "concat", "per_page"]


def limit_of(request: Any) -> int:
    """As the broker reads it."""
    return int(request.body["routing"]["max_cost_usd"] * NANO)


@settings(max_examples=100, deadline=None)
@given(some.sampled_from(WAYS), some.integers(1, 12), some.integers(1, 10**10), some.randoms(use_true_random=False))
def test_all_children_together_never_cost_more_than_the_document_may(
    way: Any, pages: int, most: int, chance: Any
) -> None:
    reading, wanted = document(pages), recipe(way, max_cost=most, on_failure="continue", depth=6)
    ended: list[list[Ended]] = []
    spent = 0
    while isinstance(step := next_step(reading, wanted, FIT, ended), Stage):
        limits = [limit_of(request) for request in step.requests]
        assert all(limit > 0 for limit in limits)
        assert spent + sum(limits) <= most, "the worst case of all"
        costs = [chance.choice([0, limit // 2, limit]) for limit in limits]
        spent += sum(costs)
        ended.append(
            [
                Ended("succeeded", cites(step.name, request), cost=cost)
                for request, cost in zip(step.requests, costs, strict=True)
            ]
        )
    assert spent <= most
    assert step.error is None or step.error["code"] in ("document_budget_spent", "merge_not_converged")


def test_what_is_not_spent_is_there_for_what_follows() -> None:
    reading, wanted = document(4), recipe("refine", max_cost=NANO)
    first = next_step(reading, wanted, FIT, [])
    assert isinstance(first, Stage)
    cheap = next_step(reading, wanted, FIT, [[Ended("succeeded", "x", cost=0)]])
    dear = next_step(reading, wanted, FIT, [[Ended("succeeded", "x", cost=limit_of(first.requests[0]))]])
    assert isinstance(cheap, Stage) and isinstance(dear, Stage)
    assert limit_of(cheap.requests[0]) > limit_of(dear.requests[0]) > 0


def test_a_larger_part_may_cost_more_and_a_limit_of_the_recipe_stays() -> None:
    reading = document(3)
    wanted = recipe("concat", max_cost=NANO, request={"routing": {"max_cost_usd": 0.001, "objective": "cost"}})
    stage = next_step(reading, wanted, FIT, [])
    assert isinstance(stage, Stage)
    assert {request.body["routing"]["max_cost_usd"] for request in stage.requests} == {0.001}
    assert stage.requests[0].body["routing"]["objective"] == "cost"
    uneven = next_step(document(3), recipe("concat", max_cost=NANO), Fit(400), [])
    assert isinstance(uneven, Stage) and limit_of(uneven.requests[0]) > limit_of(uneven.requests[-1])


def test_where_nothing_is_left_the_document_ends_with_what_there_is() -> None:
    reading, wanted = document(2), recipe(max_cost=1000)
    stage = next_step(reading, wanted, FIT, [])
    assert isinstance(stage, Stage)
    final = next_step(reading, wanted, FIT, [[Ended("succeeded", "said", cost=500) for _ in stage.requests]])
    assert isinstance(final, Final) and final.error and final.error["code"] == "document_budget_spent"
    assert [part["answer"] for part in final.parts] == ["said", "said"]
    none = next_step(reading, recipe(max_cost=0), FIT, [])
    assert isinstance(none, Final) and none.error and none.error["code"] == "document_budget_spent"
