"""Where MiniStack 1.5.33 waits for a task's token otherwise than AWS.

- A function that fails before its state waits is passed over there, and the state waits on. On AWS the task has failed
  (Step Functions Developer Guide, "Wait for a Callback with Task Token"), and `Retry` and `Catch` go by it.
- Each try of a task has a token of its own on AWS; there all tries have the first one's.
- `TimeoutSeconds` may be an expression (same guide, "Task workflow state"); there it is taken as it stands.
- Who tells of a token's end needs the right on the state machine that waits (`grantTaskResponse` of the CDK gives just
  that); there it is asked for on everything.

A test fails when a new release no longer fits.
"""

import json
import uuid
from typing import Any

from ministack.core import iam_actions
from ministack.services import stepfunctions

from local.emulator.rewriting import rewrite


def patch() -> None:
    """Change MiniStack in memory, before it starts and before others wrap these functions.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    stepfunctions._timed = _timed
    rewrite(
        stepfunctions,
        "_invoke_with_callback",
        (
            "        except _ExecutionError:\n            pass\n",
            "        except _ExecutionError:\n            _task_tokens.pop(token, None)\n            raise\n",
        ),
    )
    rewrite(
        stepfunctions,
        "_execute_task",
        (
            '    is_callback = ".waitForTaskToken" in resource\n',
            '    is_callback = ".waitForTaskToken" in resource\n    state_def = _timed(state_def, raw_input, ctx)\n',
        ),
        (
            '    if is_callback:\n        ctx["Task"] = {"Token": new_uuid()}\n',
            "",
        ),
        (
            "        # Each attempt sees its own $$.State.RetryCount.\n",
            '        if is_callback:\n            ctx["Task"] = {"Token": _token_of(ctx)}\n',
        ),
    )
    stepfunctions._token_of = _token_of
    resource = iam_actions.extract_resource_arn

    def of_tokens(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any) -> str:
        if service == "states" and b'"taskToken"' in body:
            return _machines.get(json.loads(body)["taskToken"], "*")
        return str(resource(service, method, path, headers, body, *more))

    iam_actions.extract_resource_arn = of_tokens


_machines: dict[str, str] = {}
"""The state machine of each token."""


def _token_of(context: dict[str, Any]) -> str:
    """A new token for a task of an execution."""
    token = str(uuid.uuid4())
    _machines[token] = context["StateMachine"]["Id"]
    return token


def _timed(state: dict[str, Any], raw_input: Any, context: Any) -> dict[str, Any]:
    """The state with the number of its time-out, where that is an expression."""
    if not isinstance(state.get("TimeoutSeconds"), str):
        return state
    seconds = stepfunctions._jsonata_state_field(state, "TimeoutSeconds", "number", raw_input, context)
    return {**state, "TimeoutSeconds": seconds}
