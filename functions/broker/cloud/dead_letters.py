"""The stack's queues of dead letters, for an operator: what is in them, and back to where it came from.

SQS moves by itself what came from another queue (Amazon SQS API reference, `StartMessageMoveTask`: dead-letter queues
of SQS queues alone, one task for each at a time). What our code or EventBridge put into a queue is sent again from here
one by one: to the queue first, and deleted then, so that a crash between the two leaves it twice and loses nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from broker.errors import InvalidRequest, NotFound

HIDDEN_S = 60
"""How long what is looked at, or sent again, is hidden from others; then it is there again."""

WAIT_S = 1
"""Long polling asks all of SQS's servers; a short one may say that there is nothing where there is."""

SUFFIX = "DeadLetters"
REJECTED, RULE, PUBLISH = "RejectedQueue", "RuleDeadLetters", "PublishDeadLetters"
INTAKE = "IntakeQueue"

UNKNOWN_ACTIONS = ("InvalidAction", "AWS.SimpleQueueService.UnsupportedOperation", "UnknownOperationException")
"""What a cloud answers that does not move messages by itself."""


@dataclass(frozen=True, slots=True)
class DeadQueue:
    """One of them. `source` is the logical id of the queue that SQS took its messages from; None where SQS did not."""

    name: str
    url: str
    arn: str
    messages: int
    hidden: int
    source: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A message: when it was sent first (milliseconds), and what stands beside its body."""

    id: str
    body: str
    handle: str
    sent_at: int
    receives: int
    group: str | None
    attributes: Mapping[str, Any]

    @property
    def said(self) -> dict[str, str]:
        """Its attributes that are texts, or numbers."""
        return {name: each["StringValue"] for name, each in self.attributes.items() if "StringValue" in each}


@dataclass(frozen=True, slots=True)
class Redriven:
    """What came of sending a queue's messages again. `by_sqs` where SQS does it by itself from now on."""

    sent: int
    left: int
    by_sqs: bool = False


class DeadLetterQueues:
    """Those of one stack."""

    def __init__(self, sqs: Any, urls: Mapping[str, str], wait_s: int = WAIT_S) -> None:
        """`urls` of all queues of the stack, by logical id; `wait_s` before a queue is taken for empty."""
        self._wait_s = wait_s
        self._sqs = sqs
        self._urls = urls

    def all(self) -> list[DeadQueue]:
        """Each, by name, with how many messages it has; SQS counts about right, and sometimes a minute late."""
        known = {name: self._attributes(url) for name, url in self._urls.items()}
        of = {name: each["QueueArn"] for name, each in known.items()}
        sources = {
            json.loads(each["RedrivePolicy"])["deadLetterTargetArn"]: name
            for name, each in known.items()
            if each.get("RedrivePolicy")
        }
        return [
            DeadQueue(
                *(name, self._urls[name], of[name]),
                int(known[name]["ApproximateNumberOfMessages"]),
                int(known[name]["ApproximateNumberOfMessagesNotVisible"]),
                sources.get(of[name]),
            )
            for name in sorted(known)
            if name == REJECTED or name.endswith(SUFFIX)
        ]

    def find(self, name: str) -> DeadQueue:
        """One, by its name, or by what is before `DeadLetters` or `Queue`; in any case of letters.

        Raises:
            NotFound: there is none.
        """
        every = self.all()
        for each in every:
            short = each.name.removesuffix(SUFFIX).removesuffix("Queue")
            if name.lower() in (each.name.lower(), short.lower()):
                return each
        known = ", ".join(each.name for each in every)
        raise NotFound(f"There is no such queue of dead letters; there are {known}.", code="unknown_queue")

    def look(self, queue: DeadQueue, limit: int) -> list[Letter]:
        """Some of its messages, which are there again afterwards."""
        seen: list[Letter] = []
        try:
            seen.extend(self._receive(queue, limit))
        finally:
            for letter in seen:
                self._show_again(queue, letter)
        return seen

    def redrive(self, queue: DeadQueue, now: int, limit: int | None = None) -> Redriven:
        """Send what is in it to where it came from, all or `limit` messages.

        Left is what came after `now` (milliseconds), for it may have come back at once, and what came from no queue of
        the stack.

        Raises:
            InvalidRequest: such messages cannot be sent again; others tell them.
        """
        if queue.name == PUBLISH:
            raise InvalidRequest("`broker replay` tells again what is in it.", code="not_redriven")
        if queue.source and limit is None and self._moved_by_sqs(queue):
            return Redriven(queue.messages, 0, by_sqs=True)
        sent = 0
        left: list[Letter] = []
        try:
            for letter in self._receive(queue, limit):
                target = self._target(queue, letter)
                if target is None or letter.sent_at > now:
                    left.append(letter)
                    continue
                self._send(target, letter)
                self._sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=letter.handle)
                sent += 1
        finally:
            for letter in left:
                self._show_again(queue, letter)
        return Redriven(sent, len(left))

    def discard(self, queue: DeadQueue, now: int, limit: int | None = None) -> int:
        """Delete what is in it and came before `now` (milliseconds), all or `limit` messages; gives how many."""
        discarded = 0
        later: list[Letter] = []
        try:
            for letter in self._receive(queue, limit):
                if letter.sent_at > now:
                    later.append(letter)
                    continue
                self._sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=letter.handle)
                discarded += 1
        finally:
            for letter in later:
                self._show_again(queue, letter)
        return discarded

    def task(self, queue: DeadQueue) -> dict[str, Any] | None:
        """The last task by which SQS moved its messages, if there is one to be known."""
        try:
            found = self._sqs.list_message_move_tasks(SourceArn=queue.arn, MaxResults=1).get("Results", [])
        except ClientError as error:
            if _code(error) in UNKNOWN_ACTIONS:
                return None
            raise
        return found[0] if found else None

    def _attributes(self, url: str) -> dict[str, str]:
        found: dict[str, str] = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return found

    def _moved_by_sqs(self, queue: DeadQueue) -> bool:
        try:
            self._sqs.start_message_move_task(SourceArn=queue.arn)
        except ClientError as error:
            if _code(error) in UNKNOWN_ACTIONS:
                return False
            raise
        return True

    def _receive(self, queue: DeadQueue, limit: int | None) -> Iterator[Letter]:
        """Its messages, each once, until there are no more, or one comes that was here already."""
        seen: set[str] = set()
        while limit is None or len(seen) < limit:
            reply = self._sqs.receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=10 if limit is None else min(10, limit - len(seen)),
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=self._wait_s,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            if not reply.get("Messages"):
                return
            for letter in map(_letter, reply["Messages"]):
                if letter.id in seen:
                    return
                seen.add(letter.id)
                yield letter

    def _target(self, queue: DeadQueue, letter: Letter) -> str | None:
        """The URL of the queue that a message goes back to."""
        if queue.name == REJECTED:
            return self._urls[INTAKE]
        if queue.name == RULE:
            # A queue's ARN ends with the name that its URL ends with (https://docs.aws.amazon.com/eventbridge/latest/
            # userguide/eb-rule-dlq.html has the attributes).
            named = letter.said.get("TARGET_ARN", "").rpartition(":")[2]
            return next((url for url in self._urls.values() if url.rpartition("/")[2] == named), None)
        return self._urls[queue.source] if queue.source else None

    def _send(self, url: str, letter: Letter) -> None:
        """Send a message as it came; what was said of why it ended is not sent along."""
        group = {"MessageGroupId": letter.group} if letter.group else {}
        self._sqs.send_message(QueueUrl=url, MessageBody=letter.body, **group)

    def _show_again(self, queue: DeadQueue, letter: Letter) -> None:
        self._sqs.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=letter.handle, VisibilityTimeout=0)


def _letter(message: Mapping[str, Any]) -> Letter:
    system = message.get("Attributes") or {}
    return Letter(
        id=message["MessageId"],
        body=message["Body"],
        handle=message["ReceiptHandle"],
        sent_at=int(system.get("SentTimestamp", 0)),
        receives=int(system.get("ApproximateReceiveCount", 0)),
        group=system.get("MessageGroupId"),
        attributes=message.get("MessageAttributes") or {},
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))
