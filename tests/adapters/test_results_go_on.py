"""A file of results that takes longer than an invocation has time: fake and S3 go on with what was written."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError
from broker.batches.results.assembling import WriteFile
from broker.batches.results.pieces import Source
from broker.cloud.result_file import ResultFile
from broker.cloud.results import ResultObjects

from tests.adapters.conftest import BUCKET, Client
from tests.fakes.batch_flow import FakeResultFiles
from tests.fakes.batches import FakeResults

BATCH, KEY = "batch_1", "acme/a.results.jsonl"

PIECE = 52_429
"""Bytes; S3 takes a hundred times as many at least."""

EACH = 300

ROWS = b"".join(b"%099d\n" % number for number in range(EACH))
"""30 kB: a shard's, so that pieces end within shards."""

SHARDS = 9


class Counting:
    """S3, with what was asked of it counted, and one request refused."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked: list[str] = []
        self.refuse_part = 0
        self.lose_reply = False

    def __getattr__(self, name: str) -> Any:
        known = getattr(self._client, name)
        if name in ("exceptions", "meta"):
            return known

        def ask(**what: Any) -> Any:
            self.asked.append(name)
            if name == "upload_part" and what["PartNumber"] == self.refuse_part:
                raise ConnectionError("the function was ended")
            try:
                reply = known(**what)
            except KeyError:  # moto's word for it
                raise ClientError({"Error": {"Code": "NoSuchUpload", "Message": "It is gone."}}, name) from None
            if name == "complete_multipart_upload" and self.lose_reply:
                raise ConnectionError("the reply was lost")
            return reply

        return ask


class Written(Protocol):
    """What a file has in the end."""

    def __call__(self) -> bytes: ...


def results_of(shards: int = SHARDS) -> FakeResults:
    kept = FakeResults()
    for shard in range(shards):
        kept.keep(BATCH, shard, "output", [ROWS.replace(b"0" * 8, b"%08d" % shard)])
    return kept


def source_of(results: Any = None, shards: int = SHARDS) -> Source:
    return Source(results or results_of(shards), BATCH, shards, "output", shards * EACH)


WHOLE = b"".join(part for _, part in results_of().parts(BATCH, SHARDS, "output"))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", PIECE)


@pytest.fixture(params=["fake", "s3"])
def file(request: pytest.FixtureRequest, client: Client) -> tuple[WriteFile, Written, Callable[[], int]]:
    """What writes, what was written, and how many parts were sent."""
    if request.param == "fake":
        files = FakeResultFiles(piece_bytes=PIECE)
        return files, lambda: files.objects[BUCKET, KEY], lambda: files.sent
    s3 = Counting(client("s3"))
    s3.create_bucket(Bucket=BUCKET)
    write = ResultFile(lambda: s3, lambda number: PIECE)
    return write, lambda: read(s3), lambda: s3.asked.count("upload_part")


@pytest.fixture
def s3(client: Client) -> Counting:
    found = Counting(client("s3"))
    found.create_bucket(Bucket=BUCKET)
    return found


def read(s3: Any) -> bytes:
    return bytes(s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read())


def after(pieces: int) -> Callable[[], bool]:
    """Time for so many pieces."""
    left: Iterator[bool] = iter([True] * (pieces - 1))
    return lambda: next(left, False)


def test_each_invocation_goes_on_where_the_last_one_stopped(file: Any) -> None:
    write, written, sent = file
    so_far, rounds = None, 0
    while True:
        so_far = write(BUCKET, KEY, source_of(), BATCH, so_far, after(2))
        rounds += 1
        if so_far is None:
            break
        assert len(repr(so_far)) < 1_000, "it stands in the batch's record"
    assert written() == WHOLE
    assert rounds == 4, "the last only says that it is whole"
    assert sent() == -(-len(WHOLE) // PIECE), "nothing is sent twice"


def test_two_that_go_on_with_the_same_file_write_the_same(file: Any) -> None:
    write, written, _ = file
    so_far = write(BUCKET, KEY, source_of(), BATCH, None, after(2))
    further = write(BUCKET, KEY, source_of(), BATCH, so_far, after(1))
    assert write(BUCKET, KEY, source_of(), BATCH, so_far) is None
    assert written() == WHOLE
    assert write(BUCKET, KEY, source_of(), BATCH, further) is None
    assert written() == WHOLE


def test_results_are_read_from_a_place_within_a_shard_and_from_its_end(s3: Counting) -> None:
    kept, results = results_of(3), ResultObjects(lambda: s3, BUCKET)
    for shard in (0, 2):
        results.keep(BATCH, shard, "output", [kept.kept[BATCH, shard, "output"]])
    del kept.kept[BATCH, 1, "output"]
    for since in ((0, 0), (0, 17), (0, len(ROWS)), (1, 0), (2, 20_000), (2, len(ROWS)), (3, 0)):
        found = [b"".join(part for _, part in each.parts(BATCH, 3, "output", since)) for each in (results, kept)]
        assert found[0] == found[1]
        shards = {shard for shard, _ in results.parts(BATCH, 3, "output", since)}
        assert shards == {shard for shard, _ in kept.parts(BATCH, 3, "output", since)}


def test_one_that_is_ended_midway_goes_on_from_what_was_kept(s3: Counting) -> None:
    write = ResultFile(lambda: s3, lambda number: PIECE)
    so_far = write(BUCKET, KEY, source_of(), BATCH, None, after(2))
    s3.refuse_part = 5
    with pytest.raises(ConnectionError):
        write(BUCKET, KEY, source_of(), BATCH, so_far)
    s3.refuse_part = 0
    s3.asked.clear()
    assert write(BUCKET, KEY, source_of(), BATCH, so_far) is None
    assert read(s3) == WHOLE
    assert "create_multipart_upload" not in s3.asked
    assert s3.asked.count("upload_part") == -(-len(WHOLE) // PIECE) - 2


def test_one_whose_last_reply_was_lost_is_not_written_anew(s3: Counting) -> None:
    write = ResultFile(lambda: s3, lambda number: PIECE)
    so_far = write(BUCKET, KEY, source_of(), BATCH, None, after(5))
    s3.lose_reply = True
    with pytest.raises(ConnectionError):
        write(BUCKET, KEY, source_of(), BATCH, so_far)
    s3.asked.clear()
    assert write(BUCKET, KEY, source_of(), BATCH, so_far) is None
    assert "create_multipart_upload" not in s3.asked
    assert read(s3) == WHOLE


@pytest.mark.parametrize("by_other", [False, True], ids=["none is there", "another batch's is there"])
def test_one_whose_parts_are_gone_is_begun_anew(s3: Counting, by_other: bool) -> None:
    write = ResultFile(lambda: s3, lambda number: PIECE)
    so_far = write(BUCKET, KEY, source_of(), BATCH, None, after(2))
    s3.abort_multipart_upload(Bucket=BUCKET, Key=KEY, UploadId=(so_far or {})["id"])
    if by_other:
        write(BUCKET, KEY, source_of(results_of(4), 4), "batch_2")
    assert write(BUCKET, KEY, source_of(), BATCH, so_far) is None
    assert read(s3) == WHOLE
    assert s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"]["batch"] == BATCH


def test_a_fault_of_s3_is_not_taken_for_parts_that_are_gone(s3: Counting) -> None:
    write = ResultFile(lambda: s3, lambda number: PIECE)
    so_far = write(BUCKET, KEY, source_of(), BATCH, None, after(2))

    def busy(**what: Any) -> Any:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "Reduce your rate."}}, "UploadPart")

    s3.upload_part = busy
    with pytest.raises(ClientError, match="SlowDown"):
        write(BUCKET, KEY, source_of(), BATCH, so_far)
    del s3.upload_part
    assert write(BUCKET, KEY, source_of(), BATCH, so_far) is None
    assert read(s3) == WHOLE
