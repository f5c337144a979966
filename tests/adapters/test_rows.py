"""The objects that rows are in, the queue of shards and the workflow of batches: as their fakes in all that counts."""

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Protocol

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber
from broker.batches.ports import RowBytes
from broker.cloud.buckets import PIECE_BYTES
from broker.cloud.queues import ShardsQueue
from broker.cloud.rows import AT_ONCE, TRIES, RowObjects
from broker.cloud.workflows import BatchMachine
from broker.errors import NotFound, Unavailable

from tests.adapters.conftest import Client
from tests.fakes.batches import FakeRowBytes

KEY = "acme/Grüße an alle+1.jsonl"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:batch"


class Place(Protocol):
    """Where a test can put an object that somebody else wrote."""

    port: RowBytes

    def put(self, data: bytes) -> dict[str, Any]:
        """Write the object; gives where it is."""
        ...

    def delete(self) -> None:
        """Delete it and all its versions."""
        ...


class Memory:
    """A `Place` in memory."""

    def __init__(self) -> None:
        self.port = FakeRowBytes()

    def put(self, data: bytes) -> dict[str, Any]:
        self.port.objects[KEY] = data
        return {"bucket": "inbox", "key": KEY, "etag": "e", "version": "v1"}

    def delete(self) -> None:
        self.port.objects.clear()


class S3:
    """A `Place` in a bucket."""

    def __init__(self, client: Any) -> None:
        self._client = client
        for bucket in ("inbox", "payloads"):
            client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket="inbox", VersioningConfiguration={"Status": "Enabled"})
        self.port = RowObjects(client, "payloads")

    def put(self, data: bytes) -> dict[str, Any]:
        reply = self._client.put_object(Bucket="inbox", Key=KEY, Body=data)
        return {"bucket": "inbox", "key": KEY, "etag": reply["ETag"].strip('"'), "version": reply["VersionId"]}

    def delete(self) -> None:
        for each in self._client.list_object_versions(Bucket="inbox").get("Versions", []):
            self._client.delete_object(Bucket="inbox", Key=KEY, VersionId=each["VersionId"])


@pytest.fixture(params=["fake", "adapter"])
def place(request: pytest.FixtureRequest) -> Place:
    return Memory() if request.param == "fake" else S3(request.getfixturevalue("client")("s3"))


DATA = b'{"a": 1}\n\n{"b": "\xc3\xb1"}\r\n{"c": 3}'


@pytest.mark.parametrize(
    ("offset", "length", "lines"),
    [
        (0, None, [b'{"a": 1}\n', b"\n", b'{"b": "\xc3\xb1"}\r\n', b'{"c": 3}']),
        (9, 14, [b"\n", b'{"b": "\xc3\xb1"}\r\n']),
        (10, None, [b'{"b": "\xc3\xb1"}\r\n', b'{"c": 3}']),
        (23, 8, [b'{"c": 3}']),
        (5, 0, []),
    ],
)
def test_lines_of_a_part(place: Place, offset: int, length: int | None, lines: list[bytes]) -> None:
    where = place.put(DATA)
    assert list(place.port.lines(where, offset, length)) == lines
    assert b"".join(place.port.pieces(where, offset, length)) == b"".join(lines)
    assert place.port.size(where) == len(DATA)


def test_what_is_written_is_read_as_it_was(place: Place) -> None:
    where = place.port.write("batch_1", "rows.jsonl", iter([b"one\ntw", b"", b"o\n"]))
    assert where["key"] == "batches/batch_1/rows.jsonl"
    assert list(place.port.lines(where)) == [b"one\n", b"two\n"]
    nothing = place.port.write("batch_1", "ids-0.bin", [])
    assert list(place.port.pieces(nothing)) == [] and place.port.size(nothing) == 0


def test_what_is_gone_is_told(place: Place) -> None:
    where = place.put(DATA)
    place.delete()
    for ask in (lambda: list(place.port.lines(where)), lambda: place.port.size(where)):
        with pytest.raises(NotFound) as gone:
            ask()
        assert gone.value.code == "file_gone"


def test_the_version_that_was_named_is_read_whatever_was_written_over_it(client: Client) -> None:
    place = S3(client("s3"))
    where = place.put(b"first\n")
    place.put(b"second, and longer\n")
    assert list(place.port.lines(where)) == [b"first\n"] and place.port.size(where) == 6
    own = place.port.write("batch_1", "rows.jsonl", [b"1\n"])
    place.port.write("batch_1", "rows.jsonl", [b"2\n"])
    with pytest.raises(NotFound):
        list(place.port.lines(own))


def test_an_object_of_several_pieces_is_written_and_read_in_pieces(client: Client) -> None:
    place = S3(client("s3"))
    data = b"".join(b"%07d\n" % number for number in range(PIECE_BYTES // 8 + 1000))
    where = place.port.write("batch_1", "rows.jsonl", (data[at : at + 4096] for at in range(0, len(data), 4096)))
    pieces = list(place.port.pieces(where))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= AT_ONCE
    assert list(place.port.lines(where, 8 * 10, 16)) == [b"0000010\n", b"0000011\n"]


class Breaking:
    """S3 whose connections break after some bytes each."""

    def __init__(self, data: bytes, *, after: int) -> None:
        self.data, self.after, self.asked = data, after, []  # type: ignore[var-annotated]
        self.exceptions: Any = type("E", (), {"ClientError": KeyError})

    def get_object(self, **request: Any) -> dict[str, Any]:
        asked = request.get("Range", "bytes=0-")
        self.asked.append(asked)
        first, last = asked.removeprefix("bytes=").split("-")
        return {"Body": _Body(self.data[int(first) : int(last or len(self.data)) + 1], self.after)}


class _Body:
    def __init__(self, data: bytes, after: int) -> None:
        self._data, self._left = BytesIO(data), after

    def read(self, size: int) -> bytes:
        if self._left <= 0:
            raise ReadTimeoutError(endpoint_url="https://s3")
        found = self._data.read(min(size, self._left))
        self._left -= len(found) or 1
        return found


def test_a_connection_that_breaks_is_made_anew_where_it_broke() -> None:
    s3 = Breaking(DATA, after=12)
    assert b"".join(RowObjects(s3, "payloads").pieces({"bucket": "b", "key": "k", "etag": "e"}, 1, 30)) == DATA[1:31]
    assert s3.asked == ["bytes=1-30", "bytes=13-30", "bytes=25-30"]


def test_one_that_gives_nothing_again_and_again_is_an_error() -> None:
    s3 = Breaking(DATA, after=0)
    with pytest.raises(ReadTimeoutError):
        list(RowObjects(s3, "payloads").pieces({"bucket": "b", "key": "k", "etag": "e"}))
    assert len(s3.asked) == TRIES


def shards_of(sqs: Any, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages"):
        found += messages
    return found


def test_shards_are_sent_in_their_tenants_group(client: Client) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="shards")["QueueUrl"]
    queue = ShardsQueue(sqs, url)
    queue.send("batch_1", "acme", range(23))
    queue.send("batch_1", "acme", [])
    found = shards_of(sqs, url)
    bodies = [json.loads(each["Body"]) for each in found]
    assert sorted(body["shard"] for body in bodies) == list(range(23))
    assert {body["batch_id"] for body in bodies} == {"batch_1"}
    assert {each["Attributes"]["MessageGroupId"] for each in found} == {"acme"}
    queue.again({"batch_id": "batch_1", "shard": 3, "goes_on": {"tries": 2}}, "acme", 900)
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (shards_of(sqs, url), counts["ApproximateNumberOfMessagesDelayed"]) == ([], "1")


def test_shards_that_the_queue_did_not_take_are_an_error() -> None:
    class Queue:
        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            return {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "SenderFault": False, "Code": "InternalError"}]}

    with pytest.raises(Unavailable):
        ShardsQueue(Queue(), "url").send("batch_1", "acme", [0, 1])


def test_each_attempt_at_a_batch_is_one_execution(client: Client) -> None:
    states = client("stepfunctions")
    expected = {"stateMachineArn": MACHINE, "name": "batch_1-3", "input": '{"batch_id": "batch_1"}'}
    reply = {"executionArn": f"{MACHINE}:1", "startDate": datetime(2026, 1, 1, tzinfo=UTC)}
    with Stubber(states) as stub:
        stub.add_response("start_execution", reply, expected)
        stub.add_client_error("start_execution", "ExecutionAlreadyExists", expected_params=expected)
        BatchMachine(states, MACHINE).start("batch_1", 3)
        BatchMachine(states, MACHINE).start("batch_1", 3)


@pytest.mark.parametrize("code", ["TaskDoesNotExist", "TaskTimedOut", "InvalidToken"])
def test_a_token_by_which_nobody_waits_is_told(client: Client, code: str) -> None:
    states = client("stepfunctions")
    with Stubber(states) as stub:
        stub.add_response("send_task_success", {}, {"taskToken": "t", "output": "{}"})
        stub.add_client_error("send_task_success", code)
        stub.add_client_error("send_task_success", "AccessDeniedException")
        machine = BatchMachine(states, MACHINE)
        assert (machine.go_on("t"), machine.go_on("t")) == (True, False)
        with pytest.raises(states.exceptions.ClientError):
            machine.go_on("t")
