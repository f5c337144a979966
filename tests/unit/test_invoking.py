"""Invoke Model: a call is on record before it is made, and its answer is kept with what it cost."""

from dataclasses import replace

import pytest
from broker.errors import BudgetExceeded, InvalidRequest, TimedOut, Unavailable
from broker.jobs import calls
from broker.jobs.ending import settle_job
from broker.jobs.explained import MOST_ON_HEAD, on_head, packed
from broker.jobs.head import Head, job_pk
from broker.jobs.reading import view
from broker.jobs.transitions import Fence
from broker.providers.wire.base import Answer, Blob
from broker.steps.exchanging import AFTER_CALL_MS
from broker.steps.settling import outcome_of
from broker.tenants.ledger import open_period
from broker.token_estimates import estimate_input

from tests.fakes.counting import bytes_of
from tests.fakes.database import Crash
from tests.fakes.provider import ANSWER, failing
from tests.fakes.stage import Stage
from tests.fakes.world import BASE_URL, CHAT, JOB_ID, NOW, a_model
from tests.unit.invoking_case import COST


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
    invoke.fails(failing(Unavailable))
    invoke("slow", now=NOW + later)
    assert invoke.provider.calls[1].timeout == timeout


def test_no_call_is_made_after_the_time_budget(invoke: Stage) -> None:
    invoke.fails(failing(Unavailable))
    with pytest.raises(TimedOut):
        invoke(now=NOW + 120_000)
    assert (len(invoke.provider.calls), list(invoke.head.calls)) == (1, ["1.1"])


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


def test_the_call_is_on_record_while_it_is_made(invoke: Stage) -> None:
    seen: list[Head] = []
    invoke.provider.during = lambda: seen.append(invoke.head)
    invoke()
    (head,) = seen
    assert (head.open_calls, head.calls["1.1"]["m"]) == (["1.1"], "small")
    assert head.reserved > 0
    assert head.lease_until == NOW + 60_000 + AFTER_CALL_MS


def test_no_call_without_its_record(invoke: Stage) -> None:
    invoke.world.database.crash_in = 0
    with pytest.raises(Crash):
        invoke()
    invoke.world.database.crash_in = None
    assert (invoke.provider.calls, invoke.head.calls) == ([], {})


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


def test_the_version_of_the_model_is_on_record(invoke: Stage) -> None:
    invoke.world.register(a_model("small", version=7))
    invoke()
    assert invoke.head.calls["1.1"]["v"] == 7


def test_the_reasons_of_a_run_are_shown_from_its_first_call_on(invoke: Stage) -> None:
    kept = packed([{"model": "small", "taken": True, "why": "rank 1"}])
    run = replace(invoke.run, fence=replace(invoke.run.fence, route=on_head(kept)))
    invoke(run=run)
    assert view(invoke.head, {}, None, BASE_URL)["route"] == [{"model": "small", "taken": True, "why": "rank 1"}]


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
    invoke.provider.script.append(replace(ANSWER, facts={"request_id": execution}))
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
    assert calls.described(ended.calls["1.1"])["request_id"] == execution
