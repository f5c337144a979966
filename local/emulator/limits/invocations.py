"""How large the request and the reply of a function may be, and the event that a queue or a stream makes of a batch.

AWS refuses a request before the function runs, and makes an error of a reply that is too large, after it ran; an event
source ends a batch where the event would be too large. A reply counts as Lambda's runtime for Python 3.12 and later
writes it: with spaces, in UTF-8.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import error_response_json
from ministack.services import dynamodb, lambda_svc, sqs

from local.emulator.fidelity import MARK
from local.emulator.limits.figures import EVENT_REQUEST_BYTES, REQUEST_BYTES, RESPONSE_BYTES
from local.emulator.rewriting import replaced

TOO_LARGE_REPLY = {
    "errorType": "Function.ResponseSizeTooLarge",
    "errorMessage": f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes).",
}

AS_SHIPPED = """            _real_stdout.write(json.dumps({"status": "ok", "result": result}) + "\\n")
"""

# ASCII is never shorter than UTF-8, so nearly all replies need no second look.
MEASURED = f"""            _reply = json.dumps({{"status": "ok", "result": result}})
            if len(_reply) > {RESPONSE_BYTES}:
                _sent = json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass")
                if len(_sent) > {RESPONSE_BYTES}:
                    _reply = json.dumps({{"status": "ok", "result": {{{MARK!r}: {TOO_LARGE_REPLY!r}}}}})
            _real_stdout.write(_reply + "\\n")
"""

MOST_RECORD_BYTES = 1_500_000
"""Of a message (1 MiB) or a record of a stream (two images of 400 KB) in an event: few need not be measured."""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    where = "the script that runs functions"
    lambda_runtime._PYTHON_WORKER_SCRIPT = replaced(script, AS_SHIPPED, MEASURED, where=where)
    handle = lambda_svc.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        refused = _refused(headers, body) if path.endswith("/invocations") else None
        return refused or await handle(method, path, headers, body, query)

    lambda_svc.handle_request = handle_request
    read = dynamodb.stream_records_since
    dynamodb.stream_records_since = lambda *which, **where: in_one_event(read(*which, **where))
    sqs._receive_messages_for_esm = _received(sqs._receive_messages_for_esm)


def _refused(headers: Any, body: bytes) -> Any:
    """The answer to an `Invoke` that is too large; None for any other."""
    asynchronous = headers.get("x-amz-invocation-type") == "Event"
    most = EVENT_REQUEST_BYTES if asynchronous else REQUEST_BYTES
    if len(body) <= most:
        return None
    message = f"Request must be smaller than {most} bytes for the InvokeFunction operation"
    return error_response_json("RequestTooLargeException", message, 413)


def in_one_event(records: list[Any]) -> list[Any]:
    """The first of the records, as many as fit into one event; one at least."""
    if len(records) * MOST_RECORD_BYTES <= REQUEST_BYTES:
        return records
    size = 0
    for place, record in enumerate(records):
        size += len(json.dumps(record, ensure_ascii=False, default=str).encode())
        if size > REQUEST_BYTES and place:
            return records[:place]
    return records


def _received(receive: Callable[[str, int], list[Any]]) -> Callable[[str, int], list[Any]]:
    def receive_messages(queue_url: str, most: int) -> list[Any]:
        messages = receive(queue_url, most)
        fit = in_one_event(messages)
        with sqs._queues_lock:
            for left in messages[len(fit) :]:
                left["visible_at"], left["receipt_handle"] = 0, None
                left["receive_count"] -= 1
        return fit

    return receive_messages
