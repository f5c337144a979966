"""The buckets of files and the queue that asks for collections: the fake and the adapter keep the same promises."""

import json
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from broker.bounds import Overrun
from broker.cloud.buckets import PIECE_BYTES, Inbox, Outbox
from broker.cloud.queues import FilesQueue
from broker.errors import NotFound
from broker.inbox.splitting import Inbox as InboxPort

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
        stored = self.port.put(KEY, data)["detail"]["object"]
        return stored["etag"], stored.get("version-id")

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


def of_size(size: int) -> Iterator[bytes]:
    """Parts of a result, none as the other."""
    for start in range(0, size, 1_000_000):
        yield bytes([start // 1_000_000 % 256]) * min(1_000_000, size - start)


@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_a_large_result_is_written_piece_by_piece(client: Client, size: int) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="outbox")
    Outbox(s3, "outbox").put("acme/a.results.jsonl", of_size(size))
    found = s3.get_object(Bucket="outbox", Key="acme/a.results.jsonl")
    assert found["Body"].read() == b"".join(of_size(size))
    assert found["ContentType"] == "application/x-ndjson"
    assert s3.list_multipart_uploads(Bucket="outbox").get("Uploads", []) == []


def test_no_more_of_a_large_result_is_held_than_a_piece(client: Client) -> None:
    class Counting:
        """A client that says how much had been made when a piece went up."""

        def __init__(self) -> None:
            self.made, self.held = 0, 0

        def parts(self) -> Iterator[bytes]:
            for part in of_size(5 * PIECE_BYTES):
                self.made += len(part)
                yield part

        def upload_part(self, **piece: Any) -> Any:
            self.held = max(self.held, self.made - (piece["PartNumber"] - 1) * PIECE_BYTES)
            return s3.upload_part(**piece)

        def __getattr__(self, name: str) -> Any:
            return getattr(s3, name)

    s3 = client("s3")
    s3.create_bucket(Bucket="outbox")
    counting = Counting()
    Outbox(counting, "outbox").put("acme/a.results.jsonl", counting.parts())
    assert PIECE_BYTES <= counting.held <= PIECE_BYTES + 1_000_000


def test_a_large_result_that_breaks_off_leaves_what_was_there_and_nothing_else(client: Client) -> None:
    def breaks() -> Iterator[bytes]:
        yield from of_size(2 * PIECE_BYTES)
        raise Overrun

    s3 = client("s3")
    s3.create_bucket(Bucket="outbox")
    outbox = Outbox(s3, "outbox")
    outbox.put("acme/a.results.jsonl", [b"before"])
    with pytest.raises(Overrun):
        outbox.put("acme/a.results.jsonl", breaks())
    assert s3.get_object(Bucket="outbox", Key="acme/a.results.jsonl")["Body"].read() == b"before"
    assert s3.list_multipart_uploads(Bucket="outbox").get("Uploads", []) == []


def test_a_collection_is_asked_for_by_the_batchs_id_alone(client: Client) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="files")["QueueUrl"]
    FilesQueue(sqs, url).send("batch_1", "acme")
    (message,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"]) == {"collect": "batch_1"}
    assert message["Attributes"]["MessageGroupId"] == "acme"


def test_what_is_left_of_a_file_comes_again_as_it_was_told(client: Client) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="files")["QueueUrl"]
    event = {"detail": {"object": {"key": KEY}}, "goes_on": {"tries": 2, "lines": [7]}}
    FilesQueue(sqs, url).again(event, "acme", 0)
    (message,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"]) == event
    assert message["Attributes"]["MessageGroupId"] == "acme"
    FilesQueue(sqs, url).again(event, "acme", 300)
    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])
    assert waiting["Attributes"] == {"ApproximateNumberOfMessagesDelayed": "1"}
