"""Engines that policies name, as operators register both: that they are there, can judge, and are not taken away."""

from collections.abc import Callable
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.guardrails.policy import Policy, Rule
from broker.registry.document import parse_entry
from broker.registry.plan import plan_entry, plan_rollback

from tests.unit.registry_plan_case import Stands, changes, model

JUDGE = model("judge")
SHIELD = model("shield", tasks=["moderate"])


def policy(check: str = "harmful_content", engine: str = "judge", **facts: Any) -> dict[str, Any]:
    own = {"topics": {"topics": ["Tea"]}}.get(check, {})
    first = {"check": "secrets", "action": "block"}
    return {"id": "strict", "rules": [first, {"check": check, "action": "block", "engines": [engine], **own}], **facts}


@pytest.fixture
def stands() -> Stands:
    stands = Stands()
    stands.apply({"models": [JUDGE, SHIELD], "guardrails": [policy()]})
    return stands


@pytest.mark.parametrize(
    ("engine", "check", "code"),
    [
        (None, "harmful_content", "unknown_model"),
        (model("x", status="disabled"), "harmful_content", "engine_disabled"),
        (model("x", tasks=["embed"]), "harmful_content", "no_engine"),
        (model("x", tasks=["chat"], asynchronous=True), "harmful_content", "no_engine"),
        (model("x", tasks=["moderate"]), "topics", "no_engine"),
        (model("x", tasks=["chat"]), "personal_data", "no_engine"),
    ],
)
def test_a_rule_whose_engine_cannot_judge_for_it_is_refused(
    engine: dict[str, Any] | None, check: str, code: str
) -> None:
    stands = Stands()
    error = stands.fails({"models": [engine] if engine else [], "guardrails": [policy(check, "x")]})
    assert (error.code, error.param) == (code, "guardrails.0.rules.1.engines.0")
    stands.apply({"models": [engine] if engine else []})
    with pytest.raises(InvalidRequest) as failure:
        plan_entry(stands.registry, "guardrails", parse_entry("guardrails", policy(check, "x")))
    assert failure.value.code == code


@pytest.mark.parametrize(
    ("unfit", "field"),
    [
        (JUDGE | {"status": "disabled"}, "status"),
        (JUDGE | {"tasks": ["embed"]}, "tasks"),
        (JUDGE | {"asynchronous": True}, "asynchronous"),
    ],
)
def test_an_engine_that_a_policy_names_is_not_taken_away(stands: Stands, unfit: dict[str, Any], field: str) -> None:
    puts: list[Callable[[], Any]] = [
        lambda: stands.plan({"models": [unfit]}),
        lambda: plan_entry(stands.registry, "models", parse_entry("models", unfit)),
    ]
    if field == "status":
        puts.append(lambda: stands.plan({"models": [SHIELD]}, prune=True))
    for put in puts:
        with pytest.raises(InvalidRequest) as failure:
            put()
        assert (failure.value.code, failure.value.param) == ("engine_in_use", f"models.judge.{field}")
        assert "'strict'" in failure.value.message and "rules.1" in failure.value.message
    freed = policy(engine="shield")
    assert changes(stands.apply({"models": [unfit], "guardrails": [freed]})) == [
        ("models", "judge", "changed", 2),
        ("guardrails", "strict", "changed", 2),
    ]


def test_what_else_of_an_engine_changes_is_nobodys_loss(stands: Stands) -> None:
    plan = stands.apply({"models": [JUDGE | {"rank": 3, "status": "deprecated", "sunset": "2030-01-01"}]})
    assert changes(plan) == [("models", "judge", "changed", 2)]


def test_a_policy_out_of_use_needs_no_engine_until_it_comes_back(stands: Stands) -> None:
    stands.apply({"guardrails": [policy(enabled=False)]})
    stands.apply({"models": [JUDGE | {"status": "disabled"}]})
    error = stands.fails({"guardrails": [policy()]})
    assert (error.code, error.param) == ("engine_disabled", "guardrails.0.rules.1.engines.0")


def test_no_rollback_takes_an_engine_away() -> None:
    stands = Stands()
    for entry in (JUDGE | {"status": "disabled"}, JUDGE):
        stands.apply({"models": [entry]})
    stands.apply({"guardrails": [policy()]})
    with pytest.raises(InvalidRequest) as failure:
        plan_rollback(stands.registry, "models", "judge", 1)
    assert failure.value.code == "engine_in_use"


TONE = {"id": "tone", "system": "Is it rude?", "user": "Here: {{material}}"}


def by_prompt(engine: str = "judge", **prompt: Any) -> dict[str, Any]:
    made = policy(engine=engine)
    made["rules"][1]["prompt"] = {"id": "tone", "version": 1} | prompt
    return made


def test_a_rule_may_name_a_version_of_a_prompt_for_its_judges(stands: Stands) -> None:
    plan = stands.apply({"guardrails": [by_prompt()], "prompts": [TONE]})
    assert ("guardrails", "strict", "changed", 2) in changes(plan)
    kept = stands.database.get("registry", "GUARDRAIL#strict", "GUARDRAIL")
    assert kept is not None
    rule = Policy.from_item("strict", kept).rules[1]
    assert str(rule.prompt) == "tone@1"
    assert Rule.from_item(rule.to_item()) == rule
    entry = parse_entry("guardrails", by_prompt())
    assert plan_entry(stands.registry, "guardrails", entry) is None, "read alike from the registry"


@pytest.mark.parametrize(
    ("prompt", "rule", "code", "field"),
    [
        (TONE, by_prompt(version=2), "unknown_version", "prompt.version"),
        (TONE, by_prompt(id="other"), "unknown_version", "prompt.version"),
        (TONE, by_prompt("shield"), "no_judge", "prompt"),
        (TONE | {"user": "Look."}, by_prompt(), "unfit_prompt", "prompt"),
        (TONE | {"user": "{{material}} {{material}}"}, by_prompt(), "unfit_prompt", "prompt"),
        (TONE | {"user": "{{text}}"}, by_prompt(), "unfit_prompt", "prompt"),
        (TONE | {"user": "{{material}} {{tone}}"}, by_prompt(), "unfit_prompt", "prompt"),
        (TONE | {"system": "{{material}}", "user": "{{material}}"}, by_prompt(), "unfit_prompt", "prompt"),
        ({"id": "tone", "system": "{{material}}"}, by_prompt(), "unfit_prompt", "prompt"),
        (TONE | {"system": "ö" * 2_000}, by_prompt(), "unfit_prompt", "prompt"),
        (TONE | {"variables": {"material": {"type": "integer"}}}, by_prompt(), "unfit_prompt", "prompt"),
        (
            {
                "id": "tone",
                "user": "{{#material}}x{{/material}}",
                "variables": {"material": {"type": "boolean"}},
            },
            by_prompt(),
            "unfit_prompt",
            "prompt",
        ),
    ],
)
def test_a_prompt_by_which_no_judge_can_be_asked_is_refused(
    stands: Stands, prompt: dict[str, Any], rule: dict[str, Any], code: str, field: str
) -> None:
    error = stands.fails({"guardrails": [rule], "prompts": [prompt]})
    assert (error.code, error.param) == (code, f"guardrails.0.rules.1.{field}")
    stands.apply({"prompts": [prompt]})
    with pytest.raises(InvalidRequest) as failure:
        plan_entry(stands.registry, "guardrails", parse_entry("guardrails", rule))
    assert failure.value.code == code


@pytest.mark.parametrize(
    ("rule", "param"),
    [
        ({"check": "injection", "action": "block", "prompt": {"id": "tone", "version": 1}}, "rules.0.prompt"),
        ({"check": "secrets", "action": "block", "prompt": {"id": "tone", "version": 1}}, "rules.0.prompt"),
        (
            {"check": "injection", "action": "block", "engines": ["judge"], "prompt": {"id": "tone"}},
            "rules.0.prompt.version",
        ),
    ],
)
def test_a_prompt_that_asks_nobody_or_has_no_version_is_refused(rule: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_entry("guardrails", {"id": "strict", "rules": [rule]})
    assert failure.value.param == param


SEEING = model("judge", capabilities=["vision"])


def by_sight(engine: str = "judge", check: str = "harmful_content") -> dict[str, Any]:
    made = policy(check, engine)
    made["rules"][1]["pictures"] = True
    return made


@pytest.mark.parametrize("engine", [JUDGE, SHIELD])
def test_engines_that_are_shown_pictures_have_to_see_and_to_go_on_seeing(
    stands: Stands, engine: dict[str, Any]
) -> None:
    error = stands.fails({"guardrails": [by_sight(engine["id"])]})
    assert (error.code, error.param) == ("no_vision", "guardrails.0.rules.1.engines.0")
    stands.apply({"models": [engine | {"capabilities": ["vision"]}], "guardrails": [by_sight(engine["id"])]})
    error = stands.fails({"models": [engine]})
    assert (error.code, error.param) == ("engine_in_use", f"models.{engine['id']}.capabilities")


def test_no_service_looks_for_attacks_on_pictures(stands: Stands) -> None:
    sees = SHIELD | {"capabilities": ["vision"]}
    error = stands.fails({"models": [sees], "guardrails": [by_sight("shield", "injection")]})
    assert (error.code, error.param) == ("no_vision", "guardrails.0.rules.1.engines.0")
    assert "judge" in error.message


@pytest.mark.parametrize("provider", ["azure_content_safety", "comprehend"])
def test_a_service_for_texts_sees_nothing_whatever_it_is_registered_with(stands: Stands, provider: str) -> None:
    sees = SHIELD | {"provider": provider, "capabilities": ["vision"]}
    error = stands.fails({"models": [sees], "guardrails": [by_sight("shield")]})
    assert (error.code, error.param) == ("no_vision", "guardrails.0.rules.1.engines.0")
    assert provider in error.message


EYES = model("eyes", provider="rekognition", tasks=["moderate"], capabilities=["vision"])


@pytest.mark.parametrize(
    "facts",
    [
        {"engines": ["eyes"]},
        {"engines": ["eyes", "judge"], "combine": "any"},
        {"engines": ["eyes", "judge"], "pictures": True, "combine": "cascade"},
        {"engines": ["judge", "eyes"], "pictures": True, "combine": "all"},
    ],
)
def test_what_reads_no_texts_neither_judges_them_nor_has_a_say_in_it(stands: Stands, facts: dict[str, Any]) -> None:
    made = policy()
    made["rules"][1] |= facts
    error = stands.fails({"models": [EYES, SEEING], "guardrails": [made]})
    place = facts["engines"].index("eyes")
    assert (error.code, error.param) == ("no_texts", f"guardrails.0.rules.1.engines.{place}")


def test_what_reads_no_texts_sees_beside_a_judge_and_is_not_put_in_its_place(stands: Stands) -> None:
    made = by_sight()
    made["rules"][1]["engines"] = ["eyes", "judge"]
    stands.apply({"models": [EYES, SEEING], "guardrails": [made]})
    stands.apply({"models": [SHIELD | {"capabilities": ["vision"]}], "guardrails": [policy(engine="shield")]})
    error = stands.fails({"models": [SHIELD | {"provider": "rekognition", "capabilities": ["vision"]}]})
    assert (error.code, error.param) == ("engine_in_use", "models.shield.provider")


@pytest.mark.parametrize(
    "facts",
    [
        {"engines": None},
        {"engines": ["rules", "judge"], "combine": "cascade"},
        {"engines": ["rules", "judge"], "combine": "all"},
        {"check": "personal_data"},
    ],
)
def test_pictures_that_no_engine_would_be_shown_are_refused(facts: dict[str, Any]) -> None:
    rule = {"check": "injection", "action": "block", "engines": ["judge"], "pictures": True} | facts
    with pytest.raises(InvalidRequest) as failure:
        parse_entry("guardrails", {"id": "strict", "rules": [{k: v for k, v in rule.items() if v is not None}]})
    assert failure.value.param == "rules.0.pictures"
