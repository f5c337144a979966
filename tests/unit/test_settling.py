"""How a run ended, from what the workflow knows."""

import json
from typing import Any

import pytest
from broker import errors
from broker.errors import BrokerError
from broker.jobs.head import Status
from broker.steps.settling import outcome_of

ANSWER = {"model": "small", "output": "OUTPUT#1.1", "usage": {"input_tokens": 1, "output_tokens": 2}}


def failure(error: BrokerError) -> dict[str, Any]:
    """What Step Functions hands on of an exception of a Python function."""
    raised = {"errorMessage": error.cause(), "errorType": type(error).__name__, "stackTrace": []}
    return {"failure": {"Error": type(error).__name__, "Cause": json.dumps(raised)}}


def test_an_answer_is_a_success() -> None:
    outcome = outcome_of({"answer": ANSWER})
    assert (outcome.status, outcome.model, outcome.output) == (Status.SUCCEEDED, "small", "OUTPUT#1.1")
    assert (outcome.usage, outcome.error) == (ANSWER["usage"], None)


@pytest.mark.parametrize(
    ("stage", "answer", "code", "word"),
    [("input", None, "blocked_input", "request"), ("output", ANSWER, "blocked_output", "answer")],
)
def test_a_guardrail_blocks(stage: str, answer: Any, code: str, word: str) -> None:
    blocked = {"blocked": {"stage": stage, "rules": ["card_numbers", "secrets"]}}
    outcome = outcome_of(blocked | ({"answer": answer} if answer else {}))
    assert (outcome.status, outcome.output) == (Status.BLOCKED, None)
    assert outcome.error == {
        "type": "blocked",
        "code": code,
        "message": f"The {word} was blocked by a guardrail: card_numbers, secrets.",
    }
    assert outcome.usage == (answer or {}).get("usage"), "a blocked answer was paid for all the same"


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BrokerError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_the_tree_keeps_its_facts(kind: type[BrokerError]) -> None:
    outcome = outcome_of(failure(kind('A "message".', code="some_code", retry_after=3)))
    assert outcome.status is (Status.BLOCKED if kind is errors.Refused else Status.FAILED)
    assert outcome.error == {"type": kind.type, "code": "some_code", "message": 'A "message".'}
    assert outcome.output is None


@pytest.mark.parametrize("name", ["States.Timeout", "Lambda.Unknown", "KeyError", "json", "ClassVar", "Exception", ""])
@pytest.mark.parametrize("cause", [{"Cause": "secret details"}, {}])
def test_other_failures_are_the_workflows_and_tell_no_details(name: str, cause: dict[str, str]) -> None:
    outcome = outcome_of({"failure": {"Error": name, **cause}})
    assert (outcome.status, (outcome.error or {})["code"]) == (Status.FAILED, "workflow_error")
    assert (outcome.error or {})["message"] == f"The workflow could not go on ({name})."


def test_a_failure_after_an_answer_is_a_failure() -> None:
    outcome = outcome_of({"answer": ANSWER, "failure": {"Error": "States.Timeout", "Cause": ""}})
    assert (outcome.status, outcome.output) == (Status.FAILED, None)
