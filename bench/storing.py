"""How many bytes a job leaves behind, and for how long: what DynamoDB and S3 bill by the gigabyte and month."""

import time
from typing import Any

from broker.jobs.request import JobRequest

from bench.stack import Bench

MONTH_S = 730 * 3600
OVERHEAD = 100
"""Bytes that DynamoDB bills beside each item, in a table and in an index (Amazon DynamoDB Pricing, data storage)."""

KEPT_S: int = JobRequest.model_fields["ttl_seconds"].default
"""For which a job's payloads are kept unless it says otherwise."""


def value_bytes(value: dict[str, Any]) -> int:
    """Size of an attribute's value (Amazon DynamoDB developer guide, "DynamoDB item sizes and formats")."""
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(str(held).encode())
        case "N":
            digits = str(held).lstrip("-").replace(".", "").strip("0") or "0"
            return (len(digits) + 1) // 2 + 1 + str(held).startswith("-")
        case "B":
            return len(bytes(held))
        case "L":
            return 3 + sum(1 + value_bytes(each) for each in held)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_bytes(each) for name, each in held.items())
    return 1


def item_bytes(item: dict[str, Any]) -> int:
    """Size of an item as it is billed for storage."""
    return OVERHEAD + sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def byte_months(item: dict[str, Any], indexes: list[list[str]], now_s: float) -> float:
    """Bytes of an item and of its entries in indexes (by the names of what each holds), times months until it expires.

    An item that does not expire is the note of an object, and goes with it. DynamoDB takes up to a few days to delete
    what has expired; they are left out.
    """
    entries = [{name: item[name] for name in names} for names in indexes if item.keys() >= set(names)]
    kept_s = int(item["expires_at"]["N"]) - now_s if "expires_at" in item else KEPT_S
    return sum(item_bytes(each) for each in [item, *entries]) * kept_s / MONTH_S


def stored(bench: Bench, job_id: str) -> float:
    """Byte-months of all items of a job."""
    database, table = bench.cloud.client("dynamodb"), bench.up.outputs["JobsTable"]
    described = database.describe_table(TableName=table)["Table"]
    keys = [each["AttributeName"] for each in described["KeySchema"]]
    indexes = [
        [*keys, *(each["AttributeName"] for each in index["KeySchema"])]
        for index in described["GlobalSecondaryIndexes"]
    ]
    asked = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": f"JOB#{job_id}"}}}
    items = database.query(TableName=table, ConsistentRead=True, **asked)["Items"]
    return sum(byte_months(item, indexes, time.time()) for item in items)


def s3_stored(bench: Bench, job_id: str) -> float:
    """Byte-months of all objects of a job."""
    bucket = bench.up.outputs["PayloadsBucket"]
    listed = bench.cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"jobs/{job_id}/")
    return float(sum(each["Size"] for each in listed.get("Contents", [])) * KEPT_S / MONTH_S)
