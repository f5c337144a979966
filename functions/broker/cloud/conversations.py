"""Turns of conversations, and their summaries: compressed into the jobs table, or into the bucket if they stay large.

    pk CONV#tenant#conversation   sk META     at, metadata, expires_at: of one that was made, and not only named
                                  sk TURN#job   at, tokens, z (or s3), expires_at, model; named, where placeholders
                                  sk ENDS#…     of each object (`cloud.objects`)
                                  sk ERASED     at, expires_at
                                  sk SUMMARY    mark, expires_at; where one stands: through, messages, tokens, z, m, by

`ERASED` keeps out the turns of jobs that were under way when the conversation was erased. It is written before the
turns are deleted, and read after one is written: so of an erasure and an addition at the same time, one sees the other.
`mark` is a version token: a summary is erased by a new one in its place (`context.summaries`).
"""

import json
import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from broker.clock import now_ms
from broker.cloud.attributes import decode_item, encode_item
from broker.cloud.conversation_records import RECORD, ConversationRecords, key_of, pk_of
from broker.cloud.objects import LINK_S, BucketObjects, ObjectMissing, keys_in
from broker.cloud.plain import MEDIA_TYPE, plain
from broker.context.conversations import KeptTurn, Turn
from broker.context.fitting import Message
from broker.context.summaries import Summary, SummaryPlace
from broker.jobs.cleaning import NOTE
from broker.jobs.store import Linked
from broker.storage import If, Item, Put

INLINE_BYTES = 32 * 1024
"""Compressed; a page of a query holds 1 MB, so that thirty turns at least come with one."""

ERASED_S = 14 * 86_400
"""How long an erasure is remembered: twice as long as a job may take."""


AS_KEPT, FILLED = "=kept", "=filled"
"""How the keys of messages end that are given out by a link."""

LEAST_ENDING, LAST_ENDING = "=", "=~"
"""Around these endings; no id of a job has such a sign."""

LAST_TURN, LAST_OBJECT = "TURN#~", f"{NOTE}~"
"""Behind all of them."""


class ConversationStore(ConversationRecords):
    """The adapter of `context.conversations.Turns`."""

    def __init__(self, table: str, bucket: str, s3: Any, dynamodb: Any) -> None:
        """`s3` and `dynamodb` are functions that give the client, so that neither is made before it is needed."""
        super().__init__(table, dynamodb)
        self._objects = BucketObjects(table, bucket, s3, dynamodb)

    def newest(
        self, tenant: str, conversation: str, *, limit: int, now: int, before: str | None = None, since: str = ""
    ) -> Sequence[KeptTurn]:
        """See `Turns.newest`."""
        start = {"ExclusiveStartKey": key_of(pk_of(tenant, conversation), f"TURN#{before}")} if before else {}
        found = self._query(pk_of(tenant, conversation), f"TURN#{since}", LAST_TURN, Limit=limit, **start)
        # The table may take two days to delete what has expired.
        return [self._kept(item) for item in found if item["expires_at"] > now // 1000]

    def _kept(self, item: Item) -> KeptTurn:
        facts = (_job_of(item), item["at"], item["tokens"], item["expires_at"])
        if not item.get("named"):
            return KeptTurn(*facts, partial(self._load, item), model=item.get("model"))
        both = cache(partial(self._load, item))
        return KeptTurn(*facts, lambda: both()["messages"], lambda: both()["mapping"], item.get("model"))

    def stage(self, tenant: str, conversation: str, turn: Turn, expires_at: int, *, ending: str = "") -> Put:
        """See `Turns.stage`; `ending` is of the object's key, where another stands in its place."""
        document = {"messages": turn.messages, "mapping": turn.mapping} if turn.mapping else turn.messages
        packed = _packed(document)
        item: Item = {
            "pk": pk_of(tenant, conversation),
            "sk": f"TURN#{turn.job_id}",
            "at": turn.at,
            "tokens": turn.tokens,
            "expires_at": expires_at,
        }
        if turn.mapping:
            item["named"] = True
        if turn.model:
            item["model"] = turn.model
        if len(packed) <= INLINE_BYTES:
            item["z"] = packed
        else:
            item["s3"] = f"{_object_key(tenant, conversation, turn.job_id)}{ending}"
            self._objects.put(item["pk"], item["s3"], packed, expires_at)
        return Put("jobs", item)

    def recheck(self, staged: Put) -> None:
        """See `Turns.recheck`."""
        item = staged.item
        beside = {each["sk"]: each for each in self._query(item["pk"], "ERASED", "SUMMARY")}
        erased = beside.get("ERASED", {}).get("at", -1) >= item["at"]
        if erased or ("s3" in item and self._get(item["pk"], item["sk"]) is None):
            self._delete(item)
        if erased or beside.get("SUMMARY", {}).get("through", "") >= _job_of(item):
            self._renew(item["pk"], now_ms())

    def drop(self, staged: Put) -> None:
        """See `Turns.drop`."""
        self._delete(staged.item)

    def link(
        self, tenant: str, conversation: str, kept: KeptTurn, messages: Sequence[Message], *, filled: bool
    ) -> Linked | None:
        """See `Turns.link`."""
        pk, text = pk_of(tenant, conversation), plain(list(messages))
        key = f"{_object_key(tenant, conversation, kept.job_id)}{FILLED if filled else AS_KEPT}"
        self._objects.put(pk, key, text.body, kept.expires_at, ContentType=MEDIA_TYPE)
        if self._get(pk, f"TURN#{kept.job_id}") is None:
            self._objects.delete(pk, key)
            return None
        left = kept.expires_at - now_ms() // 1000
        return Linked(self._objects.link(key, min(LINK_S, max(left, 1))), text.size, MEDIA_TYPE)

    def add(self, tenant: str, conversation: str, turn: Turn, expires_at: int) -> None:
        """See `Records.add`."""
        staged = self.stage(tenant, conversation, turn, expires_at)
        self._dynamodb().put_item(TableName=self._table, Item=encode_item(staged.item))
        self.recheck(staged)

    def change(self, tenant: str, conversation: str, kept: KeptTurn, turn: Turn) -> bool:
        """See `Records.change`. Its object gets another key, so that of two changes at once one stands whole."""
        before = self._get(pk_of(tenant, conversation), f"TURN#{kept.job_id}")
        if before is None or before["tokens"] != kept.tokens:
            return False
        staged = self.stage(tenant, conversation, turn, kept.expires_at, ending=f"={_new_token()}")
        try:
            self._dynamodb().put_item(
                TableName=self._table,
                Item=encode_item(staged.item),
                ConditionExpression="tokens = :tokens",
                ExpressionAttributeValues={":tokens": {"N": str(kept.tokens)}},
            )
        except self._dynamodb().exceptions.ConditionalCheckFailedException:
            if "s3" in staged.item:
                self._objects.delete(staged.item["pk"], staged.item["s3"])
            return False
        if "s3" in before:
            self._objects.delete(before["pk"], before["s3"])
        self.recheck(staged)
        return True

    def erase(self, tenant: str, conversation: str, now: int) -> None:
        """See `Turns.erase`."""
        pk = pk_of(tenant, conversation)
        self._delete_item(pk, RECORD)
        erased: Item = {"pk": pk, "sk": "ERASED", "at": now, "expires_at": now // 1000 + ERASED_S}
        self._dynamodb().put_item(TableName=self._table, Item=encode_item(erased))
        while items := self._query(pk, "TURN#", LAST_TURN, Limit=100):
            for item in items:
                self._delete(item)
        # Of turns that a function put into the bucket and then died.
        while items := self._query(pk, NOTE, LAST_OBJECT, Limit=100):
            for key in keys_in(items):
                self._objects.delete(pk, key)
        self._renew(pk, now)

    def erase_turn(self, tenant: str, conversation: str, job_id: str) -> None:
        """See `Turns.erase_turn`."""
        pk = pk_of(tenant, conversation)
        self._delete_item(pk, f"TURN#{job_id}")
        # Also without an item: a function that died before its commit may have left the object.
        key = _object_key(tenant, conversation, job_id)
        self._objects.delete(pk, key)
        for beside in keys_in(self._query(pk, f"{NOTE}{key}{LEAST_ENDING}", f"{NOTE}{key}{LAST_ENDING}")):
            self._objects.delete(pk, beside)
        stands = self._get(pk, "SUMMARY") or {}
        if not ("through" in stands and stands["through"] < job_id and self._renew_over(pk, stands["mark"])):
            self._renew(pk, now_ms())

    def place(self, tenant: str, conversation: str, now: int) -> SummaryPlace:
        """See `Summaries.place`."""
        item = self._get(pk_of(tenant, conversation), "SUMMARY")
        if item is None:
            return SummaryPlace(None, None)
        if "z" not in item or item["expires_at"] <= now // 1000:
            return SummaryPlace(item["mark"], None)
        facts = {name: item[name] for name in ("through", "messages", "tokens", "expires_at", "by") if name in item}
        mapping = json.loads(zlib.decompress(item["m"])) if "m" in item else {}
        return SummaryPlace(item["mark"], Summary(**facts, text=zlib.decompress(item["z"]).decode(), mapping=mapping))

    def stage_summary(self, tenant: str, conversation: str, summary: Summary, version_token: str | None) -> Put:
        """See `Summaries.stage_summary`."""
        item: Item = {
            "pk": pk_of(tenant, conversation),
            "sk": "SUMMARY",
            "mark": _new_token(),
            "through": summary.through,
            "messages": summary.messages,
            "tokens": summary.tokens,
            "expires_at": summary.expires_at,
            "z": zlib.compress(summary.text.encode(), 6),
        }
        if summary.mapping:
            item["m"] = _packed(summary.mapping)
        if summary.by:
            item["by"] = list(summary.by)
        return Put("jobs", item, (If("pk", "absent") if version_token is None else If("mark", "=", version_token),))

    def verify_turns(self, staged: Put, turns: Sequence[str], since: str, now: int) -> None:
        """See `Summaries.verify_turns`."""
        item = staged.item
        found = self._query(item["pk"], f"TURN#{since}", f"TURN#{item['through']}")
        if [_job_of(each) for each in reversed(found) if each["expires_at"] > now // 1000] != list(turns):
            self._renew(item["pk"], now, over=item["mark"])

    def _renew(self, pk: str, now: int, over: str | None = None) -> None:
        """Take the summary away, whichever stands there, or only the one of this token; and keep out one under way."""
        item: Item = {"pk": pk, "sk": "SUMMARY", "mark": _new_token(), "expires_at": now // 1000 + ERASED_S}
        request: dict[str, Any] = {"TableName": self._table, "Item": encode_item(item)}
        if over is not None:
            request |= {"ConditionExpression": "mark = :mark", "ExpressionAttributeValues": {":mark": {"S": over}}}
        with suppress(self._dynamodb().exceptions.ConditionalCheckFailedException):
            self._dynamodb().put_item(**request)

    def _renew_over(self, pk: str, version_token: str) -> bool:
        """Let a summary stand, but none be made of it by who has read it; False where another took its place."""
        try:
            self._dynamodb().update_item(
                TableName=self._table,
                Key=key_of(pk, "SUMMARY"),
                UpdateExpression="SET mark = :new",
                ConditionExpression="mark = :mark",
                ExpressionAttributeValues={":new": {"S": _new_token()}, ":mark": {"S": version_token}},
            )
        except self._dynamodb().exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _query(self, pk: str, first: str, last: str, **more: Any) -> list[Item]:
        """One page, in descending order."""
        page = self._dynamodb().query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
            ConsistentRead=True,
            ScanIndexForward=False,
            **more,
        )
        return [decode_item(item) for item in page["Items"]]

    def _load(self, item: Item) -> Any:
        """A turn's messages; with what its placeholders stand for, where it has any."""
        try:
            packed = item["z"] if "z" in item else self._objects.get(item["s3"])
        except ObjectMissing as missing:
            stands = self._get(item["pk"], item["sk"])
            if not missing.certain and stands and stands["expires_at"] * 1000 > now_ms():
                raise  # it is there, and was not to be read
            return {"messages": [], "mapping": {}} if item.get("named") else []
        return json.loads(zlib.decompress(packed))

    def _delete(self, item: Item) -> None:
        """The item goes first: who then finds no object looks again, and finds no item."""
        self._delete_item(item["pk"], item["sk"])
        if "s3" in item:
            self._objects.delete(item["pk"], item["s3"])

    def _delete_item(self, pk: str, sk: str) -> None:
        self._dynamodb().delete_item(TableName=self._table, Key=key_of(pk, sk))


def _packed(document: Any) -> bytes:
    return zlib.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), 6)


def _job_of(turn: Item) -> str:
    return str(turn["sk"]).removeprefix("TURN#")


def _new_token() -> str:
    return os.urandom(6).hex()


def _object_key(tenant: str, conversation: str, job_id: str) -> str:
    return f"conversations/{tenant}/{conversation}/{job_id}"
