"""Telling again, from dead letters and a stream as AWS keeps them (moto's)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from broker.cloud.attributes import encode_item
from broker.cloud.database import DynamoDatabase
from broker.cloud.replaying import Nowhere, Replay
from broker.delivery.publishing import Publish
from broker.errors import Unavailable
from broker.jobs.head import Status
from broker.jobs.store import Jobs
from broker.jobs.transitions import cancel, claim
from moto import mock_aws

from tests.fakes.bus import FakeBus
from tests.fakes.world import BASE_URL, JOB_ID, NOW, a_head

NAMES = {"jobs": "jobs", "registry": "registry", "ledger": "ledger"}


class Scene:
    """A table with a stream, a queue of dead letters, and a bus."""

    def __init__(self) -> None:
        dynamodb = boto3.client("dynamodb", "us-east-1")
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        dynamodb.create_table(
            TableName="jobs",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.stream = dynamodb.describe_table(TableName="jobs")["Table"]["LatestStreamArn"]
        self.streams = boto3.client("dynamodbstreams", "us-east-1")
        self.sqs = boto3.client("sqs", "us-east-1")
        self.url = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.bus = FakeBus()
        database = DynamoDatabase(dynamodb, NAMES)  # type: ignore[arg-type]  # literal keys
        self.jobs = Jobs(database, ())
        publish = Publish(database, self.jobs, self.bus, Nowhere(), BASE_URL, lambda head: None)
        self.replay = Replay(self.sqs, self.streams, self.url, publish)

    def give_up(self, first: int, last: int) -> None:
        """Leave a dead letter for the records from `first` to `last` of the stream."""
        described = self.streams.describe_stream(StreamArn=self.stream)["StreamDescription"]
        shard = described["Shards"][0]["ShardId"]
        iterator = self.streams.get_shard_iterator(
            StreamArn=self.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        numbers = [
            each["dynamodb"]["SequenceNumber"] for each in self.streams.get_records(ShardIterator=iterator)["Records"]
        ]
        where = {"streamArn": self.stream, "shardId": shard}
        where |= {"startSequenceNumber": numbers[first], "endSequenceNumber": numbers[last]}
        self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps({"DDBStreamBatchInfo": where}))

    @property
    def left(self) -> str:
        asked: dict[str, Any] = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return f"{asked['ApproximateNumberOfMessages']} + {asked['ApproximateNumberOfMessagesNotVisible']}"


@pytest.fixture
def scene() -> Iterator[Scene]:
    with mock_aws():
        running = Scene()
        running.jobs.create(a_head())
        running.jobs.change(JOB_ID, lambda head: claim(head, now=NOW, lease_ms=1000, by="m-1"))
        running.jobs.change(JOB_ID, lambda head: cancel(head, now=NOW))
        yield running


def test_what_was_given_up_is_told_and_nothing_else(scene: Scene) -> None:
    scene.give_up(1, 2)
    assert scene.replay(NOW) == 2
    assert scene.bus.kinds == ["JobStarted", "JobCanceled"]
    assert scene.left == "0 + 0"
    assert scene.replay(NOW) == 0


def test_what_the_bus_refuses_stays_a_dead_letter(scene: Scene) -> None:
    scene.give_up(0, 2)
    scene.bus.refuse = {scene.jobs.get(JOB_ID).event_id}
    with pytest.raises(Unavailable):
        scene.replay(NOW)
    assert scene.left == "0 + 1"


def test_one_that_the_stream_no_longer_holds_does_not_keep_the_others(scene: Scene) -> None:
    scene.give_up(0, 0)
    scene.give_up(1, 2)
    before = scene.replay.streams.get_shard_iterator

    class Trimmed(Exception):
        pass

    class Streams:
        """The stream, a day later: its first record is gone."""

        exceptions = SimpleNamespace(TrimmedDataAccessException=Trimmed)
        get_records = scene.streams.get_records
        first = True

        def get_shard_iterator(self, **where: Any) -> Any:
            if self.first:
                self.first = False
                raise Trimmed
            return before(**where)

    replay = replace(scene.replay, streams=Streams())
    with pytest.raises(Unavailable) as failure:
        replay(NOW)
    assert failure.value.code == "stream_trimmed"
    assert "2 changes published again" in failure.value.message
    assert scene.bus.kinds == ["JobStarted", "JobCanceled"]
    assert scene.left == "0 + 1"


class Pages:
    """A shard whose pages may be empty; it goes on for ever unless it is closed."""

    exceptions = SimpleNamespace(TrimmedDataAccessException=RuntimeError)

    def __init__(self, pages: list[list[Any]], *, closed: bool) -> None:
        self._pages, self._closed = pages, closed

    def get_shard_iterator(self, **_: Any) -> Any:
        return {"ShardIterator": "0"}

    def get_records(self, ShardIterator: str) -> Any:
        at = int(ShardIterator)
        page = self._pages[at] if at < len(self._pages) else []
        ends = self._closed and at + 1 >= len(self._pages)
        return {"Records": page} | ({} if ends else {"NextShardIterator": str(at + 1)})


def of_stream(number: int) -> Any:
    item = encode_item(replace(a_head(), status=Status.SUCCEEDED, ended_at=NOW).to_item())
    change = {"SequenceNumber": str(number), "Keys": {"sk": {"S": "HEAD"}}, "NewImage": item}
    return {"eventName": "MODIFY", "dynamodb": change}


def dead_letter(scene: Scene, first: int, last: int) -> None:
    where = {"streamArn": "a", "shardId": "s", "startSequenceNumber": str(first), "endSequenceNumber": str(last)}
    scene.sqs.send_message(QueueUrl=scene.url, MessageBody=json.dumps({"DDBStreamBatchInfo": where}))


@pytest.mark.parametrize("closed", [False, True])
def test_telling_goes_on_over_empty_pages(scene: Scene, closed: bool) -> None:
    dead_letter(scene, 1, 3)
    pages = [[], [of_stream(1)], [], [], [of_stream(2), of_stream(3)]]
    assert replace(scene.replay, streams=Pages(pages, closed=closed))(NOW) == 3
    assert scene.left == "0 + 0"


def test_nothing_is_deleted_that_was_not_told(scene: Scene) -> None:
    dead_letter(scene, 1, 3)
    with pytest.raises(Unavailable) as failure:
        replace(scene.replay, streams=Pages([[of_stream(1)], []], closed=True))(NOW)
    assert (failure.value.code, scene.left) == ("stream_ended", "0 + 1")
