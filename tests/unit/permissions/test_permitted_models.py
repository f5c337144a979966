"""Permissions on models: at the door, among candidates, when the job runs, and for what is kept of answers."""

from typing import Any

import pytest
from broker.clock import iso
from broker.errors import InvalidRequest, PermissionDenied
from broker.jobs.store import REQUEST
from broker.permissions.who import ASKED_BY, Member
from broker.routing.selection import select
from broker.steps.selecting import SelectModel
from broker.tenants.registry import Tenants

from tests.fakes.circuits import FakeCircuits
from tests.fakes.counting import CountingDatabase
from tests.fakes.questions import cache_lookup_of
from tests.fakes.world import CHAT, NOW
from tests.unit.cache_case import succeed
from tests.unit.permissions.permitting_case import CREATIVE, MARKETING, SALES, Permitted


def chosen(world: Permitted, job_id: str, now: int = NOW) -> list[str]:
    """The candidates of a job's run."""
    found: list[str] = select_step(world)(world.start(job_id, now=now), now)["candidates"]
    return found


def test_only_marketing_may_use_the_creative_model() -> None:
    world = Permitted(CREATIVE)
    assert chosen(world, world.ask(MARKETING, model="creative").head.id) == ["creative"]
    assert world.refused(SALES, model="creative") == ("creative", "model")
    assert world.refused(Member(), model="creative") == ("creative", "model")


def test_another_tenant_that_calls_its_groups_the_same_is_kept_out() -> None:
    world = Permitted(CREATIVE)
    assert world.refused(MARKETING, tenant="mallory", model="creative") == ("creative", "model")


def test_where_the_choice_is_open_it_is_no_candidate_and_route_says_why() -> None:
    world = Permitted(CREATIVE)
    assert chosen(world, world.ask(MARKETING).head.id) == ["creative", "small"]
    job = world.ask(SALES).head
    assert chosen(world, job.id) == ["small"]
    document = world.payloads.load(job.id, REQUEST)
    question, _, _ = world.preparing().quote("acme", dict(document or {}), NOW)
    why = {row["model"]: row["why"] for row in select(question, world.models().catalog(NOW)).route}
    assert why["creative"] == "the permission creative does not allow it"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "muse"}, "model"),
        ({"model": "small", "routing": {"fallbacks": ["creative"]}}, "routing.fallbacks.0"),
        ({"model": "small", "routing": {"fallbacks": ["small", "muse"]}}, "routing.fallbacks.1"),
    ],
)
def test_whatever_names_it_is_told_by_its_field(body: dict[str, Any], param: str) -> None:
    assert Permitted(CREATIVE).refused(SALES, **body) == ("creative", param)


def test_an_alias_in_a_rule_stands_for_its_models_also_when_it_is_out_of_use() -> None:
    world = Permitted({**CREATIVE, "models": ["muse"]})
    world.register({"pk": "MODELS", "sk": "ALIAS#muse", "models": ["creative"], "enabled": False})
    assert world.refused(SALES, model="creative") == ("creative", "model")


def test_an_alias_of_which_one_model_is_left_goes_by_that() -> None:
    world = Permitted(CREATIVE)
    world.register({"pk": "MODELS", "sk": "ALIAS#any", "models": ["creative", "small"]})
    assert chosen(world, world.ask(SALES, model="any").head.id) == ["small"]


def test_tags_and_regions_name_models_and_unknown_regions_are_any() -> None:
    costly = {"id": "costly", "tags": ["costly"], "deny": {"tenants": ["mallory"]}}
    abroad = {"id": "abroad", "regions": ["us"], "deny": {"tenants": ["acme"], "applications": ["crm"]}}
    world = Permitted(costly, abroad)
    assert world.refused(MARKETING, "mallory", model="creative") == ("costly", "model")
    assert world.ask(MARKETING, "mallory", model="small")
    assert world.refused(SALES, model="creative") == ("abroad", "model")
    world.register(dict(world.database.get("registry", "MODELS", "small") or {}) | {"regions": []})
    assert world.refused(SALES) == ("abroad", "model")


def test_a_refusal_says_how_to_ask() -> None:
    world = Permitted(CREATIVE | {"ask": "Write to models@acme.example."})
    with pytest.raises(PermissionDenied, match=r"models@acme\.example") as failure:
        world.ask(SALES, model="creative")
    assert failure.value.beside == {"permission": {"rule": "creative", "ask": "Write to models@acme.example."}}


def test_a_rule_that_changes_between_acceptance_and_run_holds() -> None:
    world = Permitted()
    job, other = world.ask(SALES, model="creative").head, world.ask(MARKETING, model="creative").head
    world.rule(CREATIVE)
    with pytest.raises(PermissionDenied):
        chosen(world, job.id)
    assert chosen(world, other.id) == ["creative"], "who asked is kept with the job"
    (denial,) = world.denied
    assert (denial.job_id, denial.rule, denial.who.principal, denial.who.key) == (job.id, "creative", "ann", "k1")


def test_what_is_kept_of_who_asked_is_no_field_that_a_client_may_send() -> None:
    world = Permitted()
    with pytest.raises(InvalidRequest, match=ASKED_BY):
        world.ask(SALES, **{ASKED_BY: {"groups": ["marketing"]}})
    document = world.payloads.load(world.ask(SALES).head.id, REQUEST) or {}
    assert document[ASKED_BY] == {
        "principal": "ann",
        "key": "k1",
        "door": "rest",
        "application": "crm",
        "groups": ["sales"],
    }


def test_who_may_not_use_a_model_gets_none_of_its_kept_answers() -> None:
    world = Permitted(CREATIVE)
    asked = {**CHAT, "cache": {}}
    first = world.start(world.ask(MARKETING, **asked).head.id)
    select_step(world)(first, NOW)
    ended = succeed(world, first, model="creative")
    assert cache_lookup_of(world).keep(ended, NOW)
    again = select_step(world)(world.start(world.ask(MARKETING, **asked).head.id), NOW)
    assert again["cached"]["facts"]["model"] == "creative"
    other = select_step(world)(world.start(world.ask(SALES, **asked).head.id), NOW)
    assert "cached" not in other and other["candidates"] == ["small"]


def select_step(world: Permitted) -> SelectModel:
    """Select Model as a fresh process builds it."""
    tenants, lookup = Tenants(world.database), cache_lookup_of(world)
    known = world.jobs, world.payloads, world.models(), tenants, lookup, FakeCircuits()
    return SelectModel(*known, world.denied.append)


def test_nobody_goes_on_from_an_answer_of_a_model_that_they_may_not_use() -> None:
    world = Permitted(CREATIVE)
    run = world.start(world.ask(MARKETING, model="creative").head.id)
    done = succeed(world, run, model="creative")
    follow = {"previous_job_id": done.id, "model": "small"}
    assert world.refused(SALES, **follow) == ("creative", "previous_job_id")
    second = world.start(world.ask(MARKETING, **follow).head.id)
    later = succeed(world, second, model="small")
    assert world.refused(SALES, previous_job_id=later.id) == ("creative", "previous_job_id"), "it has both answers"


def test_a_rule_that_is_newer_than_a_job_holds_for_what_the_job_goes_on_from() -> None:
    world = Permitted()
    done = succeed(world, world.start(world.ask(MARKETING, model="creative").head.id), model="creative")
    jobs = [world.ask(each, previous_job_id=done.id, model="small").head for each in (SALES, MARKETING)]
    world.rule(CREATIVE)
    with pytest.raises(PermissionDenied) as refused:
        select_step(world)(world.start(jobs[0].id), NOW)
    assert refused.value.param == "previous_job_id"
    assert [(each.job_id, each.rule) for each in world.denied] == [(jobs[0].id, "creative")]
    assert select_step(world)(world.start(jobs[1].id), NOW)["candidates"] == ["small"]


def test_rules_cost_no_request_and_no_write_unit_more() -> None:
    counts = []
    for rules in ((), (CREATIVE,)):
        counting = CountingDatabase()
        world = Permitted(*rules, database=counting)
        before = counting.reads, counting.writes, counting.units
        job = world.ask(MARKETING).head
        chosen(world, job.id)
        counts.append([counting.reads - before[0], counting.writes - before[1], counting.units - before[2]])
    assert counts[0] == counts[1]


def test_data_that_is_of_a_closed_class_or_of_none_that_was_said_goes_to_no_such_model() -> None:
    classes = ["personal", "unspecified"]
    rule = {"id": "at-home", "regions": ["us"], "data_classes": classes, "deny": {"tenants": ["acme"]}}
    world = Permitted(rule)
    assert chosen(world, world.ask(SALES, data_class="public").head.id) == ["creative", "small"]
    assert chosen(world, world.ask(SALES, data_class="personal").head.id) == ["small"]
    assert chosen(world, world.ask(SALES).head.id) == ["small"]
    assert world.refused(SALES, model="creative", data_class="personal") == ("at-home", "model")
    closed = Permitted({"id": "none", "data_classes": ["secret"], "deny": {"tenants": ["acme"]}})
    assert closed.refused(SALES, data_class="secret") == ("none", "data_class")


def test_whole_requests_are_closed_by_task_kind_prompt_and_door() -> None:
    acme = {"tenants": ["acme"]}
    world = Permitted(
        {"id": "no-kind", "query_types": ["legal"], "deny": acme},
        {"id": "no-greeting", "prompts": ["greet"], "deny": acme},
        {"id": "no-vectors", "tasks": ["embed"], "deny": acme},
        {"id": "no-openai", "doors": ["openai"], "tasks": ["chat"], "deny": acme},
    )
    prompt = {"input": {}, "prompt": {"id": "greet", "variables": {}}}
    assert world.refused(SALES, routing={"query_type": "legal"}) == ("no-kind", "routing.query_type")
    assert world.refused(SALES, **prompt) == ("no-greeting", "prompt.id"), "before its variables are looked at"
    assert world.refused(SALES, task="embed", input={"text": "x"}) == ("no-vectors", "task")
    with pytest.raises(PermissionDenied) as failure:
        world.ask(SALES, door="openai")
    assert failure.value.beside["permission"]["rule"] == "no-openai"
    assert world.ask(SALES) and world.ask(SALES, tenant="mallory", door="openai")


def test_who_is_let_in_until_a_day_is_let_in_until_that_day_and_what_is_closed_stays_closed() -> None:
    crm = {"tenants": ["acme"], "applications": ["crm"]}
    day = str(iso(NOW))[:10]
    world = Permitted({"id": "trial", "models": ["creative"], "allow_only": {**crm, "until": day}})
    before = NOW - 86_400_000
    assert chosen(world, world.ask(SALES, now=before, model="creative").head.id, before) == ["creative"]
    assert world.refused(SALES, model="creative") == ("trial", "model")
    assert world.refused(MARKETING, model="creative") == ("trial", "model")
    barred = Permitted({"id": "pause", "models": ["creative"], "deny": [{**crm, "until": day}]})
    assert barred.ask(SALES, model="creative")
