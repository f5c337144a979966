"""The tables in DynamoDB: the adapter of `broker.storage.Database`."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from broker.cloud.attributes import decode_item, encode, encode_item
from broker.cloud.contention import Met, persist
from broker.storage import (
    TRIES,
    Check,
    ConditionFailed,
    Delete,
    If,
    Item,
    Operation,
    Page,
    Put,
    TableName,
    Unread,
    Update,
)

INDEX_KEYS = {"tenant": ("tenant", "id"), "due": ("due", "due_at")}

KINDS = {Put: "Put", Update: "Update", Delete: "Delete", Check: "ConditionCheck"}
"""What a transaction calls them."""

CALLS = {Put: "put_item", Update: "update_item", Delete: "delete_item"}
"""What writes one alone."""

MET = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons of a cancelled transaction that pass by themselves (DynamoDB API Reference, "TransactWriteItems")."""

MOST_KEYS = 100
"""Of one BatchGetItem (API reference)."""


class DynamoDatabase:
    """One deployment's tables."""

    def __init__(self, client: Any, names: Mapping[TableName, str]) -> None:
        self._client = client
        self._names = names

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        """See `Database.get`."""
        reply = self._client.get_item(
            TableName=self._names[table], Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=not eventual
        )
        return decode_item(reply["Item"]) if "Item" in reply else None

    def get_many(self, table: TableName, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """See `Database.get_many`."""
        name, found = self._names[table], list[Item]()
        for start in range(0, len(keys), MOST_KEYS):
            asked = [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys[start : start + MOST_KEYS]]
            reply = self._client.batch_get_item(RequestItems={name: {"Keys": asked, "ConsistentRead": False}})
            if reply.get("UnprocessedKeys"):
                raise Unread(table)
            found += [decode_item(item) for item in reply["Responses"].get(name, [])]
        return found

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`."""
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if prefix:
            condition, values = "pk = :pk AND begins_with(sk, :prefix)", values | {":prefix": {"S": prefix}}
        return self._query(table, condition, values)

    def query_since(self, table: TableName, pk: str, sk: str, limit: int | None = None) -> list[Item]:
        """See `Database.query_since`."""
        return self._query(table, "pk = :pk AND sk >= :sk", {":pk": {"S": pk}, ":sk": {"S": sk}}, limit)

    def query_between(
        self,
        table: TableName,
        pk: str,
        first: str,
        last: str,
        *,
        limit: int | None = None,
        last_first: bool = False,
    ) -> list[Item]:
        """See `Database.query_between`."""
        values = {":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}}
        order = {"ScanIndexForward": False} if last_first else {}
        return self._query(table, "pk = :pk AND sk BETWEEN :first AND :last", values, limit, **order)

    def _query(
        self, table: TableName, condition: str, values: dict[str, Any], limit: int | None = None, **more: Any
    ) -> list[Item]:
        request: dict[str, Any] = {
            "TableName": self._names[table],
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            **more,
        }
        items: list[Item] = []
        while True:
            if limit is not None:
                request["Limit"] = limit - len(items)
            reply = self._client.query(**request)
            items += [decode_item(item) for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply or len(items) == limit:
                return items
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def index(
        self,
        name: Literal["tenant", "due"],
        value: str,
        *,
        limit: int,
        newest_first: bool = False,
        upto: int | None = None,
        cursor: Item | None = None,
    ) -> Page:
        """See `Database.index`."""
        hash_key, range_key = INDEX_KEYS[name]
        condition, values = "#hash = :hash", {":hash": {"S": value}}
        names = {"#hash": hash_key}
        if upto is not None:
            condition += " AND #range <= :upto"
            values[":upto"] = {"N": str(upto)}
            names["#range"] = range_key
        request: dict[str, Any] = {
            "TableName": self._names["jobs"],
            "IndexName": name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": not newest_first,
            "Limit": limit,
        }
        if cursor:
            request["ExclusiveStartKey"] = encode_item(cursor)
        reply = self._client.query(**request)
        following = reply.get("LastEvaluatedKey")
        return Page([decode_item(item) for item in reply["Items"]], decode_item(following) if following else None)

    def write(self, *operations: Operation, tries: int = TRIES) -> None:
        """See `Database.write`."""
        if len(operations) == 1 and not isinstance(operations[0], Check):
            self._write_one(operations[0], tries)
        else:
            self._write_all(operations, tries)

    def update(self, operation: Update) -> Item:
        """See `Database.update`."""
        return decode_item(self._write_one(operation, TRIES, ReturnValues="ALL_NEW")["Attributes"])

    def _write_one(self, operation: Put | Update | Delete, tries: int, **more: str) -> Any:
        request = self._request(operation) | more
        call = getattr(self._client, CALLS[type(operation)])

        def write() -> Any:
            try:
                return call(**request)
            except self._client.exceptions.ConditionalCheckFailedException:
                raise ConditionFailed([0]) from None
            except self._client.exceptions.TransactionConflictException:
                raise Met([0]) from None

        return persist(write, tries)

    def _write_all(self, operations: Sequence[Operation], tries: int) -> None:
        requests = [{KINDS[type(operation)]: self._request(operation)} for operation in operations]

        def write() -> None:
            try:
                self._client.transact_write_items(TransactItems=requests)
            except self._client.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
                if failed := [place for place, code in enumerate(codes) if code == "ConditionalCheckFailed"]:
                    raise ConditionFailed(failed) from None
                if met := [place for place, code in enumerate(codes) if code in MET]:
                    raise Met(met) from None
                raise

        persist(write, tries)

    def _request(self, operation: Operation) -> dict[str, Any]:
        expression = _Expression()
        request: dict[str, Any] = {"TableName": self._names[operation.table]}
        if isinstance(operation, Put):
            request["Item"] = encode_item(operation.item)
        else:
            request["Key"] = {"pk": {"S": operation.pk}, "sk": {"S": operation.sk}}
            if isinstance(operation, Update):
                request["UpdateExpression"] = expression.update(operation)
        if operation.when:
            request["ConditionExpression"] = " AND ".join(expression.condition(each) for each in operation.when)
        return request | expression.placeholders()


class _Expression:
    """Builds expressions with placeholders, for any attribute name may be a reserved word."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def _name(self, attribute: str) -> str:
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def _value(self, value: Any) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = encode(value)
        return placeholder

    def condition(self, when: If) -> str:
        name = self._name(when.attribute)
        match when.operator:
            case "absent":
                return f"attribute_not_exists({name})"
            case "exists":
                return f"attribute_exists({name})"
        return f"{name} {when.operator} {self._value(when.value)}"

    def update(self, operation: Update) -> str:
        parts = []
        if operation.set:
            parts.append("SET " + ", ".join(f"{self._name(k)} = {self._value(v)}" for k, v in operation.set.items()))
        if operation.add:
            parts.append("ADD " + ", ".join(f"{self._name(k)} {self._value(v)}" for k, v in operation.add.items()))
        if operation.remove:
            parts.append("REMOVE " + ", ".join(self._name(each) for each in operation.remove))
        return " ".join(parts)

    def placeholders(self) -> dict[str, Any]:
        found = {
            "ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()},
            "ExpressionAttributeValues": self._values,
        }
        return {name: value for name, value in found.items() if value}
