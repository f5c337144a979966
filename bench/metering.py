"""The embedded cloud with a meter: `python -m bench.metering` in place of `python -m local.emulator`.

DynamoDB is asked for the consumed capacity of every request, and each request is booked to the function that made it:
the bench sets `AWS_SDK_UA_APP_ID` on each function, which every AWS SDK adds to its `User-Agent` as `app/…`. Requests
without such a mark (the bench's own, SAM's) are not booked. `GET /_bench/meter` gives the rows.
"""

import json
import re
from collections import Counter
from typing import Any

from ministack import app as ministack_app
from ministack.services import lambda_svc

from bench.targets import target_of
from local.emulator.counting import counted, operation_of
from local.emulator.fidelity import patch

PATH = "/_bench/meter"
MARK = re.compile(rb"\bapp/(\S+)")
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
FIELDS = ("function", "operation", "target", "count", "reads", "writes", "entries", "tables")

Row = tuple[str, str, str]

counts: Counter[Row] = Counter()
reads: Counter[Row] = Counter()
writes: Counter[Row] = Counter()
entries: Counter[Row] = Counter()
"""Events of PutEvents: they are priced, not the requests."""
tables: dict[Row, set[str]] = {}
"""Which a function uses: DynamoDB asks KMS for a table's key anew for each of them."""


def metered(served: Any) -> Any:
    """Wrap the emulator's ASGI application."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            await _answer(send)
            return
        mark = MARK.search(dict(scope.get("headers", [])).get(b"user-agent", b""))
        operation = operation_of(scope) if mark else None
        if mark is None or operation is None:
            await served(scope, receive, send)
            return
        body = await _whole(receive)
        request: dict[str, Any] = {}
        if body[:1] == b"{" and b"x-amz-target" in dict(scope["headers"]):
            request = json.loads(body)
        function, dynamodb = mark.group(1).decode(), operation.startswith("dynamodb.")
        if dynamodb:
            body = json.dumps(request | {"ReturnConsumedCapacity": "TOTAL"}).encode()
            others = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
            scope = scope | {"headers": [*others, (b"content-length", str(len(body)).encode())]}
        row = (function, operation, target_of(operation, request))
        counts[row] += 1
        entries[row] += len(request.get("Entries", []))
        named = [request, *(next(iter(each.values())) for each in request.get("TransactItems", []))]
        tables.setdefault(row, set()).update(each["TableName"] for each in named if "TableName" in each)
        reply = bytearray()

        async def replay() -> dict[str, Any]:
            nonlocal body
            if body is None:
                return dict(await receive())
            message, body = {"type": "http.request", "body": body, "more_body": False}, None
            return message

        async def listen(message: dict[str, Any]) -> None:
            if dynamodb and message["type"] == "http.response.body":
                reply.extend(message.get("body", b""))
            await send(message)

        await served(scope, replay, listen)
        if dynamodb:
            _book(row, bytes(reply))

    return application


def _book(row: Row, reply: bytes) -> None:
    """Note the units; a refused condition has none in its reply, and is counted as a request only."""
    try:
        used = json.loads(reply).get("ConsumedCapacity", [])
    except ValueError:
        return
    units = sum(each["CapacityUnits"] for each in ([used] if isinstance(used, dict) else used))
    (writes if row[1].split(".")[1] in WRITES else reads)[row] += units


async def _whole(receive: Any) -> Any:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(send: Any) -> None:
    rows = [
        [*row, number, reads[row], writes[row], entries[row], sorted(tables.get(row, ()))]
        for row, number in counts.items()
    ]
    body = json.dumps([dict(zip(FIELDS, row, strict=True)) for row in rows]).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _unsampled() -> None:
    """The emulator samples every trace, and a sampled call loads X-Ray's SDK; on AWS one in twenty is."""
    as_shipped = lambda_svc._xray_trace_id_for_invocation

    def trace(*arguments: Any) -> str | None:
        made: str | None = as_shipped(*arguments)
        return made.replace("Sampled=1", "Sampled=0") if made else None

    lambda_svc._xray_trace_id_for_invocation = trace


def main() -> None:
    """Mend, meter, count, and serve until told to stop."""
    patch()
    ministack_app.AUTH = False  # requests are changed on the way, which no signature survives
    _unsampled()
    ministack_app.app = counted(metered(ministack_app.app))
    ministack_app.main()


if __name__ == "__main__":
    main()
