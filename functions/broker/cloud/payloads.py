"""Prompts and answers: compressed into the jobs table, or into the bucket when they stay large."""

from collections.abc import Sequence
from typing import Any

from broker.cloud.packing import pack, unpack
from broker.jobs.head import job_pk
from broker.jobs.store import Kept
from broker.storage import Database, Item, Put

INLINE_BYTES = 256 * 1024
"""Compressed; an item holds 400 KB at most, keys and names included."""

LINK_S = 900
"""How long a link to a file works; the function's own credentials may end it sooner."""


class PayloadStore:
    """The adapter of `jobs.store.Payloads`. Both places are encrypted with the stack's own key."""

    def __init__(self, database: Database, table: str, bucket: str, s3: Any, dynamodb: Any) -> None:
        """`s3` and `dynamodb` are functions that give the client, so that neither is made before it is needed."""
        self._database = database
        self._table = table
        self._bucket = bucket
        self._s3 = s3
        self._dynamodb = dynamodb

    def save(
        self,
        job: Kept,
        name: str,
        document: Any,
        facts: dict[str, Any] | None = None,
        files: Sequence[tuple[bytes, str]] = (),
    ) -> list[str]:
        """See `Payloads.save`."""
        packed = pack(document)
        item: dict[str, Any] = {"pk": job_pk(job.id), "sk": name, "expires_at": job.expires_at}
        if facts:
            item["f"] = pack(facts)  # half of what a map takes
        keys = [_file_key(job.id, name, number) for number in range(1, len(files) + 1)]
        if keys:
            item["files"] = keys
        for key, (data, media_type) in zip(keys, files, strict=True):
            self._s3().put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type)
        if len(packed) <= INLINE_BYTES:
            item["z"] = packed
        else:
            item["s3"] = _key(job.id, name)
            self._s3().put_object(Bucket=self._bucket, Key=item["s3"], Body=packed)
        self._database.write(Put("jobs", item))
        return keys

    def link(self, job_id: str, name: str, number: int) -> str:
        """See `Payloads.link`."""
        what = {"Bucket": self._bucket, "Key": _file_key(job_id, name, number)}
        return str(self._s3().generate_presigned_url("get_object", Params=what, ExpiresIn=LINK_S))

    def load(self, job_id: str, name: str, item: Item | None = None) -> Any | None:
        """See `Payloads.load`."""
        # A document does not change once it is kept: a replica that has it will do, at half the price.
        item = item or self._database.get("jobs", job_pk(job_id), name, eventual=True)
        item = item or self._database.get("jobs", job_pk(job_id), name)
        if item is None:
            return None
        packed = item.get("z")
        if packed is None:
            packed = self._s3().get_object(Bucket=self._bucket, Key=item["s3"])["Body"].read()
        return unpack(packed)

    def facts(self, job_id: str, name: str) -> dict[str, Any] | None:
        """See `Payloads.facts`."""
        item = self._database.get("jobs", job_pk(job_id), name)
        if item is None:
            return None
        facts: dict[str, Any] | None = unpack(item["f"]) if "f" in item else item.get("facts")  # as a map: older items
        return facts

    def hand(self, job: Kept, name: str, data: bytes | None = None) -> str:
        """See `Payloads.hand`."""
        key = f"services/{job.id}/{name}"
        item: Item = {"pk": job_pk(job.id), "sk": f"MEDIA#{name}", "expires_at": job.expires_at}
        self._database.write(Put("jobs", item | {"z": pack({}), "files": [key]}))
        if data is not None:
            self._s3().put_object(Bucket=self._bucket, Key=key, Body=data)
        return key

    def drop(self, job_id: str, name: str) -> None:
        """See `Payloads.drop`."""
        item = self._database.get("jobs", job_pk(job_id), name)
        if item is None:
            return
        for key in [*item.get("files", []), *([item["s3"]] if "s3" in item else [])]:
            self._s3().delete_object(Bucket=self._bucket, Key=key)
        self._dynamodb().delete_item(TableName=self._table, Key={"pk": {"S": job_pk(job_id)}, "sk": {"S": name}})

    def erase(self, job_id: str) -> None:
        """See `Payloads.erase`."""
        for item in self._database.query("jobs", job_pk(job_id)):
            if "z" in item or "s3" in item:
                self.drop(job_id, item["sk"])


def _file_key(job_id: str, name: str, number: int) -> str:
    return _key(job_id, f"{name}-{number}")


def _key(job_id: str, name: str) -> str:
    return f"jobs/{job_id}/{name.replace('#', '-')}"
