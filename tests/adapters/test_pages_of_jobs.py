"""PDFs of pages that are kept for a job: it finds them at their address, and services where they are told to look."""

from typing import Any

import pytest
from botocore.stub import Stubber
from broker.cloud.media import JobMedia, pin_pages
from broker.cloud.payloads import PayloadStore
from broker.errors import InvalidRequest
from broker.providers.wire.base import Blob

from tests.adapters.conftest import BUCKET
from tests.fakes.world import a_head

INBOX = "inbox"
PAGES = {"s3": "s3://inbox/acme/media/batch_1/pages-0.pdf", "media_type": "application/pdf"}


@pytest.fixture
def media(store: PayloadStore, bucket: Any) -> JobMedia:
    bucket.create_bucket(Bucket=INBOX)
    return JobMedia(a_head(), "acme", INBOX, store, BUCKET, lambda: bucket)


def test_a_job_finds_its_pages_whatever_its_tenant_puts_at_their_address(
    media: JobMedia, store: PayloadStore, bucket: Any
) -> None:
    for _ in range(2):
        pin_pages(store, a_head(), PAGES["s3"], b"%PDF of pages")
    bucket.put_object(Bucket=INBOX, Key="acme/media/batch_1/pages-0.pdf", Body=b"%PDF of a thousand pages, unpaid")
    assert media.read(PAGES) == Blob(b"%PDF of pages", "application/pdf")
    place, key = media.place(PAGES)
    assert place == BUCKET and bucket.get_object(Bucket=place, Key=key)["Body"].read() == b"%PDF of pages"
    assert (media.measure(PAGES).bytes, media.measure(PAGES).region) == (13, bucket.meta.region_name)


def test_what_another_job_has_is_not_found(media: JobMedia, store: PayloadStore) -> None:
    pin_pages(store, a_head(id="job_" + "9" * 32), PAGES["s3"], b"%PDF of others")
    with pytest.raises(InvalidRequest) as caught:
        media.measure(PAGES)
    assert (caught.value.code, caught.value.param) == ("file_gone", "input.file.s3")


def test_a_file_that_the_broker_may_not_read_is_no_file_that_is_gone(store: PayloadStore, bucket: Any) -> None:
    media = JobMedia(a_head(), "acme", INBOX, store, BUCKET, lambda: bucket)
    with Stubber(bucket) as stubbed:
        stubbed.add_client_error("head_object", "403", http_status_code=403)
        with pytest.raises(InvalidRequest) as caught:
            media.measure({"s3": "s3://inbox/acme/a.pdf"})
    assert (caught.value.code, caught.value.param) == ("file_forbidden", "input.file.s3")


def test_objects_are_measured_without_being_read_and_only_the_tenants_own(media: JobMedia, bucket: Any) -> None:
    bucket.put_object(Bucket=INBOX, Key="acme/a.pdf", Body=bytes(1_000))
    assert media.measure({"s3": "s3://inbox/acme/a.pdf"}).bytes == 1_000
    with pytest.raises(InvalidRequest) as caught:
        media.measure({"s3": "s3://inbox/other/a.pdf"})
    assert caught.value.code == "file_not_yours"


def test_pages_go_with_their_job_and_are_overwritten_where_there_is_none(
    media: JobMedia, store: PayloadStore, bucket: Any
) -> None:
    pin_pages(store, a_head(), PAGES["s3"], b"%PDF of pages")
    _, key = media.place(PAGES)
    pin_pages(store, a_head(), PAGES["s3"], b"")
    assert bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b""
    store.erase(a_head().id)
    with pytest.raises(bucket.exceptions.NoSuchKey):
        bucket.get_object(Bucket=BUCKET, Key=key)
