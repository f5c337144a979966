"""The file of a batch's results; the adapter of `batches.results.assembling.WriteFile`.

A large one goes up in parts. What was sent stays with S3 when the time of an invocation is over, and the next goes on
from there: parts are the same whoever makes them, so two that go on with the same upload write the same object.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any
from uuid import uuid4

from broker.batches.results.pieces import BEGIN, Piece, Place, Source
from broker.cloud.buckets import OF_BATCH, checksums_of, piece_size, upload_all
from broker.errors import Unavailable

KIND = "application/x-ndjson"

WRITES_AT_ONCE = 4
"""Pieces of a file of results that are sent at the same time."""

OF_UPLOAD = "upload"
"""The metadata of a file by which is known by which upload it came, whose own id is not told any more then."""

NOT_THERE = {"404", "403"}
"""What S3 says of an object that is not there to HeadObject, the second to who may not list the bucket (Amazon S3 API
reference)."""


class _Stopped:
    """The pieces until time is over."""

    def __init__(self, pieces: Iterator[Piece], time_left: Callable[[], bool]) -> None:
        self._pieces, self._time_left = pieces, time_left
        self.sent = 0
        self.following = BEGIN
        self.is_late = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            yield piece.data
            self.sent, self.following = self.sent + 1, piece.following
            if not self._time_left():
                self.is_late = True
                return


class ResultFile:
    """Where the file of a batch's results goes."""

    def __init__(self, client: Callable[[], Any], size_of: Callable[[int], int] = piece_size) -> None:
        """`client` gives that of S3; `size_of` the bytes of a piece, by its number from 0."""
        self._client = client
        self._size_of = size_of

    def __call__(
        self,
        bucket: str,
        key: str,
        source: Source,
        batch_id: str,
        so_far: dict[str, Any] | None = None,
        time_left: Callable[[], bool] = lambda: True,
    ) -> dict[str, Any] | None:
        """See `WriteFile`; memory holds some pieces of it."""
        where = {"Bucket": bucket, "Key": key}
        if so_far is None:
            return self._begin(where, source, batch_id, time_left)
        client = self._client()
        try:
            return self._go_on(where | {"UploadId": so_far["id"]}, source, so_far, time_left)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchUpload":
                raise
        if self._is_whole(where, so_far["token"]):
            return None
        return self._begin(where, source, batch_id, time_left)  # it lay there for longer than the bucket keeps one

    def _begin(
        self, where: dict[str, str], source: Source, batch_id: str, time_left: Callable[[], bool]
    ) -> dict[str, Any] | None:
        client, token = self._client(), uuid4().hex
        how: dict[str, Any] = {"ContentType": KIND, "Metadata": {OF_BATCH: batch_id}}
        pieces = source.pieces(self._size_of)
        first = next(pieces, Piece(b"", BEGIN))
        if len(first.data) < self._size_of(0):
            client.put_object(**where, Body=first.data, **how)
            return None
        how["Metadata"][OF_UPLOAD] = token
        upload = where | {"UploadId": client.create_multipart_upload(**where, **how)["UploadId"]}
        try:
            return self._send(upload, chain([first], pieces), 0, token, time_left)
        except BaseException:
            with suppress(Exception):  # what is left of it, the bucket deletes after a day
                client.abort_multipart_upload(**upload)
            raise

    def _go_on(
        self, upload: dict[str, str], source: Source, so_far: dict[str, Any], time_left: Callable[[], bool]
    ) -> dict[str, Any] | None:
        sent: int = so_far["sent"]
        pieces = source.pieces(self._size_of, sent, Place.of(so_far["following"]))
        return self._send(upload, pieces, sent, so_far["token"], time_left)

    def _send(
        self, upload: dict[str, str], pieces: Iterator[Piece], sent: int, token: str, time_left: Callable[[], bool]
    ) -> dict[str, Any] | None:
        client, some = self._client(), _Stopped(pieces, time_left)
        made = upload_all(client, upload, some, WRITES_AT_ONCE, WRITES_AT_ONCE * self._size_of(0), first=sent + 1)
        if some.is_late:
            following = some.following._asdict()
            return {"id": upload["UploadId"], "token": token, "sent": sent + some.sent, "following": following}
        if sent:
            made = self._parts(upload, sent + some.sent)
        client.complete_multipart_upload(**upload, MultipartUpload={"Parts": made})
        return None

    def _parts(self, upload: dict[str, str], number: int) -> list[dict[str, Any]]:
        """All parts as S3 has them."""
        client, found = self._client(), list[dict[str, Any]]()
        more: dict[str, Any] = {}
        while True:
            reply = client.list_parts(**upload, **more)
            for each in reply.get("Parts", ()):
                found.append({"PartNumber": each["PartNumber"], "ETag": each["ETag"], **checksums_of(each)})
            if not reply.get("IsTruncated"):
                break
            more = {"PartNumberMarker": reply["NextPartNumberMarker"]}
        if [each["PartNumber"] for each in found] != list(range(1, number + 1)):
            message = f"Of {number} parts of a file of results there were {len(found)}."
            raise Unavailable(message, code="results_missing")
        return found

    def _is_whole(self, where: dict[str, str], token: str) -> bool:
        """True where another completed the upload, or this one did and the reply was lost."""
        client = self._client()
        try:
            reply = client.head_object(**where)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in NOT_THERE:
                raise
            return False
        return bool(reply["Metadata"].get(OF_UPLOAD) == token)
