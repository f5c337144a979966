"""What a workflow carries is as small as Step Functions has it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ministack.services import stepfunctions

from local.emulator.limits.figures import STATE_BYTES
from local.emulator.limits.states import size
from tests.unit.emulator.conftest import FUNCTION, Invoke

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:limits"
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "TimeoutSeconds": 60, "End": True}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(invoke: Invoke) -> Iterator[Run]:
    """Runs a machine of one state, after which come `caught` and the end."""

    def run_state(state: dict[str, Any], given: Any = None, language: str = "JSONata") -> dict[str, Any]:
        definition = {
            "StartAt": "only",
            "QueryLanguage": language,
            "States": {"only": state, "caught": {"Type": "Pass", "Output": "caught", "End": True}},
        }
        machine = {"name": "limits", "roleArn": "r", "definition": json.dumps(definition)}
        stepfunctions._state_machines[MACHINE] = machine
        asked = {"stateMachineArn": MACHINE, "input": json.dumps(given or {})}
        status, _, body = stepfunctions._start_sync_execution(asked)
        return {"http": status, **json.loads(body)}

    yield run_state
    stepfunctions._state_machines.pop(MACHINE)


def task(event: Any, **more: Any) -> dict[str, Any]:
    return TASK | {"Arguments": {"FunctionName": FUNCTION, "Payload": event}} | more


def test_sizes_are_of_json_in_utf8() -> None:
    assert [size(value) for value in ("é", {"a": [1, 2]}, "\U0001f600")] == [4, 11, 6]


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_tasks_result(run: Run, letter: str) -> None:
    around = size({"StatusCode": 200, "Payload": ""})
    most = (STATE_BYTES - around) // len(letter.encode())
    fits = run(task({"letters": letter, "many": most}))
    assert (fits["status"], len(json.loads(fits["output"])["Payload"])) == ("SUCCEEDED", most)
    failed = run(task({"letters": letter, "many": most + 1}))
    assert (failed["status"], failed["error"]) == ("FAILED", "States.DataLimitExceeded")


@pytest.mark.parametrize("names", [["States.ALL"], ["States.DataLimitExceeded"]], ids=str)
def test_only_its_name_catches_it(run: Run, names: list[str]) -> None:
    catching = task({"letters": "x", "many": STATE_BYTES}, Catch=[{"ErrorEquals": names, "Next": "caught"}])
    ended = run(catching)
    assert (ended["status"] == "SUCCEEDED") == (names != ["States.ALL"])


def test_what_a_task_is_given(run: Run) -> None:
    failed = run(task("{% $pad('', 262144, 'x') %}"))
    assert failed["error"] == "States.DataLimitExceeded"


def test_what_a_state_gives(run: Run) -> None:
    for state in (task({"replies": 1}), {"Type": "Pass", "End": True}):
        failed = run(state | {"Output": "{% $pad('', 262144, 'x') %}"})
        assert failed["error"] == "States.DataLimitExceeded"
    paths = {"Type": "Pass", "End": True, "Parameters": {"both.$": "States.Format('{}{}', $.half, $.half)"}}
    assert run(paths, {"half": "x" * 131_000}, "JSONPath")["status"] == "SUCCEEDED"
    assert run(paths, {"half": "x" * 131_100}, "JSONPath")["error"] == "States.DataLimitExceeded"


def test_what_a_state_assigns(run: Run) -> None:
    for letters, status in ((130_000, "SUCCEEDED"), (131_100, "FAILED")):
        text = f"{{% $pad('', {letters}, 'x') %}}"
        ended = run({"Type": "Pass", "Assign": {"one": text, "other": text}, "End": True})
        assert ended["status"] == status


def test_whatever_an_expression_gives_is_measured(run: Run) -> None:
    odd = "{% {'nothing': null, 'some': [1, 2, 3][$ > 1], 'failure': {'retry_after': 60.5, 'yes': true}} %}"
    ended = run(
        task({"replies": {"a": None}}, Assign={"ending": odd}, Output="{% $merge([$states.result, {'b': null}]) %}")
    )
    assert (ended["status"], ended.get("error")) == ("SUCCEEDED", None)


@pytest.mark.parametrize("start", ["_start_execution", "_start_sync_execution"])
def test_an_executions_input(run: Run, start: str) -> None:
    given = json.dumps("é" * (STATE_BYTES // 2), ensure_ascii=False)
    status, _, body = getattr(stepfunctions, start)({"stateMachineArn": MACHINE, "input": given})
    assert (status, json.loads(body)["__type"]) == (400, "ValidationException")
    assert run({"Type": "Pass", "End": True}, "x" * (STATE_BYTES - 2))["status"] == "SUCCEEDED"
