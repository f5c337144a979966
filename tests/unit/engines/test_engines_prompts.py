"""Judges that are asked by the operators' own words, in a version of a registered prompt."""

from typing import Any

import pytest
from broker.jobs.head import Status
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.flow import Flow
from tests.fakes.judging import Judging
from tests.fakes.texts import long_text
from tests.fakes.world import NOW
from tests.unit.engines.engines_case import BAD, CHAT, findings, guards, rule, said

TONE = {"id": "tone", "system": "Is it rude to a guest?", "user": "Here it is: {{ material }} That was it."}
BY_TONE = {"prompt": {"id": "tone", "version": 1}, "stages": ["input"]}


def publish(flow: Flow, **prompt: Any) -> None:
    document = parse_registry({"prompts": [TONE | prompt]})
    apply(flow.world.registry(), document, by="tests", now=NOW)


@pytest.fixture(autouse=True)
def _published(flow: Flow) -> None:
    publish(flow)


def test_a_judge_is_asked_by_the_operators_words_between_ours(flow: Flow, judging: Judging) -> None:
    flow.hold(rule("judge", **BY_TONE))
    head = flow(said(BAD))
    assert (head.status, findings(flow, head)) == (Status.BLOCKED, [("input", "crime", "block", "judge")])
    call = judging.calls[0]
    system, user = (message["content"] for message in call.input["messages"])
    assert "Is it rude to a guest?" in system and "safety classifier" in system and "Answer with JSON alone" in system
    assert "harassment" in system, "what a verdict may say is told by us"
    mark = user.split("<")[1].split(" ")[0]
    assert user == f'Here it is: <{mark} from="user">{BAD}</{mark}> That was it.' and mark in system
    assert call.output_schema is not None and "crime" in str(call.output_schema)


def test_the_version_is_on_record_and_another_one_changes_nothing(flow: Flow, judging: Judging) -> None:
    publish(flow, system="Is it polite?")
    flow.hold(rule("judge", **BY_TONE))
    job = flow.look(flow(said(BAD)).id)
    assert [each["prompt"] for each in job["attempts"]] == ["tone@1"]
    assert job["guardrails"][0]["version"].endswith(".tone@1")
    assert "Is it rude to a guest?" in str(judging.calls[0].input)


def test_what_looks_like_a_place_in_the_material_is_none(flow: Flow, judging: Judging) -> None:
    flow.hold(rule("judge", **BY_TONE))
    flow(said("{{ material }} and {{other}}"))
    assert judging.calls[0].input["messages"][1]["content"].count("{{ material }} and {{other}}") == 1


def test_rules_with_other_words_are_other_questions(flow: Flow, judging: Judging) -> None:
    flow.hold(rule("judge", **BY_TONE), rule("judge", stages=["input"]))
    head = flow(CHAT)
    assert (head.status, guards(head)) == (Status.SUCCEEDED, ["judge", "judge"])
    asked = [str(call.input) for call in judging.calls if "safety classifier" in str(call.input)]
    assert ["Is it rude" in each for each in asked] == [True, False]


def test_topics_are_numbered_for_the_operators_words_too(flow: Flow, judging: Judging) -> None:
    topics = {"check": "topics", "action": "block", "topics": ["Tea", "Cakes"], "engines": ["judge"]}
    judging.verdict = {"finds": [{"kind": "2", "score": 99}]}
    flow.hold(topics | BY_TONE)
    head = flow(CHAT)
    assert findings(flow, head) == [("input", "Cakes", "block", "judge")]
    assert "1. Tea\n2. Cakes" in judging.calls[0].input["messages"][0]["content"]


def test_a_prompt_whose_text_is_out_of_reach_gives_no_verdict(flow: Flow) -> None:
    publish(flow, version=2, system=long_text(400_000))
    flow.hold(rule("judge", **BY_TONE | {"prompt": {"id": "tone", "version": 2}}))
    head = flow(CHAT)
    assert (head.status, guards(head)) == (Status.BLOCKED, [])


@pytest.mark.parametrize(("facts", "status"), [({}, "blocked"), ({"fail_open": True}, "succeeded")])
def test_a_prompt_that_is_not_there_gives_no_verdict(flow: Flow, facts: dict[str, Any], status: str) -> None:
    flow.hold(rule("judge", **BY_TONE | {"prompt": {"id": "tone", "version": 9}}, **facts))
    head = flow(CHAT)
    assert (head.status.value, guards(head)) == (status, [])
    assert findings(flow, head) == [("input", "engine_failed", "error", "judge")]


def test_what_else_a_prompt_has_counts_for_nothing(flow: Flow, judging: Judging) -> None:
    schema = {"type": "object", "properties": {"rude": {"type": "boolean"}}}
    hints = {"parameters": {"temperature": 2}}
    publish(flow, version=2, output_schema=schema, hints=hints, postprocess={"max_chars": 1})
    flow.hold(rule("judge", **BY_TONE | {"prompt": {"id": "tone", "version": 2}}))
    assert flow(said(BAD)).status is Status.BLOCKED
    (call,) = judging.calls
    assert (call.model, call.parameters["temperature"]) == ("judge", 0)
    assert "rude" not in str(call.output_schema) and "finds" in str(call.output_schema)


def test_what_the_words_take_is_held_too(flow: Flow) -> None:
    publish(flow, version=2, system="Is it rude? " * 320)
    flow.tenant("acme", monthly_budget=10**12)
    flow.world.register({"pk": "MODELS", "sk": "judge", **_dear(flow)})
    flow.hold(rule("judge", **BY_TONE | {"prompt": {"id": "tone", "version": 2}}))
    head = flow(CHAT | {"model": "small"})
    assert (head.status, findings(flow, head)) == (Status.SUCCEEDED, [])
    assert sum(call["r"] for call in head.calls.values()) <= (head.limit or 0)


def _dear(flow: Flow) -> dict[str, Any]:
    known = flow.world.database.get("registry", "MODELS", "judge")
    assert known is not None
    return known | {"price_in": 1_000}
