"""Reasoning between door and provider: who may be asked, what is looked at, what is kept, and what it costs."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from broker.context.conversations import turn_of
from broker.guardrails.walk import input_texts, output_texts
from broker.jobs.fields import Reasoning
from broker.jobs.request import parse_request, stored_form
from broker.providers.wire.base import Answer
from broker.providers.wire.reasoning import EFFORTS, SEAL, hidden, returned, thought
from broker.routing.model import Model
from broker.routing.question import Question
from broker.steps.outcomes import facts_of
from broker.steps.token_counter import counter
from broker.token_estimates import estimate_message

from tests.fakes.stage import Stage
from tests.fakes.world import NOW, a_head, a_model

SIGNED = thought("Hm, 4111 1111 1111 1111.", "anthropic", "QUtJQUlPU0ZPRE5ON0VYQU1QTEU=")


def test_the_contract_and_the_dialects_know_the_same_efforts() -> None:
    of_contract = get_args(get_args(Reasoning.model_fields["effort"].annotation)[0])
    assert of_contract == EFFORTS


@pytest.mark.parametrize(
    ("reasoning", "needed"),
    [
        (None, False),
        ({}, False),
        ({"effort": "none"}, False),
        ({"effort": "none", "summary": "auto"}, False),
        ({"effort": "minimal"}, True),
        ({"max_tokens": 9}, True),
        ({"summary": "auto"}, True),
    ],
)
def test_who_asks_for_it_needs_a_model_that_has_it(reasoning: Any, needed: bool) -> None:
    request = {"task": "chat", "input": {"text": "Hi."}, "parameters": {"reasoning": reasoning}}
    assert ("reasoning" in Question(request, counter(request), NOW).needs) is needed


@pytest.mark.parametrize(
    ("model", "is_told"),
    [
        ({}, False),
        ({"options": {"without": ["seed"]}}, False),
        ({"capabilities": ["reasoning"]}, True),
        ({"options": {"efforts": ["none", "low"]}}, True),
        ({"options": {"reasoning": "level"}}, True),
    ],
)
@pytest.mark.parametrize("on_unsupported", ["refuse", "drop_and_tell"])
def test_a_model_that_does_not_reason_is_not_told_to_leave_it(model: Any, is_told: bool, on_unsupported: str) -> None:
    stage = Stage()
    stage.world.register(a_model("small", **model), a_model("large"))
    body = {"input": {"text": "Hi"}, "parameters": {"reasoning": {"effort": "none"}}, "on_unsupported": on_unsupported}
    stage.world.payloads.save(stage.head, "BODY", stored_form(parse_request(body)))
    stage.run = replace(stage.run, head=None)
    facts = stage()["facts"]
    assert ("reasoning" in stage.provider.calls[0].parameters) is is_told
    assert is_told or "dropped" not in facts, "what was wanted is so"


def test_guardrails_read_what_was_thought_but_not_its_seal() -> None:
    output = {"text": "Fine.", "reasoning": [SIGNED]}
    read = [seen.text for seen in output_texts(output)]
    assert SIGNED["text"] in read and SIGNED["seal"] not in read
    message = {"role": "assistant", "content": "Fine.", "reasoning": [SIGNED]}
    read = [seen.text for seen in input_texts({"input": {"messages": [message]}})]
    assert SIGNED["text"] in read and SIGNED["seal"] not in read
    for seal in ("my key is AKIA", "x:t:00:AKIA", f"{SIGNED['seal']} and more"):
        other = {"role": "assistant", "content": "Fine.", "reasoning": [SIGNED | {"seal": seal}]}
        assert seal in [seen.text for seen in input_texts({"input": {"messages": [other]}})]


def test_a_seal_takes_no_tokens() -> None:
    long = {"role": "assistant", "content": "Fine.", "reasoning": [SIGNED | {"seal": SIGNED["seal"] + "A" * 5_000}]}
    bare = {"role": "assistant", "content": "Fine.", "reasoning": [{"text": SIGNED["text"]}]}
    assert estimate_message(long) == estimate_message(bare)


def test_a_turn_keeps_what_was_thought() -> None:
    document = {"task": "chat", "input": {"messages": [{"role": "user", "content": "Hi."}]}}
    turn = turn_of(a_head(), document, {"text": "Fine.", "finish_reason": "stop", "reasoning": [SIGNED]})
    assert turn.messages[-1]["reasoning"] == [SIGNED]


def test_tokens_that_were_thought_are_told_and_paid_for_once() -> None:
    model = Model.from_item(a_model("small"))
    answer = Answer({"text": "Fine."}, input_tokens=10, output_tokens=50, reasoning_tokens=40)
    facts = facts_of({"r": 1}, model, answer, None, 5, None)
    assert (facts["output_tokens"], facts["reasoning_tokens"], facts["cost"]) == (50, 40, 10 + 2 * 50)
    assert "reasoning_tokens" not in facts_of({"r": 1}, model, Answer({}, 10, 50), None, 5, None)


@pytest.mark.parametrize("signature", ["", None, "a b", "ä", "x\ny", 5 * "=" + "\n"])
def test_what_is_no_signature_seals_nothing(signature: Any) -> None:
    assert "seal" not in thought("Hm.", "anthropic", signature) and "seal" not in hidden("anthropic", signature)


@pytest.mark.parametrize("given", [None, 5, "x", [5], [{}], [{"text": 5}], [{"text": "x"}], [{"text": "x", "seal": 5}]])
def test_what_is_no_thought_goes_back_to_nobody(given: Any) -> None:
    assert returned(given, "anthropic") == [] == returned(given, "")
    assert SEAL.fullmatch(str(SIGNED["seal"])) and returned([SIGNED], "") == []
