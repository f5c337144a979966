"""The results of shards of batches until they are put together; the adapter of `batches.ports.Results`.

batches/{batch id}/results/000017.output.jsonl
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from broker.batches.ports import ResultKind
from broker.cloud.buckets import GONE, OF_BATCH, write
from broker.cloud.objects import LINK_S
from broker.cloud.result_file import NOT_THERE
from broker.cloud.rows import PREFIX
from broker.errors import Unavailable

if TYPE_CHECKING:
    from concurrent.futures import Future

KINDS: tuple[ResultKind, ...] = ("output", "errors")

READ_BYTES = 1 << 20
"""Of an object that are read at once. The results of most shards are less."""

AHEAD = 12
"""Objects whose beginnings are read while others are passed on: a request is some ten milliseconds of waiting."""

PAST = {"InvalidRange", "416"}
"""What S3 says of a range that begins where the object ends."""

MOST_DELETES = 1000
"""Of one DeleteObjects."""


class ResultObjects:
    """Results in S3."""

    def __init__(self, client: Callable[[], Any], bucket: str) -> None:
        """`client` gives the client, so that none is made before it is needed."""
        self._client = client
        self._bucket = bucket

    def keep(self, batch_id: str, shard: int, kind: ResultKind, parts: Iterable[bytes]) -> None:
        """See `Results.keep`."""
        key = _key(batch_id, shard, kind)
        found = iter(parts)
        first = next(found, None)
        if first is None:
            self._client().delete_object(Bucket=self._bucket, Key=key)  # of a time before, when some jobs were there
        else:
            write(self._client(), self._bucket, key, _with(first, found))

    def parts(
        self, batch_id: str, shards: int, kind: ResultKind, since: tuple[int, int] = (0, 0)
    ) -> Iterator[tuple[int, bytes]]:
        """See `Results.parts`."""
        from concurrent.futures import ThreadPoolExecutor

        numbers = iter(range(since[0], shards))
        pool = ThreadPoolExecutor(AHEAD)
        reading: deque[tuple[int, int, Future[tuple[bytes, int]]]] = deque()
        try:
            while True:
                for shard in islice(numbers, AHEAD - len(reading)):
                    begin = since[1] if shard == since[0] else 0
                    reading.append((shard, begin, pool.submit(self._read, _key(batch_id, shard, kind), begin)))
                if not reading:
                    return
                shard, begin, begun = reading.popleft()
                for piece in self._whole(_key(batch_id, shard, kind), begin, *begun.result()):
                    yield shard, piece
        finally:
            pool.shutdown(cancel_futures=True)

    def _whole(self, key: str, done: int, piece: bytes, size: int) -> Iterator[bytes]:
        while piece:
            yield piece
            done += len(piece)
            piece = self._read(key, done)[0] if done < size else b""

    def _read(self, key: str, begin: int) -> tuple[bytes, int]:
        """A part of an object and the size of all of it; nothing of one that is not there, or of what is behind it."""
        client = self._client()
        part = f"bytes={begin}-{begin + READ_BYTES - 1}"
        try:
            reply = client.get_object(Bucket=self._bucket, Key=key, Range=part)
        except client.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in (PAST if begin else GONE):
                raise
            return b"", 0
        return reply["Body"].read(), int(reply["ContentRange"].rpartition("/")[2])

    def forget(self, batch_id: str, shards: int) -> None:
        """See `Results.forget`."""
        self._delete([_key(batch_id, shard, kind) for shard in range(shards) for kind in KINDS])

    def forget_rows(self, batch_id: str, places: Iterable[dict[str, Any]]) -> None:
        """See `Results.forget_rows`."""
        ours = {place["key"] for place in places if place.get("bucket") == self._bucket}
        self._delete([key for key in sorted(ours) if key.startswith(f"{PREFIX}{batch_id}/")])

    def _delete(self, keys: list[str]) -> None:
        for first in range(0, len(keys), MOST_DELETES):
            objects = [{"Key": key} for key in keys[first : first + MOST_DELETES]]
            reply = self._client().delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
            if reply.get("Errors"):
                raise Unavailable("Not all could be deleted; try again.", code="not_deleted", retry_after=2)


class OutboxResults:
    """Results in the outbox, each as long as it is that of its batch: another may have written over it by its name."""

    def __init__(self, client: Callable[[], Any], bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def link(self, batch_id: str, key: str) -> str | None:
        """Where anyone may read it for a quarter of an hour; None where it is not there any more."""
        what = {"Bucket": self._bucket, "Key": key}
        if not self._is_of(batch_id, what):
            return None
        return str(self._client().generate_presigned_url("get_object", Params=what, ExpiresIn=LINK_S))

    def delete(self, batch_id: str, key: str) -> None:
        """Delete it; may be repeated."""
        what = {"Bucket": self._bucket, "Key": key}
        if self._is_of(batch_id, what):
            self._client().delete_object(**what)

    def _is_of(self, batch_id: str, what: dict[str, str]) -> bool:
        client = self._client()
        try:
            reply = client.head_object(**what)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in NOT_THERE:
                raise
            return False
        return bool(reply["Metadata"].get(OF_BATCH) == batch_id)


def _key(batch_id: str, shard: int, kind: ResultKind) -> str:
    return f"{PREFIX}{batch_id}/results/{shard:06}.{kind}.jsonl"


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
