"""What engines find at places: it is taken out, once, and comes back to who may see it."""

from typing import Any

import pytest
from broker.jobs.head import Status
from broker.providers.wire.base import Answer

from tests.fakes.flow import Flow
from tests.fakes.judging import Judging
from tests.fakes.world import a_model
from tests.unit.engines.engines_case import CHAT, NAMES, findings, said


def test_names_that_an_engine_finds_never_reach_the_model_and_come_back(flow: Flow) -> None:
    flow.hold({"check": "personal_data", "action": "redact", "engines": ["rules", "names"]})
    head = flow(said("Ada Lovelace, ada@example.com, wants tea"))
    assert head.status is Status.SUCCEEDED
    assert "<NAME_1>" in str(flow.stage.provider.calls[-1].input) or "<NAME_1>" in str(flow.sent)
    asked = [str(call.input) for call in flow.stage.provider.calls if call.task == "chat"]
    assert asked and not any("Lovelace" in each or "ada@example" in each for each in asked)
    engine = next(call for call in flow.stage.provider.calls if call.task == "entities")
    assert "ada@example.com" not in str(engine.input), "the engine reads what the rules have left"
    assert "Ada Lovelace, ada@example.com" in flow.look(head.id, "jobs:read pii:read")["output"]["text"]
    assert "Lovelace" not in str(flow.look(head.id)["output"])


def test_no_name_passes_because_there_are_many(flow: Flow) -> None:
    flow.hold(NAMES)
    assert flow(said("Ada Lovelace, " * 1_000)).status is Status.SUCCEEDED
    assert not any("Lovelace" in str(call.input) for call in flow.stage.provider.calls if call.task == "chat")


def test_more_names_than_are_kept_block(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.guardrails.engines.verdicts.MOST_FINDS", 3)
    flow.hold(NAMES)
    head = flow(said("Ada Lovelace, " * 4))
    assert head.status is Status.BLOCKED
    assert findings(flow, head) == [("input", "not_all_read", "error", "names")]


@pytest.mark.parametrize("place", [("0", "12"), (0.0, 12.5), (-3, 4), (4, 4), (None, None)])
def test_a_place_that_is_none_is_no_verdict(flow: Flow, judging: Judging, place: tuple[Any, Any]) -> None:
    begin, end = place
    judging.verdict = [{"type": "name", "score": 0.9, "begin": begin, "end": end}]
    flow.hold(NAMES | {"stages": ["input"]})
    head = flow(said("Ada Lovelace wants tea"))
    assert head.status is Status.BLOCKED
    assert findings(flow, head) == [("input", "engine_failed", "error", "names")]


def test_a_repeated_step_takes_a_name_out_once(flow: Flow) -> None:
    flow.repeats = True
    flow.hold(NAMES | {"engines": ["rules", "names"]})
    head = flow(said("Ada Lovelace (ada@example.com) met Grace Hopper, and Ada Lovelace won"))
    assert head.status is Status.SUCCEEDED
    asked = next(call.input for call in flow.stage.provider.calls if call.task == "chat")
    assert asked["messages"][-1]["content"] == "<NAME_1> (<EMAIL_1>) met Grace Hopper, and <NAME_1> won"


def test_a_name_in_an_answer_is_taken_out_once_by_a_repeated_step(flow: Flow) -> None:
    flow.repeats = True
    flow.hold(NAMES | {"stages": ["output"]})
    head = flow(said("Ada Lovelace met Grace Hopper, and Ada Lovelace won"))
    assert flow.look(head.id)["output"]["text"] == "You: <NAME_1> met Grace Hopper, and <NAME_1> won"


def test_a_placeholder_is_nobodys_name(flow: Flow, judging: Judging) -> None:
    flow.hold({"check": "personal_data", "action": "redact", "engines": ["rules", "names"]})
    judging.names = "<EMAIL_1> of Ada Lovelace"
    head = flow(said("ada@example.com of Ada Lovelace"))
    assert head.status is Status.SUCCEEDED
    assert "<EMAIL_1><NAME_1>" in str(flow.sent)
    assert "ada@example.com of Ada Lovelace" in flow.look(head.id, "jobs:read pii:read")["output"]["text"]


def test_a_model_that_does_more_is_asked_by_the_task_that_its_check_needs(flow: Flow) -> None:
    flow.world.register(a_model("knows-much", name="names", tasks=["chat", "moderate", "entities"]))
    flow.hold(NAMES | {"engines": ["knows-much"], "stages": ["input"]})
    head = flow(said("Ada Lovelace wants tea"))
    assert [call.task for call in flow.stage.provider.calls] == ["entities", "chat"]
    assert (head.status, findings(flow, head)) == (Status.SUCCEEDED, [("input", "name", "redact", "knows-much")])


NEW = NAMES | {"action": "block", "stages": ["output"], "only_new": True}


@pytest.mark.parametrize(
    ("asked", "answer", "status"),
    [
        ("Who is Ada Lovelace?", "ada lovelace is a mathematician.", "succeeded"),
        ("Who is Ada\nLovelace?", "It is Ada Lovelace.", "succeeded"),
        ("Who wrote the first program?", "It was Ada Lovelace.", "blocked"),
        ("Who is Ada?", "It is Ada Lovelace.", "blocked"),
    ],
)
def test_of_an_answer_only_what_is_new_counts_where_the_rule_says_so(
    flow: Flow, judging: Judging, asked: str, answer: str, status: str
) -> None:
    judging.knows = {"names": {"Ada Lovelace": 0.99, "ada lovelace": 0.99}}
    judging.script.append(Answer({"text": answer}, input_tokens=10, output_tokens=20))
    flow.hold(NEW)
    assert flow(said(asked)).status.value == status


def test_another_rule_for_the_same_find_counts_what_is_not_new(flow: Flow) -> None:
    flow.hold(NEW, NEW | {"only_new": False, "action": "redact"})
    head = flow(said("Ada Lovelace wants tea"))
    assert flow.look(head.id)["output"]["text"] == "You: <NAME_1> wants tea"


def test_what_is_found_at_no_place_may_be_new(flow: Flow, judging: Judging) -> None:
    judging.moderates["shield"] = {"flagged": True, "categories": {"pii/name": 1.0}}
    flow.hold(NEW | {"engines": ["shield"]})
    assert flow(said("Ada Lovelace wants tea")).status is Status.BLOCKED


def test_a_repeated_step_blocks_for_what_it_has_taken_out_before(flow: Flow, judging: Judging) -> None:
    judging.names = "Ada"  # shorter than the placeholder that takes its place
    flow.repeats = True
    after = NAMES | {"stages": ["output"]}
    flow.hold(after, after | {"action": "block", "threshold": 900})
    assert flow(said("Ada Lovelace wants tea")).status is Status.BLOCKED


@pytest.mark.parametrize(
    ("categories", "status", "told"),
    [
        ({"violence": 0.9, "pii/name": 0.0}, "succeeded", []),
        ({"violence": 0.9, "pii/name": 1.0}, "blocked", [("input", "pii_name", "block", "shield")]),
        ({"violence": 0.9}, "blocked", [("input", "engine_failed", "error", "shield")]),
    ],
)
def test_of_what_a_service_moderates_personal_data_alone_counts_and_has_to_be_looked_for(
    flow: Flow, judging: Judging, categories: dict[str, float], status: str, told: list[Any]
) -> None:
    judging.moderates["shield"] = {"flagged": True, "categories": categories}
    flow.hold(NAMES | {"action": "block", "engines": ["shield"], "stages": ["input"]})
    head = flow(CHAT)
    assert (head.status.value, findings(flow, head)) == (status, told)


def test_what_a_service_has_not_read_or_told_is_not_passed_over(flow: Flow, judging: Judging) -> None:
    spans = [{"category": "pii/name", "begin": 0, "end": 3, "score": 1.0}]
    judging.moderates["shield"] = {"flagged": True, "categories": {"pii/name": 1.0}, "spans": spans, "partial": True}
    flow.hold(NAMES | {"engines": ["shield"], "stages": ["input"]})
    head = flow(said("Ann and Ann"))
    assert head.status is Status.BLOCKED
    assert findings(flow, head) == [
        ("input", "not_all_read", "error", "shield"),
        ("input", "pii_name", "redact", "shield"),
    ]


def test_after_the_model_an_engine_reads_what_the_rules_have_left(flow: Flow, judging: Judging) -> None:
    judging.script.append(Answer({"text": "Ada Lovelace, ada@example.com"}, input_tokens=10, output_tokens=20))
    flow.hold(NAMES | {"engines": ["rules", "names"], "stages": ["output"]})
    head = flow(CHAT)
    (engine,) = (call for call in judging.calls if call.task == "entities")
    assert "Ada Lovelace, <EMAIL_1>" in engine.input["text"] and "example.com" not in engine.input["text"]
    assert "Lovelace" not in str(flow.look(head.id)["output"])


def test_parts_of_a_message_are_read_apart_for_their_places(flow: Flow, judging: Judging) -> None:
    parts = [{"type": "text", "text": text} for text in ("Name: Ada Lovelace", "City: London")]
    flow.hold(NAMES | {"stages": ["input"]})
    flow({"task": "chat", "input": {"messages": [{"role": "user", "content": parts}]}})
    assert judging.calls[0].input["text"] == "Name: Ada Lovelace\n\nCity: London"
    assert [part["text"] for part in judging.calls[-1].input["messages"][-1]["content"]] == [
        "Name: <NAME_1>",
        "City: London",
    ]
