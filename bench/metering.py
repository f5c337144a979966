"""The embedded cloud with a meter: `python -m bench.metering` in place of `python -m local.emulator`.

The meter sits between the emulator's front (signatures, permissions: all as users run it) and its services.
DynamoDB is asked for the consumed capacity of every request, and each request is booked to the function that made it:
the bench sets `AWS_SDK_UA_APP_ID` on each function, which every AWS SDK adds to its `User-Agent` as `app/…`. Requests
without such a mark (the bench's own, SAM's) are not booked. `GET /_bench/meter` gives the rows.
"""

import json
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ministack import app as ministack_app

from bench.targets import target_of
from local.emulator.__main__ import main as emulate

PATH = "/_bench/meter"
MARK = re.compile(r"\bapp/(\S+)")
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
MEASURES = ("count", "reads", "writes", "entries", "bytes_in", "bytes_out")
"""`reads` and `writes` are DynamoDB's units; `entries` are events of PutEvents, which are priced, not the requests;
bytes are those of bodies."""

Row = tuple[str, str, str]
"""Function, operation and target."""

Reply = tuple[int, dict[str, str], bytes]
Service = Callable[..., Awaitable[Reply]]


@dataclass(slots=True)
class Meter:
    """What was booked."""

    booked: defaultdict[tuple[Row, str], float] = field(default_factory=lambda: defaultdict(float))
    """By row and measure."""
    tables: dict[Row, set[str]] = field(default_factory=dict)
    """Which a function uses: DynamoDB asks KMS for a table's key anew for each of them."""

    def book(self, row: Row, request: dict[str, Any], **measured: float) -> None:
        """Add a request."""
        for name, value in {"count": 1, "entries": len(request.get("Entries", [])), **measured}.items():
            self.booked[row, name] += value
        named = [request, *(next(iter(each.values())) for each in request.get("TransactItems", []))]
        self.tables.setdefault(row, set()).update(each["TableName"] for each in named if "TableName" in each)

    def rows(self) -> list[dict[str, Any]]:
        """All of it, as JSON has it."""
        return [
            {
                **dict(zip(("function", "operation", "target"), row, strict=True)),
                **{name: self.booked[row, name] for name in MEASURES},
                "tables": sorted(tables),
            }
            for row, tables in self.tables.items()
        ]


METER = Meter()


def metered(name: str, service: Service, meter: Meter = METER) -> Service:
    """Wrap one of the emulator's services."""

    async def serve(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Reply:
        mark = MARK.search(headers.get("user-agent", ""))
        if mark is None:
            return await service(method, path, headers, body, query)
        asked = headers.get("x-amz-target", "").rpartition(".")[2]
        operation = f"{name}.{asked or method}"
        request: dict[str, Any] = json.loads(body) if asked else {}
        counts_units = name == "dynamodb"
        sent = json.dumps(request | {"ReturnConsumedCapacity": "TOTAL"}).encode() if counts_units else body
        reply = await service(method, path, headers, sent, query)
        row = (mark.group(1), operation, target_of(operation, request))
        units = _units(reply[2]) if counts_units else 0.0
        kind = "writes" if asked in WRITES else "reads"
        meter.book(row, request, bytes_in=len(body), bytes_out=len(reply[2] or b""), **{kind: units})
        return reply

    return serve


def _units(reply: bytes) -> float:
    """Units that a reply tells of; a refused condition tells of none, and is counted as a request only."""
    used = json.loads(reply).get("ConsumedCapacity", [])
    return float(sum(each["CapacityUnits"] for each in ([used] if isinstance(used, dict) else used)))


def _with_meter(served: Any) -> Any:
    """The emulator's ASGI application, which also tells what the meter says."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await served(scope, receive, send)
            return
        body = json.dumps(METER.rows()).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def main() -> None:
    """Put the meter in, and serve as `local.emulator` does."""
    services = ministack_app.SERVICE_HANDLERS
    services.update({name: metered(name, service) for name, service in services.items()})
    ministack_app.app = _with_meter(ministack_app.app)
    emulate()


if __name__ == "__main__":
    main()
