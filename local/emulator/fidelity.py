"""Where MiniStack 1.5.33 is not like AWS in ways that matter here, and what is done about each.

- It reports every exception of a Python function as `Runtime.HandlerError` and ends the function's process. AWS reports
  the exception's class, which the workflow's `Retry` and `Catch` go by, and keeps the process. The script that it runs
  functions with is changed to hand the exception over as a value, which is made an error again on the other side.
- It takes no notice of `batchItemFailures` of a stream's batch. Here the whole batch comes again (on AWS its rest).
- It samples the trace of every invocation. X-Ray's default rule is one a second and one in twenty of the others (AWS
  X-Ray Developer Guide, "Configuring sampling rules").
- It checks what a function's role allows (`AUTH`), but knows no `events:source` of `PutEvents`, has a permission of its
  own for Bedrock's Converse (on AWS it is that of InvokeModel) and for SendMessageBatch (SendMessage's), and holds the buckets' rule about TLS against the
  loopback interface.
- Where a stack's update has an event source call a function's alias, or the function again, it goes on calling what it
  called before.

A test fails when a new release no longer fits.
"""

import json
import random
import time
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local.emulator.rewriting import replaced, rewrite

MARK = "__raised__"

SAMPLED_SHARE = 0.05
"""Of the invocations that are not a second's first."""

ACTIONS: dict[str | None, str] = {
    "bedrock:Converse": "bedrock:InvokeModel",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Permissions that AWS has for what MiniStack calls otherwise (Bedrock API Reference, `Converse`; Amazon SQS Developer
Guide, "Amazon SQS API permissions")."""

AS_SHIPPED = """            _real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")
"""

PATCHED = """            traceback.print_exc()
            _raised = {"errorType": type(e).__name__, "errorMessage": str(e)}
            _real_stdout.write(json.dumps({"status": "ok", "result": {"__raised__": _raised}}) + "\\n")
"""

MAPPING = "AWS::Lambda::EventSourceMapping"

CALLED = '        esm["FunctionName"] = func_name\n'


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    where = "the script that runs functions"
    lambda_runtime._PYTHON_WORKER_SCRIPT = replaced(script, AS_SHIPPED, PATCHED, where=where)
    as_shipped = lambda_svc._execute_function_warm

    def execute(func: Any, event: Any, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = as_shipped(func, event, request_id)
        body = result.get("body")
        if not isinstance(body, dict):
            return result
        if MARK in body:
            return {"body": body[MARK], "error": True, "log": result.get("log", "")}
        if body.get("batchItemFailures") and _is_stream(event):
            error = {"errorType": "PartOfBatchFailed", "errorMessage": "the batch comes again"}
            return {"body": error, "error": True, "log": result.get("log", "")}
        return result

    rewrite(provisioners, "_lambda_esm_update", (CALLED, CALLED + '        esm["Qualifier"] = qualifier\n'))
    handlers = provisioners._RESOURCE_HANDLERS
    updating = handlers[MAPPING] | {"update": provisioners._lambda_esm_update}
    provisioners._RESOURCE_HANDLERS = handlers | {MAPPING: updating}
    lambda_svc._execute_function_warm = execute
    lambda_svc._xray_trace_id_for_invocation = Sampling(lambda_svc._xray_trace_id_for_invocation).trace_id
    pin = app.pin_request_origin
    app.pin_request_origin = lambda address, secure: pin(address, True)
    action_of = iam_actions.extract_iam_action
    iam_actions.extract_iam_action = lambda *request: ACTIONS.get(found := action_of(*request), found)
    tags = iam_actions.request_tag_context
    iam_actions.request_tag_context = lambda service, action, body, params: (
        tags(service, action, body, params) | _of_events(action, body) | _of_secrets(action, body)
    )


class Sampling:
    """Decides which traces that begin here are recorded."""

    def __init__(self, trace_id: Callable[..., str | None]) -> None:
        """`trace_id` makes the header of an invocation, None where its function is not traced."""
        self._trace_id = trace_id
        self._second = 0

    def trace_id(self, *arguments: Any) -> str | None:
        """The header, with the decision."""
        made, second = self._trace_id(*arguments), int(time.monotonic())
        if made is None:
            return None
        if second != self._second:
            self._second = second
            return made
        return made if random.random() < SAMPLED_SHARE else made.replace("Sampled=1", "Sampled=0")  # noqa: S311


def _of_events(action: str, body: bytes) -> dict[str, Any]:
    """What a policy may ask of events that are put: whose they are."""
    if action != "events:PutEvents":
        return {}
    sources = {each.get("Source") for each in json.loads(body).get("Entries", [])}
    return {"events:source": sources.pop() if len(sources) == 1 else sorted(sources)}


def _of_secrets(action: str, body: bytes) -> dict[str, Any]:
    """What a policy may ask of what is encrypted or decrypted with a key: its context."""
    if not action.startswith("kms:"):
        return {}
    given = json.loads(body or b"{}").get("EncryptionContext") or {}
    return {f"kms:EncryptionContext:{name}".lower(): value for name, value in given.items()}


def _is_stream(event: Any) -> bool:
    records: list[Any] = (event.get("Records") or []) if isinstance(event, dict) else []
    return bool(records) and records[0].get("eventSource") == "aws:dynamodb"
