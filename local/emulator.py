"""MiniStack, mended where the broker needs it to be like AWS; `python -m local.emulator` starts it.

MiniStack 1.5.33 reports every exception of a Python function as `Runtime.HandlerError` and ends the function's
process. AWS reports the exception's class, which the workflow's `Retry` and `Catch` go by, and keeps the process. So
the script that MiniStack runs functions with is changed to hand the exception over as a value, which is made an error
again on the other side. A test fails when a new release of MiniStack no longer fits.

Two more differences are mended: a stream's batch of which a part failed comes again (MiniStack takes no notice of
`batchItemFailures` there; on AWS only the part comes again), and a function runs in no more than a few processes at a
time, for a laptop, unlike AWS, cannot give a burst of jobs a process each.

It also counts the requests that it serves, by service and operation (`GET /_broker/calls`, `DELETE` to begin anew): the
bench prices a job by them.
"""

import json
import os
import re
import threading
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack_app
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

MARK = "__raised__"

PROCESSES = int(os.environ.get("PROCESSES_PER_FUNCTION", "8"))
"""Of one function, at a time; what is more waits."""

AS_SHIPPED = """            _real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")
        _real_stdout.flush()"""

MENDED = """            traceback.print_exc()
            _told = {"errorType": type(e).__name__, "errorMessage": str(e)}
            _real_stdout.write(json.dumps({"status": "ok", "result": {"__raised__": _told}}) + "\\n")
        _real_stdout.flush()"""

SCOPE = re.compile(rb"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")

calls: Counter[str] = Counter()
"""Requests served, as `service.Operation`; REST-shaped services by method."""


def mend_errors() -> None:
    """Let functions fail as on AWS.

    Raises:
        RuntimeError: this MiniStack is not the one that was mended.
    """
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if script.count(AS_SHIPPED) != 1:
        raise RuntimeError("local/emulator.py does not fit this version of MiniStack")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(AS_SHIPPED, MENDED)
    as_shipped = lambda_svc._execute_function_warm
    places: dict[str, threading.Semaphore] = {}

    def execute(func: Any, event: Any, request_id: str) -> dict[str, Any]:
        name: str = (func.get("config") or func)["FunctionName"]
        with places.setdefault(name, threading.Semaphore(PROCESSES)):
            result: dict[str, Any] = as_shipped(func, event, request_id)
        body = result.get("body")
        if not isinstance(body, dict):
            return result
        if MARK in body:
            return {"body": body[MARK], "error": True, "log": result.get("log", "")}
        if body.get("batchItemFailures") and _is_stream(event):
            told = {"errorType": "PartOfBatchFailed", "errorMessage": "the batch comes again"}
            return {"body": told, "error": True, "log": result.get("log", "")}
        return result

    lambda_svc._execute_function_warm = execute


def _is_stream(event: Any) -> bool:
    records = event.get("Records") if isinstance(event, dict) else None
    return bool(records) and records[0].get("eventSource") == "aws:dynamodb"


def operation_of(scope: dict[str, Any]) -> str | None:
    """`service.Operation` of a signed AWS request; None for any other."""
    headers = dict(scope["headers"])
    signed = SCOPE.search(headers.get(b"authorization", b""))
    if signed is None:
        return None
    service = signed.group(1).decode()
    if target := headers.get(b"x-amz-target"):
        return f"{service}.{target.decode().rsplit('.', 1)[-1]}"
    action = parse_qs(scope.get("query_string", b"").decode()).get("Action")
    return f"{service}.{action[0] if action else scope['method']}"


def counted(served: Any) -> Any:
    """Wrap MiniStack's ASGI application."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/_broker/calls":
                await _answer(scope["method"], send)
                return
            if operation := operation_of(scope):
                calls[operation] += 1
        await served(scope, receive, send)

    return application


async def _answer(method: str, send: Any) -> None:
    body = json.dumps(dict(calls)).encode()
    if method == "DELETE":
        calls.clear()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Mend, count, and serve until told to stop."""
    mend_errors()
    ministack_app.app = counted(ministack_app.app)
    ministack_app.main()


if __name__ == "__main__":
    main()
