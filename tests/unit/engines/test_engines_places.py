"""What engines find at places: it is taken out, once, and comes back to who may see it."""

from typing import Any

import pytest
from broker.jobs.head import Status

from tests.fakes.flow import Flow
from tests.fakes.world import a_model
from tests.unit.engines.engines_case import NAMES, findings, said


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
def test_a_place_that_is_none_is_no_verdict(flow: Flow, place: tuple[Any, Any]) -> None:
    begin, end = place
    flow.stage.provider.verdict = [  # type: ignore[attr-defined]
        {"type": "name", "score": 0.9, "begin": begin, "end": end}
    ]
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


def test_a_placeholder_is_nobodys_name(flow: Flow) -> None:
    flow.hold({"check": "personal_data", "action": "redact", "engines": ["rules", "names"]})
    flow.stage.provider.names = "<EMAIL_1> of Ada Lovelace"  # type: ignore[attr-defined]
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
