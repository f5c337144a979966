"""The bucket of files: the fake and the adapter keep the same promises."""

import hashlib
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from botocore.config import Config
from botocore.session import get_session
from broker.cloud.buckets import PIECE_BYTES
from broker.cloud.file_bucket import FileObjects
from broker.errors import InvalidRequest, Unavailable
from broker.files.record import FileBucket

from tests.fakes.file_bucket import LEAST_PART, FakeFileBucket

BUCKET, KEY = "payloads", "files/acme/file-1"


class Place(FileBucket, Protocol):
    """A bucket to which a test also puts parts, as a client does."""

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> None: ...


class S3(FileObjects):
    """The adapter, with a bucket of its own."""

    def __init__(self, client: Any) -> None:
        client.create_bucket(Bucket=BUCKET)
        super().__init__(BUCKET, lambda: client)
        self.client = client

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> None:
        self.client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=data)


@pytest.fixture(params=["fake", "s3"])
def bucket(request: pytest.FixtureRequest) -> Place:
    return FakeFileBucket() if request.param == "fake" else S3(request.getfixturevalue("client")("s3"))


def always() -> bool:
    return True


def test_looks_at_what_was_put_and_finds_nothing_else(bucket: Place) -> None:
    assert bucket.look(KEY) is None
    etag = bucket.put(KEY, b"\0\xff one")
    seen = bucket.look(KEY)
    assert seen is not None and (seen.bytes, seen.etag) == (6, etag)
    assert '"' not in etag
    assert bucket.put(KEY, b"two") != etag


def test_reads_what_was_put(bucket: Place) -> None:
    assert bucket.read(KEY) is None
    bucket.put(KEY, b"\0\xff one")
    assert bucket.read(KEY) == b"\0\xff one"


def test_deletes_what_is_there_and_what_is_not(bucket: Place) -> None:
    keys = [f"{KEY}/{number}" for number in range(3)]
    for key in keys:
        bucket.put(key, b"x")
    bucket.delete([*keys[:2], f"{KEY}/none"])
    assert [bucket.look(key) is None for key in keys] == [True, True, False]
    bucket.delete([])
    bucket.delete(f"{KEY}/{number}" for number in range(1500))
    assert bucket.look(keys[2]) is None


@pytest.mark.parametrize("sizes", [[3], [0, 3, 1], [PIECE_BYTES - 1, 2], [4_500_000] * 5])
def test_joins_parts_of_any_size_in_order(bucket: Place, sizes: list[int]) -> None:
    parts = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    sources = [f"{KEY}/{number}" for number in range(len(sizes))]
    for source, part in zip(sources, parts, strict=True):
        bucket.put(source, part)
    whole = b"".join(parts)
    stored, digest = bucket.join(KEY, sources, always)
    assert (stored.bytes, digest) == (len(whole), hashlib.md5(whole, usedforsecurity=False).hexdigest())
    seen = bucket.look(KEY)
    assert seen is not None and (seen.bytes, seen.etag) == (stored.bytes, stored.etag)
    again, _ = bucket.join(f"{KEY}-reverse", sources[::-1], always)
    assert again.bytes == len(whole)


def test_joins_nothing_where_a_part_is_missing_or_time_is(bucket: Place) -> None:
    bucket.put(f"{KEY}/1", b"x")
    with pytest.raises(InvalidRequest) as failure:
        bucket.join(KEY, [f"{KEY}/1", f"{KEY}/2"], always)
    assert (failure.value.code, failure.value.param) == ("no_such_part", "part_ids")
    with pytest.raises(Unavailable):
        bucket.join(KEY, [f"{KEY}/1"], lambda: False)
    assert bucket.look(KEY) is None


def test_makes_an_object_of_parts_that_were_put(bucket: Place) -> None:
    upload = bucket.start(KEY)
    assert bucket.parts(KEY, upload) == []
    bucket.put_part(KEY, upload, 2, b"end")
    bucket.put_part(KEY, upload, 1, b"x" * 9)
    bucket.put_part(KEY, upload, 1, b"y" * LEAST_PART)
    parts = bucket.parts(KEY, upload)
    assert [(part.number, part.bytes) for part in parts] == [(1, LEAST_PART), (2, 3)]
    bucket.finish(KEY, upload, parts)
    seen = bucket.look(KEY)
    assert seen is not None and seen.bytes == LEAST_PART + 3
    assert seen.sha256 is None or len(seen.sha256) == 64
    assert bucket.parts(KEY, upload) == []
    bucket.finish(KEY, upload, parts)
    bucket.abort(KEY, upload)
    assert bucket.look(KEY) == seen


def test_small_parts_are_not_taken_together(bucket: Place) -> None:
    upload = bucket.start(KEY)
    for number in (1, 2):
        bucket.put_part(KEY, upload, number, b"small")
    with pytest.raises(InvalidRequest) as failure:
        bucket.finish(KEY, upload, bucket.parts(KEY, upload))
    assert (failure.value.code, failure.value.param) == ("parts_not_joined", "bytes")
    bucket.abort(KEY, upload)
    assert bucket.parts(KEY, upload) == [] and bucket.look(KEY) is None


@pytest.fixture
def signed() -> FileObjects:
    """The adapter with a client that signs as functions do."""
    session = get_session()
    session.set_credentials("AKIA", "secret")
    client = session.create_client("s3", region_name="us-east-1", config=Config(signature_version="s3v4"))
    return FileObjects(BUCKET, lambda: client)


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_target_takes_what_was_told_and_nothing_over_what_is_there(signed: FileObjects) -> None:
    """S3 holds a request against each header that is signed."""
    digest = hashlib.sha256(b"one").hexdigest()
    target = signed.target(KEY, 3, digest, 60)
    held = set(asked(target.url)["X-Amz-SignedHeaders"].split(";"))
    assert held == {"host", "content-length", "if-none-match", "x-amz-checksum-sha256"}
    assert {name.lower() for name in target.headers} == held - {"host"}
    assert (target.headers["Content-Length"], target.headers["If-None-Match"]) == ("3", "*")
    assert "x-amz-checksum-sha256" not in signed.target(KEY, 3, None, 60).headers
    part = signed.part_target(KEY, "u-1", 7, LEAST_PART)
    assert set(asked(part.url)["X-Amz-SignedHeaders"].split(";")) == {"host", "content-length"}
    assert (asked(part.url)["partNumber"], asked(part.url)["uploadId"]) == ("7", "u-1")
    assert (asked(target.url)["X-Amz-Expires"], target.seconds) == ("60", 60)


@pytest.mark.parametrize("filename", ["rows.jsonl", 'a";\r\nx: y', "Zeilen ü / 1.jsonl", "'*%"])
def test_a_link_saves_a_file_under_its_name_whatever_that_is(signed: FileObjects, filename: str) -> None:
    url = signed.link(KEY, filename, 60)
    kind, _, name = asked(url)["response-content-disposition"].partition("; filename*=UTF-8''")
    assert (kind, unquote(name)) == ("attachment", filename)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~%"), "no way out of it"
    assert asked(url)["X-Amz-Expires"] == "60"


def test_what_could_not_be_deleted_is_told() -> None:
    class Stuck:
        def delete_objects(self, **request: Any) -> dict[str, Any]:
            return {"Errors": [{"Key": KEY, "Code": "InternalError"}]}

    with pytest.raises(Unavailable):
        FileObjects(BUCKET, Stuck).delete([KEY])
