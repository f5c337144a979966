"""The buckets that files come into and results go out of; the adapters of `Inbox` and `Outbox` in `inbox`."""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from broker.errors import NotFound

PIECE_BYTES = 8_000_000
"""Of a large object, at first. S3 takes five mebibytes at least for each but the last, and ten thousand of them."""

GROWS_EVERY = 1_000
"""Pieces, after which each is larger by the size of the first: ten thousand have 440 GB then, and the last 80 MB."""

GONE = {"NoSuchKey", "NoSuchVersion", "PreconditionFailed", "404", "412"}

OF_BATCH = "batch"
"""The metadata of an object by which is known which batch it is a result of, as others may have the same key."""

CONTENT_TYPES = {"bin": "application/octet-stream", "json": "application/json", "jsonl": "application/x-ndjson"}


class Inbox:
    """Reads exactly the version that an event told of."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def read(self, bucket: str, key: str, etag: str, version: str | None) -> bytes:
        """See `Inbox.read`."""
        return bytes(self._body(bucket, key, etag, version).read())

    def fetch(self, bucket: str, key: str, etag: str, version: str | None, path: Path) -> None:
        """See `Fetches.fetch`."""
        with path.open("wb") as file:
            shutil.copyfileobj(self._body(bucket, key, etag, version), file)

    def _body(self, bucket: str, key: str, etag: str, version: str | None) -> Any:
        return ask(self._client, self._client.get_object, bucket, key, etag, version)["Body"]


def ask(
    client: Any, operation: Callable[..., Any], bucket: str, key: str, etag: str, version: str | None, **more: Any
) -> Any:
    """Ask S3 (GetObject, HeadObject) for exactly one version of an object.

    By its ETag in any case: where no more versions are kept, the one named `null` is written over (S3 user guide,
    "Adding objects to versioning-suspended buckets").

    Raises:
        NotFound: it was deleted, or overwritten where no versions are kept.
    """
    which = {"IfMatch": f'"{etag}"'} | ({"VersionId": version} if version else {})
    try:
        return operation(Bucket=bucket, Key=key, **which, **more)
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        raise NotFound("The file was deleted or overwritten before it was read.", code="file_gone") from None


class Outbox:
    """Writes results below the file's own key."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, parts: Iterable[bytes], batch_id: str | None = None) -> None:
        """See `Outbox.put`. A large object goes up piece by piece: outputs of a thousand jobs fit no memory or disk."""
        write(self._client, self._bucket, key, parts, batch_id=batch_id)


def write(
    client: Any,
    bucket: str,
    key: str,
    parts: Iterable[bytes],
    *,
    kind: str | None = None,
    at_once: int = 1,
    batch_id: str | None = None,
    piece_bytes: int = PIECE_BYTES,
) -> dict[str, Any]:
    """Write an object from its parts, over what was there before; gives S3's reply, with `ETag` and `VersionId`.

    Args:
        client: of S3.
        bucket: its name.
        key: of the object.
        parts: of its bytes; where making them fails, nothing is written.
        kind: media type; by the key's ending where it is left out.
        at_once: pieces of the first size that are sent at the same time, and as many bytes of larger ones; memory holds
            one piece more, and the one that is being made.
        batch_id: the batch that it is a result of, for `batch_of`.
        piece_bytes: of the first piece.
    """
    where = {"Bucket": bucket, "Key": key}
    how: dict[str, Any] = {"ContentType": kind or CONTENT_TYPES[key.rpartition(".")[2]]}
    if batch_id is not None:
        how["Metadata"] = {OF_BATCH: batch_id}
    pieces = _pieces(parts, piece_bytes)
    first = next(pieces, b"")
    if len(first) < piece_bytes:
        reply: dict[str, Any] = client.put_object(**where, Body=first, **how)
        return reply
    where["UploadId"] = client.create_multipart_upload(**where, **how)["UploadId"]
    try:
        made = upload_all(client, where, chain([first], pieces), at_once, at_once * piece_bytes)
        completed: dict[str, Any] = client.complete_multipart_upload(**where, MultipartUpload={"Parts": made})
    except BaseException:
        with suppress(Exception):  # what is left of it, the bucket deletes after a day
            client.abort_multipart_upload(**where)
        raise
    return completed


def upload_all(
    client: Any, where: dict[str, str], pieces: Iterable[bytes], at_once: int, most_bytes: int, first: int = 1
) -> list[dict[str, Any]]:
    """Send pieces as the parts of an upload from its `first` one on; gives them as CompleteMultipartUpload takes them.

    Args:
        client: of S3.
        where: the upload.
        pieces: their bytes.
        at_once: so many at the same time, and
        most_bytes: so many of them.
        first: number of the first.
    """
    if at_once == 1:
        return [_upload(client, where, *each) for each in enumerate(pieces, start=first)]
    from concurrent.futures import Future, ThreadPoolExecutor  # only large objects need it

    made: list[dict[str, Any]] = []
    sending: deque[Future[dict[str, Any]]] = deque()
    pool = ThreadPoolExecutor(at_once)
    try:
        for number, piece in enumerate(pieces, start=first):
            while sending and (len(sending) + 1) * len(piece) > most_bytes:  # none that is sent is larger
                made.append(sending.popleft().result())
            sending.append(pool.submit(_upload, client, where, number, piece))
        return [*made, *(each.result() for each in sending)]
    finally:
        pool.shutdown(cancel_futures=True)


def _upload(client: Any, where: dict[str, str], number: int, piece: bytes) -> dict[str, Any]:
    reply = client.upload_part(**where, PartNumber=number, Body=piece)
    return {"PartNumber": number, "ETag": reply["ETag"], **checksums_of(reply)}


def checksums_of(part: dict[str, Any]) -> dict[str, Any]:
    """Those that the client added to a piece: they have to be said again at the end (Amazon S3 API, CompletedPart)."""
    return {name: value for name, value in part.items() if name.startswith("Checksum") and name != "ChecksumType"}


def piece_size(number: int, first_bytes: int = PIECE_BYTES) -> int:
    """Bytes of a piece by its number, from 0: the later they come, the larger they are."""
    return first_bytes * (1 + number // GROWS_EVERY)


def etag_of(reply: Any) -> str:
    """Without its quotes, as events tell it."""
    return str(reply["ETag"]).strip('"')


def _pieces(parts: Iterable[bytes], first_bytes: int) -> Iterator[bytes]:
    """The same bytes in pieces; the last may be smaller."""
    kept, number = bytearray(), 0
    for part in parts:
        kept += part
        while len(kept) >= (size := piece_size(number, first_bytes)):
            with memoryview(kept) as seen:
                piece = bytes(seen[:size])
            del kept[:size]
            yield piece
            number += 1
    if kept:
        yield bytes(kept)
