"""What docs/events.md has another team write works as it stands there."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml
from broker.clock import iso
from broker.delivery.events import event_of
from broker.jobs.event_consumer import KNOWN_MS, EventConsumer
from broker.jobs.head import Status
from broker.tenants.registry import Sender
from cfnlint.api import ManualArgs, lint
from moto import mock_aws

from tests.contract.published_events import check_event
from tests.contract.stack import ROOT, of_type
from tests.contract.test_events import matches, sent
from tests.contract.world import NOW, World, every_job
from tests.fakes.queue import FakeRejections
from tests.fakes.world import BASE_URL

PAGE = (ROOT / "docs" / "events.md").read_text()


def snippets(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.+?)^ *```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bus of the broker's name, all of whose events come to a queue."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        events, sqs = boto3.client("events"), boto3.client("sqs")
        events.create_event_bus(Name="inference-broker")
        url = sqs.create_queue(QueueName="heard")["QueueUrl"]
        pattern = json.dumps(of_type("AWS::Events::Rule")["InferenceRequestedRule"]["EventPattern"])
        events.put_rule(Name="all", EventBusName="inference-broker", EventPattern=pattern)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_targets(Rule="all", EventBusName="inference-broker", Targets=[{"Id": "1", "Arn": arn}])
        yield SimpleNamespace(heard=lambda: sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"])


def taken(body: str) -> Any:
    world, rejected = World(), FakeRejections()
    take = EventConsumer(world.accept, lambda account, source: Sender("acme"), rejected, lambda kind, detail: None)
    accepted = take(body, NOW)
    assert accepted is not None and not isinstance(accepted, str), rejected.kept
    return accepted.head


def test_the_lines_that_ask_put_an_event_that_becomes_a_job(bus: Any) -> None:
    said: dict[str, Any] = {}
    exec(snippets("python")[0], said)  # noqa: S102 - our own page
    (message,) = bus.heard()
    event = {"account": "123456789012", **json.loads(message["Body"])}  # which moto leaves out
    check_event(event)
    assert taken(json.dumps(event)).correlation_id == said["event_id"]


def test_the_cloud_event_becomes_a_job() -> None:
    text, _ = snippets("json")
    event = {"id": "e-1", "account": "123456789012", "source": "acme.orders", "detail": json.loads(text)}
    check_event(event | {"detail-type": "InferenceRequested"})
    assert taken(json.dumps(event)).door == "event"


def test_the_cloud_event_that_is_given_is_as_published() -> None:
    _, text = snippets("json")
    ended = World().ended(Status.SUCCEEDED)
    kind, told = event_of(None, replace(ended, cloud_events=True), BASE_URL) or ("", {})
    shown = json.loads(text)
    check_event({"source": "inference.broker", "detail-type": kind, "detail": shown})
    assert shown.keys() == told.keys() and shown["data"].keys() == told["data"].keys()


def function() -> dict[str, Any]:
    """A function with what the page has of a template."""
    policies, events = (yaml.safe_load(text) for text in snippets("yaml"))
    return {"Handler": "app.handler", "Runtime": "python3.13", "CodeUri": ".", **policies, **events}


def test_the_lines_of_the_template_are_a_template() -> None:
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Function": {"Type": "AWS::Serverless::Function", "Properties": function()}},
    }
    assert [str(each) for each in lint(json.dumps(template), None, ["eu-central-1"], ManualArgs())] == []


def test_the_rule_hears_how_the_teams_jobs_end_and_nothing_else() -> None:
    (rule,) = function()["Events"].values()
    pattern = rule["Properties"]["Pattern"]
    heard = set()
    for _, _, head in every_job():
        kind, detail = event_of(None, head, BASE_URL) or ("", {})
        event = sent(kind, detail)
        assert matches(pattern, event) == head.status.terminal, kind
        heard |= {kind} if matches(pattern, event) else set()
        detail["metadata"]["tenant"] = "other"
        assert not matches(pattern, sent(kind, detail))
    assert heard == set(pattern["detail-type"])


def test_the_handler_reads_an_event_of_the_brokers(capsys: pytest.CaptureFixture[str]) -> None:
    ended = World().ended(Status.SUCCEEDED)
    kind, detail = event_of(None, ended, BASE_URL) or ("", {})
    told: dict[str, Any] = {}
    exec(snippets("python")[1].replace("…", ended.correlation_id), told)  # noqa: S102 - our own page
    told["handler"](sent(kind, detail), None)
    assert capsys.readouterr().out == f"JobSucceeded {detail['data']['url']}\n"


def test_the_days_of_the_page_are_those_of_the_code() -> None:
    assert KNOWN_MS == 14 * 86_400_000
    assert "for 14 days, however it comes" in PAGE
    rejected = FakeRejections()
    take = EventConsumer(World().accept, lambda *_: Sender("acme"), rejected, lambda kind, detail: None)
    old = {"id": "e", "account": "1", "source": "s", "detail": {}, "replay-name": "r", "time": iso(NOW - KNOWN_MS)}
    assert take(json.dumps(old), NOW) is None
    assert rejected.kept[0][1].startswith("replayed_too_late: ") and "`replayed_too_late`" in PAGE
