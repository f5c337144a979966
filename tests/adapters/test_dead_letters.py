"""Dead letters are shown without their payloads, stay there, and go back to where they came from (moto's SQS)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from broker.cli import main
from broker.cli.groups import dlq
from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cloud.dead_letters import DeadLetterQueues, Redriven
from broker.errors import InvalidRequest, NotFound
from moto import mock_aws

from tests.contract.stack import queues as queues_of_the_template

SECRET = "the patient's name is Ada"
EVENT = {
    "id": "e-1",
    "account": "123456789012",
    "source": "shop",
    "detail-type": "InferenceRequested",
    "detail": SECRET,
}
LATER = 99_999_999_999_999


class Sqs:
    """moto's client, and the calls that it has not: it moves nothing by itself unless told so."""

    def __init__(self, client: Any, *, moves: bool = False) -> None:
        self._client = client
        self._moves = moves
        self.moved: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def start_message_move_task(self, SourceArn: str) -> dict[str, Any]:
        if not self._moves:
            raise ClientError({"Error": {"Code": "InvalidAction", "Message": "No."}}, "StartMessageMoveTask")
        self.moved.append(SourceArn)
        return {"TaskHandle": "1"}

    def list_message_move_tasks(self, SourceArn: str, MaxResults: int) -> dict[str, Any]:
        if not self._moves:
            raise ClientError({"Error": {"Code": "InvalidAction", "Message": "No."}}, "ListMessageMoveTasks")
        numbers = {"ApproximateNumberOfMessagesMoved": 2, "ApproximateNumberOfMessagesToMove": 3}
        return {"Results": [{"Status": "RUNNING", **numbers}]}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield boto3.client("sqs")


NAMES = ("IntakeQueue", "IntakeDeadLetters", "RejectedQueue", "RuleDeadLetters", "PublishDeadLetters")


def made(client: Any, *, moves: bool = False) -> tuple[Sqs, DeadLetterQueues, dict[str, str]]:
    """The queues of a small stack."""
    urls = {name: client.create_queue(QueueName=f"my-broker-{name}")["QueueUrl"] for name in NAMES}
    asked = client.get_queue_attributes(QueueUrl=urls["IntakeDeadLetters"], AttributeNames=["QueueArn"])
    policy = json.dumps({"deadLetterTargetArn": asked["Attributes"]["QueueArn"], "maxReceiveCount": 1})
    client.set_queue_attributes(QueueUrl=urls["IntakeQueue"], Attributes={"RedrivePolicy": policy})
    sqs = Sqs(client, moves=moves)
    return sqs, DeadLetterQueues(sqs, urls, 0), urls


def put(client: Any, url: str, body: Any = EVENT, **attributes: str) -> None:
    said = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    client.send_message(QueueUrl=url, MessageBody=json.dumps(body), MessageAttributes=said)


def bodies(client: Any, url: str) -> list[Any]:
    reply = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [json.loads(each["Body"]) for each in reply.get("Messages", [])]


def test_all_queues_of_dead_letters_are_listed_with_their_counts(client: Any) -> None:
    _, queues, urls = made(client)
    put(client, urls["RejectedQueue"])
    found = {each.name: (each.messages, each.source) for each in queues.all()}
    assert found == {
        "IntakeDeadLetters": (0, "IntakeQueue"),
        "PublishDeadLetters": (0, None),
        "RejectedQueue": (1, None),
        "RuleDeadLetters": (0, None),
    }


def test_what_the_template_has_of_dead_letters_is_known_by_its_name() -> None:
    named = {
        target["Fn::GetAtt"][0]
        for queue in queues_of_the_template().values()
        if (target := queue.get("RedrivePolicy", {}).get("deadLetterTargetArn"))
    }
    assert named and all(name.endswith("DeadLetters") for name in named)
    others = {name for name in queues_of_the_template() if name.endswith("DeadLetters")} - named
    assert others == {"RuleDeadLetters", "PublishDeadLetters"}, "how is this one redriven?"
    assert {"RejectedQueue", "IntakeQueue"} <= queues_of_the_template().keys()


@pytest.mark.parametrize("name", ["rejected", "RejectedQueue", "rejectedqueue"])
def test_a_queue_is_found_by_its_name_or_its_beginning(client: Any, name: str) -> None:
    assert made(client)[1].find(name).name == "RejectedQueue"


def test_a_queue_that_is_none_is_told_with_those_there_are(client: Any) -> None:
    with pytest.raises(NotFound, match="IntakeDeadLetters, PublishDeadLetters, RejectedQueue"):
        made(client)[1].find("IntakeQueue")


def test_what_is_looked_at_is_there_again(client: Any) -> None:
    _, queues, urls = made(client)
    for number in range(25):
        put(client, urls["RejectedQueue"], {"id": f"e-{number}"})
    found = queues.look(queues.find("rejected"), 15)
    assert len({each.id for each in found}) == 15
    assert queues.find("rejected").messages == 25


def test_rejected_events_go_back_to_the_intake_and_those_that_come_back_meanwhile_are_left(client: Any) -> None:
    _, queues, urls = made(client)
    for number in range(12):
        put(client, urls["RejectedQueue"], {"id": f"e-{number}"}, reason="unknown_source: …")
    assert queues.redrive(queues.find("rejected"), LATER) == Redriven(12, 0)
    assert queues.find("rejected").messages == 0
    reply = client.receive_message(QueueUrl=urls["IntakeQueue"], MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    assert all("MessageAttributes" not in each for each in reply["Messages"])
    put(client, urls["RejectedQueue"])
    assert queues.redrive(queues.find("rejected"), 0) == Redriven(0, 1), "it came after the command began"
    assert queues.find("rejected").messages == 1


def test_as_many_as_said_are_sent_again(client: Any) -> None:
    _, queues, urls = made(client, moves=True)
    for number in range(5):
        put(client, urls["IntakeDeadLetters"], {"id": f"e-{number}"})
    assert queues.redrive(queues.find("intake"), LATER, 2) == Redriven(2, 0)
    assert (queues.find("intake").messages, len(bodies(client, urls["IntakeQueue"]))) == (3, 2)


def test_sqs_moves_what_it_took_itself_and_where_it_cannot_it_is_sent_from_here(client: Any) -> None:
    sqs, queues, urls = made(client, moves=True)
    put(client, urls["IntakeDeadLetters"])
    intake = queues.find("intake")
    assert queues.redrive(intake, LATER) == Redriven(1, 0, by_sqs=True)
    assert sqs.moved == [intake.arn]
    queues = DeadLetterQueues(Sqs(client), urls, 0)
    assert queues.redrive(intake, LATER) == Redriven(1, 0)
    assert bodies(client, urls["IntakeQueue"]) == [EVENT]


def test_a_task_that_runs_already_is_told(client: Any) -> None:
    class Busy(Sqs):
        def start_message_move_task(self, SourceArn: str) -> dict[str, Any]:
            raise ClientError({"Error": {"Code": "InvalidParameterValue", "Message": "one"}}, "StartMessageMoveTask")

    _, _, urls = made(client)
    queues = DeadLetterQueues(Busy(client), urls, 0)
    put(client, urls["IntakeDeadLetters"])
    with pytest.raises(ClientError, match="one"):
        queues.redrive(queues.find("intake"), LATER)
    assert queues.find("intake").messages == 1


def test_what_a_rule_could_not_hand_on_goes_to_its_target_if_that_is_of_the_stack(client: Any) -> None:
    _, queues, urls = made(client)
    target = client.get_queue_attributes(QueueUrl=urls["IntakeQueue"], AttributeNames=["QueueArn"])["Attributes"]
    put(client, urls["RuleDeadLetters"], TARGET_ARN=target["QueueArn"], ERROR_CODE="NO_PERMISSIONS")
    put(client, urls["RuleDeadLetters"], {"id": "e-2"}, TARGET_ARN="arn:aws:sqs:us-east-1:999999999999:other")
    put(client, urls["RuleDeadLetters"], {"id": "e-3"})
    assert queues.redrive(queues.find("rule"), LATER) == Redriven(1, 2)
    assert bodies(client, urls["IntakeQueue"]) == [EVENT]
    assert queues.find("rule").messages == 2


def test_changes_that_were_not_told_are_not_sent_again_as_messages(client: Any) -> None:
    queues = made(client)[1]
    with pytest.raises(InvalidRequest, match="broker replay"):
        queues.redrive(queues.find("publish"), LATER)


def test_a_crash_between_sending_and_deleting_loses_nothing(client: Any) -> None:
    class Crashing(Sqs):
        def delete_message(self, **_: Any) -> None:
            raise RuntimeError

    _, _, urls = made(client)
    put(client, urls["RejectedQueue"])
    queues = DeadLetterQueues(Crashing(client), urls, 0)
    with pytest.raises(RuntimeError):
        queues.redrive(queues.find("rejected"), LATER)
    assert bodies(client, urls["IntakeQueue"]) == [EVENT]
    assert queues.find("rejected").hidden == 1


@dataclass
class Session:
    """A shell's session: a stack with these queues, on a cloud that moves nothing by itself."""

    urls: dict[str, str]

    def client(self, name: str) -> Any:
        if name == "sqs":
            return Sqs(boto3.client("sqs"))
        found = [
            {"LogicalResourceId": name, "PhysicalResourceId": url, "ResourceType": "AWS::SQS::Queue"}
            for name, url in self.urls.items()
        ]
        topic = {"LogicalResourceId": "Alarms", "PhysicalResourceId": "arn:…", "ResourceType": "AWS::SNS::Topic"}
        pages = [{"StackResourceSummaries": [topic, *found[:2]]}, {"StackResourceSummaries": found[2:]}]
        return SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=lambda StackName: pages))


def run(urls: dict[str, str], command: Any, *arguments: Any, dry_run: bool = False, refused: bool = False) -> str:
    shell = Shell({}, "my-broker", dry_run=dry_run)
    shell.__dict__["session"] = Session(urls)
    if refused:
        with pytest.raises(DryRun) as dry:
            command(shell, *arguments)
        return str(dry.value)
    return str(command(shell, *arguments).plain)


def test_the_command_lists_shows_and_redrives(client: Any) -> None:
    _, _, urls = made(client)
    put(client, urls["RejectedQueue"], reason="unknown_source: No tenant is registered.")
    put(client, urls["IntakeDeadLetters"], EVENT | {"source": "\x1b]0;evil\x07" + "s" * 300})
    assert "RejectedQueue: 1 messages" in run(urls, dlq.list_queues).splitlines()
    shown = run(urls, dlq.show, "rejected")
    assert "id e-1" in shown and "source shop" in shown and "reason unknown_source" in shown
    assert SECRET not in shown
    assert SECRET in run(urls, dlq.show, "rejected", 10, True)
    odd = run(urls, dlq.show, "intake")
    assert "\x1b" not in odd and "s" * 300 not in odd
    assert run(urls, dlq.redrive, "rejected") == "1 messages of RejectedQueue sent again"
    assert run(urls, dlq.redrive, "intake") == "1 messages of IntakeDeadLetters sent again"
    assert run(urls, dlq.show, "intake") == "nothing is in IntakeDeadLetters"
    assert len(bodies(client, urls["IntakeQueue"])) == 2


def test_what_nobody_wants_is_discarded_when_that_is_said_and_what_comes_meanwhile_stays(client: Any) -> None:
    _, queues, urls = made(client)
    for number in range(12):
        put(client, urls["RejectedQueue"], {"id": f"e-{number}"})
    told = run(urls, dlq.discard, "rejected", refused=True)
    assert "would delete 12 messages" in told and "--yes" in told
    assert "would delete 12 messages" in run(urls, dlq.discard, "rejected", True, dry_run=True, refused=True)
    assert queues.discard(queues.find("rejected"), 0) == 0, "they came after the command began"
    assert run(urls, dlq.discard, "rejected", True, 2) == "2 messages of RejectedQueue deleted"
    assert run(urls, dlq.discard, "rejected", True) == "10 messages of RejectedQueue deleted"
    assert queues.find("rejected").messages == 0
    assert bodies(client, urls["IntakeQueue"]) == []


@pytest.mark.parametrize("body", ["no JSON {", "[1]", '"text"', "[" * 5_000], ids=lambda each: each[:8])
def test_a_body_that_is_no_event_is_shown_by_what_is_known_of_it(client: Any, body: str) -> None:
    _, _, urls = made(client)
    client.send_message(QueueUrl=urls["RejectedQueue"], MessageBody=body)
    assert f"bytes {len(body)}" in run(urls, dlq.show, "rejected")


@pytest.mark.parametrize("arguments", [["show", "rejected", "--limit", "0"], ["redrive", "rejected", "--limit", "x"]])
def test_a_limit_that_is_none_is_refused(arguments: list[str]) -> None:
    assert main(["dlq", *arguments]) == 2
