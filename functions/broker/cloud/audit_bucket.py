"""The bucket of the audit trail, and the queue of notes for it."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from broker.audit.chain import PREFIX, Stored, key_of
from broker.audit.record import Record
from broker.cloud.buckets import GONE

TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
"""There is an object, or one is being written (Amazon S3 User Guide, "How to prevent object overwrites")."""


class AuditBucket:
    """The adapter of `audit.appending.Blocks`; every object is locked by the bucket's default."""

    def __init__(self, bucket: str, s3: Any) -> None:
        self.name = bucket
        self._s3 = s3

    def put(self, number: int, data: bytes) -> bool:
        """See `Blocks.put`. Where objects are locked, S3 asks for a checksum (S3 API reference, PutObject)."""
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        what = {"Bucket": self.name, "Key": key_of(number), "Body": data, "ChecksumSHA256": checksum}
        try:
            self._s3.put_object(**what, IfNoneMatch="*")
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in TAKEN:
                return False
            raise
        return True

    def get(self, number: int) -> bytes | None:
        """See `Blocks.get`."""
        try:
            return self._read(key_of(number))
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in GONE:
                return None
            raise

    def all(self) -> Iterator[Stored]:
        """All that lies in the bucket, by its oldest versions, with how many there are; for `verify`."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.name)
        for key, versions in groupby(_versions(pages), key=lambda each: str(each["Key"])):
            found = sorted(
                reversed(list(versions)), key=lambda each: each["LastModified"]
            )  # by seconds, so ties stay in order
            oldest = next((each for each in found if "Size" in each), None)
            data = self._read(key, VersionId=oldest["VersionId"]) if oldest and key.startswith(PREFIX) else b""
            yield Stored(key, data, len(found))

    def _read(self, key: str, **version: str) -> bytes:
        return bytes(self._s3.get_object(Bucket=self.name, Key=key, **version)["Body"].read())


def _versions(pages: Any) -> Iterator[dict[str, Any]]:
    """Versions and delete markers, by their keys: each page has both lists, in this order."""
    for page in pages:
        yield from sorted(page.get("Versions", []) + page.get("DeleteMarkers", []), key=lambda each: each["Key"])


class AuditQueue:
    """Where notes wait for who writes them: some seconds, or as long as that cannot."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, records: Sequence[Record]) -> None:
        """Hand over records, in as few messages as they fit into."""
        for body in packed(records):
            self._client.send_message(QueueUrl=self._url, MessageBody=body)


MOST_MESSAGE = 250_000
"""Bytes: SQS takes a mebibyte, and counts each 64 KiB as a request. A batch of the stream has some 30,000."""


def packed(records: Sequence[Record]) -> Iterator[str]:
    """Bodies of messages, none of which is larger than `MOST_MESSAGE`."""
    some: list[str] = []
    size = 0
    for text in (json.dumps(each, separators=(",", ":")) for each in records):
        if some and size + len(text) > MOST_MESSAGE:
            yield f"[{','.join(some)}]"
            some, size = [], 0
        some.append(text)
        size += len(text) + 1
    if some:
        yield f"[{','.join(some)}]"


def unpacked(body: str) -> list[Record]:
    """The records of a message; of one that nobody can read, a record that says so."""
    from broker.audit.record import UNREADABLE, record
    from broker.clock import now_ms

    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list) and all(isinstance(each, dict) and isinstance(each.get("kind"), str) for each in found):
        return found
    digest = hashlib.sha256(body.encode(errors="surrogatepass")).hexdigest()
    return [record(UNREADABLE, digest, now_ms(), subject=digest)]
