"""Selection: who may do a job, in which order, and why not the others."""

from typing import Any

import pytest
from broker.errors import CircuitOpen, Forbidden, InvalidRequest, TimedOut
from broker.routing.circuits import State
from broker.routing.routes import Catalog
from broker.routing.selection import MOST, Selection, select, worst_case_price

from tests.fakes.asking import THREE, alias, ask, catalog, live, row, taken, why
from tests.fakes.world import MINUTE, NOW, a_model


def test_an_open_choice_goes_by_quality_then_rank_then_name() -> None:
    assert taken(catalog(*THREE)) == ["c", "a", "b"]
    assert taken(catalog(*THREE, a_model("best", rank=99, quality=5)), {"model": "auto"}) == ["best", "c", "a", "b"]
    assert why(catalog(*THREE))["c"] == "quality: quality 3, rank 5"


def test_a_named_model_comes_first_and_then_its_fallbacks_only() -> None:
    asked = {"model": "b", "routing": {"fallbacks": ["c"]}}
    assert taken(catalog(*THREE), asked) == ["b", "c"]
    assert why(catalog(*THREE), asked) == {
        "b": "named by the request",
        "c": "named by the request, as a fallback",
        "a": "not named by the request",
    }


def test_a_model_named_twice_is_tried_once() -> None:
    assert taken(catalog(*THREE), {"model": "a", "routing": {"fallbacks": ["a", "b", "b"]}}) == ["a", "b"]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"model": "none"}, "model"),
        ({"model": "a", "routing": {"fallbacks": ["b", "none"]}}, "routing.fallbacks.1"),
    ],
)
def test_an_unknown_model_is_named(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        select(ask(asked), catalog(*THREE))
    assert (failure.value.code, failure.value.param) == ("unknown_model", param)


def chat(*parts: Any, **given: Any) -> dict[str, Any]:
    return {"input": {"messages": [{"role": "user", "content": list(parts)}], **given}}


@pytest.mark.parametrize(
    ("changes", "asked", "known", "reason"),
    [
        ({"status": "disabled"}, {}, {}, "disabled by the operator"),
        ({}, {}, {"allowed": {"a"}}, "the tenant may not use it"),
        ({"tasks": ["embed"]}, {}, {}, "does not do chat"),
        ({"context_window": 10}, {}, {}, "about 10 tokens do not fit its window of 10"),
        ({"price_in": 101}, {"routing": {"max_cost_usd": 0.000003}}, {}, "its worst case is above max_cost_usd"),
        ({"price_in": 101}, {}, {"held": 3_000}, "its worst case is above what is held for the job"),
        ({}, {"routing": {"require": ["poetry"]}}, {}, "lacks poetry"),
        ({}, chat({"type": "text", "text": "x"}, tools=[{"type": "function"}]), {}, "lacks tools"),
        ({}, chat({"type": "image_url", "image_url": {"url": "x"}}), {}, "lacks vision"),
        (
            {"tasks": ["moderate"]},
            {"task": "moderate", "input": {"file": {"s3": "s3://b/k.png"}}},
            {},
            "lacks vision",
        ),
        ({"fewest_texts": 2}, {}, {}, "takes 2 texts or more at a time, and the request has 1"),
        ({}, {"routing": {"regions": ["eu"]}}, {}, "keeps to no known data region, and eu is asked for"),
        (
            {"regions": ["us", "eu"]},
            {"routing": {"regions": ["eu"]}},
            {},
            "may send data to eu, us, and eu is asked for",
        ),
        (
            {},
            {},
            {"states": {"odd": State("open", NOW + MINUTE)}},
            "its circuit is open until 2026-11-18T11:07:40.000Z",
        ),
        (
            {},
            {},
            {"states": {"odd": State("half_open", NOW + MINUTE)}},
            "its circuit is half-open, and a probe is under way until 2026-11-18T11:07:40.000Z at most",
        ),
        (
            {},
            {},
            {"figures": {"odd": live(300, p95=1_001)}, "left_ms": 1_000},
            "its 95th percentile of 1001 ms does not fit the 1000 ms that are left",
        ),
        (
            {"status": "deprecated", "sunset": "2026-11-18"},
            {},
            {},
            "its sunset was on 2026-11-18, and it has no successor",
        ),
    ],
)
def test_says_why_a_model_is_left_out(
    changes: dict[str, Any], asked: dict[str, Any], known: dict[str, Any], reason: str
) -> None:
    models = catalog(*THREE, a_model("odd", rank=1, **changes))
    assert "odd" not in taken(models, asked, **known)
    assert why(models, asked, **known)["odd"] == reason


def test_what_a_model_has_and_what_is_far_enough_away_excludes_nothing() -> None:
    able = a_model("able", capabilities=["tools", "vision", "x"], regions=["eu"], status="deprecated")
    known = catalog(able | {"sunset": "2026-11-19", "successor": "next"})
    asked = chat({"type": "image"}, tools=[{}]) | {"routing": {"require": ["x"], "regions": ["eu", "uk"]}}
    slow = {"able": live(900, p95=1_000)}
    assert taken(known, asked, figures=slow, left_ms=1_000, held=3_000, states={"other": State("open", 9)}) == ["able"]
    assert why(known)["able"] == "quality: quality 3, rank 100; deprecated until 2026-11-19, next is its successor"


def test_a_strategy_makes_a_long_prompt_fit() -> None:
    known = catalog(a_model("a", context_window=10))
    assert taken(known, {"context": {"strategy": "error"}}) == []
    assert taken(known, {"context": {"strategy": "truncate_oldest"}}) == ["a"]


@pytest.mark.parametrize(("texts", "does"), [(["x"] * 99, False), (["x"] * 100, True)])
def test_a_model_may_want_many_texts_at_a_time(texts: list[str], does: bool) -> None:
    known = catalog(a_model("batches", tasks=["embed"], fewest_texts=100))
    assert taken(known, {"task": "embed", "input": {"text": texts}}) == (["batches"] if does else [])


@pytest.mark.parametrize(("texts", "does"), [(["word " * 5] * 90, True), (["word " * 500], False)])
def test_each_of_several_texts_has_the_window_to_itself(texts: list[str], does: bool) -> None:
    known = catalog(a_model("vectors", tasks=["embed"], context_window=100))
    asked = {"task": "embed", "input": {"text": [*texts, "x"]}}
    assert taken(known, asked, tokens=500) == (["vectors"] if does else [])


def test_a_model_may_be_taken_only_where_it_is_named() -> None:
    known = (*THREE, a_model("slow", rank=1, quality=5, by_name_only=True))
    assert "slow" not in taken(catalog(*known))
    assert why(catalog(*known))["slow"] == "taken only where it is named"
    assert "slow" not in taken(catalog(*known, row("default", objective="quality"))), "a row that names nothing"
    assert taken(catalog(*known), {"model": "slow"}) == ["slow"]
    assert taken(catalog(*known, row("default", "slow"))) == ["slow"]
    assert taken(catalog(*known, alias("batch", "slow")), {"model": "batch"}) == ["slow"]


def test_the_route_speaks_of_every_model_once() -> None:
    for asked in ({}, {"model": "b", "routing": {"fallbacks": ["a"]}}):
        route = select(ask(asked, allowed={"a"}), catalog(*THREE)).route
        assert sorted(each["model"] for each in route) == ["a", "b", "c"]
        assert all(each["why"] for each in route)


def test_a_window_is_for_the_prompt_and_something_more() -> None:
    known = catalog(a_model("a", context_window=11))
    assert taken(known, tokens=10) == ["a"]
    assert taken(known, tokens=11) == []


def test_a_job_tries_so_many_models_at_most() -> None:
    known = catalog(*(a_model(f"m{number}") for number in range(MOST + 2)))
    assert taken(known) == [f"m{number}" for number in range(MOST)]
    assert {why(known)[f"m{number}"] for number in (MOST, MOST + 1)} == {f"{MOST} candidates come before it"}


def test_a_smaller_answer_may_bring_a_model_below_the_limit() -> None:
    known = catalog(a_model("a", price_in=0, price_out=10, max_output_tokens=1_000))
    limit = {"routing": {"max_cost_usd": 0.000005}}
    assert taken(known, limit) == []
    assert taken(known, limit | {"parameters": {"max_output_tokens": 500}}) == ["a"]
    assert taken(known, limit | {"parameters": {"max_output_tokens": 501}}) == []


def test_there_may_be_no_model_at_all() -> None:
    chosen = select(ask(), catalog())
    assert chosen.candidates == ()
    assert "no model is registered" in chosen.refusal().message


# what becomes of a request that no model can do


def refusal(known: Catalog, request: dict[str, Any] | None = None, **more: Any) -> Any:
    chosen: Selection = select(ask(request, **more), known)
    assert not chosen.candidates
    return chosen.refusal()


def test_what_passes_by_itself_is_another_error_than_what_does_not() -> None:
    known = catalog(a_model("a"), a_model("b", tasks=["embed"]))
    shut = {"states": {"a": State("open", NOW + 1)}}
    late = {"figures": {"a": live(5)}, "left_ms": 4}
    assert (type(refusal(known, **shut)), type(refusal(known, **late))) == (CircuitOpen, TimedOut)
    assert type(refusal(known, {"task": "speak"})) is InvalidRequest
    assert type(refusal(known, {"model": "a"}, allowed=set())) is Forbidden
    assert type(refusal(known, allowed=set(), **shut)) is InvalidRequest


def test_a_refusal_for_circuits_says_when_the_first_may_let_a_call_through() -> None:
    known = catalog(a_model("a"), a_model("b"), a_model("c", tasks=["embed"]))
    states = {
        "a": State("open", NOW + 90_000),
        "b": State("half_open", NOW + 40_000),
        "c": State("open", NOW + 2_000),  # it could not do it anyway
    }
    assert refusal(known, states=states).retry_after == 40
    assert refusal(known, {"model": "a"}, states=states).retry_after == 90


# what is held


def held(known: Catalog, request: dict[str, Any] | None = None, **more: Any) -> int:
    question = ask(request, tokens=0, **more)
    return worst_case_price(select(question, known), question)


def test_the_quote_covers_any_order_where_the_order_is_not_settled() -> None:
    prices = {f"m{price}": price for price in range(1, 7)}
    models = [a_model(name, rank=price, max_output_tokens=1, price_out=price) for name, price in prices.items()]
    known = catalog(*models)
    assert held(known, {"routing": {"objective": "cost"}}) == 1 + 2 + 3 + 4 + 4
    assert held(known, {"routing": {"objective": "latency"}}) == 6 + 5 + 4 + 3 + 6
    drawn = catalog(*models, row("default", *({"model": name, "weight": 1} for name in prices)))
    assert held(drawn) == 6 + 5 + 4 + 3 + 6
    keyed = {"metadata": {"routing_key": "k"}}
    assert held(drawn, keyed) == sum(prices[name] for name in taken(drawn, keyed)) + max(
        prices[name] for name in taken(drawn, keyed)
    )


@pytest.mark.parametrize(
    ("task", "given", "unit", "worst"),
    [
        ("generate_image", {"text": "x", "count": 3}, "images", 3),
        ("generate_image", {"text": "x"}, "images", 1),
        ("speak", {"text": "é" * 70}, "characters", 70),
        ("custom", {"body": {}}, "requests", 1),
        ("extract_text", {"file": {"s3": "s3://b/k.PNG"}}, "pages", 1),
        ("extract_text", {"file": {"data": "AAAA", "media_type": "image/jpeg"}}, "pages", 1),
        ("extract_text", {"file": {"s3": "s3://b/k.pdf"}}, "pages", 3_000),
        ("extract_text", {"file": {"s3": "s3://b/k.pdf"}, "features": ["forms"]}, "forms", 3_000),
        ("extract_text", {"file": {"s3": "s3://b/k.pdf"}, "features": ["forms"]}, "tables", 0),
        ("extract_text", {"file": {"data": "A" * 4_000, "media_type": "application/pdf"}}, "pages", 31),
        ("transcribe", {"file": {"s3": "s3://b/k.mp3"}}, "seconds", 14_400),
        ("transcribe", {"file": {"data": "A" * 40_000, "media_type": "audio/mpeg"}}, "seconds", 61),
        ("transcribe", {"file": {"data": "AAAA", "media_type": "audio/mpeg"}}, "seconds", 15),
        ("moderate", {"file": {"s3": "s3://b/k.png"}}, "images", 1),
        ("moderate", {"text": ["x" * 700, "🎉" * 600]}, "text_units", 5),
        ("moderate", {"text": "x", "documents": ["y" * 1_000]}, "content_units", 4),
        ("moderate", {"text": "x" * 900, "documents": ["y"], "query": "z"}, "grounding_units", 2 + 1 + 2 * 2),
        ("moderate", {"text": "x", "documents": ["y"]}, "grounding_units", 0),
        ("analyze_image", {"file": {"s3": "s3://b/k.png"}, "features": ["text", "moderation"]}, "images", 3),
    ],
)
def test_units_are_held_at_their_most(task: str, given: dict[str, Any], unit: str, worst: int) -> None:
    priced = a_model("m", tasks=[task], max_output_tokens=1, price_out=0, unit_prices={unit: 7})
    priced["capabilities"] = ["vision"]
    assert held(catalog(priced), {"task": task, "input": given}) == 2 * 7 * worst


def test_each_picture_is_held_where_tokens_are_what_is_paid_for() -> None:
    priced = a_model("m", tasks=["generate_image"], max_output_tokens=1000, price_in=0, price_out=3)
    given = {"text": "A lamp", "count": 4}
    assert held(catalog(priced), {"task": "generate_image", "input": given}) == 2 * 4 * 1000 * 3
