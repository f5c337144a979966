"""Batches whose functions crash and workflows die, whose messages come twice, and time that is not waited for.

Functions crash as in `crashing`. A batch that stands still for some seconds is made due for the sweep, and the leases
of its shards are over, whether those that hold them live or not.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from broker.batches.listing import batch_pk
from broker.batches.shard import shard_pk
from broker.batches.store import Batches
from broker.clock import now_ms
from broker.cloud.queues import ShardsQueue
from broker.cloud.workflows import BatchMachine
from broker.jobs.head import Head, job_pk
from broker.jobs.store import Jobs
from broker.storage import ConditionFailed, If, Update

from tests.e2e.batches import ENDED, BatchesOf
from tests.e2e.crashing import FUNCTIONS, Ahead, double_messages
from tests.e2e.stack import Stack, chat

ROWS = int(os.environ.get("BROKER_CRASH_ROWS", "120"))
"""Of each of two tenants."""

FAULTS, STEP_FAULTS = "0.02", "0.08"
"""The functions of a batch's steps change little, so they crash more often than others."""

MIX = 30
"""Of so many rows, seven are odd."""

PATIENCE_S = 5
"""After so long without progress what has died is given up."""


def row(number: int, name: str) -> dict[str, Any] | str:
    """A row of a mix: good, or broken, blocked, failing, slow, of an unknown model, with an id or a text of another."""
    common: dict[str, Any] = {"model": "crashing", "routing": {"fallbacks": ["crashing-too"]}}
    text, custom_id = f"Summarize: row {number} of {name}.", f"{name}-{number}"
    match number % MIX:
        case 4:
            return f'{{"custom_id": "{custom_id}", "input": '
        case 9:
            text = f"The card of row {number} is 4111 1111 1111 1111."
        case 14:
            common = {"model": "no-such"}
        case 19:
            common = {"model": "rejects"}
        case 22 | 24:
            text = f"Summarize: something that {name} asks again and again, {number // MIX % 4}."
        case 27:
            custom_id = f"{name}-{number - 1}"
        case 29 if number // MIX % 5 == 0:
            common = {"model": "slow"}
    return chat(text, custom_id=custom_id, **common)


def written(rows: Sequence[dict[str, Any] | str]) -> bytes:
    """A file of them, with a blank line after each twentieth."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in rows]
    return "\n".join(line + ("\n " if number % 20 == 19 else "") for number, line in enumerate(lines)).encode()


def submit_patiently(mine: BatchesOf, data: bytes, **more: Any) -> str:
    """Submit as a patient client does: again with the same key when there is no answer."""
    body, key = {"s3": mine.put(data), **more}, {"idempotency-key": uuid.uuid4().hex}
    for _ in range(20):
        answer = mine.api.call("POST", "/batches", body, key)
        if answer.status == 202:
            return str(answer.body["id"])
        assert answer.status in (409, 500, 502, 503), answer.body
        time.sleep(2)
    raise AssertionError("the door never answered")


@contextmanager
def crashing(stack: Stack) -> Iterator[None]:
    """Have all functions crash at random, and what they drop come again soon."""
    sqs = stack.cloud.client("sqs")
    for queue in ("InteractiveQueue", "BulkQueue", "ShardsQueue", "DeliveriesQueue"):
        sqs.set_queue_attributes(QueueUrl=stack.physical(queue), Attributes={"VisibilityTimeout": "5"})
    with stack.faults(FAULTS, FUNCTIONS), stack.faults(STEP_FAULTS, ("BatchStep",)):
        yield


class Storm:
    """What befalls some batches, and the sweeps that bring them to their end."""

    def __init__(self, stack: Stack, batches: dict[str, BatchesOf]) -> None:
        """`batches` by id."""
        self._stack, self._batches = stack, batches
        self._jobs = Jobs(stack.database, ())
        self._ahead = Ahead(stack, lambda item, now: False)
        self._states = stack.cloud.client("stepfunctions")
        self._machine = stack.physical("BatchWorkflow")
        self._queue = ShardsQueue(stack.cloud.client("sqs"), stack.physical("ShardsQueue"))
        self.killed = 0
        """Executions that were stopped."""

    def heads(self, batch_id: str) -> list[Head]:
        """All jobs of a batch's tenant."""
        found: list[Head] = []
        cursor = None
        while True:
            heads, cursor = self._jobs.of_tenant(self._batches[batch_id].tenant, limit=100, cursor=cursor)
            found += heads
            if cursor is None:
                return found

    def start_twice(self) -> None:
        """Start another execution of each, as a sweep does that takes the first for dead."""
        for batch_id in self._batches:
            BatchMachine(self._states, self._machine).start(batch_id, 1_000_000)

    def kill_workflows(self) -> None:
        """Stop what runs of them."""
        for page in self._states.get_paginator("list_executions").paginate(
            stateMachineArn=self._machine, statusFilter="RUNNING"
        ):
            for each in page["executions"]:
                if each["name"].rpartition("-")[0] in self._batches:
                    self._states.stop_execution(executionArn=each["executionArn"])
                    self.killed += 1

    def double(self) -> None:
        """Have each message and each record of the stream come once more: of shards, of jobs, of jobs' ends."""
        for batch_id, mine in self._batches.items():
            record = mine.record(batch_id)
            self._queue.send(batch_id, mine.tenant, range(record.shards))
            heads = self.heads(batch_id)
            double_messages(self._stack, heads)
            self._tell_again([head for head in heads if head.status.terminal])

    def _tell_again(self, heads: Sequence[Head]) -> None:
        table, dynamodb = self._stack.outputs["JobsTable"], self._stack.cloud.client("dynamodb")
        records = []
        for number, head in enumerate(heads):
            keys = {"pk": {"S": job_pk(head.id)}, "sk": {"S": "HEAD"}}
            image = dynamodb.get_item(TableName=table, Key=keys, ConsistentRead=True)["Item"]
            change = {"Keys": keys, "NewImage": image, "SequenceNumber": str(number)}
            records.append({"eventName": "MODIFY", "dynamodb": change})
        for start in range(0, len(records), 50):
            self._stack.cloud.client("lambda").invoke(
                FunctionName=self._stack.physical("PublishFunction"),
                Payload=json.dumps({"Records": records[start : start + 50]}),
            )

    def make_due(self) -> None:
        """Let the sweep find the batches now, and the leases of their shards be over."""
        for batch_id, mine in self._batches.items():
            record = mine.record(batch_id)
            self._set(batch_pk(batch_id), "BATCH", "due_at", now_ms())
            for shard in record.open:
                self._set(shard_pk(batch_id, shard), "SHARD", "lease_until", 0)

    def hurry_webhooks(self) -> None:
        """Let the minute be over that an attempt has which died, and have the sweep find what was not delivered."""
        for batch_id, mine in self._batches.items():
            for note in Batches(self._stack.database).deliveries(mine.record(batch_id)):
                if note["state"] == "pending":
                    over = {"busy_until": min(note.get("busy_until", 0), now_ms()), "due_at": now_ms()}
                    self._stack.database.write(Update("jobs", note["pk"], note["sk"], set=over))
        self.sweep()
        time.sleep(2)

    def _set(self, pk: str, sk: str, name: str, value: int) -> None:
        try:
            self._stack.database.write(Update("jobs", pk, sk, set={name: value}, when=(If(name, "exists"),)))
        except ConditionFailed:
            return

    def sweep(self) -> None:
        """Run the deployed sweep, which may crash."""
        self._stack.cloud.client("lambda").invoke(FunctionName=self._stack.outputs["SweepFunction"], Payload=b"{}")

    def weather(self, seconds: float, *, kills: bool) -> bool:
        """Sweep until all have ended and been told, or the time is over; says whether they have.

        With `kills`, workflows die whenever nothing moves.
        """
        deadline, before, since = time.monotonic() + seconds, None, time.monotonic()
        while time.monotonic() < deadline:
            records = [mine.record(batch_id) for batch_id, mine in self._batches.items()]
            if all(each.status.value in ENDED and each.due_at is None for each in records):
                return True
            now_is = [(each.status, each.open, each.sums.ended, each.shards) for each in records]
            ended = [sum(head.status.terminal for head in self.heads(batch_id)) for batch_id in self._batches]
            if (now_is, ended) != before:
                before, since = (now_is, ended), time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                if kills:
                    self.kill_workflows()
                self._ahead()
                self.make_due()
                since = time.monotonic()
            self.sweep()
            time.sleep(1)
        return False
