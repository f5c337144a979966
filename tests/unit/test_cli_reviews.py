"""`broker reviews` and `broker feedback` on AWS in the process."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from broker.cli import main, stack_outputs, tables_of
from broker.cli.reviewing import jobs_of, payloads_of
from broker.clock import now_ms
from broker.jobs.reviewing import hold_for_review
from broker.jobs.store import REQUEST
from broker.jobs.transitions import claim
from broker.reviews import feedback
from broker.reviews.bodies import parse_feedback
from broker.reviews.record import opened
from moto import mock_aws

from tests.contract.stack import of_type
from tests.fakes.world import HOUR, JOB_ID, a_head
from tests.unit.transitions_case import FENCE

TABLES = ("JobsTable", "RegistryTable", "LedgerTable")
SHAPE = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
TEMPLATE = {
    "Resources": {
        **{
            name: {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    each: value for each, value in of_type("AWS::DynamoDB::Table")[name].items() if each in SHAPE
                },
            }
            for name in TABLES
        },
        "PayloadsBucket": {"Type": "AWS::S3::Bucket"},
        "Lane": {"Type": "AWS::SQS::Queue"},
    },
    "Outputs": {
        **{name: {"Value": {"Ref": name}} for name in (*TABLES, "PayloadsBucket")},
        **{name: {"Value": {"Ref": "Lane"}} for name in ("InteractiveQueueUrl", "BulkQueueUrl")},
    },
}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shell with credentials, and a stack with one job, which is held."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("BROKER_STACK", "my-broker")
    with mock_aws():
        made = boto3.Session()
        made.client("cloudformation").create_stack(StackName="my-broker", TemplateBody=json.dumps(TEMPLATE))
        _hold(made)
        yield made


def _hold(session: Any) -> None:
    outputs = stack_outputs(session, "my-broker")
    jobs, now = jobs_of(tables_of(session, outputs)), now_ms()
    until = (now + HOUR) // 1000
    head = a_head(created_at=now, deadline_at=now + HOUR, payloads_until=until, expires_at=until)
    jobs.create(head)
    payloads_of(session, outputs).save(head, REQUEST, {"task": "chat", "input": {"text": "A heron."}})
    jobs.change(JOB_ID, lambda each: claim(each, now=now, lease_ms=90_000, by="m1"))

    def aside(each: Any) -> Any:
        return hold_for_review(each, FENCE, stage="input", rules=["words"], answer=None, now=now)

    held = {"stage": "input", "rules": ["words"], "message": "No."}
    jobs.change(JOB_ID, aside, opened(aside(jobs.get(JOB_ID)), held, now))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_a_review_is_listed_shown_claimed_and_released(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    listed = run(capsys, "reviews", "list", "--tenant", "acme")
    assert JOB_ID in listed and listed.endswith("1 held\n")
    assert run(capsys, "reviews", "list", "--tenant", "other") == "0 held\n"
    assert "--- input.text\n  A heron." in run(capsys, "reviews", "show", JOB_ID)
    assert "claimed by arn:aws:sts" in run(capsys, "reviews", "claim", JOB_ID, "--reviewer", "ada")
    assert main(["reviews", "release", JOB_ID, "input", "--reason", "Fine."]) == 6, "somebody else of this identity"
    capsys.readouterr()
    mine = ("--reason", "Fine.", "--reviewer", "ada")
    assert "released at input by words" in run(capsys, "reviews", "release", JOB_ID, "input", *mine)
    assert "released by ada: Fine." in run(capsys, "reviews", "show", JOB_ID)
    lane = stack_outputs(session, "my-broker")["InteractiveQueueUrl"]
    (message,) = session.client("sqs").receive_message(QueueUrl=lane)["Messages"]
    assert json.loads(message["Body"])["job_id"] == JOB_ID
    assert run(capsys, "reviews", "list") == "0 held\n"
    assert main(["reviews", "reject", JOB_ID, "input", "--reason", "No."]) == 6
    assert "no longer held" in capsys.readouterr().err


def test_feedback_is_written_as_rows(session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = stack_outputs(session, "my-broker")
    jobs = jobs_of(tables_of(session, outputs))
    said = parse_feedback({"about": "guardrails", "verdict": "missed"})
    feedback.give(jobs, jobs.get(JOB_ID), said, "key:1", now_ms())
    file = tmp_path / "rows.jsonl"
    assert run(capsys, "feedback", "export", str(file)).startswith("1 rows written")
    assert json.loads(file.read_text())["text"] == "A heron."
    payloads_of(session, outputs).erase(JOB_ID)
    assert "of 1 the text is not kept" in run(capsys, "feedback", "export", str(file))
    assert file.read_text() == ""
