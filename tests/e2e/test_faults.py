"""Whose fault it is, on the deployed stack: what one tenant meets or makes, and what a second one sees of it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.client import Client
from tests.e2e.stack import Stack, chat
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

WELL = OpenAIDialect().says("Fine.")
USAGE = {"prompt_tokens": 7, "completion_tokens": 30, "total_tokens": 37}


@pytest.fixture
def other(stack: Stack) -> Client:
    """A tenant that does nothing wrong."""
    return Client(stack.base_url, stack.seeded.other_key)


def circuits(stack: Stack, other: Client, model: str) -> list[str]:
    """The model's circuit, as each of the two tenants sees it."""
    return [
        next(row["circuit"]["state"] for row in client.call("GET", "/models").body["data"] if row["id"] == model)
        for client in (stack.api, other)
    ]


def with_fallback(model: str, **more: Any) -> dict[str, Any]:
    return chat(model=model, routing={"fallbacks": ["answers"]}, **more)


def outcomes(job: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["model"], each["outcome"]) for each in job["attempts"]]


def test_what_no_adapter_can_say_is_refused_at_the_door_and_touches_no_circuit(
    stack: Stack, other: Client, shaky: ProviderServer
) -> None:
    shaky.answer(Script(WELL))
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x", "tool_calls": 5}]
    for _ in range(6):
        answer = stack.api.submit({"model": "malformed", "input": {"messages": [*turns, turns[0]]}})
        assert (answer.status, answer.body["error"]["param"]) == (400, "input.messages.1.tool_calls")
    assert shaky.asked == []
    job = stack.run(chat(model="malformed"), other)
    assert (job["status"], outcomes(job)) == ("succeeded", [("malformed", "succeeded")])
    assert circuits(stack, other, "malformed") == ["closed", "closed"]


def test_impatience_does_not_open_the_circuit_of_a_healthy_model(stack: Stack, other: Client) -> None:
    with ThreadPoolExecutor(5) as pool:
        jobs = list(pool.map(lambda _: stack.run(chat(model="slow", timeout_seconds=1)), range(12)))
    assert {(job["status"], job["error"]["code"]) for job in jobs} == {("failed", "timed_out")}
    assert circuits(stack, other, "slow") == ["closed", "closed"]
    job = stack.run(chat(model="slow"), other)
    assert (job["status"], outcomes(job)) == ("succeeded", [("slow", "succeeded")])


def test_one_flagged_prompt_blocks_its_job_alone_and_is_not_routed_around(
    stack: Stack, other: Client, shaky: ProviderServer
) -> None:
    flagged = {"error": {"code": 403, "message": "Your input was flagged by moderation.", "metadata": {"reasons": []}}}
    shaky.answer(Script(flagged, 403))
    job = stack.run(with_fallback("flagging"))
    assert (job["status"], job["error"]["type"], outcomes(job)) == ("blocked", "refused", [("flagging", "Refused")])
    shaky.answer(Script(WELL))
    assert stack.run(with_fallback("flagging"), other)["model"] == "flagging"
    assert circuits(stack, other, "flagging") == ["closed", "closed"]


def test_a_model_that_hangs_is_asked_once_and_the_healthy_one_answers(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(Script(how="hang"))
    job = stack.run(with_fallback("hanging"))
    assert (job["status"], outcomes(job)) == ("succeeded", [("hanging", "ModelTimedOut"), ("answers", "succeeded")])
    assert job["attempts"][0]["paid"] == "unknown"


def test_a_model_that_hangs_leaves_one_that_nothing_is_known_of_its_share(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(Script(WELL))
    job = stack.run(chat(model="hangs-on", routing={"fallbacks": ["unmet"]}, timeout_seconds=24))
    assert (job["status"], outcomes(job)) == ("succeeded", [("hangs-on", "CutShort"), ("unmet", "succeeded")])


def test_a_model_that_its_provider_retired_is_passed_over_and_left_alone(
    stack: Stack, other: Client, shaky: ProviderServer
) -> None:
    shaky.answer(Script({"error": {"message": "The model has been deprecated", "code": "model_not_found"}}, 404))
    jobs = [stack.run(with_fallback("retired"), client) for client in (stack.api, other)]
    assert [job["model"] for job in jobs] == ["answers", "answers"]
    assert jobs[0]["attempts"][0]["error"]["type"] == "model_gone"
    assert circuits(stack, other, "retired") == ["open", "open"]


def test_a_200_that_holds_an_error_is_that_error(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(Script({"error": {"code": 429, "message": "Rate limited upstream."}}))
    job = stack.run(with_fallback("excusing"))
    assert outcomes(job)[0] == ("excusing", "Throttled")
    assert (job["status"], job["attempts"][0]["cost_usd"]) == ("succeeded", 0)


def test_an_answer_that_was_cut_off_while_thinking_is_charged_as_told_and_not_repeated(
    stack: Stack, shaky: ProviderServer
) -> None:
    thought = {"role": "assistant", "content": None, "reasoning_content": "Let me think"}
    shaky.answer(Script({"choices": [{"message": thought, "finish_reason": "length"}], "usage": USAGE}))
    job = stack.run(with_fallback("thinking"))
    assert (job["status"], job["error"]["type"], outcomes(job)) == ("failed", "truncated", [("thinking", "Truncated")])
    attempt = job["attempts"][0]
    assert (attempt["paid"], attempt["cost_usd"]) == ("yes", pytest.approx((7 * 1 + 30 * 2) / 1e6))


def test_a_limit_on_tokens_a_minute_is_no_fault_of_the_request(stack: Stack, shaky: ProviderServer) -> None:
    said = "Request too large for model on tokens per minute (TPM): Limit 6000, Requested 9000"
    shaky.answer(Script({"error": {"message": said, "type": "tokens", "code": "rate_limit_exceeded"}}, 413))
    job = stack.run(with_fallback("limiting"))
    assert (job["status"], job["model"], outcomes(job)[0]) == ("succeeded", "answers", ("limiting", "Throttled"))


def test_a_store_of_circuits_that_refuses_reads_and_writes_changes_no_job(stack: Stack, other: Client) -> None:
    fails, no_key = chat(model="unwatched-fails"), with_fallback("unwatched-key")
    failed, answered = [("unwatched-fails", "Unavailable")] * 2, [("answers", "succeeded")]
    rows: list[tuple[Client, dict[str, Any], str, list[tuple[str, str]]]] = [
        (stack.api, fails, "failed", failed),
        (stack.api, with_fallback("unwatched-fails"), "succeeded", [*failed, *answered]),
        (stack.api, no_key, "succeeded", [("unwatched-key", "CredentialRejected"), *answered]),
        (stack.api, with_fallback("unwatched-refuses"), "blocked", [("unwatched-refuses", "Refused")]),
        (other, no_key, "succeeded", [("unwatched-key", "CredentialRejected"), *answered]),
        (other, chat(model="answers"), "succeeded", answered),
    ]
    with stack.faults("throttle:HEALTH|FIGURES#", ["SelectModel", "InvokeModel"]), ThreadPoolExecutor(3) as pool:
        jobs = list(pool.map(lambda row: stack.run(row[1], row[0]), rows))
    for (_, _, status, attempts), job in zip(rows, jobs, strict=True):
        assert (job["status"], outcomes(job)) == (status, attempts), job["error"]
    assert circuits(stack, other, "unwatched-key") == ["closed", "closed"], "as nobody could be told"
