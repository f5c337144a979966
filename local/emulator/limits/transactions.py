"""Transactions take time, and those that meet on an item meanwhile are refused, as are plain writes of it.

(DynamoDB Developer Guide, "Transaction conflict handling in DynamoDB".) In MiniStack nothing ever meets, for it does
one request after the other. Here a transaction holds its items for `HOLDS_S`, however busy the emulator is, and is
answered when that time is over.
"""

import asyncio
import json
from collections.abc import Iterator
from time import monotonic
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import dynamodb

HOLDS_S = 0.002
"""A transaction takes some milliseconds more than a plain write on AWS, too."""

PLAIN = {"PutItem", "UpdateItem", "DeleteItem"}
TOGETHER = {"TransactWriteItems", "TransactGetItems"}

REASON = "Transaction is ongoing for the item"

Key = tuple[str, ...]

_held: dict[Key, float] = {}
"""Items of transactions that are under way, and until when by the monotonic clock. Only the emulator's one loop touches
it."""


def patch() -> None:
    """Change MiniStack in memory, before it starts."""
    handle = dynamodb.handle_request

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        writes = action == "TransactWriteItems"
        if not writes and not (_held and action in PLAIN | TOGETHER):
            return await handle(method, path, headers, body, query)
        keys = list(_keys(action, body))
        now = monotonic()
        met = [_held.get(key, now) > now for key in keys]
        if any(met):
            return _refusal(action, met)
        if not writes:
            return await handle(method, path, headers, body, query)
        _held.update(dict.fromkeys(keys, now + HOLDS_S))
        try:
            answer = await handle(method, path, headers, body, query)
            await asyncio.sleep(now + HOLDS_S - monotonic())
        finally:
            for key in keys:
                if _held.get(key) == now + HOLDS_S:
                    del _held[key]
        return answer

    dynamodb.handle_request = handle_request


def _keys(action: str, body: bytes) -> Iterator[Key]:
    """The items that a request is about, in order; those of a request that is refused anyway are of no table."""
    asked = json.loads(body)
    single = {"PutItem": "Put", "UpdateItem": "Update", "DeleteItem": "Delete"}
    for each in asked.get("TransactItems") or [{single.get(action, action): asked}]:
        for operation in each.values():
            name = dynamodb._normalize_table_name(operation.get("TableName"))
            table = dynamodb._tables.get(name) or {}
            item = operation.get("Key") or operation.get("Item") or {}
            parts = [json.dumps(item.get(table.get(part))) for part in ("pk_name", "sk_name")]
            yield get_account_id(), get_region(), str(name), *parts


def _refusal(action: str, met: list[bool]) -> Any:
    if action in PLAIN:
        return error_response_json("TransactionConflictException", REASON, 400)
    conflict = {"Code": "TransactionConflict", "Message": REASON}
    reasons = [conflict if each else {"Code": "None"} for each in met]
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    name = "TransactionCanceledException"
    answer = {"__type": name, "message": message, "CancellationReasons": reasons}
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": name}
    return 400, headers, json.dumps(answer).encode()
