"""The SQS queues: accepted jobs by lane, deliveries, and what died on the way."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from broker.errors import Unavailable
from broker.jobs.head import Head

AT_ONCE = 10
"""Messages that one SendMessageBatch takes."""

DEAD_LETTER_BATCHES = 20
"""Of ten messages, for each queue and sweep."""


class JobQueue:
    """The lanes; the adapter of `jobs.accepting.Queue` and `jobs.leaving.Lanes`."""

    def __init__(self, client: Any, urls: Mapping[str, str]) -> None:
        """`urls` by lane."""
        self._client = client
        self._urls = urls

    def send(self, head: Head) -> None:
        """See `Queue.send`. The head goes along, so that who claims the job need not read it.

        The group makes the queue fair: a tenant with a backlog does not delay the others.
        Source: Amazon SQS fair queues (MessageGroupId on a standard queue).
        """
        self._client.send_message(
            QueueUrl=self._urls[head.lane],
            MessageBody=json.dumps({"job_id": head.id, "head": head.to_item()}),
            MessageGroupId=head.tenant,
        )

    def send_later(self, lane: str, messages: Sequence[tuple[dict[str, Any], str, int]]) -> list[int]:
        """See `Lanes.send_later`."""
        entries = [
            {"Id": str(place), "MessageBody": json.dumps(body), "MessageGroupId": tenant, "DelaySeconds": delay_s}
            for place, (body, tenant, delay_s) in enumerate(messages)
        ]
        reply = self._client.send_message_batch(QueueUrl=self._urls[lane], Entries=entries)
        return [int(each["Id"]) for each in reply.get("Failed") or ()]


class DeliveryQueue:
    """Webhook deliveries that are due now or within a quarter of an hour."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, owner: str, tenant: str, name: str, delay_s: int = 0) -> None:
        """Ask for an attempt at the delivery kept as the note `name`; `delay_s` up to 900 seconds."""
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=json.dumps({"owner": owner, "name": name}),
            MessageGroupId=tenant,
            DelaySeconds=delay_s,
        )


class FilesQueue:
    """The queue of files, and of batches to collect; `inbox.file_work.Collects` and `inbox.splitting.Later`."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, batch_id: str, tenant: str) -> None:
        """See `Collects.send`."""
        body = json.dumps({"collect": batch_id})
        self._client.send_message(QueueUrl=self._url, MessageBody=body, MessageGroupId=tenant)

    def again(self, event: dict[str, Any], tenant: str, delay_s: int) -> None:
        """See `Later.again`; up to 900 seconds."""
        body = json.dumps(event)
        self._client.send_message(QueueUrl=self._url, MessageBody=body, MessageGroupId=tenant, DelaySeconds=delay_s)


class ShardsQueue:
    """The queue of shards of batches; the adapter of `batches.ports.ShardQueue`."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, batch_id: str, tenant: str, shards: Iterable[int]) -> None:
        """See `ShardQueue.send`.

        Raises:
            Unavailable: SQS did not take them all; those that it took may come twice.
        """
        bodies = [json.dumps({"batch_id": batch_id, "shard": shard}) for shard in shards]
        for start in range(0, len(bodies), AT_ONCE):
            entries = [
                {"Id": str(place), "MessageBody": body, "MessageGroupId": tenant}
                for place, body in enumerate(bodies[start : start + AT_ONCE])
            ]
            if self._client.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed"):
                raise Unavailable("The queue of shards did not take them all.", code="shards_unsent")

    def again(self, message: dict[str, Any], tenant: str, delay_s: int) -> None:
        """See `ShardQueue.again`."""
        body = json.dumps(message)
        self._client.send_message(QueueUrl=self._url, MessageBody=body, MessageGroupId=tenant, DelaySeconds=delay_s)


MOST_BYTES = 1_048_576
"""Of a message with its attributes: name, type and value count (SQS Developer Guide, "Message quotas")."""


class RejectedEvents:
    """Where events go that could not become jobs, with the reason beside them."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str, reason: str) -> None:
        """Keep an event as it came; one that fills a message by itself is kept without the reason."""
        attribute = {"DataType": "String", "StringValue": reason}
        fits = len(body.encode()) + len("reasonString") + len(reason.encode()) <= MOST_BYTES
        attributes = {"reason": attribute} if fits else {}
        self._client.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=attributes)


class JobDeadLetters:
    """The adapter of `jobs.sweeping.DeadLetters`."""

    def __init__(self, client: Any, urls: list[str]) -> None:
        self._client = client
        self._urls = urls

    def take(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """See `DeadLetters.take`."""
        for url in self._urls:
            for _ in range(DEAD_LETTER_BATCHES):
                reply = self._client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
                if not reply.get("Messages"):
                    break
                for message in reply["Messages"]:
                    yield _job_id(message["Body"]), self._deleter(url, message["ReceiptHandle"])

    def _deleter(self, url: str, handle: str) -> Callable[[], None]:
        return lambda: self._client.delete_message(QueueUrl=url, ReceiptHandle=handle)


class Ends:
    """The queues where messages end that nobody here takes out again."""

    def __init__(self, client: Any, urls: list[str]) -> None:
        self._client = client
        self._urls = urls

    def messages(self) -> dict[str, int]:
        """How many messages lie in each that has some, by the queue's name. Those that somebody looks at are hidden."""
        found = {url.rpartition("/")[2]: self._count(url) for url in self._urls}
        return {name: count for name, count in found.items() if count}

    def _count(self, url: str) -> int:
        reply = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(reply["Attributes"]["ApproximateNumberOfMessages"])


def _job_id(body: str) -> str:
    """The job that a message is about; empty for a message that is not ours, which no job answers to."""
    try:
        return str(json.loads(body)["job_id"])
    except (ValueError, LookupError, TypeError):
        return ""
