"""Faults that users of other gateways have met with budgets: each of them, looked for here."""

from dataclasses import replace

import pytest
from broker.cached_input import CachedInput
from broker.errors import BudgetExceeded, Throttled
from broker.routing.model import Model

from tests.fakes.provider import ANSWER, failing
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW, a_model
from tests.unit.test_budget_rules import DAY, WORST, a_world, ask, refused, usd
from tests.unit.test_budget_rules_race import FIT, RULES, race
from tests.unit.test_usage import end


def test_a_budget_does_not_overshoot_under_load_even_if_each_job_costs_its_worst() -> None:
    world = a_world(RULES[0])
    accepted, _ = race(world)
    for job_id in accepted:
        end(world, world.jobs.get(job_id), WORST)
    assert world.spent()["nusd"] <= int((FIT + 0.5) * WORST)
    assert refused(world).beside["budget_rule"]["id"] == "daily"


@pytest.mark.parametrize(("period", "later"), [("day", DAY), ("month", 31 * DAY)])
def test_a_budget_that_was_used_up_does_not_block_after_its_reset(period: str, later: int) -> None:
    world = a_world({"id": "b", "usd": usd(1), "period": period})
    end(world, ask(world).head, WORST)
    refused(world)
    ask(world, now=NOW + later)
    refused(world, now=NOW + later)


def test_a_job_that_ends_after_the_reset_gives_back_to_the_period_that_it_held_of() -> None:
    world = a_world({"id": "b", "usd": usd(1), "period": "day"})
    late = ask(world).head
    ask(world, now=NOW + DAY)
    end(world, late, 0)
    refused(world, now=NOW + DAY)


def test_calls_that_failed_and_were_not_paid_for_use_nothing_up() -> None:
    world = a_world({"id": "b", "usd": usd(1), "period": "total"}, monthly_budget_usd=usd(1))
    for _ in range(5):
        end(world, ask(world).head, 0, paid="no")
    ask(world)


def test_a_call_that_a_provider_refused_for_its_rate_costs_nothing() -> None:
    stage = Stage()
    stage.provider.script.append(failing(Throttled, code="rate_limited"))
    with pytest.raises(Throttled):
        stage()
    (call,) = stage.world.jobs.get(JOB_ID).settled.values()
    assert (call["paid"], call["cost"]) == ("no", 0)


def test_cached_tokens_are_charged_at_their_own_price_and_once() -> None:
    stage = Stage()
    stage.world.register(a_model("cached", price_in=100, price_cached_in=10, price_out=0))
    stage.provider.script.append(replace(ANSWER, input_tokens=1_000, cached=CachedInput(read=900)))
    assert stage("cached")["facts"]["cost"] == 100 * 100 + 900 * 10


def test_a_model_of_batches_is_charged_at_its_own_price() -> None:
    """Who has a provider's batches done registers them with their price; estimates alone know the other."""
    dear = Model.from_item(a_model("small", price_in=100, batch_price_in=50, batch_price_out=1))
    batch = Model.from_item(a_model("small-batch", price_in=50, provider="bedrock_batch"))
    assert (dear.cost(10, 0), batch.cost(10, 0)) == (1_000, 500)


def test_a_fallback_to_a_dearer_model_does_not_pass_the_cap() -> None:
    stage = Stage(hold=WORST)
    stage.world.register(a_model("dear", price_in=1_000, price_out=5_000))
    stage.provider.script.append(failing(Throttled, code="rate_limited"))
    with pytest.raises(Throttled):
        stage()
    with pytest.raises(BudgetExceeded) as refusal:
        stage("dear")
    assert refusal.value.code == "max_cost_reached"
    assert len(stage.provider.calls) == 1 and stage.world.jobs.get(JOB_ID).spent == 0
