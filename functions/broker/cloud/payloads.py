"""Prompts and answers: compressed into the jobs table, or into the bucket when they stay large."""

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import IO, Any

from broker.clock import now_ms
from broker.cloud.objects import LINK_S, BucketObjects, ObjectMissing, keys_in
from broker.cloud.packing import pack, pack_text, unpack
from broker.cloud.plain import MEDIA_TYPE, plain
from broker.jobs.head import job_pk
from broker.jobs.store import OUTPUT, Linked, NoteOwner, Saved
from broker.storage import ConditionFailed, Database, If, Item, Put, Update

INLINE_BYTES = 256 * 1024
"""Compressed; an item holds 400 KB at most, keys and names included."""

HANDED = "services/"
"""Where objects lie that services read and write; one may still be written when the job is erased."""


class PayloadStore:
    """The adapter of `jobs.store.Payloads`. Both places are encrypted with the stack's own key."""

    def __init__(
        self,
        database: Database,
        table: str,
        bucket: str,
        s3: Any,
        dynamodb: Any,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`s3` and `dynamodb` are functions that give the client, so that neither is made before it is needed."""
        self._database = database
        self._table = table
        self._bucket = bucket
        self._s3 = s3
        self._dynamodb = dynamodb
        self._clock = clock
        self._objects = BucketObjects(table, bucket, s3, dynamodb)

    def save(
        self,
        job: NoteOwner,
        name: str,
        document: Any,
        facts: dict[str, Any] | None = None,
        files: Sequence[tuple[bytes, str]] = (),
    ) -> Saved:
        """See `Payloads.save`."""
        pk, until = job_pk(job.id), job.payloads_until
        keys = [file_key(job.id, name, number) for number in range(1, len(files) + 1)]
        for key, (data, media_type) in zip(keys, files, strict=True):
            self._objects.put(pk, key, data, until, ContentType=media_type)
        placed = self._placed(job, name, document)
        is_linked = "plain" in placed
        item: dict[str, Any] = {"pk": pk, "sk": name, "expires_at": until, **placed}
        if facts:
            item["f"] = pack(facts | {"linked": True} if is_linked else facts)  # half of what a map takes
        if keys:
            item["files"] = keys
        self._database.write(Put("jobs", item))
        return Saved(keys, is_linked)

    def _placed(self, job: NoteOwner, name: str, document: Any, *, in_bucket: bool = False) -> dict[str, Any]:
        """What an item has to say where its document is: the document itself, where it is small; else a key.

        An answer that is given out by a link lies in the bucket as it is, with its size in bytes beside the key.
        """
        with closing(plain(document)) as text:
            if name.startswith(OUTPUT) and not text.is_shown:
                self._put(job, name, text.body, ContentType=MEDIA_TYPE)
                wordless = {"wordless": True} if text.wordless else {}
                return {"s3": _key(job.id, name), "plain": text.size, **wordless}
            packed = pack_text(text.read())
        if len(packed) <= INLINE_BYTES and not in_bucket:
            return {"z": packed}
        self._put(job, name, packed)
        return {"s3": _key(job.id, name)}

    def _put(self, job: NoteOwner, name: str, data: bytes | IO[bytes], **how: str) -> None:
        self._objects.put(job_pk(job.id), _key(job.id, name), data, job.payloads_until, **how)

    def copy(self, job: NoteOwner, name: str, source: str, source_name: str) -> Saved | None:
        """See `Payloads.copy`."""
        item = self._database.get("jobs", job_pk(source), source_name)
        if item is None or self._is_over(item):
            return None
        pk, until = job_pk(job.id), job.payloads_until
        held: dict[str, Any] = {each: item[each] for each in ("z", "plain", "wordless") if each in item}
        if "s3" in item:
            held["s3"] = _key(job.id, name)
            try:
                self._objects.copy(pk, held["s3"], item["s3"], until)
            except ObjectMissing as missing:
                if not missing.certain and self.stands(source, source_name):
                    raise
                return None
        self._database.write(Put("jobs", {"pk": pk, "sk": name, "expires_at": until, **held}))
        return Saved([], "plain" in held)

    def linked(self, job_id: str, name: str, item: Item | None = None) -> Linked | None:
        """See `Payloads.linked`."""
        item = item or self._database.get("jobs", job_pk(job_id), name)
        if item is None or self._is_over(item) or "plain" not in item:
            return None
        left = item["expires_at"] - self._clock() // 1000
        return Linked(self._objects.link(item["s3"], min(LINK_S, left)), item["plain"], MEDIA_TYPE)

    def link(self, job_id: str, name: str, number: int) -> str:
        """See `Payloads.link`."""
        return self._objects.link(file_key(job_id, name, number))

    def load_file(self, job_id: str, name: str, number: int) -> bytes | None:
        """See `Payloads.load_file`."""
        return self._read(job_id, name, file_key(job_id, name, number))

    def replace(self, job: NoteOwner, name: str, document: Any) -> None:
        """See `Payloads.replace`. One that lies in the bucket stays there, so that nothing is left of what it was."""
        pk = job_pk(job.id)
        item = self._database.get("jobs", pk, name)
        if item is None:
            return
        placed = self._placed(job, name, document, in_bucket="s3" in item)
        others = tuple(each for each in ("z", "s3", "plain", "wordless") if each not in placed)
        change = Update("jobs", pk, name, set=placed, remove=others, when=(If("pk", "exists"),))
        with suppress(ConditionFailed):  # it was erased meanwhile; what it left in the bucket ends by its note
            self._database.write(change)

    def load(
        self, job_id: str, name: str, item: Item | None = None, *, fresh: bool = False, words: bool = False
    ) -> Any | None:
        """See `Payloads.load`."""
        if not fresh:
            # Most documents do not change once they are kept: a replica that has it will do, at half the price.
            item = item or self._database.get("jobs", job_pk(job_id), name, eventual=True)
        item = item or self._database.get("jobs", job_pk(job_id), name)
        if item is None or self._is_over(item):
            return None
        if "z" in item:
            return unpack(item["z"])
        if words and "wordless" in item:
            return {}
        found = self._read(job_id, name, item["s3"])
        return None if found is None else unpack(found)

    def plain_json(self, job_id: str, name: str, item: Item | None = None) -> bytes | None:
        """See `Payloads.plain_json`."""
        item = item or self._database.get("jobs", job_pk(job_id), name)
        if item is None or self._is_over(item) or "plain" not in item:
            return None
        return self._read(job_id, name, item["s3"])

    def _read(self, job_id: str, name: str, key: str) -> bytes | None:
        try:
            return self._objects.get(key)
        except ObjectMissing as missing:
            # It was erased, or its time ended, since the item was read; an item that still stands was not to be read.
            if not missing.certain and self.stands(job_id, name):
                raise
            return None

    def stands(self, job_id: str, name: str) -> bool:
        """See `Payloads.stands`."""
        item = self._database.get("jobs", job_pk(job_id), name)
        return item is not None and not self._is_over(item)

    def _is_over(self, item: Item) -> bool:
        """True from the second on at which DynamoDB may delete it, which may take it days."""
        return "expires_at" in item and bool(item["expires_at"] * 1000 <= self._clock())

    def facts(self, job_id: str, name: str) -> dict[str, Any] | None:
        """See `Payloads.facts`."""
        item = self._database.get("jobs", job_pk(job_id), name)
        if item is None:
            return None
        facts: dict[str, Any] | None = unpack(item["f"]) if "f" in item else item.get("facts")  # as a map: older items
        return facts

    def hand(self, job: NoteOwner, name: str, data: bytes | None = None) -> str:
        """See `Payloads.hand`."""
        pk, key = job_pk(job.id), f"{HANDED}{job.id}/{name}"
        if data is None:
            self._objects.announce(pk, key, job.payloads_until)
        else:
            self._objects.put(pk, key, data, job.payloads_until)
        return key

    def drop(self, job_id: str, name: str) -> None:
        """See `Payloads.drop`. The item goes first: who then finds no object looks again, and finds no item."""
        item = self._database.get("jobs", job_pk(job_id), name)
        if item is None:
            return
        self._delete_item(item)
        for key in _keys_of(item):
            self._objects.delete(item["pk"], key)

    def erase(self, job_id: str) -> None:
        """See `Payloads.erase`. Objects go that a function wrote which then died, too: what announces them is there."""
        found = self._database.query("jobs", job_pk(job_id))
        documents = [item for item in found if "z" in item or "s3" in item]
        for item in documents:
            self._delete_item(item)
        for key in dict.fromkeys([*keys_in(found), *(key for item in documents for key in _keys_of(item))]):
            self._objects.delete(job_pk(job_id), key, may_come_back=key.startswith(HANDED))

    def _delete_item(self, item: Item) -> None:
        self._dynamodb().delete_item(TableName=self._table, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}})


def _keys_of(item: Item) -> list[str]:
    return [*item.get("files", ()), *([item["s3"]] if "s3" in item else ())]


def file_key(job_id: str, name: str, number: int) -> str:
    """The key of a document's file in the bucket; `number` counts from 1."""
    return _key(job_id, f"{name}-{number}")


def _key(job_id: str, name: str) -> str:
    return f"jobs/{job_id}/{name.replace('#', '-')}"
