"""Prompts and answers: compressed into the jobs table, or into the bucket when they stay large."""

import json
import zlib
from typing import Any

from broker.jobs.head import Head, job_pk
from broker.storage import Database, Put

INLINE_BYTES = 256 * 1024
"""Compressed; an item holds 400 KB at most, keys and names included."""


class PayloadStore:
    """The adapter of `jobs.store.Payloads`. Both places are encrypted with the stack's own key."""

    def __init__(self, database: Database, table: str, bucket: str, s3: Any, dynamodb: Any) -> None:
        """`s3` and `dynamodb` are functions that give the client, so that neither is made before it is needed."""
        self._database = database
        self._table = table
        self._bucket = bucket
        self._s3 = s3
        self._dynamodb = dynamodb

    def save(self, head: Head, name: str, document: Any) -> None:
        """See `Payloads.save`."""
        packed = zlib.compress(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), 6)
        item: dict[str, Any] = {"pk": job_pk(head.id), "sk": name, "expires_at": head.expires_at}
        if len(packed) <= INLINE_BYTES:
            item["z"] = packed
        else:
            item["s3"] = _key(head.id, name)
            self._s3().put_object(Bucket=self._bucket, Key=item["s3"], Body=packed)
        self._database.write(Put("jobs", item))

    def load(self, job_id: str, name: str) -> Any | None:
        """See `Payloads.load`."""
        item = self._database.get("jobs", job_pk(job_id), name)
        if item is None:
            return None
        packed = item.get("z")
        if packed is None:
            packed = self._s3().get_object(Bucket=self._bucket, Key=item["s3"])["Body"].read()
        return json.loads(zlib.decompress(packed))

    def drop(self, job_id: str, name: str) -> None:
        """See `Payloads.drop`."""
        item = self._database.get("jobs", job_pk(job_id), name)
        if item is None:
            return
        if "s3" in item:
            self._s3().delete_object(Bucket=self._bucket, Key=item["s3"])
        self._dynamodb().delete_item(TableName=self._table, Key={"pk": {"S": job_pk(job_id)}, "sk": {"S": name}})

    def erase(self, job_id: str) -> None:
        """See `Payloads.erase`."""
        for name in ["INPUT", *(item["sk"] for item in self._database.query("jobs", job_pk(job_id), "OUTPUT#"))]:
            self.drop(job_id, name)


def _key(job_id: str, name: str) -> str:
    return f"jobs/{job_id}/{name.replace('#', '-')}"
