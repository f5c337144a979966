"""`broker teardown` where something stands against it; what it removes, the tests on the embedded cloud say."""

from datetime import UTC, datetime
from typing import Any

import pytest
from broker.cli.main import main
from broker.cli.teardown import teardown

from tests.fakes.account import Account, Refusal, by

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NAME, STACK_ID = "broker", "arn:aws:cloudformation:us-east-1:123456789012:stack/broker/1"
KEY, QUEUE = "433be505", "https://sqs.us-east-1.amazonaws.com/123456789012/rejected"

KEPT = {
    "JobsTable": ("AWS::DynamoDB::Table", "jobs-1"),
    "InboxBucket": ("AWS::S3::Bucket", "inbox-1"),
    "RejectedQueue": ("AWS::SQS::Queue", QUEUE),
    "Key": ("AWS::KMS::Key", KEY),
    "ApiAccountRole": ("AWS::IAM::Role", "api-role"),
}

WRITING = {
    "cloudformation:DeleteStack",
    "dynamodb:DeleteTable",
    "kms:ScheduleKeyDeletion",
    "s3:DeleteBucket",
    "s3:DeleteObjects",
    "secretsmanager:DeleteSecret",
    "sqs:DeleteQueue",
}


def description(status: str, **more: Any) -> dict[str, Any]:
    return {"Stacks": [{"StackName": NAME, "StackId": STACK_ID, "StackStatus": status, "CreationTime": NOW, **more}]}


def event(name: str, kind: str, physical: str, status: str = "DELETE_SKIPPED", reason: str = "") -> dict[str, Any]:
    return {
        "StackId": STACK_ID, "EventId": "1", "StackName": NAME, "Timestamp": NOW, "LogicalResourceId": name,
        "ResourceType": kind, "PhysicalResourceId": physical, "ResourceStatus": status, "ResourceStatusReason": reason,
    }  # fmt: skip


def taken_in(physical: str, status: str, stack: str = "arn:other") -> dict[str, Any]:
    row = {"StackId": stack, "LogicalResourceId": "X", "ResourceType": "X", "PhysicalResourceId": physical,
           "Timestamp": NOW, "ResourceStatus": status}  # fmt: skip
    return {"StackResources": [row]}


def secret(name: str, key: str = KEY) -> dict[str, Any]:
    return {"Name": name, "KmsKeyId": f"arn:aws:kms:us-east-1:123456789012:key/{key}"}


@pytest.fixture
def account() -> Account:
    """A stack that was deleted, and what it left."""
    versions = [{"Versions": [{"Key": "a", "VersionId": "1"}], "DeleteMarkers": [{"Key": "a", "VersionId": "2"}]}]
    answers: dict[str, Any] = {
        "cloudformation:DescribeStacks": description("DELETE_COMPLETE"),
        "cloudformation:DescribeStackEvents": {
            "StackEvents": [event(name, kind, physical) for name, (kind, physical) in KEPT.items()]
        },
        "cloudformation:DescribeStackResources": Refusal("ValidationError", "Stack for jobs-1 does not exist"),
        "dynamodb:DescribeTable": {"Table": {"TableStatus": "ACTIVE", "ItemCount": 3}},
        "dynamodb:DeleteTable": {},
        "s3:ListObjectVersions": lambda asked: versions[0] if versions else {},
        "s3:DeleteObjects": lambda asked: versions.clear() or {},
        "s3:DeleteBucket": {},
        "sqs:GetQueueAttributes": {"Attributes": {"ApproximateNumberOfMessages": "1"}},
        "sqs:DeleteQueue": {},
        "secretsmanager:ListSecrets": {"SecretList": [secret("broker/providers/openai"), secret("broker-2/x")]},
        "secretsmanager:DescribeSecret": secret("broker/providers/openai"),
        "secretsmanager:DeleteSecret": {},
        "kms:DescribeKey": {"KeyMetadata": {"KeyId": KEY, "KeyState": "Enabled"}},
        "kms:ScheduleKeyDeletion": {"KeyId": KEY, "DeletionDate": NOW},
    }
    return Account(None, answers)


def run(account: Account, *, yes: bool = True, days: int = 30) -> tuple[str, int]:
    shown = teardown(account, NAME, yes=yes, days=days)
    return str(shown.plain), shown.status


def written(account: Account) -> list[str]:
    return [name for name, _ in account.asked if name in WRITING]


def asked(account: Account, operation: str) -> list[dict[str, Any]]:
    return [given for name, given in account.asked if name == operation]


def test_what_a_stack_left_goes_and_the_key_last(account: Account) -> None:
    text, status = run(account, days=7)
    assert status == 0, text
    assert sorted(written(account)) == sorted(WRITING - {"cloudformation:DeleteStack"})
    assert written(account)[-1] == "kms:ScheduleKeyDeletion"
    assert asked(account, "kms:ScheduleKeyDeletion") == [{"KeyId": KEY, "PendingWindowInDays": 7}]
    (deleted,) = asked(account, "secretsmanager:DeleteSecret")
    assert deleted == {"SecretId": "broker/providers/openai", "RecoveryWindowInDays": 7}
    (objects,) = asked(account, "s3:DeleteObjects")
    assert len(objects["Delete"]["Objects"]) == 2, "deletion's own marks too"


def test_without_yes_it_is_shown_and_nothing_is_done(account: Account) -> None:
    text, status = run(account, yes=False)
    assert (status, written(account)) == (1, [])
    for told in ("JobsTable (jobs-1): some 3 items", "InboxBucket (inbox-1): 2 versions of objects", f"Key ({KEY})"):
        assert told in text
    assert "Kept in any case: ApiAccountRole (api-role)" in text


def test_the_account_wide_role_stays(account: Account) -> None:
    run(account)
    assert not [name for name, _ in account.asked if name.startswith("iam:")]


def test_what_another_stack_took_in_since_is_its_own(account: Account) -> None:
    import_of = {"jobs-1": taken_in("jobs-1", "IMPORT_COMPLETE"), "inbox-1": taken_in("inbox-1", "DELETE_SKIPPED")}
    account.answers["cloudformation:DescribeStackResources"] = by(rest=Refusal("ValidationError"), **import_of)
    text, _ = run(account, yes=False)
    assert "jobs-1" not in text and "inbox-1" in text
    run(account)
    assert "dynamodb:DeleteTable" not in written(account)


def test_secrets_of_a_later_stack_of_the_name_are_its_own(account: Account) -> None:
    account.answers["secretsmanager:DescribeSecret"] = secret("broker/providers/openai", "another")
    run(account)
    assert asked(account, "secretsmanager:DeleteSecret") == []


def test_a_protected_table_stops_it_before_anything_goes(account: Account) -> None:
    table = {"TableStatus": "ACTIVE", "DeletionProtectionEnabled": True}
    account.answers["dynamodb:DescribeTable"] = {"Table": table}
    text, status = run(account)
    assert (status, written(account)) == (1, [])
    assert "aws dynamodb update-table --table-name jobs-1 --no-deletion-protection-enabled" in text


@pytest.mark.parametrize(
    ("operation", "answer", "stays"),
    [
        ("s3:DeleteObjects", {"Errors": [{"Key": "a", "Code": "AccessDenied"}]}, "InboxBucket stays: 1 objects"),
        ("sqs:DeleteQueue", Refusal("AccessDenied"), "RejectedQueue stays: "),
        ("dynamodb:DeleteTable", Refusal("ResourceInUseException"), "JobsTable stays: "),
    ],
)
def test_while_something_stays_the_key_does_and_all_else_goes(
    account: Account, operation: str, answer: Any, stays: str
) -> None:
    account.answers[operation] = answer
    text, status = run(account)
    assert status == 1
    assert stays in text and "begin again" in text
    assert "kms:ScheduleKeyDeletion" not in written(account)
    done = {"dynamodb:DeleteTable", "s3:DeleteObjects", "sqs:DeleteQueue", "secretsmanager:DeleteSecret"}
    assert done <= {*written(account)}


def test_what_is_gone_already_is_passed_over(account: Account) -> None:
    account.answers |= {
        "dynamodb:DescribeTable": Refusal("ResourceNotFoundException"),
        "s3:ListObjectVersions": Refusal("NoSuchBucket"),
        "sqs:GetQueueAttributes": Refusal("AWS.SimpleQueueService.NonExistentQueue"),
        "secretsmanager:ListSecrets": {"SecretList": []},
        "kms:DescribeKey": {"KeyMetadata": {"KeyId": KEY, "KeyState": "PendingDeletion", "DeletionDate": NOW}},
    }
    text, status = run(account)
    assert (status, written(account)) == (0, [])
    assert "Its key goes on 2026-11-30" in text
    account.answers["kms:DescribeKey"] = Refusal("NotFoundException")
    assert run(account)[1] == 0


def test_a_stack_that_does_not_go_keeps_what_it_holds(account: Account) -> None:
    states = [description("UPDATE_COMPLETE"), description("DELETE_FAILED")]
    account.answers |= {
        "cloudformation:DescribeStacks": lambda asked: states.pop(0),
        "cloudformation:GetTemplate": {"TemplateBody": '{"Resources": {}}'},
        "cloudformation:ListStackResources": {"StackResourceSummaries": []},
        "cloudformation:DeleteStack": {},
        "cloudformation:DescribeStackEvents": {
            "StackEvents": [event("Api", "AWS::ApiGateway::RestApi", "x", "DELETE_FAILED", "Too many requests")]
        },
    }
    text, status = run(account)
    assert (status, written(account)) == (1, ["cloudformation:DeleteStack"])
    assert "Api (Too many requests)" in text


@pytest.mark.parametrize(("days", "bound"), [("6", "7"), ("31", "30"), ("x", "integer")])
def test_days_are_those_that_aws_waits(days: str, bound: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teardown", "--days", days]) == 2
    told = capsys.readouterr().err
    assert "--days" in told and bound in told
