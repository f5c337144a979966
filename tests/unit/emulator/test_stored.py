"""What DynamoDB stores takes little memory, and is what was put there, whoever asks and however."""

import asyncio
import copy
import gc
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.core import persistence
from ministack.services import dynamodb

from local.emulator.stored import Partition, partition
from tests.unit.emulator.test_limits_tables import KEYS, NAMES, call

INDEX = {
    "IndexName": "tenant",
    "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


@pytest.fixture(autouse=True)
def table(patched: None) -> Iterator[None]:
    made = asked("CreateTable", BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=[INDEX], **NAMES, **KEYS)
    assert "__type" not in made
    yield
    asked("DeleteTable")


def asked(action: str, **more: Any) -> dict[str, Any]:
    return asyncio.run(call(action, TableName="stored", **more))


def item(key: str, **more: Any) -> dict[str, Any]:
    calls = {"1.1": {"M": {"m": {"S": "small"}, "r": {"N": "1200"}}}}
    return {"pk": {"S": key}, "sk": {"S": "HEAD"}, "calls": {"M": calls}, "z": {"B": "AAEC"}, **more}


def held() -> Any:
    (found,) = (each for key, each in dynamodb._tables.all_items() if key[2] == "stored")
    return found["items"]


def read(key: str) -> Any:
    return asked("GetItem", Key={"pk": {"S": key}, "sk": {"S": "HEAD"}}).get("Item")


def test_every_way_in_and_out_gives_the_item_that_was_put() -> None:
    asked("PutItem", Item=item("a"))
    asyncio.run(call("TransactWriteItems", TransactItems=[{"Put": {"TableName": "stored", "Item": item("b")}}]))
    asyncio.run(call("BatchWriteItem", RequestItems={"stored": [{"PutRequest": {"Item": item("c")}}]}))
    assert [read(key) for key in "abc"] == [item("a"), item("b"), item("c")]
    one = {"ExpressionAttributeValues": {":v": {"S": "b"}}}
    assert asked("Query", KeyConditionExpression="pk = :v", **one)["Items"] == [item("b")]
    heads = {"ExpressionAttributeValues": {":v": {"S": "HEAD"}}}
    found = asked("Query", IndexName="tenant", KeyConditionExpression="sk = :v", **heads)["Items"]
    assert sorted(each["pk"]["S"] for each in found) == ["a", "b", "c"]
    assert len(asked("Scan")["Items"]) == 3
    assert all(isinstance(each, Partition) for each in held().values())


def test_a_change_is_seen_and_what_was_read_before_is_not_changed_by_it() -> None:
    asked("PutItem", Item=item("a"))
    before = read("a")
    asked(
        "UpdateItem",
        Key={"pk": {"S": "a"}, "sk": {"S": "HEAD"}},
        UpdateExpression="SET calls.#k.r = :v",
        ExpressionAttributeNames={"#k": "1.1"},
        ExpressionAttributeValues={":v": {"N": "7"}},
    )
    assert before == item("a")
    assert read("a")["calls"]["M"]["1.1"]["M"]["r"] == {"N": "7"}
    gone = asked("DeleteItem", Key={"pk": {"S": "a"}, "sk": {"S": "HEAD"}}, ReturnValues="ALL_OLD")
    assert gone["Attributes"]["calls"]["M"]["1.1"]["M"]["r"] == {"N": "7"}
    assert read("a") is None
    assert not held()


def test_a_transaction_of_a_known_token_is_not_done_again_and_another_one_is_refused() -> None:
    add = {
        "TableName": "stored",
        "Key": {"pk": {"S": "a"}, "sk": {"S": "HEAD"}},
        "UpdateExpression": "ADD n :v",
        "ExpressionAttributeValues": {":v": {"N": "1"}},
    }
    for _ in range(2):
        answer = asyncio.run(call("TransactWriteItems", ClientRequestToken="t", TransactItems=[{"Update": add}]))
        assert "__type" not in answer
    assert read("a")["n"] == {"N": "1"}
    other = add | {"ExpressionAttributeValues": {":v": {"N": "2"}}}
    refused = asyncio.run(call("TransactWriteItems", ClientRequestToken="t", TransactItems=[{"Update": other}]))
    assert refused["__type"] == "IdempotentParameterMismatchException"


def test_a_copy_and_a_file_have_the_items_themselves() -> None:
    asked("PutItem", Item=item("a"))
    copied = copy.deepcopy(held())
    assert copied["a"]["HEAD"] == item("a")
    copied["a"]["HEAD"] = item("a", more={"S": "x"})
    assert read("a") == item("a")
    written = json.loads(json.dumps(held(), default=persistence._json_default))
    assert written == {"a": {"HEAD": item("a")}}


def test_a_state_that_was_saved_is_the_state_again() -> None:
    asked("PutItem", Item=item("a"))
    saved = json.dumps(dynamodb.get_state(), default=persistence._json_default)
    asked("DeleteTable")
    dynamodb.load_persisted_state(json.loads(saved, object_hook=persistence._json_object_hook))
    asked("PutItem", Item=item("a", sk={"S": "NOTE"}))
    one = {"ExpressionAttributeValues": {":v": {"S": "a"}}}
    found = asked("Query", KeyConditionExpression="pk = :v", **one)["Items"]
    assert found == [item("a"), item("a", sk={"S": "NOTE"})]


def test_what_was_loaded_from_a_file_takes_writes() -> None:
    loaded: dict[str, Any] = {"a": {"HEAD": item("a"), "NOTE": item("a", sk={"S": "NOTE"})}}
    partition(loaded, "a")["HEAD"] = item("a", more={"S": "x"})
    assert loaded["a"]["HEAD"] == item("a", more={"S": "x"})
    assert loaded["a"].get("NOTE") == item("a", sk={"S": "NOTE"})
    assert loaded["a"].get("none") is None
    assert loaded["a"].pop("none", None) is None
    assert [key for key, _ in loaded["a"].items()] == ["HEAD", "NOTE"]


def test_an_item_leaves_one_object_behind_and_not_a_tree() -> None:
    asked("PutItem", Item=item("a", **{f"n{number}": {"N": str(number)} for number in range(40)}))
    raw = [each for each in gc.get_referents(held()["a"]) if isinstance(each, bytes)]
    assert len(raw) == 1
    assert sys.getsizeof(raw[0]) < 1500
