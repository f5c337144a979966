"""The buckets of files and the queue that asks for collections: the fake and the adapter keep the same promises."""

import json
from typing import Any, Protocol

import pytest
from broker.batches.splitting import Inbox as InboxPort
from broker.cloud.files import IN_MEMORY_BYTES, Inbox, Outbox
from broker.cloud.queues import FilesQueue
from broker.errors import NotFound

from tests.adapters.conftest import Client
from tests.fakes.files import FakeInbox, FakeOutbox

BUCKET = "inbox"
KEY = "acme/Grüße an alle+1.txt"


class Place(Protocol):
    """An inbox that a test can also write to."""

    port: InboxPort

    def put(self, data: bytes) -> tuple[str, str | None]:
        """Write the object; gives its etag and version."""
        ...

    def delete(self) -> None:
        """Delete it and all its versions."""
        ...


class Memory:
    """A `Place` in memory."""

    def __init__(self, versioned: bool) -> None:
        self.port = FakeInbox(versioned)

    def put(self, data: bytes) -> tuple[str, str | None]:
        told = self.port.put(KEY, data)["detail"]["object"]
        return told["etag"], told.get("version-id")

    def delete(self) -> None:
        self.port.delete(KEY)


class S3:
    """A `Place` in a bucket."""

    def __init__(self, client: Any, versioned: bool) -> None:
        self._client = client
        client.create_bucket(Bucket=BUCKET)
        if versioned:
            client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.port = Inbox(client)

    def put(self, data: bytes) -> tuple[str, str | None]:
        reply = self._client.put_object(Bucket=BUCKET, Key=KEY, Body=data)
        return reply["ETag"].strip('"'), reply.get("VersionId")

    def delete(self) -> None:
        found = self._client.list_object_versions(Bucket=BUCKET).get("Versions", [])
        for each in found:
            self._client.delete_object(Bucket=BUCKET, Key=KEY, VersionId=each["VersionId"])


@pytest.fixture(params=["fake", "adapter"])
def make(request: pytest.FixtureRequest) -> Any:
    if request.param == "fake":
        return Memory
    client: Client = request.getfixturevalue("client")
    return lambda versioned: S3(client("s3"), versioned)


def test_a_version_is_read_whatever_was_written_over_it(make: Any) -> None:
    place: Place = make(True)
    etag, version = place.put(b"first \xff")
    assert version is not None
    place.put(b"second")
    assert place.port.read(BUCKET, KEY, etag, version) == b"first \xff"


def test_without_versions_only_the_same_content_is_read(make: Any) -> None:
    place: Place = make(False)
    etag, version = place.put(b"first")
    assert version is None
    assert place.port.read(BUCKET, KEY, etag, None) == b"first"
    place.put(b"second")
    with pytest.raises(NotFound) as failure:
        place.port.read(BUCKET, KEY, etag, None)
    assert failure.value.code == "file_gone"


@pytest.mark.parametrize("versioned", [True, False])
def test_a_file_that_was_deleted_is_not_found(make: Any, versioned: bool) -> None:
    place: Place = make(versioned)
    etag, version = place.put(b"first")
    place.delete()
    with pytest.raises(NotFound):
        place.port.read(BUCKET, KEY, etag, version)


def test_another_error_of_the_bucket_is_no_missing_file(client: Client) -> None:
    s3 = client("s3")
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucket"):
        Inbox(s3).read("nowhere", KEY, "etag", None)


def test_results_are_written_from_their_parts_over_what_was_there(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="outbox")
    fake, adapter = FakeOutbox(), Outbox(s3, "outbox")
    for outbox in (fake, adapter):
        outbox.put("acme/a.result.json", iter([b"old"]))
        outbox.put("acme/a.result.json", iter([b"Gr\xc3\xbc\xc3\x9fe", b"\n"]))
    found = s3.get_object(Bucket="outbox", Key="acme/a.result.json")
    assert found["Body"].read() == fake.objects["acme/a.result.json"]
    assert found["ContentType"] == "application/json"


def test_a_large_result_goes_through_the_disk(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="outbox")
    part = b"x" * 1_000_000
    Outbox(s3, "outbox").put("acme/a.results.jsonl", (part for _ in range(10)))
    found = s3.get_object(Bucket="outbox", Key="acme/a.results.jsonl")
    assert (found["ContentLength"], found["ContentType"]) == (10_000_000, "application/x-ndjson")
    assert found["ContentLength"] > IN_MEMORY_BYTES


def test_a_collection_is_asked_for_by_the_batchs_id_alone(client: Client) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="files")["QueueUrl"]
    FilesQueue(sqs, url).send("batch_1", "acme")
    (message,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"]) == {"collect": "batch_1"}
    assert message["Attributes"]["MessageGroupId"] == "acme"
