"""Telling again, from dead letters and a stream as AWS keeps them (moto's)."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from broker.cloud.database import DynamoDatabase
from broker.cloud.retelling import Nowhere, Retell
from broker.delivery.publishing import Publish
from broker.errors import Unavailable
from broker.jobs.store import Jobs
from broker.jobs.transitions import cancel, claim
from moto import mock_aws

from tests.fakes.bus import FakeBus
from tests.fakes.world import JOB_ID, NOW, a_head

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
        self.jobs = Jobs(database)
        publish = Publish(database, self.jobs, self.bus, Nowhere(), lambda head: None)
        self.retell = Retell(self.sqs, self.streams, self.url, publish)

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
    assert scene.retell(NOW) == 2
    assert scene.bus.kinds == ["JobStarted", "JobCanceled"]
    assert scene.left == "0 + 0"
    assert scene.retell(NOW) == 0


def test_what_the_bus_refuses_stays_a_dead_letter(scene: Scene) -> None:
    scene.give_up(0, 2)
    scene.bus.refuse = {scene.jobs.get(JOB_ID).event_id}
    with pytest.raises(Unavailable):
        scene.retell(NOW)
    assert scene.left == "0 + 1"
