"""A stack whose functions crash, the work that is given to it meanwhile, and the clock that is moved.

Each of the stack's functions has `BROKER_FAULTS` in its environment: every request to AWS that changes something fails
with that probability before it leaves, and again after it was done; half the time by an exception and half the time by
the end of the process. Every message is sent twice. Time is not waited for but moved: the sweep is also run from here
with a clock eleven minutes ahead, so that leases of runs that are still alive run out too, and fencing has to hold.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from broker.batches.flow.looking import LookAtBatch
from broker.batches.flow.telling import Tell
from broker.batches.listing import batch_id_of, batch_pk
from broker.batches.rows.releasing import Release
from broker.batches.shard import shard_pk
from broker.batches.store import Batches
from broker.clock import now_ms
from broker.cloud.payloads import PayloadStore
from broker.cloud.queues import DeliveryQueue, FilesQueue, JobDeadLetters, JobQueue, ShardsQueue
from broker.cloud.workflows import BatchMachine
from broker.delivery.delivering import Deliver
from broker.delivery.sending import Sent
from broker.delivery.starting import StartDelivery
from broker.inbox.counting import Count
from broker.jobs.head import Head, job_pk
from broker.jobs.store import Jobs
from broker.jobs.sweeping import Sweep
from broker.prompts import experiments
from broker.storage import ConditionFailed, If, Item, Update
from broker.tenants import ledger

from local.client import Client
from tests.e2e.files import Files
from tests.e2e.stack import Stack, chat

FAULTS = "0.02"
BY_REST, BY_EVENT = 180, 60
FILES, LINES = 3, 4
AHEAD_MS = 660_000
FUNCTIONS = (
    "Api", "Intake", "Dispatch", "CheckInput", "SelectModel", "InvokeModel", "ModerateOutput", "SettleJob", "Publish",
    "Deliver", "Sweep", "TakeFile", "BatchStep", "BatchRows",
)  # fmt: skip
TENANT = "crashing"


@contextmanager
def faults(stack: Stack) -> Iterator[None]:
    """Have all functions crash at random, while it lasts, and what they drop come again soon."""
    sqs = stack.cloud.client("sqs")
    # What was being accepted when its function died is free again after thirty seconds; a message comes five times.
    soon = {"IntakeQueue": "8", "InteractiveQueue": "5", "BulkQueue": "5", "DeliveriesQueue": "5", "FilesQueue": "32",
            "ShardsQueue": "8"}  # fmt: skip
    for queue, seconds in soon.items():
        sqs.set_queue_attributes(QueueUrl=stack.physical(queue), Attributes={"VisibilityTimeout": seconds})
    with stack.faults(FAULTS, FUNCTIONS):
        yield


class Ahead:
    """A sweep from here, whose clock is ahead and which does not crash."""

    def __init__(self, stack: Stack, resend_batch: Callable[[Item, int], bool] | None = None) -> None:
        """`resend_batch` looks at batches that are due, in place of what the stack's own sweep does with them."""
        sqs = stack.cloud.client("sqs")
        lanes = {"interactive": stack.physical("InteractiveQueue"), "bulk": stack.physical("BulkQueue")}
        dead = [stack.physical("InteractiveDeadLetters"), stack.physical("BulkDeadLetters")]
        self.jobs = Jobs(stack.database, (ledger.bookings, experiments.endings))
        deliveries = DeliveryQueue(sqs, stack.physical("DeliveriesQueue"))
        deliver = Deliver(stack.database, self.jobs, deliveries, _sends_nothing, lambda note, sent: None)
        count, batches = Count(stack.database, FilesQueue(sqs, stack.physical("FilesQueue"))), Batches(stack.database)
        self._stack, self._batches = stack, batches
        queue = ShardsQueue(sqs, stack.physical("ShardsQueue"))
        machine = BatchMachine(stack.cloud.client("stepfunctions"), stack.physical("BatchWorkflow"))
        tell = Tell(batches, lambda kind, detail: None, StartDelivery(stack.database, deliveries), stack.base_url)
        look = LookAtBatch(batches, Release(batches, queue), queue, machine, tell)

        def resend(item: Item, now: int) -> bool:
            batch_id = batch_id_of(item)
            batch = batches.find(batch_id)
            if batch is None:
                return count.resend(item, now)
            for shard in batch.open:  # the time of whoever ran its rows is over as well
                _set(stack, shard_pk(batch_id, shard), "SHARD", "lease_until", 0)
            return look(batch_id, now)

        payloads = PayloadStore(
            stack.database,
            stack.outputs["JobsTable"],
            stack.physical("PayloadsBucket"),
            lambda: stack.cloud.client("s3"),
            lambda: stack.cloud.client("dynamodb"),
        )
        self._sweep = Sweep(
            self.jobs,
            payloads,
            JobQueue(sqs, lanes),
            JobDeadLetters(sqs, dead),
            deliver.resend,
            resend_batch or resend,
        )

    def __call__(self) -> None:
        for batch in self._batches.of_tenant(TENANT, limit=100, cursor=None)[
            0
        ]:  # however long the next look was put off
            _set(self._stack, batch_pk(batch.id), "BATCH", "due_at", now_ms())
        swept = self._sweep(now_ms() + AHEAD_MS)
        assert swept.errors == []


def let_claims_run_out(stack: Stack, heads: list[Head]) -> None:
    """Let the minute be over that an attempt at a delivery has, and the time that its message is hidden if it died."""
    jobs = Jobs(stack.database, ())
    for head in heads:
        for name, note in jobs.notes(head.id, "DELIVERY#").items():
            if note["state"] == "pending":
                over = {"busy_until": min(note.get("busy_until", 0), now_ms()), "due_at": now_ms()}
                stack.database.write(Update("jobs", job_pk(head.id), f"NOTE#{name}", set=over))


def _set(stack: Stack, pk: str, sk: str, name: str, value: int) -> None:
    try:
        stack.database.write(Update("jobs", pk, sk, set={name: value}, when=(If(name, "exists"),)))
    except ConditionFailed:
        return


def _sends_nothing(tenant: str, url: str, event_id: str, now: int, body: bytes) -> Sent:
    raise AssertionError("the sweep itself posts nothing")


def tenant_heads(stack: Stack) -> list[Head]:
    """All jobs of the tenant, whether anyone was told of them or not."""
    found: list[Head] = []
    cursor = None
    while True:
        heads, cursor = Jobs(stack.database, ()).of_tenant(TENANT, limit=100, cursor=cursor)
        found += heads
        if cursor is None:
            return found


def submit(api: Client, number: int, url: str) -> str | None:
    """Submit as a patient client does: again with the same key when the answer is lost. The id, once it is told."""
    webhook = {"webhook": {"url": url}} if number % 8 == 0 else {}
    body = chat(f"Summarize: job {number}.", model="crashing", routing={"fallbacks": ["crashing-too"]}, **webhook)
    key = str(uuid.uuid4())
    for _ in range(3):
        answer = api.submit(body, idempotency_key=key)
        if answer.status in (200, 202):  # 200: the job of the answer that was lost has ended meanwhile
            return str(answer.body["id"])
        assert answer.status in (409, 500, 503), answer.body
    return None


class Events:
    """Events that ask for work, each sent twice, as the bus may."""

    def __init__(self, stack: Stack) -> None:
        self._sqs, self._dead_letters = stack.cloud.client("sqs"), stack.physical("IntakeDeadLetters")
        self.ids = {str(uuid.uuid4()) for _ in range(BY_EVENT)}
        self._dead: set[str] = set()
        intake = stack.physical("IntakeQueue")
        for number, event_id in enumerate([*self.ids, *self.ids]):
            priority = ("interactive", "bulk")[number % 2]
            detail = chat(f"Summarize: event {event_id}.", model="crashing", priority=priority)
            body = {"id": event_id, "account": "000000000000", "source": "tests.crashing", "detail": detail}
            self._sqs.send_message(QueueUrl=intake, MessageBody=json.dumps(body))

    def unheard(self, heads: list[Head]) -> set[str]:
        """Those that are neither a job nor, after so many failures, in the dead-letter queue with its alarm."""
        while found := self._sqs.receive_message(QueueUrl=self._dead_letters, MaxNumberOfMessages=10).get("Messages"):
            self._dead |= {json.loads(message["Body"])["id"] for message in found}
        return self.ids - self._dead - {head.correlation_id for head in heads if head.door == "event"}


def put_files(stack: Stack, files: Files) -> list[str]:
    """Put files of lines into the inbox, and tell of each once more than S3 does; gives their keys."""
    sqs, queue = stack.cloud.client("sqs"), stack.physical("FilesQueue")
    keys = []
    for number in range(FILES):
        lines = [json.dumps(chat(f"Summarize: line {line} of {number}.", model="crashing")) for line in range(LINES)]
        keys.append(files.put(f"{number}.jsonl", "\n".join(lines), TENANT))
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"detail": files.version(keys[-1])}))
    return keys


def double_messages(stack: Stack, heads: list[Head]) -> None:
    lanes = JobQueue(
        stack.cloud.client("sqs"),
        {"interactive": stack.physical("InteractiveQueue"), "bulk": stack.physical("BulkQueue")},
    )
    for head in heads:
        lanes.send(head)


def drive(stack: Stack, ahead: Ahead, seconds: float, events: Events) -> list[Head]:
    """Sweep until all has ended and nothing is left open, or the time is over."""
    deadline = time.monotonic() + seconds
    ended_before, quiet_since = -1, time.monotonic()
    while True:
        heads = tenant_heads(stack)
        ended = sum(head.status.terminal for head in heads)
        settled = ended == len(heads) and not any(head.open_calls for head in heads)
        if settled and not events.unheard(heads):
            return heads
        if time.monotonic() > deadline:
            return heads
        if ended != ended_before:
            ended_before, quiet_since = ended, time.monotonic()
        elif time.monotonic() - quiet_since > 6:
            ahead()
            quiet_since = time.monotonic()
        stack.cloud.client("lambda").invoke(FunctionName=stack.outputs["SweepFunction"], Payload=b"{}")
        time.sleep(1)
