"""Guardrail policies as operators register them: what a rule may say, who names a policy, and that nobody loses one."""

from dataclasses import asdict, fields
from typing import Any, get_args

import pytest
from broker.errors import InvalidRequest
from broker.guardrails.checks import BY_ENGINES, CHECKS, SIZE
from broker.guardrails.kinds import kinds_of
from broker.guardrails.policy import Action, Policy, Rule, Stage
from broker.registry.document import parse_entry, parse_registry
from broker.registry.plan import plan_entry, plan_rollback
from broker.registry.rule_entry import NEEDED, NOT_OF, OPTIONS, RuleEntry
from broker.tenants.registry import Tenants

from tests.fakes.texts import long_text
from tests.fakes.world import NOW
from tests.unit.registry_plan_case import Stands, changes

RULE = {"check": "secrets", "action": "block"}
STRICT: dict[str, Any] = {"id": "strict", "rules": [RULE]}
NAMING: dict[str, dict[str, Any]] = {
    "tenants": {"id": "acme", "guardrails": ["strict"]},
    "routes": {"id": "default", "models": ["fast"], "guardrails": ["strict"]},
    "prompts": {"id": "p", "user": "one", "guardrails": ["strict"]},
}


def options(check: str) -> dict[str, Any]:
    """A rule that says all that its check knows."""
    every = {
        "kinds": sorted(kinds_of(check))[:2] or ["x"],
        "threshold": 0.5,
        "block_from": 0.875,
        "fail_open": True,
        "only_new": True,
        "terms": ["Blue Bird"],
        "patterns": ["^b[a-z]+d$"],
        "domains": ["example.com"],
        "tools": ["look"],
        "max_chars": 100,
    }
    fits = {name: value for name, value in every.items() if name not in NOT_OF.get(check, ())}
    return {name: value for name, value in fits.items() if check in OPTIONS.get(name, [check])}


def test_the_tables_speak_of_checks_that_there_are() -> None:
    named = {*NOT_OF, *NEEDED, *(check for checks in OPTIONS.values() for check in checks)}
    assert named <= {*CHECKS, *BY_ENGINES, SIZE}
    words = {*get_args(Action), *get_args(Stage), *RuleEntry.model_fields}
    assert {word for unused in NOT_OF.values() for word in unused} <= words


@pytest.mark.parametrize("check", sorted({*CHECKS, SIZE}))
def test_each_check_can_be_registered_with_all_its_options(check: str) -> None:
    rule = {"check": check, "action": "flag", **options(check)}
    entry = parse_entry("guardrails", {"id": "all", "rules": [rule]})
    assert entry.content() == {"id": "all", "rules": [rule]}
    read = Policy.from_item("all", entry.item()).rules[0]
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(read).items()}
    assert {name: told[name] for name in rule} == rule
    assert told["stages"] == [stage for stage in ("input", "output") if stage not in NOT_OF.get(check, ())]
    assert {spec.name for spec in fields(Rule)} == RuleEntry.model_fields.keys()


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"check": "secret"}, "check"),
        ({"check": "secrets", "action": "shout"}, "action"),
        ({"terms": ["x"]}, "terms"),
        ({"max_chars": 5}, "max_chars"),
        ({"stages": []}, "stages"),
        ({"stages": ["middle"]}, "stages.0"),
        ({"threshold": 1.1}, "threshold"),
        ({"threshold": 0.1234}, "threshold"),
        ({"block_from": 0.9}, "block_from"),
        ({"action": "flag", "threshold": 0.9, "block_from": 0.5}, "block_from"),
        ({"kinds": []}, "kinds"),
        ({"mood": "merry"}, "mood"),
        ({"patterns": ["x"]}, "patterns"),
        ({"domains": ["example.com"]}, "domains"),
        ({"tools": ["look"]}, "tools"),
        ({"stages": ["input"], "only_new": True}, "only_new"),
        ({"check": "denied_patterns", "patterns": ["("]}, "patterns.0"),
        ({"check": "denied_patterns", "patterns": ["x"], "action": "mask"}, "action"),
        ({"check": "links", "domains": ["https://example.com"]}, "domains.0"),
        ({"check": "links", "stages": ["input"]}, "stages"),
        ({"check": "injection", "stages": ["output"]}, "stages"),
        ({"check": "injection", "action": "redact"}, "action"),
        ({"check": "tool_calls", "action": "remove"}, "action"),
        ({"check": "denied_terms", "terms": [""]}, "terms.0"),
        ({"check": "denied_terms", "terms": ["x"], "kinds": ["y"]}, "kinds"),
        ({"check": "denied_terms", "terms": ["x"], "threshold": 0.5}, "threshold"),
        ({"check": "max_input_chars", "max_chars": 0}, "max_chars"),
        ({"check": "max_input_chars", "fail_open": True}, "fail_open"),
        ({"check": "max_input_chars", "stages": ["input", "output"]}, "stages"),
        *(({"check": "max_input_chars", "action": action}, "action") for action in ("mask", "hash", "redact")),
        *(({"check": "hidden_text", "action": action}, "action") for action in ("mask", "hash", "redact")),
    ],
)
def test_an_option_that_a_check_does_not_have_is_named(rule: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_registry({"guardrails": [{"id": "strict", "rules": [RULE, RULE | rule]}]})
    assert failure.value.param == f"guardrails.0.rules.1.{field}"


@pytest.mark.parametrize(
    ("entry", "param"),
    [
        ({"id": "x"}, "guardrails.0.rules"),
        ({"id": "x", "rules": []}, "guardrails.0.rules"),
        ({"id": "default", "rules": [RULE]}, "guardrails.0.id"),
        ({"id": "tenant", "rules": [RULE]}, "guardrails.0.id"),
        ({"id": "x", "rules": [{"check": "denied_terms", "action": "block"}]}, "guardrails.0.rules.0"),
        ({"id": "x", "rules": [{"check": "denied_patterns", "action": "block"}]}, "guardrails.0.rules.0"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(entry: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_registry({"guardrails": [entry]})
    assert failure.value.param == param


def test_a_policy_is_written_before_who_names_it_and_has_versions() -> None:
    stands = Stands()
    plan = stands.apply({kind: [entry] for kind, entry in NAMING.items()} | {"guardrails": [STRICT]})
    assert changes(plan)[0] == ("guardrails", "strict", "added", 1)
    assert Tenants(stands.database).get("acme", NOW).guardrails == ("strict",)
    plan = stands.apply({"guardrails": [STRICT | {"rules": [RULE | {"action": "flag"}]}]})
    assert changes(plan) == [("guardrails", "strict", "changed", 2)]
    change = plan_rollback(stands.registry, "guardrails", "strict", 1)
    assert change is not None and change.number == 3


@pytest.mark.parametrize("kind", NAMING)
def test_who_names_a_policy_that_is_not_there_is_refused(kind: str) -> None:
    stands = Stands()
    entry = NAMING[kind] | {"guardrails": ["strict", "none"]}
    error = stands.fails({"guardrails": [STRICT], kind: [entry]})
    assert (error.code, error.param) == ("unknown_policy", f"{kind}.0.guardrails.1")
    with pytest.raises(InvalidRequest) as failure:
        plan_entry(stands.registry, kind, parse_entry(kind, NAMING[kind]))
    assert failure.value.code == "unknown_policy"
    error = stands.fails({"guardrails": [STRICT | {"enabled": False}], kind: [NAMING[kind]]})
    assert (error.code, error.param) == ("policy_disabled", f"{kind}.0.guardrails.0")


@pytest.mark.parametrize("kind", NAMING)
def test_a_policy_that_is_named_is_not_taken_away(kind: str) -> None:
    stands = Stands()
    stands.apply({"guardrails": [STRICT], kind: [NAMING[kind]]})
    off = STRICT | {"enabled": False}
    error = stands.fails({"guardrails": [off]})
    assert (error.code, error.param) == ("policy_in_use", "guardrails.strict.enabled")
    assert NAMING[kind]["id"] in error.message and kind in error.message
    for put in (lambda: stands.plan({"guardrails": []}, prune=True), lambda: plan(stands, off)):
        with pytest.raises(InvalidRequest) as failure:
            put()
        assert failure.value.code == "policy_in_use"
    freed = {name: value for name, value in NAMING[kind].items() if name != "guardrails"}
    assert changes(stands.apply({"guardrails": [off], kind: [freed]})) == [
        ("guardrails", "strict", "changed", 2),
        (kind, NAMING[kind]["id"], "changed", stands.registry.get(kind, NAMING[kind]["id"]).version),
    ]


def plan(stands: Stands, entry: dict[str, Any]) -> Any:
    return plan_entry(stands.registry, "guardrails", parse_entry("guardrails", entry))


def test_no_rollback_takes_a_policy_away() -> None:
    stands = Stands()
    for entry in (STRICT | {"enabled": False}, STRICT):
        stands.apply({"guardrails": [entry]})
    stands.apply({"tenants": [NAMING["tenants"]]})
    with pytest.raises(InvalidRequest) as failure:
        plan_rollback(stands.registry, "guardrails", "strict", 1)
    assert failure.value.code == "policy_in_use"


def test_who_is_disabled_needs_no_policy_until_it_comes_back() -> None:
    stands = Stands()
    sleeping = NAMING["tenants"] | {"enabled": False}
    stands.apply({"guardrails": [STRICT], "tenants": [sleeping]})
    stands.apply({"guardrails": [STRICT | {"enabled": False}]})
    assert stands.fails({"tenants": [NAMING["tenants"]]}).code == "policy_disabled"


def test_to_take_a_policy_away_reads_no_long_text_of_a_prompt() -> None:
    stands = Stands()
    stands.apply({"guardrails": [STRICT], "prompts": [{"id": "long", "user": long_text(400_000)}]})
    stands.texts.reads.clear()
    assert changes(stands.plan({"guardrails": []}, prune=True)) == [("guardrails", "strict", "disabled", 2)]
    assert stands.texts.reads == []


@pytest.mark.parametrize(
    ("check", "kind", "near"),
    [
        ("card_numbers", "viza", "visa"),
        ("secrets", "github_tokn", "github_token"),
        ("personal_data", "e-mail", "email"),
        ("hidden_text", "comments", "comment"),
        ("markup", "script_urls", "script_url"),
        ("tool_calls", "tool_not_allow", "tool_not_allowed"),
    ],
)
def test_a_misspelt_kind_is_refused_with_what_is_near(check: str, kind: str, near: str) -> None:
    rule = {"check": check, "action": "flag", "kinds": [near, kind]}
    with pytest.raises(InvalidRequest, match=f"{kind} is no kind of {check}; near: .*{near}") as refused:
        parse_entry("guardrails", {"id": "strict", "rules": [rule]})
    assert refused.value.param == "rules.0.kinds"


def test_a_kind_that_is_like_no_other_is_refused_too() -> None:
    rule = {"check": "card_numbers", "action": "flag", "kinds": ["zzzzzz"]}
    with pytest.raises(InvalidRequest, match=r"zzzzzz is no kind of card_numbers$"):
        parse_entry("guardrails", {"id": "strict", "rules": [rule]})
