"""How large what a workflow carries may be: an execution's input, what a task is given and gives, a state's output.

Where something is larger, the state fails of `States.DataLimitExceeded`. No `States.ALL` catches or repeats that, nor
`States.Runtime` (Step Functions Developer Guide, "Handling errors"): the execution ends, unless a state names it.
What a function's task gives has on AWS some hundred bytes of the call's metadata beside `Payload`.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions

from local.emulator.limits.figures import STATE_BYTES

TERMINAL = {"States.DataLimitExceeded", "States.Runtime"}
"""Errors that are only caught by their names."""

RESULTS = ("_invoke_resource", "_invoke_with_callback")
"""Functions of MiniStack that give a task's result."""

FIELDS = {
    "_apply_jsonata_arguments": ("Arguments", "input"),
    "_apply_parameters": ("Parameters", "input"),
    "_apply_jsonata_output": ("Output", "output"),
    "_apply_result_path": ("ResultPath", "output"),
}
"""Functions that give something new where a state has a field; else it was measured before."""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        AttributeError: this MiniStack is not the one that was patched.
    """
    for name in RESULTS:
        setattr(stepfunctions, name, _of_result(getattr(stepfunctions, name)))
    for name, (field, what) in FIELDS.items():
        setattr(stepfunctions, name, _of_field(getattr(stepfunctions, name), field, what))
    stepfunctions._apply_state_assign = _assigned(stepfunctions._apply_state_assign)
    for name in ("_start_execution", "_start_sync_execution"):
        setattr(stepfunctions, name, _started(getattr(stepfunctions, name)))
    matches = stepfunctions._error_matches
    stepfunctions._error_matches = lambda names, error: error in names if error in TERMINAL else matches(names, error)


def size(value: Any) -> int:
    """Bytes of a value as JSON in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace"))


def _check(value: Any, what: str) -> None:
    if size(value) > STATE_BYTES:
        cause = f"The state's {what} has a size exceeding the maximum number of bytes service limit."
        raise stepfunctions._ExecutionError("States.DataLimitExceeded", cause)


def _of_result(work: Callable[..., Any]) -> Callable[..., Any]:
    def measured(*arguments: Any) -> Any:
        value = work(*arguments)
        _check(value, "result")
        return value

    return measured


def _of_field(work: Callable[..., Any], field: str, what: str) -> Callable[..., Any]:
    def measured(state: Any, *arguments: Any, **named: Any) -> Any:
        value = work(state, *arguments, **named)
        if field in state:
            _check(value, what)
        return value

    return measured


def _assigned(assign: Callable[..., Any]) -> Callable[..., Any]:
    def assigned(state: Any, raw_input: Any, context: Any, **named: Any) -> Any:
        value = assign(state, raw_input, context, **named)
        if state.get("Assign"):
            _check({name: context["variables"][name] for name in state["Assign"]}, "variables")
        return value

    return assigned


def _started(start: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def started(data: dict[str, Any]) -> Any:
        if len(data.get("input", "").encode()) > STATE_BYTES:
            message = (
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                f"Member must have length less than or equal to {STATE_BYTES}"
            )
            return error_response_json("ValidationException", message, 400)
        return start(data)

    return started
