"""Invoke Model: a call that failed is settled at once, and says whose fault it was."""

from typing import Any

import pytest
from broker.errors import (
    AdapterFailed,
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    InvalidRequest,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.wire.sending import sending

from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import CHAT, JOB_ID, a_model


@pytest.fixture
def invoke() -> Stage:
    return Stage()


@pytest.mark.parametrize(("sent", "paid"), [(True, "unknown"), (False, "no")])
def test_a_fault_of_our_own_code_is_settled_and_quotes_nothing(invoke: Stage, sent: bool, paid: str) -> None:
    """Whether it may have been paid for depends on whether a request had left by then."""
    invoke.provider.during = sending if sent else lambda: None
    invoke.provider.script.append(KeyError("my secret prompt"))
    with pytest.raises(AdapterFailed) as failure:
        invoke()
    assert failure.value.code == "adapter_failed"
    assert "my secret" not in str(invoke.head) + failure.value.message + failure.value.cause()
    assert invoke.head.open_calls == []
    call = invoke.head.calls["1.1"]
    assert (call["p"], call["c"], call["r"] > 0) == (paid, call["r"] if sent else 0, True)
    assert invoke.noticed == [("a provider's adapter failed", JOB_ID)]


@pytest.mark.parametrize(
    "kind", [InvalidRequest, Refused, ContextExceeded, Throttled, Unavailable, CredentialRejected, BadOutput]
)
def test_a_failure_is_settled_and_goes_on(invoke: Stage, kind: type[BrokerError]) -> None:
    error = invoke.fails(failing(kind))
    assert type(error) is kind
    call = invoke.head.calls["1.1"]
    assert (call["m"], call["o"], call["p"], call["e"]["type"], call["c"]) == (
        "small",
        kind.__name__,
        "no",
        kind.type,
        0,
    )
    assert invoke.world.payloads.names(JOB_ID) == ["BODY"]


def test_a_failure_that_may_be_paid_for_is_booked_at_its_worst(invoke: Stage) -> None:
    invoke.fails(failing(Unavailable, maybe_paid=True))
    reserve = invoke.head.calls["1.1"]["r"]
    assert invoke.head.spent == reserve > 0
    assert invoke.head.calls["1.1"]["p"] == "unknown"


def test_an_answer_after_a_missed_schema_is_a_repair_of_that_model_only(invoke: Stage) -> None:
    invoke.fails(failing(BadOutput))
    invoke.fails(failing(BadOutput), "large")
    invoke("small")
    assert [call.repair for call in invoke.provider.calls] == [False, False, True]
    assert [call.fault for call in invoke.provider.calls] == ["", "", failing(BadOutput).message]


def test_a_throttled_model_is_waited_for_as_long_as_it_says(invoke: Stage) -> None:
    first = invoke.fails(failing(Throttled, retry_after=4))
    assert isinstance(first.retry_after, int)
    assert 4 <= first.retry_after <= 5
    assert invoke.fails(failing(Throttled, retry_after=0.2), "large").retry_after in (1, 2)


@pytest.mark.parametrize("asked", [None, 10.5, 3600])
def test_a_model_that_asks_for_long_or_says_nothing_is_passed_over(invoke: Stage, asked: float | None) -> None:
    assert invoke.fails(failing(Throttled, retry_after=asked)).retry_after is None


def test_only_a_larger_window_is_tried_after_a_prompt_that_did_not_fit(invoke: Stage) -> None:
    invoke.world.register(a_model("same"))
    invoke.fails(failing(ContextExceeded))
    with pytest.raises(ContextExceeded):
        invoke("same")
    assert len(invoke.provider.calls) == 1
    assert invoke("large")["facts"]["model"] == "large"


@pytest.mark.parametrize(
    ("prepared", "param"),
    [
        ({}, "input.messages.1.content"),
        ({"conversation_id": "c", "history": {"from": 1, "to": 1}}, "input.messages.1.content"),
        ({"conversation_id": "c", "history": {"from": 1, "to": 3}}, "input.messages"),
        ({"prompt_used": {"id": "p", "version": 1}}, "input.messages"),
    ],
    ids=["alone", "first turn", "conversation", "prompt"],
)
@pytest.mark.parametrize("kind", [Rejected, InvalidRequest])
def test_a_place_is_one_among_the_callers_own_messages(
    invoke: Stage, kind: type[BrokerError], prepared: dict[str, Any], param: str
) -> None:
    invoke.world.payloads.save(invoke.head, "BODY", {**CHAT, "task": "chat", **prepared})
    error = invoke.fails(failing(kind, param="input.messages.1.content"))
    assert error.param == param
    assert invoke.observed[0]["error"]["param"] == param
    assert invoke.fails(failing(kind, param="input.tools.1"), "large").param == "input.tools.1"
