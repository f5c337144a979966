"""Windows: a conversation is made to fit, a summary is an attempt of its own, and what was done is noted."""

from typing import Any

import pytest
from broker.errors import ContextExceeded, Rejected, Unavailable
from broker.providers.wire.base import Answer
from broker.token_estimates import estimate_input, family_of

from tests.fakes.provider import ANSWER, failing
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW, a_model

WINDOW = 6_000
LONG = "The keeper wrote down what the lamp had done in the night. " * 60
TALK = [
    {"role": "system", "content": "Be brief."},
    *[{"role": role, "content": f"{number} {LONG}"} for number in range(6) for role in ("user", "assistant")],
    {"role": "user", "content": "And then?"},
]


def stage_of(strategy: str) -> Stage:
    """A long conversation with a model of a small window, and a cheap one beside it."""
    stage = Stage()
    stage.world.tenant()
    stage.world.register(
        a_model("narrow", context_window=WINDOW, max_output_tokens=500),
        a_model("cheap", price_in=0, price_out=0, context_window=50_000),
    )
    document: dict[str, Any] = {"task": "chat", "input": {"messages": TALK}, "context": {"strategy": strategy}}
    stage.world.payloads.save(stage.head, "INPUT", document)
    return stage


def sent(stage: Stage) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = stage.provider.calls[-1].input["messages"]
    return messages


@pytest.mark.parametrize("strategy", ["truncate_oldest", "truncate_middle"])
def test_what_is_left_out_is_noted(strategy: str) -> None:
    stage = stage_of(strategy)
    stage("narrow")
    assert (sent(stage)[0], sent(stage)[-1]) == (TALK[0], TALK[-1])
    assert estimate_input({"input": {"messages": sent(stage)}}, family_of("narrow-1")) <= WINDOW
    note = stage.world.jobs.notes(JOB_ID)["CONTEXT#1"]
    assert (note["strategy"], note["model"]) == (strategy, "narrow")
    assert note["tokens_after"] < WINDOW < note["tokens_before"]
    assert note["dropped_turns"] > 0


def test_a_window_that_is_large_enough_changes_nothing() -> None:
    stage = stage_of("truncate_oldest")
    stage("large")
    assert sent(stage) == TALK
    assert "CONTEXT#1" not in stage.world.jobs.notes(JOB_ID)


def test_of_a_conversation_that_was_cut_no_place_is_told() -> None:
    stage = stage_of("truncate_oldest")
    places = [stage.fails(failing(Rejected, param="input.messages.2"), model).param for model in ("narrow", "large")]
    assert places == ["input.messages", "input.messages.2"]


def test_without_a_strategy_the_provider_has_the_last_word() -> None:
    stage = stage_of("error")
    stage.fails(failing(ContextExceeded), "narrow")
    assert sent(stage) == TALK


def test_older_turns_are_summarised_by_the_cheapest_model_in_an_attempt_of_its_own() -> None:
    stage = stage_of("summarize")
    stage.provider.script = [Answer({"text": "The lamp burnt."}, input_tokens=900, output_tokens=9), ANSWER]
    result = stage("narrow")
    first, second = stage.provider.calls
    assert (first.model, second.model) == ("cheap-1", "narrow-1")
    assert "5 The keeper" not in str(first.input), "what still fits is not summarised"
    assert second.input["messages"][1]["content"].startswith("Summary of the earlier conversation:\nThe lamp burnt.")
    assert [(call["m"], call.get("w")) for call in stage.head.calls.values()] == [
        ("cheap", "summarize"),
        ("narrow", None),
    ]
    assert stage.head.calls["1.1"]["o"] == "succeeded"
    assert result["facts"]["model"] == "narrow"
    assert stage.world.jobs.notes(JOB_ID)["CONTEXT#1"]["strategy"] == "summarize"


def test_another_candidate_does_not_pay_for_the_same_summary() -> None:
    stage = stage_of("summarize")
    stage.world.register(a_model("narrow-too", context_window=WINDOW, max_output_tokens=500))
    stage.provider.script = [Answer({"text": "The lamp burnt."}), failing(Unavailable)]
    with pytest.raises(Unavailable):
        stage("narrow")
    stage("narrow-too")
    assert [call.model for call in stage.provider.calls] == ["cheap-1", "narrow-1", "narrow-too-1"]
    assert "The lamp burnt." in str(sent(stage))


def test_without_a_summary_older_turns_are_left_out_and_the_job_says_so() -> None:
    stage = stage_of("summarize")
    stage.provider.script = [failing(Unavailable), ANSWER]
    stage("narrow")
    assert "Summary" not in str(sent(stage))
    assert stage.world.jobs.notes(JOB_ID)["CONTEXT#1"]["strategy"] == "truncate_oldest"


def test_a_repeat_after_a_lost_summary_asks_for_it_once() -> None:
    stage = stage_of("summarize")
    stage.provider.script = [Answer({"text": "The lamp burnt."})]
    stage("narrow")
    assert len(stage.provider.calls) == 2
    stage("narrow", now=NOW + 1)
    assert len(stage.provider.calls) == 2, "the answer is there"


def test_operators_may_say_which_model_summarises() -> None:
    stage = stage_of("summarize")
    stage.world.register({"pk": "MODELS", "sk": "ALIAS#summarizer", "models": ["gone", "large"], "version": 1})
    stage("narrow")
    assert [call.model for call in stage.provider.calls] == ["large-1", "narrow-1"]


def test_a_model_that_is_taken_only_by_name_summarises_nothing_by_itself() -> None:
    stage = stage_of("summarize")
    stage.world.register(a_model("large", by_name_only=True, price_in=0, price_out=0, context_window=50_000, rank=-1))
    stage("narrow")
    assert "large-1" not in [call.model for call in stage.provider.calls]
