"""Estimates: what submitting would answer, and nothing run, written or held."""

from typing import Any

import pytest
from broker.errors import BrokerError, BudgetExceeded, InvalidRequest
from broker.jobs.accepting import Caller
from broker.jobs.request import parse_request
from broker.rest.http import error_reply
from broker.routing.circuits import State
from broker.routing.figures import Figures
from broker.routing.question import USUAL_OUTPUT
from broker.steps.estimating import EstimateJob
from broker.storage import Item, Put

from tests.fakes.circuits import FakeCircuits
from tests.fakes.world import CHAT, MINUTE, NOW, World, a_model


@pytest.fixture
def world() -> World:
    made = World()
    made.register(
        a_model("small", rank=1, max_output_tokens=4_000),
        a_model("large", rank=2, price_in=10, price_out=20),
        a_model("vectors", tasks=["embed"]),
        {"pk": "PROMPT#greet", "sk": "LATEST", "user": "Greet {{name}}."},
    )
    made.tenant(monthly_budget=10**9)
    made.tenant("free")
    made.tenant("bound", models=["small"])
    made.tenant("poor", monthly_budget=1_000)
    return made


def estimate(world: World, body: dict[str, Any], tenant: str = "acme", health: FakeCircuits | None = None) -> Any:
    made = EstimateJob(world.preparing(), health or FakeCircuits(), world.check_webhook)
    return made(parse_request(body), Caller(tenant, "ci", "rest", "r-1"), NOW)


def test_tells_candidates_costs_and_reasons(world: World) -> None:
    live = FakeCircuits(live={"large": Figures(NOW, 40, 1, 700, 900)})
    estimated = estimate(world, CHAT | {"parameters": {"max_output_tokens": 3_000}}, health=live)
    small, large = estimated["candidates"]
    tokens = small["input_tokens"]
    assert tokens > 5
    assert small == {
        "model": "small",
        "input_tokens": tokens,
        "max_output_tokens": 3_000,
        "expected_cost_usd": pytest.approx((tokens + 2 * USUAL_OUTPUT) / 1e9),
        "worst_cost_usd": pytest.approx((tokens + 2 * 3_000) / 1e9),
        "mean_latency_ms": None,
    }
    assert (large["max_output_tokens"], large["mean_latency_ms"]) == (1_000, 700)
    assert [(each["model"], each["taken"]) for each in estimated["route"]] == [
        ("small", True),
        ("large", True),
        ("vectors", False),
    ]
    assert (estimated["object"], estimated["task"]) == ("estimate", "chat")


def test_the_worst_cost_is_what_submitting_holds(world: World) -> None:
    for body in (CHAT, CHAT | {"model": "large"}, CHAT | {"routing": {"objective": "latency"}}):
        held = world.preparing()("acme", {**body, "task": "chat"}, NOW).hold
        assert estimate(world, body)["worst_cost_usd"] == held.limit / 1e9


def test_what_a_prompt_becomes_is_counted(world: World) -> None:
    def tokens(name: str) -> int:
        body = {"prompt": {"id": "greet", "variables": {"name": name}}}
        return int(estimate(world, body)["candidates"][0]["input_tokens"])

    assert tokens("Ann" * 100) > tokens("Ann") + 50


def test_nothing_is_written(world: World) -> None:
    world.database.crash_in = 0
    estimate(world, CHAT)
    assert world.database.get("ledger", "BUDGET#acme", "2026-11") is None


def test_an_open_circuit_shows_and_refuses_nothing(world: World) -> None:
    shut = FakeCircuits({name: State("open", NOW + MINUTE) for name in ("small", "large")})
    estimated = estimate(world, CHAT, health=shut)
    assert estimated["candidates"] == []
    assert estimated["worst_cost_usd"] > 0
    assert all("circuit is open" in each["why"] for each in estimated["route"][:2])


@pytest.mark.parametrize(
    ("body", "tenant"),
    [
        (CHAT | {"model": "none"}, "acme"),
        (CHAT | {"model": "large"}, "bound"),
        (CHAT | {"routing": {"require": ["poetry"]}}, "acme"),
        ({"task": "speak", "input": {"text": "x"}}, "acme"),
        (CHAT | {"output_schema": {"type": "nonsense"}}, "acme"),
        ({"prompt": {"id": "none"}}, "acme"),
        ({"prompt": {"id": "greet"}}, "acme"),
        (CHAT, "poor"),
        (CHAT, "unknown"),
        (CHAT | {"webhook": {"url": "https://bad.example"}}, "acme"),
    ],
)
def test_errors_are_those_of_submitting(world: World, body: dict[str, Any], tenant: str) -> None:
    def refuse(url: str) -> None:
        raise InvalidRequest("The address may not be used.", code="bad_address", param="webhook.url")

    world.check_webhook = refuse
    with pytest.raises(BrokerError) as submitted:
        world.accept(body, tenant=tenant)
    with pytest.raises(BrokerError) as estimated:
        estimate(world, body, tenant)
    assert error_reply(estimated.value, "r") == error_reply(submitted.value, "r")
    assert (type(estimated.value), estimated.value.param) == (type(submitted.value), submitted.value.param)


def test_a_budget_that_others_hold_does_not_cover_it(world: World) -> None:
    budget: Item = {"pk": "BUDGET#acme", "sk": "2026-11", "available": 10, "allowed": 10**9}
    world.database.write(Put("ledger", budget))
    with pytest.raises(BudgetExceeded):
        estimate(world, CHAT)
    world.tenant(monthly_budget=2 * 10**9)  # what an operator adds shows at once, as when submitting
    assert estimate(world, CHAT)["candidates"]


def test_what_policies_want_in_a_request_is_estimated_with_it(world: World) -> None:
    rules = [{"check": "prompt_leak", "action": "block", "stages": ["output"], "canary": True}]
    world.policy("reading", rules=rules, mark_untrusted="base64")
    world.tenant("reading", guardrails=["reading"], monthly_budget=10**9)
    body = {"input": {"messages": [{"role": "system", "content": "Be brief."}, CHAT["input"]["messages"][0]]}}
    held = world.accept(body, tenant="reading").head.limit
    assert round(estimate(world, body, "reading")["worst_cost_usd"] * 1e9) == held
    assert round(estimate(world, body)["worst_cost_usd"] * 1e9) < held
