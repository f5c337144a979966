"""What a request points to: only the tenant's own, and nothing that is too large."""

import base64
from typing import Any

import pytest
from broker.cloud.media import MOST_BYTES, JobMedia
from broker.cloud.payloads import PayloadStore
from broker.errors import InvalidRequest
from broker.providers.wire.base import Blob

from tests.adapters.conftest import BUCKET
from tests.fakes.world import JOB_ID, a_head

INBOX = "inbox"
DATA = {"data": base64.b64encode(b"hello").decode(), "media_type": "text/plain"}


@pytest.fixture
def media(store: PayloadStore, bucket: Any) -> JobMedia:
    bucket.create_bucket(Bucket=INBOX)
    bucket.put_object(Bucket=INBOX, Key="acme/a.png", Body=b"png", ContentType="image/png")
    bucket.put_object(Bucket=INBOX, Key="other/b.png", Body=b"png")
    return JobMedia(a_head(), "acme", INBOX, store, BUCKET, lambda: bucket)


def test_reads_bytes_of_the_request_and_objects_of_the_inbox(media: JobMedia) -> None:
    assert media.read(DATA) == Blob(b"hello", "text/plain")
    assert media.read({"s3": "s3://inbox/acme/a.png"}) == Blob(b"png", "image/png")
    reference = {"s3": "s3://inbox/acme/a.png", "media_type": "image/webp"}
    assert media.read(reference).media_type == "image/webp"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("s3://inbox/other/b.png", "file_not_yours"),
        (f"s3://{BUCKET}/acme/a.png", "file_not_yours"),
        ("s3://inbox/acme", "file_not_yours"),
        ("s3://inbox/acme/none.png", "file_gone"),
    ],
)
def test_what_is_not_there_or_not_the_tenants_own_is_named(media: JobMedia, address: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        media.read({"s3": address})
    assert (failure.value.code, failure.value.param) == (code, "input.file.s3")


def test_what_is_too_large_is_not_read(media: JobMedia, bucket: Any) -> None:
    bucket.put_object(Bucket=INBOX, Key="acme/big", Body=bytes(MOST_BYTES + 1))
    with pytest.raises(InvalidRequest) as failure:
        media.read({"s3": "s3://inbox/acme/big"})
    assert failure.value.code == "file_too_large"


def test_what_is_no_base64_is_named(media: JobMedia) -> None:
    with pytest.raises(InvalidRequest) as failure:
        media.read({"data": "abcde", "media_type": "text/plain"})
    assert failure.value.param == "input.file.data"


def test_what_is_pinned_stays_what_it_was_whoever_writes_it_anew(
    media: JobMedia, store: PayloadStore, bucket: Any
) -> None:
    kept = {"s3": "s3://inbox/acme/a.png"}
    media.pin(kept)
    for changed in (b"a bomb", b"another bomb"):
        bucket.put_object(Bucket=INBOX, Key="acme/a.png", Body=changed, ContentType="image/gif")
        media.pin(kept)
        assert media.read(kept) == Blob(b"png", "image/png")
    where, key = media.place(kept)
    assert bucket.get_object(Bucket=where, Key=key)["Body"].read() == b"png"
    other = JobMedia(a_head(id="job_of_another"), "acme", INBOX, store, BUCKET, lambda: bucket)
    assert other.read(kept).data == b"another bomb", "it is this job's alone"
    store.erase(JOB_ID)
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)


def test_a_link_leads_to_what_was_there_when_it_was_made(media: JobMedia, bucket: Any) -> None:
    for reference, data in (({"s3": "s3://inbox/acme/a.png"}, b"png"), (DATA, b"hello")):
        key = media.link(reference).partition("?")[0].partition(f"{BUCKET}")[2].lstrip("/").partition("/")[2]
        bucket.put_object(Bucket=INBOX, Key="acme/a.png", Body=b"a bomb")
        (found,) = [
            each["Key"]
            for each in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]
            if each["Key"].rpartition("/")[2] == key.rpartition("/")[2]
        ]
        assert bucket.get_object(Bucket=BUCKET, Key=found)["Body"].read() == data


def test_what_is_not_the_tenants_own_is_not_pinned(media: JobMedia) -> None:
    for address in ("s3://inbox/other/b.png", "s3://inbox/acme/none.png"):
        with pytest.raises(InvalidRequest):
            media.pin({"s3": address})


def test_what_is_handed_to_a_service_lies_in_one_folder(media: JobMedia, bucket: Any) -> None:
    where, key = media.hand("b/in.jsonl", b"{}")
    assert (where, bucket.get_object(Bucket=where, Key=key)["Body"].read()) == (BUCKET, b"{}")
    assert media.hand("b/out.jsonl") == (BUCKET, key.replace("in.jsonl", "out.jsonl"))


def test_bytes_are_put_where_a_service_can_read_them_and_go_with_the_job(
    media: JobMedia, store: PayloadStore, bucket: Any
) -> None:
    where, key = media.place(DATA)
    assert media.place(DATA) == (where, key), "a repeat puts them where they are"
    assert (where, bucket.get_object(Bucket=where, Key=key)["Body"].read()) == (BUCKET, b"hello")
    assert media.place({"s3": "s3://inbox/acme/a.png"}) == (INBOX, "acme/a.png")
    store.erase(JOB_ID)
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)
