"""DynamoDB's limits: what MiniStack has of them, and transactions that meet."""

import asyncio
import json
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
from ministack.services import dynamodb

from local.emulator.limits import transactions

NAMES = {"AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")]}
KEYS = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]}


async def call(action: str, **asked: Any) -> dict[str, Any]:
    """Ask DynamoDB; gives its answer, in which `__type` is an error's name."""
    headers = {"x-amz-target": f"DynamoDB_20120810.{action}"}
    _, _, body = await dynamodb.handle_request("POST", "/", headers, json.dumps(asked).encode(), {})
    answer: dict[str, Any] = json.loads(body)
    return answer | ({"__type": answer["__type"].rpartition("#")[2]} if "__type" in answer else {})


def together(*calls: Awaitable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to calls that are made at the same time."""

    async def gathered() -> list[dict[str, Any]]:
        return list(await asyncio.gather(*calls))

    return asyncio.run(gathered())


@pytest.fixture(autouse=True)
def table(patched: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A table, while the clock by which items are held stands still."""
    monkeypatch.setattr(transactions, "monotonic", lambda: 100.0)
    asyncio.run(call("CreateTable", TableName="limits", BillingMode="PAY_PER_REQUEST", **NAMES, **KEYS))
    yield
    asyncio.run(call("DeleteTable", TableName="limits"))


def item(key: str, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": key}, "sk": {"S": "HEAD"}} | more


def puts(*keys: str) -> Awaitable[dict[str, Any]]:
    return call("TransactWriteItems", TransactItems=[{"Put": {"TableName": "limits", "Item": item(k)}} for k in keys])


def test_transactions_that_meet_on_an_item() -> None:
    first, second, third = together(puts("a", "b"), puts("c", "b"), puts("d"))
    assert "__type" not in first | third
    assert second["__type"] == "TransactionCanceledException"
    assert [reason["Code"] for reason in second["CancellationReasons"]] == ["None", "TransactionConflict"]
    assert "TransactionConflict" in second["message"]
    (after,) = together(puts("c", "b"))
    assert "__type" not in after, "nothing is held any more"


@pytest.mark.parametrize(
    ("action", "asked"),
    [
        ("PutItem", {"Item": item("a")}),
        ("DeleteItem", {"Key": item("a")}),
        (
            "UpdateItem",
            {"Key": item("a"), "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"S": ""}}},
        ),
    ],
    ids=["PutItem", "DeleteItem", "UpdateItem"],
)
def test_a_plain_write_that_meets_a_transaction(action: str, asked: dict[str, Any]) -> None:
    _, met = together(puts("a"), call(action, TableName="limits", **asked))
    assert met["__type"] == "TransactionConflictException"
    _, other = together(puts("b"), call(action, TableName="limits", **asked))
    assert "__type" not in other


def test_reads_that_meet_a_transaction() -> None:
    gets = [{"Get": {"TableName": "limits", "Key": item("a")}}]
    _, met, plain = together(
        puts("a"), call("TransactGetItems", TransactItems=gets), call("GetItem", TableName="limits", Key=item("a"))
    )
    assert met["CancellationReasons"][0]["Code"] == "TransactionConflict"
    assert "__type" not in plain


def test_a_busy_emulator_holds_no_item_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.0, 100.0 + transactions.HOLDS_S, 101.0])
    monkeypatch.setattr(transactions, "monotonic", lambda: next(clock))
    first, second = together(puts("a"), puts("a"))
    assert "__type" not in first | second


def test_an_item_is_released_after_a_transaction_that_failed() -> None:
    check = {"Put": {"TableName": "limits", "Item": item("a"), "ConditionExpression": "attribute_exists(pk)"}}
    (failed,) = together(call("TransactWriteItems", TransactItems=[check]))
    assert failed["CancellationReasons"][0]["Code"] == "ConditionalCheckFailed"
    (after,) = together(puts("a"))
    assert "__type" not in after


def test_what_is_too_much_at_once() -> None:
    large = {"t": {"S": "x" * 409_500}}
    refused = [
        call("PutItem", TableName="limits", Item=item("a", t={"S": "x" * 409_600})),
        puts(*(str(number) for number in range(101))),
        call(
            "TransactWriteItems",
            TransactItems=[{"Put": {"TableName": "limits", "Item": item(str(n), **large)}} for n in range(11)],
        ),
        call(
            "BatchWriteItem",
            RequestItems={"limits": [{"PutRequest": {"Item": item(str(number))}} for number in range(26)]},
        ),
        call("BatchGetItem", RequestItems={"limits": {"Keys": [item(str(number)) for number in range(101)]}}),
    ]
    assert [together(each)[0]["__type"] for each in refused] == ["ValidationException"] * 5


def test_a_page_is_of_a_megabyte() -> None:
    rows = [{"pk": {"S": "a"}, "sk": {"S": str(number)}, "t": {"S": "x" * 400_000}} for number in range(3)]
    together(*(call("PutItem", TableName="limits", Item=row) for row in rows))
    values = {":pk": {"S": "a"}}
    asked = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": values}
    (page,) = together(call("Query", TableName="limits", **asked))
    assert (len(page["Items"]), page["LastEvaluatedKey"]["sk"]) == (2, {"S": "1"})
