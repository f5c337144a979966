"""The objects that rows of batches are read from, and written to; the adapter of `batches.ports.RowBytes`."""

from collections.abc import Iterable, Iterator
from typing import Any

from broker.batches.rows.lines import split
from broker.cloud.buckets import ask, write

PREFIX = "batches/"
"""Below it nothing is kept: what a batch leaves goes when its results are put together, or by the bucket's rule."""

AT_ONCE = 1 << 20
"""Bytes that are read at once."""

TRIES = 3
"""Of a connection that breaks without having given anything."""


class RowObjects:
    """Rows in S3."""

    def __init__(self, client: Any, bucket: str) -> None:
        """`bucket` is where objects are written to."""
        self._client = client
        self._bucket = bucket

    def lines(self, where: dict[str, Any], offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `RowBytes.lines`."""
        return (line.data for line in split(self.pieces(where, offset, length)))

    def pieces(self, where: dict[str, Any], offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `RowBytes.pieces`. A connection that breaks is made anew where it broke."""
        from botocore.exceptions import HTTPClientError, IncompleteReadError, ResponseStreamingError

        broken = HTTPClientError, IncompleteReadError, ResponseStreamingError
        end = None if length is None else offset + length
        tries = 0
        while end is None or offset < end:
            body = self._open(where, offset, end)
            try:
                while piece := body.read(AT_ONCE):
                    offset += len(piece)
                    tries = 0
                    yield piece
                return
            except broken:
                tries += 1
                if tries >= TRIES:
                    raise

    def _open(self, where: dict[str, Any], offset: int, end: int | None) -> Any:
        last = "" if end is None else end - 1
        part = {"Range": f"bytes={offset}-{last}"} if offset or end is not None else {}
        return ask(self._client, self._client.get_object, *_version(where), **part)["Body"]

    def size(self, where: dict[str, Any]) -> int:
        """See `RowBytes.size`."""
        return int(ask(self._client, self._client.head_object, *_version(where))["ContentLength"])

    def write(self, batch_id: str, name: str, parts: Iterable[bytes]) -> dict[str, Any]:
        """See `RowBytes.write`."""
        key = f"{PREFIX}{batch_id}/{name}"
        reply = write(self._client, self._bucket, key, parts)
        found = {"bucket": self._bucket, "key": key, "etag": reply["ETag"].strip('"')}
        return found | ({"version": reply["VersionId"]} if "VersionId" in reply else {})


def _version(where: dict[str, Any]) -> tuple[str, str, str, str | None]:
    return where["bucket"], where["key"], where["etag"], where.get("version")
