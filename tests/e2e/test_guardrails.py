"""Guardrails, before and after the model."""

from tests.e2e.stack import Stack, chat


def test_a_block_before_the_model_reaches_no_model(stack: Stack) -> None:
    job = stack.run(chat("Tell me about Project  Nightjar."))
    assert (job["status"], job["error"]["code"]) == ("blocked", "blocked_input")
    assert job["attempts"] == []
    assert job["guardrails"][0]["rule"] == "denied_terms"
    assert "ightjar" not in str(job)


def test_a_block_after_the_model_shows_no_answer_and_is_paid_for(stack: Stack) -> None:
    body = chat("What is the sentiment of: I love it", model="answers")
    job = stack.run(body, stack.as_tenant("noting"))
    assert (job["status"], job["error"]["code"]) == ("blocked", "blocked_output")
    assert job["output"] is None
    assert job["usage"]["cost_usd"] > 0
    assert stack.run(body)["output"]["text"] == "positive"


def test_what_a_policy_does_not_block_is_noted(stack: Stack) -> None:
    job = stack.run(chat("4111 1111 1111 1111", model="echoes"), stack.as_tenant("noting"))
    assert job["status"] == "succeeded"
    assert [(each["stage"], each["action"]) for each in job["guardrails"]] == [("input", "flag"), ("output", "flag")]
