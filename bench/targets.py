"""What an AWS request is about, from its body: items, queues; never ids, so that requests of different jobs add up."""

import re
from typing import Any
from urllib.parse import urlsplit


def kind_of(request: dict[str, Any]) -> str:
    """What an operation touches, without ids: `JOB/HEAD`, `JOB/NOTE#ROUTE`, `MODELS`, `DUE`."""
    keys = request.get("Key") or request.get("Item")
    if keys is None:
        values = request.get("ExpressionAttributeValues", {})
        sk = values.get(":prefix") or values.get(":first") or {}
        keys = {"pk": values.get(":pk") or values.get(":hash") or {}, "sk": sk}
    parts = [re.match(r"[A-Z]*(?:#[A-Z]+)*", keys.get(name, {}).get("S", "")) for name in ("pk", "sk")]
    pk, sk = (str(part.group()) if part else "" for part in parts)
    return f"{pk}/{sk}" if sk else pk


def target_of(operation: str, request: dict[str, Any]) -> str:
    """What a request is about: items for DynamoDB, the queue for SQS, and so on."""
    if "TransactItems" in request:
        return " + ".join(kind_of(next(iter(each.values()))) for each in request["TransactItems"])
    if operation.startswith("dynamodb."):
        return kind_of(request)
    if "QueueUrl" in request:
        name = urlsplit(request["QueueUrl"]).path.rsplit("/", 1)[-1]
        return str(name.split("-")[-2] if "-" in name else name)
    return ""
