"""What is known of files of rows before they are read: an object by its newest version, or that there is none."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from broker.batches.asking.submitting import Found
from broker.cloud.row_files import RowFiles
from broker.cloud.rows import RowObjects
from broker.files.record import FileRecord

from tests.adapters.conftest import Client

KEY = "acme/Grüße an alle+1.jsonl"


def no_files(*_: Any) -> FileRecord:
    raise AssertionError("nobody asked for a file")


def test_an_object_is_found_in_its_newest_version_which_is_what_is_read(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="inbox")
    s3.put_bucket_versioning(Bucket="inbox", VersioningConfiguration={"Status": "Enabled"})
    for data in (b"old\n", b"newest\n"):
        s3.put_object(Bucket="inbox", Key=KEY, Body=data)
    found = RowFiles(s3, no_files).object("inbox", KEY)
    assert found is not None
    assert (found.bytes, found.bucket, found.key) == (7, "inbox", KEY)
    s3.put_object(Bucket="inbox", Key=KEY, Body=b"later\n")
    assert list(RowObjects(s3, "payloads").lines(found.source)) == [b"newest\n"]


def test_of_what_is_not_there_or_was_deleted_nothing_is_found(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="inbox")
    s3.put_bucket_versioning(Bucket="inbox", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="inbox", Key=KEY, Body=b"x")
    s3.delete_object(Bucket="inbox", Key=KEY)
    assert RowFiles(s3, no_files).object("inbox", KEY) is None
    assert RowFiles(s3, no_files).object("inbox", "acme/none") is None


@pytest.mark.parametrize(("code", "is_known"), [("403", True), ("404", True), ("503", False)])
def test_what_s3_will_not_tell_now_is_no_answer(client: Client, code: str, is_known: bool) -> None:
    s3 = client("s3")
    with Stubber(s3) as stub:
        stub.add_client_error("head_object", code, http_status_code=int(code))
        if is_known:
            assert RowFiles(s3, no_files).object("inbox", KEY) is None
        else:
            with pytest.raises(ClientError):
                RowFiles(s3, no_files).object("inbox", KEY)


def test_an_uploaded_file_is_what_its_record_says() -> None:
    known = FileRecord("file-1", "acme", "rows.jsonl", "batch", 12, "payloads", "files/acme/file-1", 0, 9, etag="e")
    asked: list[Any] = []

    def open_file(*arguments: Any) -> FileRecord:
        asked.append(arguments)
        return known

    found = RowFiles(None, open_file).file("acme", "file-1", 5)
    assert found == Found("payloads", "files/acme/file-1", "e", None, 12)
    assert asked == [("acme", "file-1", 5, "input_file_id")]
