"""Budgets by key, principal, model, tag and batch, of a day, a month or all time; and what they do when used up."""

from typing import Any

import pytest
from broker.errors import BudgetExceeded
from broker.jobs.accepting import Caller
from broker.jobs.ending import cancel_job
from broker.jobs.request import parse_request
from broker.registry.document import parse_registry
from broker.tenants.rules import Rule, Subject, period_at

from tests.fakes.world import CHAT, NOW, World, a_model

DAY = 86_400_000
WORST = 4_022
"""Nano-dollars that a plain job holds of these models."""


def a_world(*budgets: dict[str, Any], **settings: Any) -> World:
    world = World()
    world.register(a_model("small"), a_model("free", price_in=0, price_out=0), a_model("cheap", price_out=1))
    (entry,) = parse_registry({"tenants": [{"id": "acme", "budgets": list(budgets), **settings}]}).tenants
    world.register(entry.item())
    world.tenant("other")
    return world


def usd(jobs: float) -> float:
    """A budget for so many plain jobs."""
    return jobs * WORST / 1_000_000_000


def ask(world: World, *, now: int = NOW, tenant: str = "acme", **who: Any) -> Any:
    body = {"model": "small", **CHAT, **{name: who.pop(name) for name in ("model", "metadata") if name in who}}
    caller = Caller(tenant, who.pop("principal", "ci"), "rest", "corr-1", **who)
    return world.accepting()(parse_request(body), caller, now)


def refused(world: World, **who: Any) -> BudgetExceeded:
    with pytest.raises(BudgetExceeded) as failure:
        ask(world, **who)
    return failure.value


def test_a_job_holds_of_each_rule_that_is_for_it_and_gives_back_what_it_does_not_spend() -> None:
    rules = {"id": "daily", "usd": usd(2), "period": "day"}, {"id": "keys", "usd": usd(1), "per": "key"}
    world = a_world(*rules, monthly_budget_usd=1.0)
    head = ask(world, key="k-1").head
    assert set(head.holds.values()) == {WORST} and len(head.holds) == 3 and head.limit == WORST
    assert refused(world, key="k-1").beside["budget_rule"]["id"] == "keys"
    ask(world, key="k-2")
    error = refused(world, key="k-3")
    assert error.beside["budget_rule"]["id"] == "daily" and "USD" in error.message
    cancel_job(world.jobs, head.id, "acme", NOW)
    ask(world, key="k-1")


def test_another_tenant_and_who_is_not_meant_hold_nothing() -> None:
    world = a_world({"id": "keys", "usd": 0, "per": "key"}, {"id": "few", "usd": 0, "per": "principal", "only": ["x"]})
    assert not ask(world, tenant="other", key="k-1", principal="x").head.holds
    assert not ask(world, principal="ci").head.holds, "a token has no key, and its principal is another"
    refused(world, key="k-1")
    refused(world, principal="x")


def test_values_of_clients_are_in_no_name() -> None:
    world = a_world({"id": "teams", "usd": usd(1), "per": "tag", "tag": "team"})
    head = ask(world, metadata={"team": "a/b#1 Ann Lee"}).head
    (name,) = head.holds
    assert "Ann" not in name and name.count("/") == 1 and "#" not in name
    refused(world, metadata={"team": "a/b#1 Ann Lee"})
    ask(world, metadata={"team": "another"})
    ask(world)


def test_rows_of_a_batch_share_its_budget() -> None:
    world = a_world({"id": "each", "usd": usd(2), "per": "batch"})
    for row in range(2):
        ask(world, batch="batch_1", row=row)
    refused(world, batch="batch_1", row=2)
    ask(world, batch="batch_2", row=0)
    ask(world)


def test_what_costs_nothing_goes_on_when_a_budget_is_used_up() -> None:
    world = a_world({"id": "none", "usd": 0})
    refused(world)
    assert not ask(world, model="free").head.holds


def test_a_budget_that_only_warns_refuses_nobody_and_counts_on() -> None:
    world = a_world({"id": "soft", "usd": usd(2), "action": "warn", "warn_at": [50, 100]})
    crossed = [ask(world).head.crossed for _ in range(5)]
    assert [list(each.values()) for each in crossed] == [[50], [100], [], [], []]


def test_a_budget_that_degrades_has_a_cheaper_model_asked() -> None:
    world = a_world({"id": "best", "usd": usd(1), "action": "degrade", "degrade_to": "cheap"})
    first, second = ask(world).head, ask(world).head
    assert (first.asked, second.asked, second.holds) == ("small", "cheap", {})
    assert world.payloads.load(second.id, "BODY")["model"] == "cheap"
    cancel_job(world.jobs, first.id, "acme", NOW)
    assert ask(world).head.asked == "small", "there is money again"


def test_a_hard_budget_holds_for_the_cheaper_model_as_well() -> None:
    best = {"id": "best", "usd": 0, "action": "degrade", "degrade_to": "cheap"}
    world = a_world(best, {"id": "hard", "usd": usd(0.6)})
    assert ask(world).head.asked == "cheap"
    assert refused(world).beside["budget_rule"]["id"] == "hard"


def test_nothing_is_held_of_one_budget_where_another_refuses() -> None:
    world = a_world({"id": "daily", "usd": usd(3), "period": "day"}, {"id": "keys", "usd": usd(1), "per": "key"})
    ask(world, key="k-1")
    for _ in range(5):
        refused(world, key="k-1")
    ask(world, key="k-2")
    ask(world, key="k-3")
    refused(world, key="k-4")


def test_a_budget_of_a_day_begins_anew_by_the_clock_of_its_place() -> None:
    world = a_world({"id": "daily", "usd": usd(1), "period": "day", "time_zone": "Asia/Tokyo"})
    ask(world)
    error = refused(world)
    _, ends_at = period_at("day", "Asia/Tokyo", NOW)
    assert ends_at is not None and error.beside["budget_rule"]["period_ends_at"].endswith("T15:00:00.000Z")
    refused(world, now=ends_at - 1)
    ask(world, now=ends_at)


@pytest.mark.parametrize(
    ("zone", "hours"), [("Europe/Berlin", {23, 24, 25}), ("UTC", {24}), ("Australia/Lord_Howe", {23.5, 24, 24.5})]
)
def test_days_with_a_change_of_the_clock_are_one_day(zone: str, hours: set[float]) -> None:
    found, now = set(), NOW
    for _ in range(400):
        name, ends_at = period_at("day", zone, now)
        assert (
            ends_at is not None and period_at("day", zone, ends_at - 1)[0] == name != period_at("day", zone, ends_at)[0]
        )
        following = period_at("day", zone, ends_at)[1]
        assert following is not None
        found.add((following - ends_at) / 3_600_000)
        now = ends_at
    assert found == hours


def test_a_total_never_begins_anew() -> None:
    world = a_world({"id": "pilot", "usd": usd(1), "period": "total"})
    ask(world)
    assert refused(world, now=NOW + 400 * DAY).beside["budget_rule"]["period_ends_at"] is None


def test_an_amount_that_is_changed_holds_for_the_period_that_goes_on() -> None:
    world = a_world({"id": "daily", "usd": usd(1), "period": "day"})
    ask(world)
    refused(world)
    (entry,) = parse_registry(
        {"tenants": [{"id": "acme", "budgets": [{"id": "daily", "usd": usd(2), "period": "day"}]}]}
    ).tenants
    world.register(entry.item())
    ask(world)
    refused(world)


def test_a_value_that_nobody_has_seen_has_no_item_until_it_spends() -> None:
    rule = Rule("each", 5, per="principal")
    names = {each.name for who in ("a", "b") if (each := rule.bucket("acme", Subject(principal=who), NOW))}
    assert len(names) == 2 and rule.bucket("acme", Subject(), NOW) is None
    world = a_world({"id": "keys", "usd": usd(1), "per": "key"})
    assert not [each for each in world.database.items() if each["pk"].startswith("BUDGET#")]


@pytest.mark.parametrize(
    "entry",
    [
        {"per": "tag"},
        {"tag": "team"},
        {"action": "degrade"},
        {"degrade_to": "cheap"},
        {"only": ["x"]},
        {"warn_at": [80, 50]},
        {"warn_at": [0]},
        {"id": "a:b"},
        {"time_zone": "Mars/Base"},
        {"usd": -1},
    ],
)
def test_a_rule_that_makes_no_sense_is_not_taken(entry: dict[str, Any]) -> None:
    from broker.errors import InvalidRequest

    with pytest.raises(InvalidRequest) as failure:
        parse_registry({"tenants": [{"id": "acme", "budgets": [{"id": "x", "usd": 1, **entry}]}]})
    assert "budgets.0" in str(failure.value.param)


def test_the_model_of_a_degrading_budget_has_to_be_there() -> None:
    from broker.errors import InvalidRequest
    from broker.registry.applying import apply

    world = a_world()
    budget = {"id": "best", "usd": 1, "action": "degrade", "degrade_to": "nobody"}
    with pytest.raises(InvalidRequest) as failure:
        apply(world.registry(), parse_registry({"tenants": [{"id": "acme", "budgets": [budget]}]}), by="me", now=NOW)
    assert failure.value.param == "tenants.0.budgets.0.degrade_to"
