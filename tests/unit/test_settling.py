"""How a run ended, from what the workflow knows."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
from broker import errors
from broker.errors import BadOutput, BrokerError, Conflict, Throttled, Unavailable
from broker.guardrails.blocked import sentence
from broker.jobs.ending import cancel_job
from broker.jobs.erasing import erase
from broker.jobs.head import Status
from broker.jobs.transitions import Fence
from broker.prompts.experiments import compare
from broker.routing.question import Question
from broker.routing.selection import select
from broker.steps.settling import outcome_of

from tests.fakes.counting import CountingDatabase
from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, MINUTE, NOW, World, a_model
from tests.unit.settling_case import failure, settle

USAGE = {"input_tokens": 1, "output_tokens": 2}
FACTS = {"model": "small", "outcome": "succeeded", "paid": "yes", "cost": 3, "ended_at": NOW, **USAGE}
ANSWER = {"output": "OUTPUT#1.1", "facts": FACTS}


def raised(error: BrokerError) -> dict[str, Any]:
    """What Step Functions hands on of an exception of a Python function."""
    error_object = {"errorMessage": error.cause(), "errorType": type(error).__name__, "stackTrace": []}
    return {"failure": {"Error": type(error).__name__, "Cause": json.dumps(error_object)}}


def test_an_answer_is_a_success() -> None:
    outcome = outcome_of({"answer": ANSWER})
    assert (outcome.status, outcome.model, outcome.output) == (Status.SUCCEEDED, "small", "OUTPUT#1.1")
    assert (outcome.usage, outcome.error) == (USAGE, None)


@pytest.mark.parametrize(
    ("stage", "answer", "code"),
    [("input", None, "blocked_input"), ("output", ANSWER, "blocked_output")],
)
def test_a_guardrail_blocks(stage: Literal["input", "output"], answer: Any, code: str) -> None:
    blocked = {"stage": stage, "rules": ["card_numbers", "secrets"], "message": "Das geht nicht."}
    outcome = outcome_of({"blocked": blocked} | ({"answer": answer} if answer else {}))
    assert (outcome.status, outcome.output) == (Status.BLOCKED, None)
    told = {"type": "blocked", "code": code, "source": "policy"}
    assert outcome.error == told | {"message": "Das geht nicht."}
    del blocked["message"]  # a run that was checked by the release before
    assert outcome_of({"blocked": blocked}).error == told | {"message": sentence(stage, ["card_numbers", "secrets"])}
    assert outcome.usage == (USAGE if answer else {}), "a blocked answer was paid for all the same"


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BrokerError)]


@pytest.mark.parametrize("how", [failure, raised])
@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_the_tree_keeps_its_facts(
    kind: type[BrokerError], how: Callable[[BrokerError], dict[str, Any]]
) -> None:
    outcome = outcome_of(how(kind('A "message".', code="some_code", retry_after=3)))
    refused = kind is errors.Refused
    assert outcome.status is (Status.BLOCKED if refused else Status.FAILED)
    who = {"source": "provider"} if refused else {}
    assert outcome.error == {"type": kind.type, "code": "some_code", "message": 'A "message".', **who}
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


def test_the_answer_ends_its_job_and_is_paid_for() -> None:
    stage = Stage()
    answer = stage()
    head = settle(stage, {"answer": answer})
    assert (head.status, head.output, head.model) == (Status.SUCCEEDED, "OUTPUT#1.1", "small")
    assert (head.spent, head.open_calls, stage.world.spent()["calls"]) == (answer["facts"]["cost"], [], 1)
    assert settle(stage, {"answer": answer}) == head, "a repeat after a lost reply"
    assert stage.world.spent()["nusd"] == head.spent


def test_the_head_that_an_answer_came_with_is_not_read() -> None:
    database = CountingDatabase()
    stage = Stage(world=World(database))
    answer = stage()
    database.reads = 0
    assert settle(stage, {"answer": answer}).status is Status.SUCCEEDED
    assert database.reads == 0


@pytest.mark.parametrize("lost", ["HEAD", None])
def test_what_another_writer_changed_since_is_not_overwritten(lost: str | None) -> None:
    stage = Stage()
    answer = stage()
    stage.world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, due_at=NOW + MINUTE, nudges=7))
    stage.world.database.lose_reply_of = lost
    head = settle(stage, {"answer": answer})
    assert (head.status, head.nudges) == (Status.SUCCEEDED, 7)
    assert stage.world.spent()["calls"] == 1


def test_a_job_that_is_canceled_in_the_moment_of_its_commit_stays_canceled() -> None:
    stage = Stage()
    answer = stage()
    stage.world.database.meanwhile.append(lambda: cancel_job(stage.world.jobs, JOB_ID, "acme", NOW))
    with pytest.raises(Conflict):
        settle(stage, {"answer": answer})
    assert stage.head.status is Status.CANCELED
    assert stage.head.spent == stage.world.spent()["nusd"] == answer["facts"]["cost"]


def test_a_late_answer_is_dropped_but_paid_for() -> None:
    stage = Stage()
    answer = stage()
    cancel_job(stage.world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        settle(stage, {"answer": answer})
    assert (stage.head.status, stage.head.output) == (Status.CANCELED, None)
    assert stage.head.spent == stage.world.spent()["nusd"] == answer["facts"]["cost"]
    assert stage.world.payloads.names(JOB_ID) == ["BODY"]


def test_an_answer_that_was_erased_before_it_was_settled_costs_what_it_told() -> None:
    stage = Stage()
    answer = stage()
    canceled, world = cancel_job(stage.world.jobs, JOB_ID, "acme", NOW), stage.world
    erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, canceled)
    assert (stage.head.spent, stage.head.open_calls) == (answer["facts"]["cost"], [])
    with pytest.raises(Conflict):
        settle(stage, {"answer": answer})
    assert (world.spent()["calls"], world.payloads.names(JOB_ID)) == (1, [])


def test_the_answer_that_another_execution_ended_the_job_with_stays() -> None:
    stage = Stage()
    answer = stage()
    settle(stage, {"answer": answer})
    with pytest.raises(Conflict):
        settle(stage, {"answer": answer}, replace(stage.run, fence=Fence(1, "exec-2")))
    assert "OUTPUT#1.1" in stage.world.payloads.names(JOB_ID)
    assert stage.world.spent()["calls"] == 1


def test_an_answer_that_moderation_blocks_is_paid_for() -> None:
    stage = Stage()
    answer = stage()
    head = settle(stage, {"answer": answer, "blocked": {"stage": "output", "rules": ["secrets"]}})
    assert (head.status, head.output) == (Status.BLOCKED, None)
    assert head.spent == answer["facts"]["cost"]


def test_an_answer_that_no_model_was_asked_for_ends_the_job_at_no_cost() -> None:
    stage = Stage()
    stage.world.payloads.save(stage.run, "OUTPUT#kept.1.0", {"text": "Fine."})
    given = {"output": "OUTPUT#kept.1.0", "facts": {"model": "small", **USAGE}, "given": True}
    head = settle(stage, {"answer": given})
    assert (head.status, head.output, head.model, head.usage) == (Status.SUCCEEDED, given["output"], "small", USAGE)
    assert (head.spent, head.calls, stage.world.spent().get("calls", 0)) == (0, {}, 0)


def test_a_job_that_failed_on_several_models_says_what_became_of_each() -> None:
    stage = Stage()
    stage.fails(failing(Throttled))
    error = stage.fails(failing(Unavailable, code="http_503"), "large")
    head = settle(stage, failure(error))
    assert head.error is not None
    assert (head.status, head.error["code"]) == (Status.FAILED, "http_503")
    assert head.error["message"] == (
        "The provider says Unavailable. Attempts: small: Throttled (throttled); large: Unavailable (http_503)."
    )


def test_a_job_that_failed_on_one_model_says_it_once() -> None:
    stage = Stage()
    error = stage.fails(failing(Unavailable))
    assert (settle(stage, failure(error)).error or {})["message"] == "The provider says Unavailable."


def test_the_arm_of_a_prompt_is_counted_in_the_commit_that_ends_the_job() -> None:
    stage = Stage()
    used = {"id": "greet", "version": 3, "label": "production"}
    stage.world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, prompt=used))
    answer = stage()
    for _ in range(2):
        settle(stage, {"answer": answer})
    (arm,) = compare(stage.world.database, "greet")["arms"]
    assert (arm["version"], arm["label"], arm["jobs"], arm["succeeded"]) == (3, "production", 1, 1)
    assert arm["mean_cost_usd"] > 0


@pytest.mark.parametrize("many", [20, 100, 400])
def test_an_error_about_every_model_fits_a_small_head_and_a_steps_answer(many: int) -> None:
    stage = Stage()
    stage.world.register(*[a_model(f"provider/some-model-{number:03d}-instruct") for number in range(many)])
    question = Question({"task": "speak"}, lambda model: 1, NOW)
    error = select(question, stage.world.models().catalog(NOW)).refusal()
    head = settle(stage, failure(error))
    assert (head.status, (head.error or {})["code"]) == (Status.FAILED, "no_candidate")
    assert "models more" in error.message
    assert len(json.dumps(head.to_item())) < 4_096
    assert len(json.dumps(failure(error))) < 32_768 / 10


def test_a_head_keeps_little_of_what_its_calls_failed_with() -> None:
    stage = Stage(timeout_s=600)
    stage.world.register(*[a_model(name) for name in "abcd"])
    for name in "abcd":
        for _ in range(2):
            stage.fails(BadOutput("What went wrong. " * 500, code="c" * 500, param="p." * 500), name)
    head = settle(stage, failure(BadOutput("What went wrong. " * 500, code="c" * 500, param="p." * 500)))
    assert len(head.calls) == 8
    assert len(json.dumps(head.to_item())) < 6_000
