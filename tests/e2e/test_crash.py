"""The crash test: functions die and fail before and after every write and send, and no job is lost or told twice.

Each of the stack's functions has `BROKER_FAULTS` in its environment: every request to AWS that changes something fails
with that probability before it leaves, and again after it was done; half the time by an exception and half the time by
the end of the process. Every message is sent twice. Time is not waited for but moved: the sweep is also run from here
with a clock eleven minutes ahead, so that leases of runs that are still alive run out too, and fencing has to hold.
"""

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import urllib3
from broker.batches.counting import Count
from broker.clock import now_ms
from broker.cloud.payloads import PayloadStore
from broker.cloud.queues import DeliveryQueue, FilesQueue, JobDeadLetters, JobQueue
from broker.delivery.delivering import Deliver, Sent
from broker.jobs.head import Head, Status
from broker.jobs.store import Jobs
from broker.jobs.sweeping import Sweep
from broker.prompts import experiments
from broker.tenants import ledger
from broker.tenants.ledger import period_of

from local.client import Client
from local.listening import Listener
from local.receiver import Receiver
from tests.e2e.files import Files
from tests.e2e.stack import Stack, chat, until

FAULTS = "0.02"
BY_REST, BY_EVENT = 180, 60
FILES, LINES = 3, 4
AHEAD_MS = 660_000
FUNCTIONS = (
    "Api", "Intake", "Dispatch", "CheckInput", "SelectModel", "InvokeModel", "ModerateOutput", "SettleJob", "Publish",
    "Deliver", "Sweep", "TakeFile",
)  # fmt: skip
TENANT = "crashing"
ALLOWED = 1_000_000_000_000
"""The tenant's budget in nano-dollars, as registered."""

TERMINAL = {"JobSucceeded", "JobFailed", "JobBlocked", "JobCanceled", "JobExpired"}


@contextmanager
def faults(stack: Stack) -> Iterator[None]:
    """Have all functions crash at random, while it lasts, and what they drop come again soon."""
    sqs = stack.cloud.client("sqs")
    # What was being accepted when its function died is free again after thirty seconds; a message comes five times.
    soon = {"IntakeQueue": "8", "InteractiveQueue": "5", "BulkQueue": "5", "DeliveriesQueue": "5", "FilesQueue": "32"}
    for queue, seconds in soon.items():
        sqs.set_queue_attributes(QueueUrl=stack.physical(queue), Attributes={"VisibilityTimeout": seconds})
    with stack.faults(FAULTS, FUNCTIONS):
        yield


class Ahead:
    """A sweep from here, whose clock is ahead and which does not crash."""

    def __init__(self, stack: Stack) -> None:
        sqs = stack.cloud.client("sqs")
        lanes = {"interactive": stack.physical("InteractiveQueue"), "bulk": stack.physical("BulkQueue")}
        dead = [stack.physical("InteractiveDeadLetters"), stack.physical("BulkDeadLetters")]
        self.jobs = Jobs(stack.database, (ledger.bookings, experiments.endings))
        deliveries = DeliveryQueue(sqs, stack.physical("DeliveriesQueue"))
        deliver = Deliver(stack.database, self.jobs, deliveries, _sends_nothing, lambda note, sent: None)
        count = Count(stack.database, FilesQueue(sqs, stack.physical("FilesQueue")))
        payloads = PayloadStore(
            stack.database,
            stack.outputs["JobsTable"],
            stack.physical("PayloadsBucket"),
            lambda: stack.cloud.client("s3"),
            lambda: stack.cloud.client("dynamodb"),
        )
        self._sweep = Sweep(
            self.jobs, payloads, JobQueue(sqs, lanes), JobDeadLetters(sqs, dead), deliver.resend, count.resend
        )

    def __call__(self) -> None:
        swept = self._sweep(now_ms() + AHEAD_MS)
        assert swept.errors == []


def _sends_nothing(tenant: str, url: str, event_id: str, now: int, body: bytes) -> Sent:
    raise AssertionError("the sweep itself posts nothing")


def _heads(stack: Stack) -> list[Head]:
    """All jobs of the tenant, whether anyone was told of them or not."""
    found: list[Head] = []
    cursor = None
    while True:
        heads, cursor = Jobs(stack.database, ()).of_tenant(TENANT, limit=100, cursor=cursor)
        found += heads
        if cursor is None:
            return found


def _submit(api: Client, number: int, url: str) -> str | None:
    """Submit as a patient client does: again with the same key when the answer is lost. The id, once it is told."""
    webhook = {"webhook": {"url": url}} if number % 8 == 0 else {}
    body = chat(f"Summarize: job {number}.", model="crashing", routing={"fallbacks": ["crashing-too"]}, **webhook)
    key = str(uuid.uuid4())
    for _ in range(3):
        answer = api.submit(body, idempotency_key=key)
        if answer.status in (200, 202):  # 200: the job of the answer that was lost has ended meanwhile
            return str(answer.body["id"])
        assert answer.status in (409, 500, 502), answer.body
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


def _put_files(stack: Stack, files: Files) -> list[str]:
    """Put files of lines into the inbox, and tell of each once more than S3 does; gives their keys."""
    sqs, queue = stack.cloud.client("sqs"), stack.physical("FilesQueue")
    keys = []
    for number in range(FILES):
        lines = [json.dumps(chat(f"Summarize: line {line} of {number}.", model="crashing")) for line in range(LINES)]
        keys.append(files.put(f"{number}.jsonl", "\n".join(lines), TENANT))
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"detail": files.version(keys[-1])}))
    return keys


def _double_messages(stack: Stack, heads: list[Head]) -> None:
    lanes = JobQueue(
        stack.cloud.client("sqs"),
        {"interactive": stack.physical("InteractiveQueue"), "bulk": stack.physical("BulkQueue")},
    )
    for head in heads:
        lanes.send(head)


def _drive(stack: Stack, ahead: Ahead, seconds: float, events: Events) -> list[Head]:
    """Sweep until all has ended and nothing is left open, or the time is over."""
    deadline = time.monotonic() + seconds
    ended_before, quiet_since = -1, time.monotonic()
    while True:
        heads = _heads(stack)
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


@pytest.fixture(scope="module")
def crashed(stack: Stack) -> Iterator[dict[str, Any]]:
    """Two hundred jobs and more, run while everything crashes; what came of them."""
    api = stack.as_tenant(TENANT)
    models = urllib3.PoolManager()
    models.request("DELETE", f"{stack.models_url}/_calls")
    ahead = Ahead(stack)
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard, Receiver() as receiver:
        with faults(stack):
            files = Files(stack)
            keys = _put_files(stack, files)
            with ThreadPoolExecutor(6) as pool:
                accepted = [each for each in pool.map(lambda n: _submit(api, n, receiver.url), range(BY_REST)) if each]
            events = Events(stack)
            _double_messages(stack, _heads(stack))
            _drive(stack, ahead, 60, events)
        heads = _drive(stack, ahead, 60, events)
        until(lambda: _completed(heard).keys() >= set(keys) or ahead(), 150)
        heads = _drive(stack, ahead, 60, events)
        terminal = _terminal_events(heard, {head.id for head in heads})
        hooked = [head for head in heads if head.webhook]
        # An attempt that died keeps its claim for a minute, and what was sent for it meanwhile is sent anew in another.
        until(lambda: len(_delivered(receiver)) >= len(hooked) or ahead(), 200)
        calls = json.loads(models.request("GET", f"{stack.models_url}/_calls").data)
        yield {
            "accepted": accepted,
            "events": events.ids,
            "unheard": events.unheard(heads),
            "heads": heads,
            "terminal": terminal,
            "files": {key: files.rows(key) for key in keys},
            "completed": _completed(heard),
            "hooked": hooked,
            "delivered": _delivered(receiver),
            "calls": calls["calls"] if isinstance(calls, dict) else calls,
        }


def _terminal_events(heard: Listener, ids: set[str]) -> dict[str, set[tuple[str, str]]]:
    """The terminal events that were heard, by job: detail-type and event id."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)

    def all_told() -> bool:
        for event in heard.drain():
            job_id = event["detail"]["data"].get("job_id")
            if event["detail-type"] in TERMINAL and job_id in ids:
                found[job_id].add((event["detail-type"], event["detail"]["metadata"]["event_id"]))
        return found.keys() >= ids

    until(all_told, 60)
    return found


def _completed(heard: Listener) -> dict[str, set[str]]:
    """The ids of the events that told of completed files, by key."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in heard.drain():
        if event["detail-type"] == "BatchCompleted":
            found[event["detail"]["data"]["key"]].add(event["detail"]["metadata"]["event_id"])
    return found


def _delivered(receiver: Receiver) -> dict[str, set[str]]:
    """The ids of the webhooks that arrived, by job."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in receiver.received:
        found[json.loads(each.body)["data"]["job_id"]].add(each.headers["webhook-id"])
    return found


def test_every_job_ends_in_one_terminal_state(crashed: dict[str, Any]) -> None:
    heads: list[Head] = crashed["heads"]
    assert len(heads) >= 200
    assert [head.id for head in heads if not head.status.terminal] == []
    succeeded = sum(head.status is Status.SUCCEEDED for head in heads)
    assert succeeded > len(heads) / 2, [head.error for head in heads if head.error]
    assert any(head.run > 1 for head in heads), "no job was ever taken back: the faults did not bite"


def test_no_accepted_job_is_lost(crashed: dict[str, Any]) -> None:
    ids = {head.id for head in crashed["heads"]}
    assert len(crashed["accepted"]) > BY_REST / 2
    assert set(crashed["accepted"]) <= ids


def test_an_event_is_one_job_however_often_it_comes(crashed: dict[str, Any]) -> None:
    of_events = [head.correlation_id for head in crashed["heads"] if head.door == "event"]
    assert len(set(of_events)) == len(of_events)
    assert set(of_events) <= crashed["events"]
    assert len(of_events) > BY_EVENT / 2
    assert crashed["unheard"] == set()


def test_each_line_of_a_file_is_one_job_and_each_file_one_result(crashed: dict[str, Any]) -> None:
    of_files = [(head.batch, head.line) for head in crashed["heads"] if head.batch]
    assert len(set(of_files)) == len(of_files) == FILES * LINES
    ended = {head.id: head.status.value for head in crashed["heads"]}
    for key, rows in crashed["files"].items():
        assert [row["line"] for row in rows] == list(range(1, LINES + 1))
        assert all(ended[row["job"]["id"]] == row["job"]["status"] for row in rows)
        assert len(crashed["completed"][key]) == 1


def test_each_job_has_one_terminal_event(crashed: dict[str, Any]) -> None:
    terminal: dict[str, set[tuple[str, str]]] = crashed["terminal"]
    for head in crashed["heads"]:
        assert {event_id for _, event_id in terminal[head.id]} == {head.event_id}, head.id


def test_each_webhook_arrives_with_one_id(crashed: dict[str, Any]) -> None:
    assert len(crashed["hooked"]) > 5
    for head in crashed["hooked"]:
        assert crashed["delivered"][head.id] == {head.event_id}


def test_the_ledger_is_settled(stack: Stack, crashed: dict[str, Any]) -> None:
    heads: list[Head] = crashed["heads"]
    spent = sum(head.spent for head in heads)
    booked = stack.database.query("ledger", f"SPEND#{TENANT}", period_of(now_ms()))
    budget = stack.database.get("ledger", f"BUDGET#{TENANT}", period_of(now_ms()))
    assert sum(item["nusd"] for item in booked) == spent
    assert sum(item["calls"] for item in booked) == sum(len(head.calls) for head in heads)
    assert budget is not None
    assert budget["available"] + sum(item.get("returned", 0) for item in booked) == ALLOWED - spent


def test_no_provider_call_is_unbilled(crashed: dict[str, Any]) -> None:
    made = [call for call in crashed["calls"] if str(call["model"]).startswith("crashing")]
    recorded = sum(len(head.calls) for head in crashed["heads"])
    assert len(made) >= len([head for head in crashed["heads"] if head.status is Status.SUCCEEDED])
    assert len(made) <= recorded
