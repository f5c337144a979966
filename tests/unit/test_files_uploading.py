"""Uploads: parts in any order and at once become one file, whole or not at all."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from broker.errors import BrokerError, Unavailable
from broker.files import uploading
from broker.files.record import AWAITED_MS, LATE_MS, FileRecord
from broker.files.uploading import MOST_JOINED, Uploads, upload_id_of

from tests.fakes.database import Crash
from tests.fakes.file_bucket import LEAST_PART
from tests.unit.files_case import HOUR, NOW, Shelf


@dataclass
class Desk:
    """Uploads of a broker in memory."""

    shelf: Shelf = field(default_factory=Shelf)

    def uploads(self) -> Uploads:
        return Uploads(self.shelf.files())

    def begun(self, size: int, tenant: str = "acme") -> str:
        new = self.shelf.new(b"", bytes=size, tenant=tenant)
        return upload_id_of(self.uploads().begin(new, NOW))

    def add(self, upload: str, data: bytes, *, tenant: str = "acme", now: int = NOW) -> str:
        return self.uploads().add(tenant, upload, data, now)

    def complete(self, upload: str, parts: list[str], md5: str | None = None, **options: Any) -> FileRecord:
        return self.uploads().complete("acme", upload, parts, md5, NOW, **options)

    def refused(self, what: str, *arguments: Any, **options: Any) -> BrokerError:
        with pytest.raises(BrokerError) as failure:
            (getattr(self, what, None) or getattr(self.uploads(), what))(*arguments, **options)
        return failure.value

    def put(self, upload: str, number: int, data: bytes) -> str:
        """Put a part to the bucket itself."""
        target = self.uploads().target("acme", upload, number, NOW)
        record = self.uploads().find("acme", upload, NOW)
        assert record.multipart and target.headers == {"content-length": str(len(data))}
        self.shelf.bucket.put_part(record.key, record.multipart, number, data)
        return f"part_{number}"


def test_parts_make_the_file_in_the_order_that_is_told() -> None:
    desk = Desk()
    upload = desk.begun(9)
    last, first = desk.add(upload, b"6789"), desk.add(upload, b"12345")
    assert desk.shelf.total() == (1, 9)
    md5 = hashlib.md5(b"123456789", usedforsecurity=False).hexdigest()
    made = desk.complete(upload, [first, last], md5.upper())
    assert (made.status, made.bytes, upload_id_of(made)) == ("processed", 9, upload)
    assert desk.shelf.files().open("acme", made.id, NOW) == made
    assert desk.shelf.bucket.objects == {made.key: b"123456789"}, "parts are not left behind"
    assert desk.complete(upload, [first, last]) == made, "a client that had no reply asks again"
    assert desk.shelf.total() == (1, 9)


def test_an_upload_is_no_file_before_it_is_complete() -> None:
    desk = Desk()
    upload = desk.begun(1)
    part = desk.add(upload, b"1")
    files = desk.shelf.files()
    assert files.list("acme", NOW, limit=9, oldest_first=True, purpose=None) == ([], False)
    with pytest.raises(BrokerError) as failure:
        files.open("acme", upload.replace("upload_", "file-"), NOW)
    assert failure.value.code == "file_not_uploaded"
    made = desk.complete(upload, [part])
    assert files.list("acme", NOW, limit=9, oldest_first=True, purpose=None) == ([made], False)


@pytest.mark.parametrize("told", [8, 10])
def test_another_size_than_was_told_is_no_file_and_nothing_is_lost(told: int) -> None:
    desk = Desk()
    upload = desk.begun(told)
    parts = [desk.add(upload, b"12345"), desk.add(upload, b"6789")]
    error = desk.refused("complete", upload, parts)
    assert (error.code, error.param) == ("file_differs", "part_ids")
    if told == 10:
        parts.append(desk.add(upload, b"0"))
        assert desk.complete(upload, parts).bytes == 10


def test_another_md5_is_refused_and_the_parts_stay() -> None:
    desk = Desk()
    upload = desk.begun(1)
    part = desk.add(upload, b"1")
    assert desk.refused("complete", upload, [part], "0" * 32).param == "md5"
    assert desk.complete(upload, [part]).bytes == 1


@pytest.mark.parametrize("parts", [["part_0"], ["../x"], ["part_1", "part_1"], ["PART_1"], ["part_" + "f" * 33]])
def test_parts_that_are_none_are_named(parts: list[str]) -> None:
    desk = Desk()
    upload = desk.begun(1)
    assert desk.refused("complete", upload, parts).param == "part_ids"


def test_another_tenants_parts_and_uploads_are_as_unknown_as_none() -> None:
    desk = Desk()
    mine, theirs = desk.begun(1), desk.begun(1, tenant="other")
    part = desk.add(mine, b"1")
    for call in (
        ("add", mine, b"x"),
        ("complete", "other", mine, [part], None, NOW),
        ("cancel", "other", mine, NOW),
        ("find", "other", mine, NOW),
        ("target", "other", mine, 1, NOW),
    ):
        uploads = desk.uploads()
        with pytest.raises(BrokerError) as failure:
            if call[0] == "add":
                desk.add(mine, b"x", tenant="other")
            else:
                getattr(uploads, str(call[0]))(*call[1:])
        assert (failure.value.status, failure.value.code) == (404, "no_such_upload")
    with pytest.raises(BrokerError) as failure:
        desk.uploads().complete("other", theirs, [part], None, NOW)
    assert failure.value.code == "no_such_part", "a part of another's upload is none of this one"
    assert desk.complete(mine, [part]).bytes == 1


@pytest.mark.parametrize("upload", ["file-1", "upload_", "upload_zz", "job_1", ""])
def test_what_is_no_upload_is_not_found(upload: str) -> None:
    assert Desk().refused("find", "acme", upload, NOW).status == 404


def test_a_plain_file_is_no_upload() -> None:
    desk = Desk()
    kept = desk.shelf.keep()
    assert desk.refused("find", "acme", kept.id.replace("file-", "upload_"), NOW).status == 404


def test_more_than_was_told_is_not_stored() -> None:
    desk = Desk()
    upload = desk.begun(4)
    desk.add(upload, b"1234")
    desk.add(upload, b"1234")  # sent again, for its reply was lost
    assert desk.refused("add", upload, b"1").code == "upload_full"
    assert sum(map(len, desk.shelf.bucket.objects.values())) == 8


def test_a_large_upload_is_sent_to_the_bucket_and_that_is_said() -> None:
    desk = Desk()
    upload = desk.begun(MOST_JOINED + 1)
    error = desk.refused("add", upload, b"x")
    assert (error.status, error.code) == (413, "upload_too_large") and '"number"' in error.message


@pytest.fixture
def parts_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "PART_BYTES", LEAST_PART)


def test_parts_that_were_put_to_the_bucket_make_the_file(parts_of_five: None) -> None:
    desk = Desk()
    upload = desk.begun(LEAST_PART + 3)
    parts = [desk.put(upload, 1, b"x" * LEAST_PART), desk.put(upload, 2, b"end")]
    assert [(each.number, each.bytes) for each in desk.uploads().parts(desk.uploads().find("acme", upload, NOW))] == [
        (1, LEAST_PART),
        (2, 3),
    ]
    assert desk.refused("complete", upload, parts[:1]).code == "file_differs"
    assert desk.refused("complete", upload, [*parts, "part_3"]).code == "no_such_part"
    assert desk.refused("complete", upload, parts, "0" * 32).param == "md5"
    made = desk.complete(upload, parts)
    assert desk.shelf.bucket.objects[made.key][-4:] == b"xend"
    assert desk.complete(upload, parts) == made


def test_all_parts_go_one_way() -> None:
    desk = Desk()
    through, direct = desk.begun(5), desk.begun(5)
    desk.add(through, b"1")
    assert desk.refused("target", "acme", through, 1, NOW).code == "mixed_parts"
    desk.put(direct, 1, b"12345")
    assert desk.refused("add", direct, b"1").code == "mixed_parts"


def test_parts_hold_no_more_together_than_was_told(parts_of_five: None) -> None:
    desk = Desk()
    upload = desk.begun(2 * LEAST_PART + 1)
    sizes = [desk.uploads().target("acme", upload, number, NOW).headers["content-length"] for number in (3, 1, 2)]
    assert sizes == ["1", str(LEAST_PART), str(LEAST_PART)]
    assert desk.refused("target", "acme", upload, 4, NOW).param == "number"
    whole = desk.begun(2 * LEAST_PART)
    assert desk.refused("target", "acme", whole, 3, NOW).param == "number"


def test_parts_that_nobody_completes_go_with_their_record() -> None:
    desk = Desk()
    upload = desk.begun(5)
    desk.put(upload, 1, b"12345")
    desk.shelf.clean(NOW + AWAITED_MS + LATE_MS)
    assert (desk.shelf.total(), desk.shelf.bucket.uploads) == ((0, 0), {})


def test_two_who_ask_at_once_where_to_put_parts_are_told_of_one_upload(parts_of_five: None) -> None:
    desk = Desk()
    upload = desk.begun(LEAST_PART + 1)
    desk.shelf.world.database.meanwhile = [lambda: desk.uploads().target("acme", upload, 2, NOW)]
    target = desk.uploads().target("acme", upload, 1, NOW)
    other = desk.uploads().target("acme", upload, 2, NOW)
    assert target.url.partition("&")[0] == other.url.partition("&")[0]
    assert len(desk.shelf.bucket.uploads) == 1, "the other one was given up"


def test_a_canceled_upload_is_gone_with_its_parts() -> None:
    desk = Desk()
    upload, direct = desk.begun(5), desk.begun(5)
    part = desk.add(upload, b"1")
    desk.put(direct, 1, b"12345")
    desk.uploads().cancel("acme", upload, NOW)
    desk.uploads().cancel("acme", direct, NOW)
    assert (desk.shelf.total(), desk.shelf.bucket.objects, desk.shelf.bucket.uploads) == ((0, 0), {}, {})
    for call in (("complete", upload, [part]), ("add", upload, b"1"), ("cancel", "acme", upload, NOW)):
        assert desk.refused(*call).status == 404


def test_a_complete_upload_is_not_canceled_and_takes_no_more() -> None:
    desk = Desk()
    upload = desk.begun(1)
    made = desk.complete(upload, [desk.add(upload, b"1")])
    assert desk.refused("cancel", "acme", upload, NOW).code == "upload_complete"
    assert desk.refused("add", upload, b"1").code == "upload_complete"
    assert desk.shelf.files().open("acme", made.id, NOW) == made


def test_an_upload_that_nobody_completes_goes_after_an_hour() -> None:
    desk = Desk()
    upload = desk.begun(5)
    desk.add(upload, b"1")
    assert desk.refused("find", "acme", upload, NOW + AWAITED_MS).status == 404
    desk.shelf.clean(NOW + AWAITED_MS + LATE_MS)
    assert (desk.shelf.total(), desk.shelf.bucket.objects) == ((0, 0), {})


def test_a_complete_file_outlives_the_notes_of_its_parts() -> None:
    desk = Desk()
    upload = desk.begun(2)
    made = desk.complete(upload, [desk.add(upload, b"1"), desk.add(upload, b"2")])
    desk.shelf.clean(NOW + 2 * HOUR)
    assert desk.shelf.files().open("acme", made.id, NOW + 2 * HOUR) == made
    assert desk.shelf.bucket.objects == {made.key: b"12"}


def test_where_time_is_short_nothing_is_lost() -> None:
    desk = Desk()
    upload = desk.begun(1)
    part = desk.add(upload, b"1")
    with pytest.raises(Unavailable):
        desk.complete(upload, [part], time_left=lambda: False)
    assert desk.complete(upload, [part]).bytes == 1


def test_whatever_stops_a_completion_a_repeat_ends_it() -> None:
    for writes in range(3):
        desk = Desk()
        upload = desk.begun(1)
        part = desk.add(upload, b"1")
        desk.shelf.world.database.crash_in = writes
        try:
            desk.complete(upload, [part])
        except Crash:
            pass
        desk.shelf.world.database.crash_in = None
        made = desk.complete(upload, [part])
        assert desk.shelf.bucket.objects[made.key] == b"1" and desk.shelf.total() == (1, 1)
