"""Invoke Model: a call is on record before it is made and settled after, whatever comes of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from broker.consequences import of_outcome
from broker.errors import (
    AdapterFailed,
    BadOutput,
    BrokerError,
    BudgetExceeded,
    CircuitOpen,
    Conflict,
    ContextExceeded,
    CredentialRejected,
    InvalidRequest,
    Pending,
    Refused,
    Rejected,
    Throttled,
    TimedOut,
    Unavailable,
)
from broker.jobs.ending import cancel_job, settle_job
from broker.jobs.explained import MOST_ON_HEAD, on_head, packed
from broker.jobs.head import Head, job_pk
from broker.jobs.reading import view
from broker.jobs.transitions import Fence
from broker.providers.wire.base import Answer, Blob
from broker.providers.wire.sending import sending
from broker.routing.circuits import State
from broker.steps.context import Run
from broker.steps.exchanging import AFTER_CALL_MS
from broker.steps.settling import outcome_of
from broker.tenants.ledger import open_period
from broker.token_estimates import estimate_input

from tests.fakes.circuits import FakeCircuits
from tests.fakes.counting import CountingDatabase, bytes_of
from tests.fakes.database import Crash
from tests.fakes.provider import ANSWER, failing
from tests.fakes.stage import Stage
from tests.fakes.world import CHAT, JOB_ID, NOW, World, a_model

COST = 10 + 2 * 20
"""Of `ANSWER`, with a model's default prices."""


@pytest.fixture
def invoke() -> Stage:
    return Stage()


def test_an_answer_is_kept_with_what_it_cost_and_told(invoke: Stage) -> None:
    result = invoke()
    facts = result["facts"]
    assert result["output"] == "OUTPUT#1.1"
    assert (facts["model"], facts["outcome"], facts["paid"], facts["cost"]) == ("small", "succeeded", "yes", COST)
    assert (facts["input_tokens"], facts["output_tokens"]) == (10, 20)
    assert invoke.world.payloads.load(JOB_ID, "OUTPUT#1.1") == ANSWER.output
    assert (invoke.world.payloads.facts(JOB_ID, "OUTPUT#1.1") or {})["cost"] == COST
    assert (invoke.head.open_calls, invoke.head.execution) == (["1.1"], "exec-1"), "the job's end settles it"
    assert [each["outcome"] for each in invoke.observed] == ["succeeded"]


def test_units_beside_tokens_are_paid_for(invoke: Stage) -> None:
    invoke.world.register(a_model("painter", unit_prices={"images": 40}))
    invoke.provider.script.append(Answer({}, units={"images": 2, "pages": 7}))
    assert invoke("painter")["facts"]["cost"] == 80


def test_pictures_are_kept_beside_the_answer(invoke: Stage) -> None:
    invoke.provider.script.append(Answer({"text": "Two."}, files=(Blob(b"a", "image/png"), Blob(b"bc", "image/jpeg"))))
    name = invoke()["output"]
    assert invoke.world.payloads.load(JOB_ID, name)["files"] == [
        {"name": "1.1-1", "media_type": "image/png", "bytes": 1},
        {"name": "1.1-2", "media_type": "image/jpeg", "bytes": 2},
    ]
    assert invoke.world.payloads.files[JOB_ID, name] == [(b"a", "image/png"), (b"bc", "image/jpeg")]


def test_the_provider_gets_the_request_and_the_key(invoke: Stage) -> None:
    document = {**CHAT, "task": "chat", "parameters": {"max_output_tokens": 9}, "output_schema": {"type": "object"}}
    invoke.world.payloads.save(invoke.head, "BODY", document)
    invoke()
    (call,) = invoke.provider.calls
    assert (call.task, call.model, call.input, call.secret) == ("chat", "small-1", CHAT["input"], "secret of key")
    assert (call.parameters, call.output_schema, call.repair) == ({"max_output_tokens": 9}, {"type": "object"}, False)
    assert call.timeout == 60


@pytest.mark.parametrize(("later", "timeout"), [(0, 120), (40_500, 79.5), (119_000, 1), (119_900, 0.1)])
def test_a_call_takes_what_is_left_of_the_time_budget(invoke: Stage, later: int, timeout: float) -> None:
    invoke.world.register(a_model("slow", timeout_s=300))
    invoke("slow", now=NOW + later)
    assert invoke.provider.calls[0].timeout == timeout


def test_no_call_is_made_after_the_time_budget(invoke: Stage) -> None:
    with pytest.raises(TimedOut):
        invoke(now=NOW + 120_000)
    assert (invoke.provider.calls, invoke.head.calls) == ([], {})


@pytest.mark.parametrize(
    ("asked", "sent"), [({}, 1_000), ({"max_output_tokens": 5}, 5), ({"max_output_tokens": 5_000}, 1_000)]
)
def test_an_answer_is_never_longer_than_what_was_held_for_it(invoke: Stage, asked: dict[str, int], sent: int) -> None:
    invoke.world.payloads.save(invoke.head, "BODY", {**CHAT, "task": "chat", "parameters": {"seed": 1, **asked}})
    invoke()
    assert invoke.provider.calls[0].parameters == {"seed": 1, "max_output_tokens": sent}
    assert invoke.head.calls["1.1"]["r"] == invoke.world.models().get("small", NOW).worst_case(
        estimate_input({**CHAT, "task": "chat"}), sent
    )


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


def test_the_call_is_on_record_while_it_is_made(invoke: Stage) -> None:
    seen: list[Head] = []
    invoke.provider.during = lambda: seen.append(invoke.head)
    invoke()
    (head,) = seen
    assert (head.open_calls, head.calls["1.1"]["m"]) == (["1.1"], "small")
    assert head.reserved > 0
    assert head.lease_until == NOW + 60_000 + AFTER_CALL_MS


def test_a_function_that_dies_in_the_call_leaves_it_on_record(invoke: Stage) -> None:
    invoke.provider.script.append(Crash())
    with pytest.raises(Crash):
        invoke()
    assert invoke.head.open_calls == ["1.1"]
    assert invoke()["output"] == "OUTPUT#1.2"
    assert invoke.head.open_calls == ["1.1", "1.2"]


def test_a_call_gets_no_more_time_than_the_job_has_left(invoke: Stage) -> None:
    budget = invoke.head.timeout_s
    with pytest.raises(TimedOut):
        invoke(now=NOW + budget * 1000)
    assert invoke.provider.calls == []
    invoke(now=NOW + (budget - 7) * 1000)
    assert invoke.provider.calls[0].timeout <= 7


def test_no_call_without_its_record(invoke: Stage) -> None:
    invoke.world.database.crash_in = 0
    with pytest.raises(Crash):
        invoke()
    invoke.world.database.crash_in = None
    assert (invoke.provider.calls, invoke.head.calls) == ([], {})


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


def test_another_run_repairs_nothing(invoke: Stage) -> None:
    invoke.fails(failing(BadOutput))
    second = invoke.world.jobs.change(JOB_ID, _claimed_again)
    invoke(run=replace(invoke.run, fence=Fence(second.run, "exec-2")))
    assert [call.repair for call in invoke.provider.calls] == [False, False]


def _claimed_again(head: Head) -> Head:
    return replace(head, rev=head.rev + 1, run=2, execution=None)


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


def test_a_repeat_gives_the_kept_answer_without_another_call(invoke: Stage) -> None:
    invoke.fails(failing(Unavailable))
    first = invoke()
    assert invoke()["output"] == first["output"] == "OUTPUT#1.2"
    assert len(invoke.provider.calls) == 2


def test_a_later_run_takes_the_answer_that_was_paid_for(invoke: Stage) -> None:
    first = invoke()
    second = invoke.world.jobs.change(JOB_ID, _claimed_again)
    again = invoke("large", run=replace(invoke.run, fence=Fence(second.run, "exec-2")))
    assert (again["output"], again["facts"]["model"]) == (first["output"], "small")
    assert len(invoke.provider.calls) == 1


@pytest.mark.parametrize("stale", [Fence(1, "exec-2"), Fence(2, "exec-1"), Fence(0, "exec-1")])
def test_a_stale_run_makes_no_call(invoke: Stage, stale: Fence) -> None:
    invoke.fails(failing(Unavailable))
    with pytest.raises(Conflict):
        invoke(run=replace(invoke.run, fence=stale))
    assert len(invoke.provider.calls) == 1


def test_of_two_executions_of_one_run_one_makes_the_call(invoke: Stage) -> None:
    other = replace(invoke.run, fence=replace(invoke.run.fence, execution="exec-2"))
    invoke.world.database.meanwhile.append(lambda: invoke(run=other))
    with pytest.raises(Conflict):
        invoke()
    assert len(invoke.provider.calls) == 1
    assert invoke.head.execution == "exec-2"


ENDINGS: list[Callable[[Stage], Any]] = [
    lambda stage: cancel_job(stage.world.jobs, JOB_ID, "acme", NOW),
    lambda stage: stage.world.jobs.change(JOB_ID, _claimed_again),
]


@pytest.mark.parametrize("end", ENDINGS, ids=["canceled", "claimed anew"])
def test_a_late_failure_is_paid_for(invoke: Stage, end: Callable[[Stage], Any]) -> None:
    invoke.provider.during = lambda: end(invoke)
    invoke.provider.script.append(failing(Unavailable, maybe_paid=True))
    with pytest.raises(Conflict):
        invoke()
    assert invoke.head.open_calls == []
    assert invoke.head.spent > 0
    assert len(invoke.observed) == 1


@pytest.mark.parametrize("end", ENDINGS, ids=["canceled", "claimed anew"])
@pytest.mark.parametrize(("error", "outcome"), [(None, "succeeded"), (failing(Unavailable), "Unavailable")])
def test_a_circuit_is_told_of_each_call_whatever_became_of_its_job(
    invoke: Stage, end: Callable[[Stage], Any], error: BrokerError | None, outcome: str
) -> None:
    invoke.provider.during = lambda: end(invoke)
    invoke.provider.script.extend([error] if error else [])
    with suppress(Conflict):
        invoke()
    assert [(model, what) for model, what, _ in invoke.circuits.recorded] == [("small", outcome)]
    assert len(invoke.circuits.admitted) == 1


def test_a_circuit_that_can_be_neither_read_nor_told_changes_nothing(invoke: Stage) -> None:
    class Broken(FakeCircuits):
        def admit(self, model_id: str, tenant: str, now: int, lease_ms: int, *, hurried: bool = False) -> None:
            raise KeyError("the ledger is away")

        def record(self, model_id: str, tenant: str, outcome: str, latency_ms: int, now: int) -> None:
            raise KeyError("the ledger is away")

    invoke.circuits = Broken()
    assert invoke()["facts"]["outcome"] == "succeeded"
    assert invoke.noticed == [("a circuit could not be read", JOB_ID), ("a circuit could not be told", JOB_ID)]


def test_a_job_erased_meanwhile_is_not_called_for(invoke: Stage) -> None:
    invoke.world.payloads.erase(JOB_ID)
    with pytest.raises(Conflict):
        invoke()
    assert invoke.provider.calls == []


def test_a_call_beyond_the_hold_is_not_made() -> None:
    stage = Stage(hold=100)
    with pytest.raises(BudgetExceeded):
        stage()
    assert stage.provider.calls == []
    assert stage.head.calls == {}


def test_an_unknown_model_is_not_called(invoke: Stage) -> None:
    with pytest.raises(InvalidRequest):
        invoke("none")
    assert invoke.head.calls == {}


# ------------------------------------------------------------ shared calls


def coalesced() -> tuple[Stage, Callable[[], Run]]:
    """A job that shares, and the like of it."""
    stage = Stage()
    document = {**CHAT, "task": "chat", "coalesce": True}
    stage.world.payloads.save(stage.head, "BODY", document)
    stage.world.tenant()

    def another() -> Run:
        return stage.world.start(stage.world.accept({**CHAT, "coalesce": True}).head.id)

    return stage, another


def test_identical_jobs_make_one_call() -> None:
    stage, another = coalesced()
    follower = another()
    waited: list[float | None] = []

    def look() -> None:
        with pytest.raises(Pending) as failure:
            stage(run=follower)
        waited.append(failure.value.retry_after)

    stage.provider.during = look
    result = stage()
    assert waited == [1]
    taken = stage(run=follower)
    assert taken["facts"].items() <= result["facts"].items()
    assert (taken["given"], "given" in result) == (True, False)
    assert stage.world.payloads.load(follower.id, taken["output"]) == ANSWER.output
    assert len(stage.provider.calls) == 1
    assert stage.world.jobs.get(follower.id).spent == 0
    assert stage.world.jobs.notes(follower.id)["CACHE"]["saved"] == COST


def test_a_leader_that_fails_makes_room() -> None:
    stage, another = coalesced()
    follower = another()
    stage.fails(failing(Unavailable))
    assert stage(run=follower)["output"] == "OUTPUT#1.1", "it makes a call of its own"


def test_the_answer_of_a_leader_that_was_canceled_is_taken_while_it_is_there() -> None:
    stage, another = coalesced()
    first, second = another(), another()
    stage.provider.during = lambda: cancel_job(stage.world.jobs, JOB_ID, "acme", NOW)
    result = stage()
    stage.provider.during = lambda: None
    assert stage(run=first)["given"] is True
    stage.world.payloads.drop(JOB_ID, result["output"])
    assert "given" not in stage(run=second), "it makes a call of its own"


def test_a_leaders_refusal_blocks_those_that_waited_without_a_call() -> None:
    stage, another = coalesced()
    follower = another()
    stage.fails(failing(Refused))
    with pytest.raises(Refused):
        stage(run=follower)
    assert len(stage.provider.calls) == 1


def test_a_leader_whose_function_died_is_replaced() -> None:
    stage, another = coalesced()
    follower = another()
    stage.provider.script = [Crash()]
    with pytest.raises(Crash):
        stage()
    with pytest.raises(Pending):
        stage(run=follower)
    assert stage(run=follower, now=NOW + 65_000)["output"] == "OUTPUT#1.1"


def test_a_call_is_admitted_by_its_circuit_and_tells_it_what_became_of_it(invoke: Stage) -> None:
    invoke.fails(failing(Unavailable))
    invoke("large")
    assert [model for model, _ in invoke.circuits.admitted] == ["small", "large"]
    assert [(model, outcome) for model, outcome, _ in invoke.circuits.recorded] == [
        ("small", "Unavailable"),
        ("large", "succeeded"),
    ]


@pytest.mark.parametrize(("sent", "circuit"), [(True, "answered"), (False, "silent")])
def test_what_was_kept_back_says_nothing_of_the_model(invoke: Stage, sent: bool, circuit: str) -> None:
    """Else a picture for a model that sees none would close a circuit that waits for its probe."""
    invoke.provider.during = sending if sent else lambda: None
    invoke.fails(failing(Rejected))
    (outcome,) = (outcome for _, outcome, _ in invoke.circuits.recorded)
    assert of_outcome(outcome).circuit == circuit
    assert (invoke.head.calls["1.1"]["o"], invoke.observed[0]["outcome"]) == ("Rejected", "Rejected")


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


def test_a_model_that_is_left_alone_is_not_called(invoke: Stage) -> None:
    invoke.circuits.known["small"] = State("open", NOW + 1_000)
    with pytest.raises(CircuitOpen):
        invoke()
    assert (invoke.provider.calls, invoke.head.calls, invoke.circuits.recorded) == ([], {}, [])
    invoke.world.jobs.note(invoke.run, "ROUTE#1", {"route": [{"model": "small", "taken": True, "why": "rank 1"}]})
    (row,) = view(invoke.head, invoke.world.jobs.notes(JOB_ID), None)["route"]
    assert row["why"].startswith("rank 1; passed over: ")


def test_a_probe_that_is_not_sent_is_given_back() -> None:
    stage = Stage(hold=100)
    with pytest.raises(BudgetExceeded):
        stage()
    assert set(stage.circuits.recorded) == {("small", "BudgetExceeded", 0)}


def test_the_version_of_the_model_is_on_record(invoke: Stage) -> None:
    invoke.world.register(a_model("small", version=7))
    invoke()
    assert invoke.head.calls["1.1"]["v"] == 7


def test_a_first_call_is_made_by_the_head_that_was_told() -> None:
    database = CountingDatabase()
    stage = Stage(world=World(database))
    database.reads = 0
    told = stage()
    assert database.reads == 1, "the registry"
    assert Head.from_item(told["head"]) == stage.head


def test_a_job_that_was_canceled_since_its_head_was_told_asks_nobody(invoke: Stage) -> None:
    cancel_job(invoke.world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        invoke()
    assert (invoke.provider.calls, invoke.head.calls) == ([], {})


def test_a_job_that_is_canceled_while_its_first_call_is_put_on_record_asks_nobody(invoke: Stage) -> None:
    invoke.world.database.meanwhile.append(lambda: cancel_job(invoke.world.jobs, JOB_ID, "acme", NOW))
    with pytest.raises(Conflict):
        invoke()
    assert (invoke.provider.calls, invoke.head.calls) == ([], {})


def test_a_first_call_whose_reply_was_lost_is_not_made_again(invoke: Stage) -> None:
    first = invoke.run
    answer = invoke(run=first)
    again = invoke(run=first)  # the same input, with the head of before the call
    assert (again["output"], again["head"]) == (answer["output"], answer["head"])
    assert len(invoke.provider.calls) == 1


def test_two_executions_that_were_told_the_same_head_make_one_call(invoke: Stage) -> None:
    first, second = invoke.run, replace(invoke.run, fence=replace(invoke.run.fence, execution="exec-2"))
    invoke.world.database.meanwhile.append(lambda: invoke(run=second))
    with pytest.raises(Conflict):
        invoke(run=first)
    assert (len(invoke.provider.calls), invoke.head.execution) == (1, "exec-2")


def test_a_record_whose_reply_was_lost_is_recognised(invoke: Stage) -> None:
    invoke.world.database.lose_reply_of = "HEAD"
    assert invoke()["output"] == "OUTPUT#1.1"
    assert list(invoke.head.calls) == ["1.1"]


def test_an_answer_that_is_kept_is_taken_though_its_circuit_has_opened_since(invoke: Stage) -> None:
    first = invoke.run
    answer = invoke(run=first)
    invoke.circuits.known["small"] = State("open", NOW + 60_000)
    assert invoke(run=first)["output"] == answer["output"]


def test_the_reasons_of_a_run_are_shown_from_its_first_call_on(invoke: Stage) -> None:
    kept = packed([{"model": "small", "taken": True, "why": "rank 1"}])
    run = replace(invoke.run, fence=replace(invoke.run.fence, route=on_head(kept)))
    invoke(run=run)
    assert view(invoke.head, {}, None)["route"] == [{"model": "small", "taken": True, "why": "rank 1"}]


def test_a_plain_jobs_head_fits_a_write_unit_with_the_longest_route(invoke: Stage) -> None:
    """All that a head has of a job of some length: DynamoDB counts names, texts, and a number's digits by twos."""
    execution = "7d5a3b1c-0f5e-4a53-b6f0-2f6f6f1c1a2b"
    fence = Fence(1, execution, "r" * MOST_ON_HEAD, NOW, execution)
    open_period(invoke.world.database, "acme-production", "2026-11", 10**10)
    usual = {"correlation_id": execution, "principal": "key:a1b2c3d4e5f6", "limit": 10**9}
    invoke.world.jobs.change(
        JOB_ID, lambda head: replace(head, rev=head.rev + 1, holds={"acme-production/2026-11": 10**9}, **usual)
    )
    invoke.world.register(a_model("claude-haiku-4-5", version=7))
    answer = invoke("claude-haiku-4-5", run=replace(invoke.next(), fence=fence))
    ended = settle_job(
        invoke.world.jobs,
        invoke.head,
        fence,
        outcome_of({"answer": answer}),
        NOW + 9,
        {"1.1": answer["facts"]},
    )
    item = invoke.world.database.get("jobs", job_pk(JOB_ID), "HEAD") or {}
    assert (ended.route, item["status"]) == (fence.route, "succeeded")
    assert bytes_of(item) < 1024
