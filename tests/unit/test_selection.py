"""Selection: who may do a job, in which order, and why not the others."""

from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.routing.models import Model
from broker.routing.selection import MOST, select

from tests.fakes.world import a_model


def models(*items: dict[str, Any]) -> dict[str, Model]:
    return {item["sk"]: Model.from_item(item) for item in items}


def request(**changes: Any) -> dict[str, Any]:
    return {"task": "chat", "input": {"text": "Hi"}, **changes}


THREE = models(a_model("b", rank=10), a_model("a", rank=10), a_model("c", rank=5))


def taken(
    asked: dict[str, Any], known: dict[str, Model], allowed: set[str] | None = None, tokens: int = 10
) -> list[str]:
    return [model.id for model in select(asked, known, allowed, tokens).candidates]


def why(
    asked: dict[str, Any], known: dict[str, Model], allowed: set[str] | None = None, tokens: int = 10
) -> dict[str, str]:
    return {each["model"]: each["why"] for each in select(asked, known, allowed, tokens).route if not each["taken"]}


def test_an_open_choice_goes_by_rank_then_by_name() -> None:
    assert taken(request(), THREE) == ["c", "a", "b"]
    assert taken(request(model="auto"), THREE) == ["c", "a", "b"]


def test_a_named_model_comes_first_and_then_its_fallbacks_only() -> None:
    asked = request(model="b", routing={"fallbacks": ["c"]})
    assert taken(asked, THREE) == ["b", "c"]
    assert why(asked, THREE) == {"a": "not named by the request"}
    assert taken(request(model="b"), THREE) == ["b"]


def test_a_model_named_twice_is_tried_once() -> None:
    assert taken(request(model="a", routing={"fallbacks": ["a", "b", "b"]}), THREE) == ["a", "b"]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (request(model="none"), "model"),
        (request(model="a", routing={"fallbacks": ["b", "none"]}), "routing.fallbacks.1"),
    ],
)
def test_an_unknown_model_is_named(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        select(asked, THREE, None, 10)
    assert (failure.value.code, failure.value.param) == ("unknown_model", param)


@pytest.mark.parametrize(
    ("changes", "asked", "allowed", "reason"),
    [
        ({"status": "disabled"}, {}, None, "disabled by the operator"),
        ({}, {}, {"a", "b"}, "the tenant may not use it"),
        ({"tasks": ["embed"]}, {}, None, "does not do chat"),
        ({"context_window": 10}, {}, None, "about 10 tokens do not fit its window of 10"),
        ({"price_in": 101}, {"routing": {"max_cost_usd": 0.000003}}, None, "its worst case is above max_cost_usd"),
    ],
)
def test_says_why_a_model_is_left_out(
    changes: dict[str, Any], asked: dict[str, Any], allowed: set[str] | None, reason: str
) -> None:
    known = THREE | models(a_model("odd", rank=1, **changes))
    assert taken(request(**asked), known, allowed)[:1] != ["odd"]
    assert why(request(**asked), known, allowed)["odd"] == reason


def test_the_route_speaks_of_every_model_once() -> None:
    for asked in (request(), request(model="b", routing={"fallbacks": ["a"]})):
        route = select(asked, THREE, {"a"}, 10).route
        assert sorted(each["model"] for each in route) == ["a", "b", "c"]
        assert all(each["why"] for each in route)


def test_a_window_is_for_the_prompt_and_something_more() -> None:
    known = models(a_model("a", context_window=11))
    assert taken(request(), known, tokens=10) == ["a"]
    assert taken(request(), known, tokens=11) == []


def test_a_job_tries_so_many_models_at_most() -> None:
    known = models(*(a_model(f"m{number}") for number in range(MOST + 2)))
    assert taken(request(), known) == [f"m{number}" for number in range(MOST)]
    assert why(request(), known) == {f"m{number}": f"{MOST} candidates come before it" for number in (MOST, MOST + 1)}


def test_a_smaller_answer_may_bring_a_model_below_the_limit() -> None:
    known = models(a_model("a", price_in=0, price_out=10, max_output_tokens=1_000))
    limit = {"max_cost_usd": 0.000005}
    assert taken(request(routing=limit), known) == []
    assert taken(request(routing=limit, parameters={"max_output_tokens": 500}), known) == ["a"]
    assert taken(request(routing=limit, parameters={"max_output_tokens": 501}), known) == []


def test_there_may_be_no_model_at_all() -> None:
    assert select(request(), {}, None, 10).candidates == ()


def test_the_cheapest_comes_first_when_cost_is_the_objective() -> None:
    known = models(a_model("dear", rank=1, price_in=9), a_model("cheap", rank=9), a_model("same", rank=8))
    asked = request(routing={"objective": "cost"})
    assert taken(asked, known) == ["same", "cheap", "dear"]
    assert taken(request(), known) == ["dear", "same", "cheap"]
    assert "costs at most" in select(asked, known, None, 10).route[0]["why"]


def test_a_model_without_a_capability_is_left_out_by_name() -> None:
    known = models(a_model("seeing", capabilities=["vision", "json"]), a_model("blind", capabilities=["json"]))
    asked = request(routing={"require": ["json", "vision"]})
    assert taken(asked, known) == ["seeing"]
    assert why(asked, known) == {"blind": "lacks vision"}
