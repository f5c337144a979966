"""Uploads whose calls come twice, and at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from broker.errors import InvalidRequest
from broker.files.record import Stored
from broker.files.uploading import Uploads, upload_id_of

from tests.fakes.file_bucket import FakeFileBucket
from tests.unit.files_case import NOW, Shelf


@dataclass(slots=True)
class BusyBucket(FakeFileBucket):
    """A bucket in which others work while parts are joined."""

    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def join(self, key: str, sources: Sequence[str], time_left: Callable[[], bool]) -> tuple[Stored, str]:
        """See `FileBucket.join`."""
        if self.meanwhile:
            self.meanwhile.pop()()
        return FakeFileBucket.join(self, key, sources, time_left)


@pytest.fixture
def bucket() -> BusyBucket:
    return BusyBucket()


@pytest.fixture
def uploads(bucket: BusyBucket) -> Uploads:
    return Uploads(Shelf(bucket=bucket).files())


def begun(uploads: Uploads, data: bytes) -> tuple[str, list[str]]:
    """An upload with a part for each byte."""
    record = uploads.begin(Shelf().new(data), NOW)
    upload = upload_id_of(record)
    return upload, [uploads.add("acme", upload, data[place : place + 1], NOW) for place in range(len(data))]


def test_a_completion_that_is_repeated_while_it_is_under_way_is_one(uploads: Uploads, bucket: BusyBucket) -> None:
    upload, parts = begun(uploads, b"abc")
    bucket.meanwhile = [lambda: uploads.complete("acme", upload, parts, None, NOW)]
    done = uploads.complete("acme", upload, parts, None, NOW)
    assert done.status == "processed"
    assert bucket.objects == {done.key: b"abc"}


def test_a_completion_with_other_parts_that_comes_too_late_takes_nothing_away(
    uploads: Uploads, bucket: BusyBucket
) -> None:
    upload, parts = begun(uploads, b"abc")
    bucket.meanwhile = [lambda: uploads.complete("acme", upload, parts, None, NOW)]
    done = uploads.complete("acme", upload, parts[:2], None, NOW)
    assert (done.status, bucket.objects) == ("processed", {done.key: b"abc"})


def test_a_completion_that_fails_alone_leaves_all_as_it_was(uploads: Uploads, bucket: BusyBucket) -> None:
    upload, parts = begun(uploads, b"abc")
    with pytest.raises(InvalidRequest):
        uploads.complete("acme", upload, parts[:2], None, NOW)
    assert uploads.complete("acme", upload, parts, None, NOW).status == "processed"


def test_a_part_that_comes_again_under_its_id_counts_once(uploads: Uploads) -> None:
    upload = upload_id_of(uploads.begin(Shelf().new(b"ab"), NOW))
    for _ in range(9):
        assert uploads.add("acme", upload, b"ab", NOW, "part_1") == "part_1"
    assert uploads.find("acme", upload, NOW).received == 2
