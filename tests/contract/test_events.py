"""Rules and filters let through what they should: the events that are sent, and those that are taken in."""

import ast
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from broker.bootstrap import doors
from broker.cli.documents import read
from broker.cloud.attributes import encode_item
from broker.cloud.bus import SOURCE, Bus
from broker.cloud.queues import MOST_BYTES
from broker.cloud.stream import change_of
from broker.contract.events import event_models
from broker.delivery.events import event_of, review_event_of
from broker.delivery.publishing import HeadChange
from broker.envelope import envelope
from broker.jobs.call_transitions import end_call, start_call
from broker.jobs.event_consumer import EventConsumer, refuse_document
from broker.jobs.head import Head, Status
from broker.jobs.reviewing import hold_for_review, let_go
from broker.jobs.store import NEWS, Jobs, note_item
from broker.jobs.transitions import Fence, Outcome, claim, finish
from broker.registry.document import parse_registry
from broker.storage import Item
from broker.tenants.registry import Sender
from moto.events.models import EventPattern

from bench.template import readers
from local.emulator.limits.messages import size
from tests.contract.stack import ROOT, events, functions, of_type, target, template
from tests.contract.test_schemas import check
from tests.contract.world import ASK, NOW, World, every_job
from tests.fakes.database import FakeDatabase
from tests.fakes.queue import FakeRejections
from tests.fakes.world import BASE_URL, JOB_ID, a_head

MOST_EVENT_BYTES = 1_048_000
"""Of an entry, as the contract has it."""

ACCOUNT = "123456789012"
RULES = of_type("AWS::Events::Rule")
INTAKE = [name for name, rule in RULES.items() for each in rule["Targets"] if target(each["Arn"]) == "IntakeQueue"]
HEADS = [pytest.param(head, id=name) for name, _, head in every_job()]


class Recorded:
    """EventBridge's client, keeping what it is given."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.entries += Entries
        return {"Entries": [{"EventId": "1"} for _ in Entries]}


def delivered(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of PutEvents as a rule sees it."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": ACCOUNT,
        "time": "2026-11-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }


def sent(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An event as the broker's own adapter sends it."""
    client = Recorded()
    Bus(client, "bus").put_one(kind, detail)
    (entry,) = client.entries
    assert entry["EventBusName"] == "bus"
    return delivered(entry)


def requested(source: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An event of another system that asks for work."""
    return delivered({"DetailType": "InferenceRequested", "Source": source, "Detail": json.dumps(detail)})


def matches(pattern: Any, event: dict[str, Any]) -> bool:
    return bool(EventPattern.load(json.dumps(pattern)).matches_event(event))


def examples() -> tuple[Any, Any]:
    """The two JSON texts of the contract's page on events: the entries that ask, and what tells of the end."""
    page = (ROOT / "docs" / "contract.md").read_text()
    section = page[page.index("\n## Events\n") : page.index("\n## Files\n")]
    asked, event_shown = re.findall(r"```json\n(.+?)\n```", section, re.DOTALL)
    return json.loads(asked), json.loads(event_shown)


def rules_for(event: dict[str, Any]) -> list[str]:
    return [name for name, rule in RULES.items() if matches(rule["EventPattern"], event)]


def test_one_rule_leads_to_the_intake() -> None:
    assert len(INTAKE) == 1
    (rule,) = (RULES[name] for name in INTAKE)
    assert target(rule["EventBusName"]) == "Bus", "the rule listens on another bus"
    assert "InputTransformer" not in rule["Targets"][0], "intake reads the event as it came"
    assert [function for function, _, each in events("SQS") if target(each["Queue"]) == "IntakeQueue"] == [
        "IntakeFunction"
    ]


@pytest.mark.parametrize("source", ["shop.orders", "com.example.crm", "aws.custom", "x"])
@pytest.mark.parametrize("detail", [ASK, {}, {"input": {"text": "…"}, "metadata": {"order": "17"}}], ids=str)
def test_a_request_of_any_source_reaches_the_intake(source: str, detail: dict[str, Any]) -> None:
    assert rules_for(requested(source, detail)) == INTAKE


def test_the_example_of_a_request_becomes_a_job_of_its_source() -> None:
    ((entry,), event_shown) = examples()
    event = delivered(entry)
    assert rules_for(event) == INTAKE
    check("job-request", event["detail"])
    (source,) = parse_registry(read(ROOT / "examples" / "registry")).sources
    assert (source.account, source.source) == (event_shown["account"], entry["Source"]), "the registered one is another"
    rejected = FakeRejections()
    take = EventConsumer(World().accept, lambda account, source: Sender("acme"), rejected, lambda kind, detail: None)
    accepted = take(json.dumps(event), NOW)
    assert accepted is not None, rejected.kept
    assert accepted.head.correlation_id == event["id"]


def test_the_example_of_an_end_is_as_published_and_as_it_is_told() -> None:
    _, event_shown = examples()
    check("event", event_shown)
    ended = World().ended(Status.SUCCEEDED)
    kind, detail = event_of(None, ended, BASE_URL) or ("", {})
    event = sent(kind, detail)
    assert shape(event_shown) == shape(event), "the example has other fields than the broker's"
    assert rules_for(event_shown) == []
    facts, metadata = event_shown["detail"]["data"], event_shown["detail"]["metadata"]
    assert metadata["event_id"] == replace(ended, id=facts["job_id"]).event_id
    assert facts["url"].endswith(f"/v1/jobs/{facts['job_id']}")


def shape(value: Any) -> Any:
    """The fields of a document, without what they hold."""
    return {name: shape(each) for name, each in value.items()} if isinstance(value, dict) else None


def test_what_reaches_the_intake_becomes_a_job() -> None:
    world = World()
    sender = Sender("acme")
    take = EventConsumer(world.accept, lambda *_: sender, FakeRejections(), lambda kind, detail: None)
    event = requested("shop.orders", ASK)
    first, again = take(json.dumps(event), NOW), take(json.dumps(event), NOW)
    assert first is not None and again is not None
    assert (first.head.id, again.repeated) == (again.head.id, True), "the same event made two jobs"


@pytest.mark.parametrize("head", HEADS)
def test_an_event_of_a_job_never_comes_back_as_work(head: Head) -> None:
    kind, detail = event_of(None, head, BASE_URL) or ("", {})
    event = sent(kind, detail)
    assert event["source"] == SOURCE
    assert rules_for(event) == [], f"{kind} would be taken for a request"


def test_a_rejection_never_comes_back_as_work() -> None:
    event = sent("RequestRejected", envelope("evt_1_rejected", "1", None, NOW, {"source": "shop", "error": {}}))
    assert rules_for(event) == []


@pytest.mark.parametrize("kind", ["inferencerequested", "InferenceRequest", "OrderPlaced", "InferenceRequested "])
def test_other_events_are_left_alone(kind: str) -> None:
    assert rules_for(delivered({"DetailType": kind, "Source": "shop", "Detail": "{}"})) == []


def test_the_archive_holds_the_brokers_events_and_no_requests() -> None:
    for name, archive in of_type("AWS::Events::Archive").items():
        kind, detail = event_of(None, World().submitted(), BASE_URL) or ("", {})
        assert matches(archive["EventPattern"], sent(kind, detail)), f"{name} misses the broker's events"
        assert not matches(archive["EventPattern"], requested("shop", ASK)), f"{name} would keep prompts"


def arrived(bucket: str, kind: str = "Object Created", source: str = "aws.s3") -> dict[str, Any]:
    """S3's word of an object, on the account's default bus."""
    found = {"key": "acme/a.txt", "size": 5, "etag": "e", "version-id": "v", "sequencer": "1"}
    detail = {"version": "0", "bucket": {"name": bucket}, "object": found, "reason": "PutObject"}
    return delivered({"DetailType": kind, "Source": source, "Detail": json.dumps(detail)})


def test_files_of_the_inbox_and_no_others_reach_their_function() -> None:
    rule = RULES["FileArrivedRule"]
    assert "EventBusName" not in rule, "S3 speaks on the default bus only"
    (file_target,) = rule["Targets"]
    assert target(file_target["Arn"]) == "FilesQueue"
    assert [function for function, _, each in events("SQS") if target(each["Queue"]) == "FilesQueue"] == [
        "TakeFileFunction"
    ]
    pattern = json.loads(json.dumps(rule["EventPattern"]).replace('{"Ref": "InboxBucket"}', '"inbox"'))
    assert matches(pattern, arrived("inbox"))
    assert not matches(pattern, arrived("outbox")), "results would come back as work"
    assert not matches(pattern, arrived("inbox", "Object Deleted"))
    assert not matches(pattern, arrived("inbox", source="shop"))
    inbox = of_type("AWS::S3::Bucket")["InboxBucket"]
    assert inbox["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_a_stack_without_an_inbox_reads_none_of_its_queues_and_all_others() -> None:
    assert set(readers()) - set(readers(Inbox="off")) == {"FilesQueue", "DocumentsQueue"}
    (rule,) = (each for name, each in of_type("AWS::Events::Rule").items() if name == "FileArrivedRule")
    assert rule["State"] == {"Fn::If": ["TakesFiles", "ENABLED", "DISABLED"]}
    assert functions()["IntakeFunction"]["Environment"]["Variables"]["TAKES_FILES"] == {"Ref": "Inbox"}


@pytest.mark.parametrize("inbox", ["on", "off"])
def test_an_event_that_asks_for_a_document_is_for_a_stack_with_an_inbox(
    monkeypatch: pytest.MonkeyPatch, inbox: str
) -> None:
    variables = template()["Globals"]["Function"]["Environment"]["Variables"]
    for name in variables:
        monkeypatch.setenv(name, "on_request" if name == "REST_JOB_EVENTS" else "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("TAKES_FILES", inbox)
    consumer = doors.event_consumer.__wrapped__()
    assert (consumer.take_document is refuse_document) is (inbox == "off")


def test_only_published_detail_types_are_put_on_the_bus() -> None:
    known = set(event_models()) | {"InferenceRequested"}
    for path in (ROOT / "functions").glob("*/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("tell", "put_one") and node.args:
                kind = node.args[0]
                if isinstance(kind, ast.Constant):
                    assert kind.value in known, f"{path.name} puts {kind.value}, which schemas/event.json does not know"


def record(head: Head, name: str, before: Head | None = None) -> dict[str, Any]:
    """The record of a head whose status changed."""
    return stream_record(head.to_item() | NEWS, name, before.to_item() if before else None)


def stream_record(item: Item, name: str, before: Item | None = None) -> dict[str, Any]:
    """A record of the jobs table's stream."""
    change: dict[str, Any] = {"SequenceNumber": "1", "Keys": encode_item({"pk": item["pk"], "sk": item["sk"]})}
    change["NewImage"] = encode_item(item)
    if before:
        change["OldImage"] = encode_item(before)
    return {"eventID": "1", "eventName": name, "eventSource": "aws:dynamodb", "dynamodb": change}


def stream_filters(*, progress: bool = True) -> list[Any]:
    ((_, _, source),) = events("DynamoDB")
    plain, reviews, *audited = source["FilterCriteria"]["Filters"]
    assert all(each["Fn::If"][0] == "Audits" for each in audited), "paid for where there is an audit trail alone"
    condition, with_progress, ends = plain["Pattern"]["Fn::If"]
    assert condition == "TellsProgress"
    return [json.loads(with_progress if progress else ends), json.loads(reviews["Pattern"])]


def comes_through(item: dict[str, Any], *, progress: bool = True) -> bool:
    return any(matches(each, item) for each in stream_filters(progress=progress))


@pytest.mark.parametrize(("progress", "expected"), [(True, ["queued", "running", "succeeded"]), (False, ["succeeded"])])
def test_just_the_changes_of_status_reach_publish(progress: bool, expected: list[str]) -> None:
    database = FakeDatabase()
    jobs = Jobs(database, ())
    jobs.create(a_head())
    fence = Fence(1, "exec-1")
    jobs.change(JOB_ID, lambda head: claim(head, now=NOW, lease_ms=1000, by="m-1"))
    jobs.change(JOB_ID, lambda head: start_call(head, fence, model="m", reserve=1, now=NOW, lease_ms=1000)[0])
    jobs.change(JOB_ID, lambda head: end_call(head, fence, "1.1", {"cost": 1, "outcome": "succeeded"}))
    jobs.change(JOB_ID, lambda head: finish(head, Outcome(Status.SUCCEEDED), now=NOW, fence=fence))
    let_through = [
        after["status"]
        for before, after in database.stream
        if comes_through(stream_record(after, "MODIFY" if before else "INSERT", before), progress=progress)
    ]
    assert len(database.stream) == 5
    assert let_through == expected


@pytest.mark.parametrize("progress", [True, False])
def test_what_is_held_and_what_is_released_is_told_whether_progress_is_or_not(progress: bool) -> None:
    database = FakeDatabase()
    jobs, fence = Jobs(database, ()), Fence(1, "exec-1")
    jobs.create(a_head(status=Status.RUNNING, run=1))
    jobs.change(JOB_ID, lambda head: hold_for_review(head, fence, stage="input", rules=["words"], answer=None, now=NOW))
    jobs.change(JOB_ID, lambda head: let_go(head, now=NOW))
    (_, held), (_, released) = database.stream[1:]
    for kind, before, after in (("JobHeld", database.stream[0][1], held), ("JobReleased", held, released)):
        assert comes_through(stream_record(after, "MODIFY", before), progress=progress), kind
        told = review_event_of(Head.from_item(before), Head.from_item(after), BASE_URL)
        assert told is not None
        event = sent(*told)
        check("event", event)
        assert (event["detail-type"], rules_for(event)) == (kind, [])


@pytest.mark.parametrize("status", [status for status in Status if status.terminal])
def test_every_end_is_told_whether_progress_is_or_not(status: Status) -> None:
    head = World().ended(status)
    item = record(head, "MODIFY")
    item["dynamodb"]["NewImage"]["news"] = {"N": "1"}
    assert comes_through(item, progress=False)


def test_nothing_else_reaches_publish() -> None:
    head = World().submitted()
    assert not comes_through(record(head, "REMOVE")), "a deletion by TTL tells nothing"
    for item in (note_item(head, "ASKED", {}), {"pk": f"JOB#{head.id}", "sk": "BODY"}, {"pk": "IDEM#x", "sk": "IDEM"}):
        other = record(head, "INSERT")
        other["dynamodb"]["Keys"] = encode_item({"pk": item["pk"], "sk": item["sk"]})
        assert not comes_through(other), f"{item['sk']} would be read as a head"


def test_publish_reads_what_the_filter_lets_through() -> None:
    world = World()
    before = world.submitted()
    after = claim(before, now=NOW, lease_ms=1000, by="m-1")
    assert change_of(record(after, "MODIFY", before)["dynamodb"]) == HeadChange("1", before, after)
    assert change_of(record(before, "INSERT")["dynamodb"]) == HeadChange("1", None, before)


def test_an_event_of_the_most_that_is_promised_fits_a_message() -> None:
    assert f"An entry may have {MOST_EVENT_BYTES:,} bytes" in (ROOT / "docs" / "contract.md").read_text()
    entry = {"Source": "s" * 256, "DetailType": "InferenceRequested", "Resources": ["arn:" + "r" * 60] * 20}
    counted = {"Time": 1, **entry, "Detail": ""}
    entry["Detail"] = json.dumps({"input": "x" * (MOST_EVENT_BYTES - size(counted) - len('{"input": ""}'))})
    assert size({"Time": 1, **entry}) == MOST_EVENT_BYTES
    event = {
        **{"version": "0", "id": "4f5a0c9e-7f0c-4a63-9a6b-0d3f5f6b7c11", "detail-type": entry["DetailType"]},
        **{"source": entry["Source"], "account": ACCOUNT, "time": "2026-11-29T09:00:02Z", "region": "ap-southeast-1"},
        **{"resources": entry["Resources"], "detail": "@"},
    }
    handed_on = json.dumps(event).replace('"@"', entry["Detail"])
    assert MOST_EVENT_BYTES < len(handed_on.encode()) <= MOST_BYTES
