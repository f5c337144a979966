"""Turns of conversations: compressed into the jobs table, or into the bucket where they stay large.

    pk CONV#tenant#conversation   sk TURN#job   at, tokens, z (or s3), expires_at
                                  sk ERASED     at, expires_at

`ERASED` keeps out the turns of jobs that were under way when the conversation was erased. It is written before the
turns are deleted, and read after one is written: so of an erasure and an addition at the same time, one sees the other.
"""

import json
import zlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from broker.cloud.attributes import decode_item, encode_item
from broker.context.conversations import Kept, Turn
from broker.context.fitting import Message
from broker.storage import Item, Put

INLINE_BYTES = 32 * 1024
"""Compressed; a page of a query holds 1 MB, so that thirty turns at least come with one."""

ERASED_S = 14 * 86_400
"""How long an erasure is remembered: twice as long as a job may take."""


class ConversationStore:
    """The adapter of `context.conversations.Turns`."""

    def __init__(self, table: str, bucket: str, s3: Any, dynamodb: Any) -> None:
        """`s3` and `dynamodb` are functions that give the client, so that neither is made before it is needed."""
        self._table = table
        self._bucket = bucket
        self._s3 = s3
        self._dynamodb = dynamodb

    def newest(
        self, tenant: str, conversation: str, *, limit: int, now: int, before: str | None = None
    ) -> Sequence[Kept]:
        """See `Turns.newest`."""
        page = self._page(tenant, conversation, limit, before)
        found = [decode_item(item) for item in page["Items"]]
        return [
            Kept(item["sk"].removeprefix("TURN#"), item["at"], item["tokens"], partial(self._load, item))
            for item in found
            if item["expires_at"] > now // 1000  # the table may take two days to delete what has expired
        ]

    def stage(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> Put:
        """See `Turns.stage`."""
        packed = zlib.compress(json.dumps(turn.messages, ensure_ascii=False, separators=(",", ":")).encode(), 6)
        item: Item = {
            "pk": _pk(tenant, conversation),
            "sk": f"TURN#{turn.job_id}",
            "at": turn.at,
            "tokens": turn.tokens,
            "expires_at": expires_at,
        }
        if len(packed) <= INLINE_BYTES:
            item["z"] = packed
        else:
            item["s3"] = _object_key(tenant, conversation, turn.job_id)
            self._s3().put_object(Bucket=self._bucket, Key=item["s3"], Body=packed)
        return Put("jobs", item)

    def heed(self, staged: Put) -> None:
        """See `Turns.heed`."""
        mark = self._get(staged.item["pk"], "ERASED")
        gone = "s3" in staged.item and self._get(staged.item["pk"], staged.item["sk"]) is None
        if gone or (mark is not None and mark["at"] >= staged.item["at"]):
            self._delete(staged.item)

    def drop(self, staged: Put) -> None:
        """See `Turns.drop`."""
        self._delete(staged.item)

    def erase(self, tenant: str, conversation: str, now: int) -> None:
        """See `Turns.erase`."""
        pk = _pk(tenant, conversation)
        mark: Item = {"pk": pk, "sk": "ERASED", "at": now, "expires_at": now // 1000 + ERASED_S}
        self._dynamodb().put_item(TableName=self._table, Item=encode_item(mark))
        while items := self._page(tenant, conversation, 100, None)["Items"]:
            for item in items:
                self._delete(decode_item(item))

    def erase_turn(self, tenant: str, conversation: str, job_id: str) -> None:
        """See `Turns.erase_turn`."""
        self._delete_item(_pk(tenant, conversation), f"TURN#{job_id}")
        # Also without an item: a function that died before its commit may have left the object.
        self._s3().delete_object(Bucket=self._bucket, Key=_object_key(tenant, conversation, job_id))

    def _get(self, pk: str, sk: str) -> Item | None:
        reply = self._dynamodb().get_item(TableName=self._table, Key=_key(pk, sk), ConsistentRead=True)
        return decode_item(reply["Item"]) if "Item" in reply else None

    def _page(self, tenant: str, conversation: str, limit: int, before: str | None) -> dict[str, Any]:
        pk = _pk(tenant, conversation)
        start = {"ExclusiveStartKey": _key(pk, f"TURN#{before}")} if before else {}
        page: dict[str, Any] = self._dynamodb().query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :turn)",
            ExpressionAttributeValues={":pk": {"S": pk}, ":turn": {"S": "TURN#"}},
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=limit,
            **start,
        )
        return page

    def _load(self, item: Item) -> list[Message]:
        packed = item.get("z")
        if packed is None:
            packed = self._s3().get_object(Bucket=self._bucket, Key=item["s3"])["Body"].read()
        messages: list[Message] = json.loads(zlib.decompress(packed))
        return messages

    def _delete(self, item: Item) -> None:
        if "s3" in item:
            self._s3().delete_object(Bucket=self._bucket, Key=item["s3"])
        self._delete_item(item["pk"], item["sk"])

    def _delete_item(self, pk: str, sk: str) -> None:
        self._dynamodb().delete_item(TableName=self._table, Key=_key(pk, sk))


def _object_key(tenant: str, conversation: str, job_id: str) -> str:
    return f"conversations/{tenant}/{conversation}/{job_id}"


def _pk(tenant: str, conversation: str) -> str:
    return f"CONV#{tenant}#{conversation}"  # neither has a `#` in it


def _key(pk: str, sk: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
