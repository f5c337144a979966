"""A task that waits for its token fails, and is repeated, as on AWS."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ministack.core import iam_actions
from ministack.services import stepfunctions

from local.emulator import callbacks
from local.emulator.rewriting import DoesNotFit
from tests.unit.emulator.conftest import FUNCTION, Invoke, restored

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:callbacks"
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": True}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(invoke: Invoke) -> Iterator[Run]:
    """Runs a machine of one state that waits, after which come `caught` and the end."""

    def run_state(event: Any, timeout: Any = 30, given: Any = None, **more: Any) -> dict[str, Any]:
        state = TASK | {"TimeoutSeconds": timeout, "Arguments": {"FunctionName": FUNCTION, "Payload": event}} | more
        caught = {"Type": "Pass", "Output": "caught", "End": True}
        definition = {"StartAt": "only", "QueryLanguage": "JSONata", "States": {"only": state, "caught": caught}}
        stepfunctions._state_machines[MACHINE] = {"name": "c", "roleArn": "r", "definition": json.dumps(definition)}
        asked = {"stateMachineArn": MACHINE, "input": json.dumps(given or {})}
        status, _, body = stepfunctions._start_sync_execution(asked)
        return {"http": status, **json.loads(body)}

    yield run_state
    stepfunctions._state_machines.pop(MACHINE)


def test_a_function_that_fails_fails_its_state(run: Run) -> None:
    ended = run({"fails": True}, Catch=[{"ErrorEquals": ["Unavailable"], "Next": "caught"}])
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", "caught")
    assert run({"fails": True})["error"] == "Unavailable"
    assert not stepfunctions._task_tokens


def test_it_waits_as_long_as_an_expression_says(run: Run) -> None:
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "caught"}]
    ended = run({"replies": 1}, "{% $states.input.seconds %}", {"seconds": 0.2}, Catch=catch)
    assert json.loads(ended["output"]) == "caught"
    assert run({"replies": 1}, "{% 'soon' %}")["error"] == "States.QueryEvaluationError"


def test_each_try_has_a_token_of_its_own_and_the_last_goes_on(run: Run) -> None:

    seen: list[str] = []

    def answer() -> None:
        while len(seen) < 2:
            seen.extend(token for token in list(stepfunctions._task_tokens) if token not in seen)
        stepfunctions._send_task_success({"taskToken": seen[-1], "output": '{"said": 1}'})

    thread = threading.Thread(target=answer)
    thread.start()
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 1}]
    ended = run({"replies": 1}, 0.5, Retry=retry)
    thread.join()
    assert len(set(seen)) == 2
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"said": 1})


def test_who_tells_of_a_token_needs_the_right_on_the_machine_that_waits(run: Run) -> None:
    resources: list[str] = []

    def answer() -> None:
        while not (tokens := list(stepfunctions._task_tokens)):
            pass
        said = {"taskToken": tokens[0], "output": "{}"}
        asked = "POST", "/", {}, json.dumps(said).encode(), {}, "us-east-1", "000000000000"
        resources.append(iam_actions.extract_resource_arn("states", *asked))
        stepfunctions._send_task_success(said)

    thread = threading.Thread(target=answer)
    thread.start()
    assert run({"replies": 1}, 30)["status"] == "SUCCEEDED"
    thread.join()
    assert resources == [MACHINE]


def test_a_service_that_works_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with restored():
        monkeypatch.setattr(stepfunctions, "_invoke_with_callback", lambda: None)
        with pytest.raises(DoesNotFit, match="_invoke_with_callback is not as the patch knows it"):
            callbacks.patch()
