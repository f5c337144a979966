"""`POST /guardrails/check`: what a text would meet, without a job."""

import json
from typing import Any

import pytest
from broker.json_text import MAX_BODY_BYTES

from tests.unit.rest_door import Door

CARD = "4111 1111 1111 1111"
TRIED = {"rules": [{"check": "denied_terms", "action": "redact", "terms": ["heron"]}]}


@pytest.fixture
def door() -> Door:
    made = Door()
    made.world.policy("words", **TRIED)
    made.world.policy(
        "shared", rules=[{"check": "denied_terms", "action": "mask", "terms": ["pond side"]}], shared=True
    )
    made.world.policy("tried", rules=[{"check": "card_numbers", "action": "block"}], shared=True, shadow=True)
    made.world.tenant("birds", guardrails=["words"])
    return made


def check(door: Door, given: Any, tenant: str = "birds", **more: Any) -> dict[str, Any]:
    reply = door("POST", "/guardrails/check", json.dumps({"input": given, **more}), tenant=tenant)
    assert reply.status == 200
    body: dict[str, Any] = reply.body
    return body


def test_a_harmless_text_meets_nothing(door: Door) -> None:
    nothing = {"blocked": False, "held": False, "rules": [], "findings": [], "redacted": None, "not_asked": []}
    assert check(door, "How are you?") == nothing


def test_what_somebody_would_have_to_look_at_is_told(door: Door) -> None:
    door.world.policy("words", rules=[{"check": "denied_terms", "action": "review", "terms": ["heron"]}])
    found = check(door, "A heron.")
    assert (found["blocked"], found["held"], found["rules"], found["redacted"]) == (False, True, ["denied_terms"], None)


def test_what_would_be_blocked_is_told_as_on_a_job_without_the_text(door: Door) -> None:
    found = check(door, {"messages": [{"role": "user", "content": f"Pay {CARD}."}]}, tenant="acme")
    assert (found["blocked"], found["rules"], found["redacted"]) == (True, ["card_numbers"], None)
    (finding,) = found["findings"]
    assert (finding["rule"], finding["action"], finding["policy"]) == ("card_numbers", "block", "default")
    assert (finding["stage"], finding["place"]) == ("input", "input.messages.0.content")
    assert CARD not in str(found)


def test_the_input_is_shown_as_a_model_would_get_it(door: Door) -> None:
    messages = [
        {"role": "user", "content": "A heron and <DENIED_TERM_1>, and the Heron."},
        {"role": "user", "content": "Hi"},
    ]
    found = check(door, {"messages": messages})
    assert (found["blocked"], [each["action"] for each in found["findings"]]) == (False, ["redact"])
    first, second = found["redacted"]["messages"]
    assert first["content"] == "A <DENIED_TERM_2> and <DENIED_TERM_1>, and the <DENIED_TERM_3>."
    assert second == messages[1]
    assert check(door, "A heron.")["redacted"] == {"text": "A <DENIED_TERM_1>."}


def test_a_hash_without_a_key_blocks_here_as_on_a_job(door: Door) -> None:
    hashing = {"rules": [{"check": "denied_terms", "action": "hash", "terms": ["heron"]}]}
    door.world.policy("hashing", **hashing)
    door.world.tenant("keyless", guardrails=["hashing"])
    door.world.tenant("keyed", guardrails=["hashing"], redaction_secret="redaction/keyed")
    found = check(door, "A heron.", tenant="keyless")
    assert (found["blocked"], found["redacted"]) == (True, None)
    assert [(each["kind"], each["action"]) for each in found["findings"]] == [("check_failed", "error")]
    assert check(door, "A heron.", tenant="keyed")["redacted"]["text"].startswith("A <DENIED_TERM:")


def test_an_answer_is_held_against_the_rules_of_its_stage(door: Door) -> None:
    long = {"rules": [{"check": "max_input_chars", "action": "block", "max_chars": 3}, *TRIED["rules"]]}
    door.world.policy("words", **long)
    assert check(door, "A heron.")["rules"] == ["max_input_chars"]
    found = check(door, "A heron.", stage="output")
    assert (found["blocked"], found["redacted"]) == (False, {"text": "A <DENIED_TERM_1>."})
    assert found["findings"][0]["place"] == "output.text"


def test_named_policies_come_on_top_of_the_tenants_own(door: Door) -> None:
    text = f"A heron at the pond side, {CARD}."
    assert [each["policy"] for each in check(door, text)["findings"]] == ["words@1"]
    found = check(door, text, policies=["shared", "tried"])
    assert {(each["policy"], each["shadow"]) for each in found["findings"]} == {
        ("words@1", False),
        ("shared@1", False),
        ("tried@1", True),
    }
    assert found["blocked"] is False
    assert found["redacted"] == {"text": f"A <DENIED_TERM_1> at the **** side, {CARD}."}


@pytest.mark.parametrize("name", ["words", "nobodys"])
def test_another_tenants_policy_cannot_be_told_from_none(door: Door, name: str) -> None:
    body = json.dumps({"input": "A heron.", "policies": ["shared", name]})
    error = door.fails("POST", "/guardrails/check", body)
    assert (error.status, error.code, error.param) == (404, "unknown_policy", "policies.1")
    assert error.message == "There is no such policy for you."
    assert check(door, "A heron.", tenant="acme")["findings"] == []


def test_a_policy_of_the_tenants_own_that_is_gone_is_an_error(door: Door) -> None:
    door.world.policy("words", enabled=False, **TRIED)
    error = door.fails("POST", "/guardrails/check", json.dumps({"input": "Hi"}), tenant="birds")
    assert (error.status, error.code) == (503, "policy_missing")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": {}}, "input"),
        ({"input": {"text": 5}}, "input.text"),
        ({"input": {"messages": [{"role": "cook", "content": "x"}]}}, "input.messages.0.role"),
        ({"input": "Hi", "stage": "middle"}, "stage"),
        ({"input": "Hi", "policies": "words"}, "policies"),
        ({"input": "Hi", "policies": ["words"] * 9}, "policies"),
        ({"input": "Hi", "model": "small"}, "model"),
    ],
)
def test_a_body_at_fault_is_refused_with_its_field(door: Door, body: dict[str, Any], param: str) -> None:
    error = door.fails("POST", "/guardrails/check", json.dumps(body))
    assert (error.status, error.code, error.param) == (400, "invalid_field", param)


def test_a_text_beyond_what_a_job_takes_is_refused(door: Door) -> None:
    error = door.fails("POST", "/guardrails/check", json.dumps({"input": "a" * MAX_BODY_BYTES}))
    assert (error.status, error.code) == (413, "body_too_large")


def test_who_may_not_submit_may_not_try(door: Door) -> None:
    error = door.fails("POST", "/guardrails/check", json.dumps({"input": "Hi"}), scopes="jobs:read")
    assert (error.status, error.code) == (403, "missing_scope")


def test_nothing_is_kept_and_nothing_logged(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    world = door.world
    before = dict(world.database._items)
    check(door, f"A heron, {CARD}.", policies=["shared"])
    assert world.database._items == before
    assert (world.payloads._kept, world.queue.sent) == ({}, [])
    assert capsys.readouterr() == ("", "")
