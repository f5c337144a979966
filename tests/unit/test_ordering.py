"""The order of the candidates: objectives, routes and aliases, experiments, successors."""

from typing import Any

import pytest
from broker.routing.question import USUAL_OUTPUT
from broker.routing.routes import Catalog

from tests.fakes.asking import THREE, alias, catalog, live, row, taken, why
from tests.fakes.world import a_model


def by(objective: str, known: Catalog, **more: Any) -> list[str]:
    return taken(known, {"routing": {"objective": objective}}, **more)


def test_cost_is_the_worst_case() -> None:
    known = catalog(a_model("dear", rank=1, price_in=9), a_model("cheap", rank=9), a_model("same", rank=8))
    assert by("cost", known) == ["same", "cheap", "dear"]
    assert why(known, {"routing": {"objective": "cost"}})["same"] == "cost: costs at most 0.000002 $, rank 8"


def test_latency_is_the_live_mean_lengthened_by_failures() -> None:
    known = catalog(*(a_model(name, rank=rank) for rank, name in enumerate(("slow", "failing", "new", "fast"))))
    figures = {"slow": live(1_200), "failing": live(600, 100, 75), "fast": live(500)}
    # 500, then the new one at the mean of the others, then 1,200 against 2,400
    assert by("latency", known, figures=figures) == ["fast", "slow", "new", "failing"]
    said = why(known, {"routing": {"objective": "latency"}}, figures=figures)
    assert said["failing"] == "latency: expected after 2400 ms, rank 1"
    assert said["new"] == "latency: no live figures yet, rank 2"
    assert by("latency", known) == ["slow", "failing", "new", "fast"]


def test_a_model_that_always_fails_comes_last() -> None:
    known = catalog(a_model("dead", rank=1), a_model("alive", rank=2))
    assert by("latency", known, figures={"dead": live(100, 50, 50), "alive": live(900)}) == ["alive", "dead"]


def test_balanced_gives_a_step_of_quality_for_twice_the_price_and_time() -> None:
    flat = {"price_in": 0, "price_out": 100}
    known = catalog(a_model("plain", quality=3, **flat), a_model("good", quality=4, **flat | {"price_out": 200}))
    even = {"plain": live(1_000), "good": live(2_000)}
    assert by("balanced", known, figures=even | {"good": live(1_999)}) == ["good", "plain"]
    assert by("balanced", known, figures=even | {"good": live(2_001)}) == ["plain", "good"]
    said = why(known, {"routing": {"objective": "balanced"}}, figures=even)["good"]
    assert said == f"balanced: quality 4, about {USUAL_OUTPUT * 200 / 1e9:.6f} $, expected after 2000 ms, rank 100"


def test_what_is_free_is_not_infinitely_good() -> None:
    known = catalog(
        a_model("free", quality=1, price_in=0, price_out=0), a_model("cheap", quality=5, price_in=0, price_out=4)
    )
    assert by("balanced", known) == ["cheap", "free"]


def test_models_that_keep_to_a_schema_come_first_where_there_is_one() -> None:
    known = catalog(
        a_model("talks", rank=1), a_model("json", rank=2, capabilities=["json"]), a_model("s", capabilities=["schema"])
    )
    assert taken(known, {"output_schema": {"type": "object"}}) == ["s", "json", "talks"]
    assert taken(known) == ["talks", "json", "s"]


# aliases, routes, weights, successors


def test_a_row_is_followed_and_said() -> None:
    known = catalog(*THREE, alias("fast", "b", "a"), row("sums", "fast", query_type="sum", fallbacks=["c"]))
    asked = {"routing": {"query_type": "sum"}}
    assert taken(known, asked) == ["b", "a", "c"]
    assert why(known, asked)["c"] == "route sums, as a fallback"
    assert taken(known) == ["c", "a", "b"]
    assert why(known, {"model": "fast"})["b"] == "alias fast of the request"


def test_an_objective_orders_a_row_but_not_its_fallbacks() -> None:
    prices = {"a": 3, "b": 2, "c": 1}
    known = catalog(
        *(a_model(name, price_in=price * 1_000) for name, price in prices.items()),
        row("default", "a", "b", objective="cost", fallbacks=["c"]),
    )
    assert taken(known) == ["b", "a", "c"]
    assert why(known)["b"].startswith("route default, cost: costs at most")


WEIGHED = row("default", {"model": "a", "weight": 90}, {"model": "b", "weight": 10}, fallbacks=["c"])


def shares(known: Catalog, keys: list[dict[str, Any]], tenant: str = "acme") -> dict[str, float]:
    first = [
        taken(known, {"metadata": key} if key else {}, job_id=f"job_{n}", tenant=tenant)[0]
        for n, key in enumerate(keys)
    ]
    return {name: first.count(name) / len(first) for name in set(first)}


def test_weights_split_jobs_in_proportion() -> None:
    found = shares(catalog(*THREE, WEIGHED), [{}] * 2_000)
    assert found["a"] == pytest.approx(0.9, abs=0.03)
    assert found.keys() == {"a", "b"}


def test_a_routing_key_always_goes_the_same_way_within_its_tenant() -> None:
    known = catalog(*THREE, WEIGHED)
    keys = [{"routing_key": f"user-{number}"} for number in range(300)]
    for key in keys[:50]:
        assert len(shares(known, [key] * 5)) == 1
    assert shares(known, keys)["a"] == pytest.approx(0.9, abs=0.06)

    def ways(tenant: str) -> list[str]:
        return [taken(known, {"metadata": key}, tenant=tenant)[0] for key in keys]

    assert ways("acme") == ways("acme") != ways("other")


def test_a_weight_that_grows_moves_only_keys_towards_it() -> None:
    more = row("default", {"model": "a", "weight": 90}, {"model": "b", "weight": 30})
    for number in range(300):
        asked = {"metadata": {"routing_key": f"user-{number}"}}
        before, after = taken(catalog(*THREE, WEIGHED), asked)[0], taken(catalog(*THREE, more), asked)[0]
        assert before == after or (before, after) == ("a", "b")


def test_the_arm_that_lost_the_draw_is_the_first_fallback_and_a_weight_of_nothing_gets_nothing() -> None:
    assert sorted(taken(catalog(*THREE, WEIGHED), job_id="j")[:2]) == ["a", "b"]
    assert taken(catalog(*THREE, WEIGHED), job_id="j")[2] == "c"
    known = catalog(*THREE, row("default", {"model": "a", "weight": 1}, {"model": "b", "weight": 0}))
    assert taken(known) == ["a"]
    assert why(known)["b"] == "route default gives it a weight of 0"
    assert why(known)["a"] == "route default, drawn by its weight of 1"


def test_equally_good_models_of_a_row_share_by_their_own_weights() -> None:
    known = catalog(a_model("a", weight=300), a_model("b", weight=100), row("default", objective="cost"))
    assert shares(known, [{}] * 1_000)["a"] == pytest.approx(0.75, abs=0.05)


def test_a_successor_takes_the_place_of_a_model_past_its_sunset() -> None:
    old = a_model("old", status="deprecated", sunset="2026-11-01", successor="mid")
    mid = a_model("mid", status="deprecated", sunset="2026-11-10", successor="new")
    known = catalog(old, mid, a_model("new"), a_model("other"))
    asked = {"model": "old", "routing": {"fallbacks": ["other", "new"]}}
    assert taken(known, asked) == ["new", "other"]
    said = why(known, asked)
    assert said["new"] == "takes the place of mid, takes the place of old, named by the request"
    assert said["old"] == "its sunset was on 2026-11-01; mid takes its place"
    assert said["mid"] == "its sunset was on 2026-11-10; new takes its place"


def test_successors_in_a_circle_end() -> None:
    over = {"status": "deprecated", "sunset": "2026-01-01"}
    known = catalog(a_model("a", successor="b", **over), a_model("b", successor="a", **over))
    assert taken(known, {"model": "a"}) == []
    assert len(why(known)) == 2
