"""Which model, and why: constraints, objectives, weights and what ends, on the deployed stack."""

from collections import Counter
from typing import Any

import pytest
from broker.clock import now_ms
from broker.routing.figures import Figures

from local.client import Client
from tests.e2e.stack import Stack, chat


def route_of(stack: Stack, **more: Any) -> tuple[list[str], dict[str, str]]:
    """The candidates in order, and the reason of every model."""
    reply = stack.api.call("POST", "/estimates", chat(**more))
    assert reply.status == 200, reply.body
    return [each["model"] for each in reply.body["candidates"]], {
        each["model"]: each["why"] for each in reply.body["route"]
    }


LONG = "The keeper wrote down what the lamp had done in the night. " * 6000
LEFT_OUT: dict[str, tuple[str, dict[str, Any], str]] = {
    "disabled": ("disabled", {}, "disabled by the operator"),
    "capability": ("american", {"routing": {"require": ["law"]}}, "lacks law"),
    "region": ("american", {"routing": {"regions": ["eu"]}}, "may send data to us, and eu is asked for"),
    "no known region": ("answers", {"routing": {"regions": ["eu"]}}, "keeps to no known data region"),
    "price": ("dear", {"routing": {"max_cost_usd": 0.01}}, "worst case is above max_cost_usd"),
    "window": ("small-window", {"text": LONG}, "tokens do not fit its window of 50000"),
    "task": ("local-painter", {}, "does not do chat"),
}
"""The model, the request, and what is said of it."""


@pytest.mark.parametrize("case", LEFT_OUT)
def test_a_model_is_left_out_with_the_reason(stack: Stack, case: str) -> None:
    model, more, why = LEFT_OUT[case]
    routing = more.get("routing", {}) | {"fallbacks": ["european"]}
    candidates, reasons = route_of(stack, **more | {"model": model, "routing": routing})
    assert candidates == ["european"]
    assert why in reasons[model]
    job = stack.run(chat(**more | {"model": model, "routing": routing}))
    assert (job["status"], stack.calls_of(job)) == ("succeeded", ["european"]), job["error"]
    assert why in {each["model"]: each["why"] for each in job["route"]}[model]


def test_a_model_that_is_over_is_replaced_by_its_successor(stack: Stack) -> None:
    candidates, reasons = route_of(stack, model="over")
    assert candidates == ["american"]
    assert "sunset" in reasons["over"]
    assert "takes the place of over" in reasons["american"]
    job = stack.run(chat(model="over"))
    assert (job["status"], job["model"]) == ("succeeded", "american")


def test_a_model_that_will_end_says_so(stack: Stack) -> None:
    candidates, reasons = route_of(stack, model="ending")
    assert candidates == ["ending"]
    assert "deprecated until 2126-01-01, american is its successor" in reasons["ending"]


@pytest.mark.parametrize(
    ("objective", "order"), [("cost", ["european", "american"]), ("quality", ["american", "european"])]
)
def test_a_route_orders_its_models_by_an_objective(stack: Stack, objective: str, order: list[str]) -> None:
    candidates, reasons = route_of(stack, routing={"query_type": objective})
    assert candidates == order
    assert f"by-{objective}" in reasons[order[0]]
    assert f"{objective}" in reasons[order[0]]
    assert stack.run(chat(routing={"query_type": objective}))["model"] == order[0]


def test_live_figures_order_by_latency_and_keep_slow_models_from_short_jobs(stack: Stack) -> None:
    known = {"european": Figures(now_ms(), 100, 0, 3_000, 20_000), "american": Figures(now_ms(), 100, 1, 100, 300)}
    stack.show_figures(known)
    live = {each["id"]: each["live"] for each in stack.api.call("GET", "/models").body["data"]}
    assert {model: live[model]["p95_latency_ms"] for model in known} == {"european": 20_000, "american": 300}
    for objective in ("latency", "balanced"):
        candidates, reasons = route_of(stack, routing={"query_type": objective})
        assert candidates == ["american", "european"]
        assert "expected after 3000 ms" in reasons["european"]
    short = {"model": "european", "routing": {"fallbacks": ["american"]}, "timeout_seconds": 10}
    candidates, reasons = route_of(stack, **short)
    assert candidates == ["american"]
    assert "95th percentile of 20000 ms does not fit" in reasons["european"]
    assert stack.run(chat(**short))["model"] == "american"


def test_models_that_are_slower_than_the_time_left_are_asked_where_no_other_is_left(stack: Stack) -> None:
    slow = ("unhurried", "unhurried-too")
    rules: dict[str, Any] = {"model": "unhurried", "timeout_seconds": 10}
    other = Client(stack.base_url, stack.seeded.other_key)
    for client in (stack.api, other):
        # Anew for each: of a call in twenty the figures take note.
        stack.show_figures({model: Figures(now_ms(), 100, 0, 3_000, 20_000) for model in slow})
        candidates, reasons = route_of(stack, **rules, routing={"fallbacks": ["unhurried-too", "echoes"]})
        assert candidates == ["echoes"], "one that is fast enough, or that nothing is known of, is preferred"
        assert "does not fit" in reasons["unhurried"]
        job = stack.run(chat(**rules, routing={"fallbacks": ["disabled", "unhurried-too"]}), client)
        why = {each["model"]: each["why"] for each in job["route"] if each["taken"]}
        assert tuple(why) == slow, "in their own order, and what cannot do it is still left out"
        assert all("20000 ms does not fit" in each and "no other model is left" in each for each in why.values())
        assert (job["status"], stack.calls_of(job)) == ("succeeded", ["unhurried"]), job["error"]


def test_weights_divide_the_traffic_by_key_and_stably(stack: Stack) -> None:
    def first(key: int) -> str:
        metadata = {"routing_key": f"customer-{key}"}
        candidates, reasons = route_of(stack, routing={"query_type": "canary"}, metadata=metadata)
        assert candidates[-1] == "american"
        assert "drawn by its weight of" in reasons[candidates[0]]
        return candidates[0]

    drawn = [first(key) for key in range(60)]
    shares = Counter(drawn)
    # 12 of 60 are expected; with a fair draw fewer than 3 or more than 24 come once in ten thousand times.
    assert shares.keys() == {"answers", "european"}
    assert 3 <= shares["european"] <= 24
    assert [first(key) for key in range(10)] == drawn[:10]
    jobs = [
        stack.run(chat(routing={"query_type": "canary"}, metadata={"routing_key": f"customer-{key}"}))
        for key in range(4)
    ]
    assert [job["model"] for job in jobs] == drawn[:4]
