"""Hears what goes over the broker's bus: a rule and a queue of its own, gone when it is left."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any, Self

from local.deployment import Cloud


class Listener:
    """Use as a context manager around what should be heard."""

    def __init__(self, cloud: Cloud, bus: str) -> None:
        self._events = cloud.client("events")
        self._sqs = cloud.client("sqs")
        self._bus = bus
        self._name = f"listener-{uuid.uuid4().hex[:12]}"
        self._url = ""
        self.heard: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._url = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        pattern = {"source": ["inference.broker"]}
        self._events.put_rule(Name=self._name, EventBusName=self._bus, EventPattern=json.dumps(pattern))
        target = {"Id": "listener", "Arn": asked["Attributes"]["QueueArn"]}
        self._events.put_targets(Rule=self._name, EventBusName=self._bus, Targets=[target])
        return self

    def __exit__(self, *_: object) -> None:
        """Take rule and queue away."""
        self._events.remove_targets(Rule=self._name, EventBusName=self._bus, Ids=["listener"])
        self._events.delete_rule(Name=self._name, EventBusName=self._bus)
        self._sqs.delete_queue(QueueUrl=self._url)

    def drain(self) -> list[dict[str, Any]]:
        """All events heard so far, in full."""
        while True:
            reply = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            messages = reply.get("Messages", [])
            if not messages:
                return self.heard
            for message in messages:
                self.heard.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])

    def wait(
        self, kind: str, matches: Callable[[dict[str, Any]], bool] = lambda detail: True, seconds: float = 60
    ) -> dict[str, Any] | None:
        """The first event of a kind whose detail matches; None when the time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for event in self.drain():
                if event["detail-type"] == kind and matches(event["detail"]):
                    return event
            time.sleep(0.2)
        return None
