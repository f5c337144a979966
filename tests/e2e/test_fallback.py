"""Fallback: which failures go to the next model, and which must not."""

from typing import Any

import pytest

from tests.e2e.stack import Stack, chat


@pytest.mark.parametrize(
    ("model", "outcomes"),
    [
        ("throttles", ["Throttled"]),
        ("throttles-a-second", ["Throttled", "Throttled"]),
        ("fails", ["Unavailable", "Unavailable"]),
        ("hangs", ["ModelTimedOut"]),
        ("cuts", ["Unavailable", "Unavailable"]),
        ("breaks", ["BadOutput", "BadOutput"]),
        ("bad-key", ["CredentialRejected"]),
    ],
)
def test_the_second_model_answers_when_the_first_fails(stack: Stack, model: str, outcomes: list[str]) -> None:
    job = stack.run(chat(model=model, routing={"fallbacks": ["answers"]}))
    assert job["status"] == "succeeded", job["error"]
    assert job["model"] == "answers"
    assert [attempt["outcome"] for attempt in job["attempts"]] == [*outcomes, "succeeded"]
    assert stack.calls_of(job) == [model] * len(outcomes) + ["answers"]


def test_a_model_without_its_secret_is_passed_over(stack: Stack) -> None:
    job = stack.run(chat(model="no-secret", routing={"fallbacks": ["answers"]}))
    assert (job["status"], job["model"]) == ("succeeded", "answers")


def test_a_failure_that_passes_is_tried_once_more_on_the_same_model(stack: Stack) -> None:
    job = stack.run(chat("Summarize: this fails only once.", model="fails-once"))
    assert job["status"] == "succeeded"
    assert [attempt["outcome"] for attempt in job["attempts"]] == ["Unavailable", "succeeded"]


def test_calls_that_may_have_been_paid_for_are_shown_as_such(stack: Stack) -> None:
    job = stack.run(chat(model="hangs", routing={"fallbacks": ["answers"]}))
    assert [attempt["paid"] for attempt in job["attempts"]] == ["unknown", "yes"]
    assert job["attempts"][0]["cost_usd"] > 0


def test_a_refusal_is_never_routed_around(stack: Stack) -> None:
    job = stack.run(chat(model="refuses", routing={"fallbacks": ["answers"]}))
    assert (job["status"], job["error"]["type"], job["error"]["source"]) == ("blocked", "refused", "provider")
    assert stack.calls_of(job) == ["refuses"]
    assert job["output"] is None


def test_what_one_provider_rejects_another_may_take(stack: Stack) -> None:
    job = stack.run(chat(model="rejects", routing={"fallbacks": ["answers"]}))
    assert (job["status"], stack.calls_of(job)) == ("succeeded", ["rejects", "answers"])
    assert job["attempts"][0]["outcome"] == "Rejected"


def test_what_all_providers_reject_fails_as_the_last_one_says(stack: Stack) -> None:
    job = stack.run(chat(model="throttles", routing={"fallbacks": ["rejects"]}))
    assert (job["status"], job["error"]["type"]) == ("failed", "rejected")
    assert stack.calls_of(job) == ["throttles", "rejects"]


def test_what_does_not_fit_goes_to_a_larger_window_only(stack: Stack) -> None:
    job = stack.run(chat(model="overflows", routing={"fallbacks": ["small-window"]}))
    assert (job["status"], job["error"]["type"]) == ("failed", "context_exceeded")
    assert stack.calls_of(job) == ["overflows"]


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"summary": {"type": "string"}},
    "required": ["summary"],
    "additionalProperties": False,
}


def test_an_answer_to_a_schema_comes_parsed(stack: Stack) -> None:
    job = stack.run(chat(output_schema=SCHEMA, parameters={"max_output_tokens": 400}))
    assert job["status"] == "succeeded", job["error"]
    assert set(job["output"]["json"]) == {"summary"}


def test_an_answer_that_misses_its_schema_is_repaired_once_and_then_passed_over(stack: Stack) -> None:
    body = chat(model="misses-schema", routing={"fallbacks": ["answers"]}, output_schema=SCHEMA)
    job = stack.run(body | {"parameters": {"max_output_tokens": 400}})
    assert job["status"] == "succeeded", job["error"]
    assert stack.calls_of(job) == ["misses-schema", "misses-schema", "answers"]


def test_a_job_fails_with_the_last_reason_when_all_models_fail(stack: Stack) -> None:
    job = stack.run(chat(model="fails", routing={"fallbacks": ["throttles"]}))
    assert (job["status"], job["error"]["type"]) == ("failed", "throttled")
    assert stack.calls_of(job) == ["fails", "fails", "throttles"]


def test_a_job_never_costs_more_than_its_limit(stack: Stack) -> None:
    body = chat(model="dear", routing={"max_cost_usd": 0.0001})
    answer = stack.api.submit(body)
    assert (answer.status, answer.body["error"]["code"]) == (400, "no_candidate")
    assert "max_cost_usd" in answer.body["error"]["message"]
