"""Telling again what the stream's reader gave up on, from its dead letters; an operators' tool.

A dead letter names a range of the stream, which holds its records for 24 hours
(https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from broker.cloud.stream import change_of
from broker.delivery.publishing import HeadChange
from broker.errors import Unavailable

MOST_PAGES = 10_000
"""Of one dead letter: a hundred records stand among those of all items that were written in between."""


class Nowhere:
    """A queue for what the sweep asks for anyway: webhooks within a minute, collections within ten."""

    def send(self, *_: object) -> None:
        """Send nothing."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Reads dead letters and publishes what they stand for; receivers know repeats by their ids."""

    sqs: Any
    streams: Any
    dead_letters: str
    publish: Callable[[Sequence[HeadChange], int], str | None]

    def __call__(self, now: int) -> int:
        """Tell all that is there; gives the number of changes. What was told is deleted, the rest stays.

        Raises:
            Unavailable: the bus did not take some of it, or the stream no longer holds it. The others were told.
        """
        replayed, failure = 0, None
        while messages := self._receive():
            for message in messages:
                try:
                    replayed += self._tell(message, now)
                except Unavailable as error:  # one that is too old does not keep the others until they are, too
                    failure = error
        if failure:
            raise Unavailable(f"{replayed} changes published again. {failure.message}", code=failure.code) from None
        return replayed

    def _tell(self, message: dict[str, Any], now: int) -> int:
        changes = list(self._changes(json.loads(message["Body"])["DDBStreamBatchInfo"]))
        if self.publish(changes, now) is not None:
            raise Unavailable("Not all could be published; try again.", code="not_published")
        self.sqs.delete_message(QueueUrl=self.dead_letters, ReceiptHandle=message["ReceiptHandle"])
        return len(changes)

    def _receive(self) -> list[dict[str, Any]]:
        reply = self.sqs.receive_message(QueueUrl=self.dead_letters, MaxNumberOfMessages=10)
        found: list[dict[str, Any]] = reply.get("Messages", [])
        return found

    def _changes(self, where: dict[str, Any]) -> Iterator[HeadChange]:
        last = int(where["endSequenceNumber"])
        try:
            iterator = self.streams.get_shard_iterator(
                StreamArn=where["streamArn"],
                ShardId=where["shardId"],
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=where["startSequenceNumber"],
            )["ShardIterator"]
        except self.streams.exceptions.TrimmedDataAccessException:
            raise Unavailable("The stream holds these changes no longer (24 hours).", code="stream_trimmed") from None
        # A page may be empty before those that are not (DynamoDB API reference, GetRecords); the end is the last record
        # of the letter, or where the shard has no next page.
        for _ in range(MOST_PAGES):
            page = self.streams.get_records(ShardIterator=iterator)
            for record in page["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if (
                    number <= last
                    and record["eventName"] != "REMOVE"
                    and record["dynamodb"]["Keys"]["sk"]["S"] == "HEAD"
                ):
                    yield change_of(record["dynamodb"])
                if number >= last:
                    return
            iterator = page.get("NextShardIterator")
            if iterator is None:
                break
        raise Unavailable("The stream ended before these changes did; try again.", code="stream_ended")
