"""Where conversations lie in the jobs table, and the record of one that was made, and not only named."""

import json
from typing import Any

from broker.cloud.attributes import decode_item, encode_item
from broker.context.records import Record
from broker.storage import Item

RECORD = "META"


class ConversationRecords:
    """The part of `context.records.Records` that is about records."""

    def __init__(self, table: str, dynamodb: Any) -> None:
        """`dynamodb` is a function that gives the client."""
        self._table = table
        self._dynamodb = dynamodb

    def record(self, tenant: str, conversation: str, now: int) -> Record | None:
        """See `Records.record`."""
        item = self._get(pk_of(tenant, conversation), RECORD)
        if item is None or item["expires_at"] <= now // 1000:
            return None
        return Record(item["at"], item["expires_at"], json.loads(item["metadata"]))

    def keep_record(self, tenant: str, conversation: str, record: Record) -> None:
        """See `Records.keep_record`."""
        known = {"at": record.created_at, "expires_at": record.expires_at, "metadata": json.dumps(record.metadata)}
        # As a text, for a client's names may be empty.
        item = {"pk": pk_of(tenant, conversation), "sk": RECORD, **known}
        self._dynamodb().put_item(TableName=self._table, Item=encode_item(item))

    def _get(self, pk: str, sk: str) -> Item | None:
        reply = self._dynamodb().get_item(TableName=self._table, Key=key_of(pk, sk), ConsistentRead=True)
        return decode_item(reply["Item"]) if "Item" in reply else None


def pk_of(tenant: str, conversation: str) -> str:
    """A conversation's partition."""
    return f"CONV#{tenant}#{conversation}"  # neither has a `#` in it


def key_of(pk: str, sk: str) -> dict[str, dict[str, str]]:
    """An item's key, as the client takes it."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}
