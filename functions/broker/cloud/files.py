"""The buckets that files come into and results go out of; the adapters of `Inbox` and `Outbox` in `batches`."""

from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import Any

from broker.errors import NotFound

IN_MEMORY_BYTES = 8_000_000
"""A result that is larger goes through the function's disk: outputs of a thousand jobs may be more than its memory."""

GONE = {"NoSuchKey", "NoSuchVersion", "PreconditionFailed", "404", "412"}

CONTENT_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson"}


class Inbox:
    """Reads exactly the version that an event told of."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, bucket: str, key: str, etag: str, version: str | None) -> bytes:
        """See `Inbox.read`."""
        which = {"VersionId": version} if version else {"IfMatch": f'"{etag}"'}
        try:
            reply = self._client.get_object(Bucket=bucket, Key=key, **which)
        except self._client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
            raise NotFound("The file was deleted or overwritten before it was read.", code="file_gone") from None
        return bytes(reply["Body"].read())


class Outbox:
    """Writes results below the file's own key."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, parts: Iterable[bytes]) -> None:
        """See `Outbox.put`."""
        kind = CONTENT_TYPES[key.rpartition(".")[2]]
        with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
            for part in parts:
                file.write(part)
            file.seek(0)
            self._client.put_object(Bucket=self._bucket, Key=key, Body=file, ContentType=kind)
