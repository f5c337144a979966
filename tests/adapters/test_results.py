"""The results of shards, and the file made of them: fake and adapter keep the same promises, in bounded memory."""

import io
import tracemalloc
from collections.abc import Iterable, Iterator
from threading import Lock
from time import sleep
from typing import Any

import pytest
from broker.batches.ports import Results
from broker.batches.results.pieces import Source
from broker.cloud.buckets import PIECE_BYTES
from broker.cloud.result_file import WRITES_AT_ONCE, ResultFile
from broker.cloud.results import AHEAD, READ_BYTES, OutboxResults, ResultObjects
from broker.errors import Unavailable

from tests.adapters.conftest import BUCKET, Client
from tests.fakes.batches import FakeResults

BATCH, OTHER = "batch_1", "batch_2"


@pytest.fixture(params=["fake", "s3"])
def results(request: pytest.FixtureRequest, client: Client) -> Results:
    if request.param == "fake":
        return FakeResults()
    client("s3").create_bucket(Bucket=BUCKET)
    return ResultObjects(lambda: client("s3"), BUCKET)


def whole(results: Results, shards: int, kind: Any = "output", batch_id: str = BATCH) -> bytes:
    return b"".join(part for _, part in results.parts(batch_id, shards, kind))


def source_of(parts: Iterable[bytes], lines: int = 0) -> Source:
    """What a file is made of, from what comes of one shard."""

    class Given(FakeResults):
        def parts(self, *_: Any, **__: Any) -> Iterator[tuple[int, bytes]]:
            return ((0, part) for part in parts)

    return Source(Given(), BATCH, 1, "output", lines)


def test_parts_come_in_the_order_of_the_shards_whatever_was_kept_first(results: Results) -> None:
    for shard in (3, 0, 40, 7):
        results.keep(BATCH, shard, "output", [b"%d" % shard, b"\n"])
    results.keep(BATCH, 3, "errors", [b"wrong\n"])
    results.keep(OTHER, 1, "output", [b"another's\n"])
    assert whole(results, 41) == b"0\n3\n7\n40\n"
    assert whole(results, 41, "errors") == b"wrong\n"
    assert whole(results, 4) == b"0\n3\n"
    assert whole(results, 0) == b""


def test_what_is_kept_again_stands_for_what_was_there_and_nothing_for_nothing(results: Results) -> None:
    results.keep(BATCH, 0, "output", [b"old\n" * 1_000])
    results.keep(BATCH, 0, "output", [b"new\n"])
    assert whole(results, 1) == b"new\n"
    results.keep(BATCH, 0, "output", [])
    assert whole(results, 1) == b""
    results.keep(BATCH, 0, "output", iter(()))
    assert whole(results, 1) == b""


def test_results_that_are_larger_than_what_is_read_at_once_come_whole(results: Results) -> None:
    large = b"".join(b"%07d\n" % number for number in range(3 * READ_BYTES // 8 + 5))
    results.keep(BATCH, 0, "output", [b"first\n"])
    results.keep(BATCH, 1, "output", [large[:100], large[100:]])
    results.keep(BATCH, 2, "output", [b"x" * (READ_BYTES - 1) + b"\n"])
    results.keep(BATCH, 3, "output", [b"last\n"])
    assert whole(results, 4) == b"first\n" + large + b"x" * (READ_BYTES - 1) + b"\n" + b"last\n"


def test_what_is_forgotten_is_gone_and_another_batch_stays(results: Results) -> None:
    for batch_id in (BATCH, OTHER):
        for shard in range(3):
            results.keep(batch_id, shard, "output", [b"a\n"])
            results.keep(batch_id, shard, "errors", [b"b\n"])
    results.forget(BATCH, 3)
    results.forget(BATCH, 3)
    results.forget(BATCH, 0)
    assert whole(results, 3) == whole(results, 3, "errors") == b""
    assert whole(results, 3, batch_id=OTHER) == b"a\n" * 3


def test_where_making_the_parts_fails_nothing_is_kept(client: Client) -> None:
    client("s3").create_bucket(Bucket=BUCKET)
    results = ResultObjects(lambda: client("s3"), BUCKET)

    def parts() -> Iterator[bytes]:
        yield b"a" * (2 * PIECE_BYTES)
        raise ValueError("in the middle")

    for write in (
        lambda: results.keep(BATCH, 0, "output", parts()),
        lambda: ResultFile(lambda: client("s3"))(BUCKET, "file", source_of(parts()), BATCH),
    ):
        with pytest.raises(ValueError, match="in the middle"):
            write()
    assert client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    assert "Uploads" not in client("s3").list_multipart_uploads(Bucket=BUCKET)


def test_only_rows_that_were_written_for_the_batch_are_deleted_with_it(client: Client) -> None:
    s3 = client("s3")
    for bucket in (BUCKET, "inbox"):
        s3.create_bucket(Bucket=bucket)
        for key in (f"batches/{BATCH}/rows.jsonl", f"batches/{OTHER}/rows.jsonl", "files/acme/file-1"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    places = [
        {"bucket": bucket, "key": key}
        for bucket in (BUCKET, "inbox")
        for key in (f"batches/{BATCH}/rows.jsonl", f"batches/{OTHER}/rows.jsonl", "files/acme/file-1")
    ]
    ResultObjects(lambda: s3, BUCKET).forget_rows(BATCH, [*places, {}])
    left = {each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert left == {f"batches/{OTHER}/rows.jsonl", "files/acme/file-1"}
    assert s3.list_objects_v2(Bucket="inbox")["KeyCount"] == 3


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, 5 * PIECE_BYTES + 3])
def test_a_file_of_any_size_is_written_whole_and_in_order(client: Client, size: int) -> None:
    client("s3").create_bucket(Bucket=BUCKET)
    data = bytes(number * 31 % 251 for number in range(1_000)) * (size // 1_000 + 1)
    parts = (data[start : min(start + 777_777, size)] for start in range(0, size, 777_777))
    source = source_of(parts, data[:size].count(b"\n"))
    ResultFile(lambda: client("s3"))(BUCKET, "files/acme/file-1", source, BATCH)
    reply = client("s3").get_object(Bucket=BUCKET, Key="files/acme/file-1")
    assert reply["Body"].read() == data[:size]
    assert reply["ContentType"] == "application/x-ndjson"


class Sink:
    """S3 of which every shard's results are of one size, and which keeps nothing of what is written."""

    def __init__(self, bytes_each: int) -> None:
        self.each = bytes_each
        self.uploaded: dict[int, int] = {}
        self.under_way = self.most_under_way = 0
        self._lock = Lock()

    def get_object(self, Bucket: str, Key: str, Range: str) -> dict[str, Any]:
        begin, end = (int(each) for each in Range.removeprefix("bytes=").split("-"))
        body = b"x" * (min(end + 1, self.each) - begin)
        return {"Body": io.BytesIO(body), "ContentRange": f"bytes {begin}-{end}/{self.each}"}

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"UploadId": "u"}

    def upload_part(self, PartNumber: int, Body: bytes, **_: Any) -> dict[str, str]:
        with self._lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        sleep(0.002)
        with self._lock:
            self.under_way -= 1
            self.uploaded[PartNumber] = len(Body)
        return {"ETag": str(PartNumber)}

    def complete_multipart_upload(self, MultipartUpload: dict[str, Any], **_: Any) -> dict[str, str]:
        self.parts = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        return {}


MOST_BYTES = AHEAD * READ_BYTES + (WRITES_AT_ONCE + 4) * PIECE_BYTES


@pytest.mark.parametrize(("shards", "each"), [(200, 1_000_000), (4, 50_000_000)], ids=["of small", "of large"])
def test_two_hundred_megabytes_go_through_bounded_memory_several_pieces_at_a_time(shards: int, each: int) -> None:
    sink = Sink(each)
    tracemalloc.start()
    source = Source(ResultObjects(lambda: sink, BUCKET), BATCH, shards, "output", 0)
    ResultFile(lambda: sink)(BUCKET, "files/acme/file-1", source, BATCH)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sink.uploaded.values()) == shards * each
    assert sink.parts == sorted(sink.uploaded)
    assert 1 < sink.most_under_way <= WRITES_AT_ONCE
    assert peak <= MOST_BYTES, f"{peak / 1e6:.0f} MB"


def test_what_s3_did_not_delete_is_not_taken_for_deleted() -> None:
    class Busy:
        def delete_objects(self, **asked: Any) -> dict[str, Any]:
            (first, *_) = asked["Delete"]["Objects"]
            return {"Errors": [{"Key": first["Key"], "Code": "SlowDown", "Message": "Reduce your rate."}]}

    results = ResultObjects(lambda: Busy(), BUCKET)
    with pytest.raises(Unavailable):
        results.forget(BATCH, 3)
    with pytest.raises(Unavailable):
        results.forget_rows(BATCH, [{"bucket": BUCKET, "key": f"batches/{BATCH}/rows.jsonl"}])


@pytest.mark.parametrize("size", [10, PIECE_BYTES + 10], ids=["in one piece", "in several"])
def test_a_result_that_another_batch_wrote_over_is_neither_given_out_nor_deleted(client: Client, size: int) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="outbox")
    results, write = OutboxResults(lambda: s3, "outbox"), ResultFile(lambda: s3)
    assert results.link(BATCH, "acme/a.results.jsonl") is None, "it is not there"
    results.delete(BATCH, "acme/a.results.jsonl")
    write("outbox", "acme/a.results.jsonl", source_of([b"a" * size]), BATCH)
    assert "acme/a.results.jsonl" in (results.link(BATCH, "acme/a.results.jsonl") or "")
    write("outbox", "acme/a.results.jsonl", source_of([b"b" * size]), OTHER)
    assert results.link(BATCH, "acme/a.results.jsonl") is None
    results.delete(BATCH, "acme/a.results.jsonl")
    assert s3.get_object(Bucket="outbox", Key="acme/a.results.jsonl")["Body"].read() == b"b" * size
    results.delete(OTHER, "acme/a.results.jsonl")
    assert s3.list_objects_v2(Bucket="outbox")["KeyCount"] == 0
