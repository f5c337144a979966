"""What is known of files of rows before they are read; the adapter of `batches.submitting.Finds`."""

from collections.abc import Callable
from typing import Any

from broker.batches.asking.submitting import Found
from broker.cloud.buckets import GONE, etag_of
from broker.files.record import FileRecord

UNKNOWN = GONE | {"403", "AccessDenied"}
"""What S3 says of an object that is not there; the last two where the bucket may not be listed (API, HeadObject)."""


class InboxObjects:
    """Objects of the inbox."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def object(self, bucket: str, key: str) -> Found | None:
        """See `Finds.object`."""
        try:
            reply = self._client.head_object(Bucket=bucket, Key=key)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in UNKNOWN:
                raise
            return None
        return Found(bucket, key, etag_of(reply), reply.get("VersionId"), reply["ContentLength"])


class RowFiles(InboxObjects):
    """Objects of the inbox, and uploaded files."""

    def __init__(self, client: Any, open_file: Callable[[str, str, int, str], FileRecord]) -> None:
        """`open_file` is `files.keeping.Files.open`."""
        super().__init__(client)
        self._open = open_file

    def file(self, tenant: str, file_id: str, now: int) -> Found:
        """See `Finds.file`."""
        record = self._open(tenant, file_id, now, "input_file_id")
        return Found(record.bucket, record.key, record.etag or "", record.version, record.bytes)
