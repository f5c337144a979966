"""`broker teardown` on two deployed stacks of which one's name begins with the other's, and which takes no files."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from broker.cli import put_secret
from broker.cli.doctor.report import ON_AWS

from local.deployment import ARTIFACTS, Cloud
from tests.e2e.stack import STACK, Stack, until

NAMES = ("broker", "broker-2")
TABLES = ("JobsTable", "RegistryTable", "LedgerTable")
BUCKETS = ("PayloadsBucket", "InboxBucket", "OutboxBucket")
WITHOUT = {"Inbox": "off"}
UNREAD = ("FilesQueue", "DocumentsQueue")


def command(cloud: Cloud, *arguments: str) -> tuple[int, str]:
    """The command as an operator runs it: its exit status, and all that it prints."""
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "broker.cli", *arguments],
        env={**os.environ, **cloud.environment()},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def teardown(cloud: Cloud, stack: str, *arguments: str) -> tuple[int, str]:
    return command(cloud, "--stack", stack, "teardown", *arguments)


@pytest.fixture(scope="module")
def both(stack: Stack) -> Iterator[dict[str, dict[str, str]]]:
    """The outputs of two stacks that hold something of each kind."""
    outputs = {name: again(stack.cloud, name, **given) for name, given in zip(NAMES, ({}, WITHOUT), strict=True)}
    for each in outputs.values():
        fill(stack.cloud, each)
    yield outputs
    for name in NAMES:
        teardown(stack.cloud, name, "--yes")


def again(cloud: Cloud, name: str, **parameters: str) -> dict[str, str]:
    """Another stack of what is deployed, but for these parameters; gives its outputs."""
    client = cloud.client("cloudformation")
    body = client.get_template(StackName=STACK, TemplateStage="Original")["TemplateBody"]
    cloud.client("s3").put_object(Bucket=ARTIFACTS, Key="template", Body=body.encode())
    (deployed,) = client.describe_stacks(StackName=STACK)["Stacks"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in deployed["Parameters"]}
    client.create_stack(
        StackName=name,
        TemplateURL=f"{cloud.url}/{ARTIFACTS}/template",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in (given | parameters).items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return cloud.outputs(name)


def fill(cloud: Cloud, outputs: dict[str, str]) -> None:
    s3 = cloud.client("s3")
    for number in range(3):
        s3.put_object(Bucket=outputs["InboxBucket"], Key="acme/a.txt", Body=f"version {number}".encode())
    s3.delete_object(Bucket=outputs["InboxBucket"], Key="acme/a.txt")
    s3.put_object(Bucket=outputs["PayloadsBucket"], Key="jobs/x", Body=b"x")
    for table in TABLES:
        item = {"pk": {"S": "X"}, "sk": {"S": "X"}}
        cloud.client("dynamodb").put_item(TableName=outputs[table], Item=item)
    cloud.client("sqs").send_message(QueueUrl=outputs["RejectedQueueUrl"], MessageBody="no job")
    put_secret(cloud, outputs, "providers/openai", "sk-secret")


def there(cloud: Cloud, outputs: dict[str, str]) -> set[str]:
    """What there still is of a stack."""
    asked: dict[str, Any] = {
        **{name: ("dynamodb", "describe_table", {"TableName": outputs[name]}) for name in TABLES},
        **{name: ("s3", "head_bucket", {"Bucket": outputs[name]}) for name in BUCKETS},
        "queue": ("sqs", "get_queue_attributes", {"QueueUrl": outputs["RejectedQueueUrl"]}),
        "function": ("lambda", "get_function_configuration", {"FunctionName": outputs["SweepFunction"]}),
        "secret": ("secretsmanager", "get_secret_value", {"SecretId": f"{outputs['SecretsPrefix']}providers/openai"}),
    }
    found = {name for name, (service, operation, given) in asked.items() if _is(cloud, service, operation, given)}
    key = cloud.client("kms").describe_key(KeyId=outputs["KeyArn"])["KeyMetadata"]
    return found | ({"key"} if key["KeyState"] == "Enabled" else set())


def _is(cloud: Cloud, service: str, operation: str, given: dict[str, str]) -> bool:
    try:
        getattr(cloud.client(service), operation)(**given)
    except ClientError:
        return False
    return True


def test_a_stack_without_an_inbox_takes_nothing_out_of_its_queues(
    stack: Stack, both: dict[str, dict[str, str]]
) -> None:
    urls = {name: {queue: resource(stack.cloud, name, queue) for queue in UNREAD} for name in NAMES}
    for each in urls.values():
        for url in each.values():
            stack.cloud.client("sqs").send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="acme")
    assert until(lambda: not any(waiting(stack.cloud, url) for url in urls[NAMES[0]].values()))
    assert [waiting(stack.cloud, url) for url in urls[NAMES[1]].values()] == [1, 1]
    events, rule = stack.cloud.client("events"), "FileArrivedRule"
    states = [events.describe_rule(Name=resource(stack.cloud, name, rule))["State"] for name in NAMES]
    assert states == ["ENABLED", "DISABLED"]


def resource(cloud: Cloud, stack: str, name: str) -> str:
    """The id of a stack's resource; of a queue, its address."""
    client = cloud.client("cloudformation")
    detail = client.describe_stack_resource(StackName=stack, LogicalResourceId=name)["StackResourceDetail"]
    return str(detail["PhysicalResourceId"])


def waiting(cloud: Cloud, url: str) -> int:
    """Messages that nobody has taken."""
    name = "ApproximateNumberOfMessages"
    return int(cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def test_a_stack_goes_with_all_that_it_holds_and_its_neighbour_stays(
    stack: Stack, both: dict[str, dict[str, str]]
) -> None:
    cloud, (first, second) = stack.cloud, NAMES
    everything = {*TABLES, *BUCKETS, "queue", "function", "secret", "key"}
    assert there(cloud, both[first]) == there(cloud, both[second]) == everything

    status, shown = teardown(cloud, first)
    assert status == 1
    held = dict(line.strip().split(": ", 1) for line in shown.splitlines() if line.startswith("  "))
    assert held[f"InboxBucket ({both[first]['InboxBucket']})"] == "4 versions of objects"
    assert held[f"RejectedQueue ({both[first]['RejectedQueueUrl']})"] == "some 1 messages"
    assert "secret broker/providers/openai" in shown and "broker-2" not in shown
    assert "--yes" in shown
    assert there(cloud, both[first]) == everything, "to show what would go is to do nothing"

    protection = cloud.client("cloudformation")
    protection.update_termination_protection(StackName=first, EnableTerminationProtection=True)
    status, said = teardown(cloud, first, "--yes")
    assert (status, "protected" in said) == (1, True)
    assert there(cloud, both[first]) == everything
    protection.update_termination_protection(StackName=first, EnableTerminationProtection=False)

    status, said = teardown(cloud, first, "--yes", "--days", "7")
    assert status == 0, said
    assert there(cloud, both[first]) == set()
    assert there(cloud, both[second]) == everything, "of this stack alone"
    assert teardown(cloud, first, "--yes")[0] == 0, "a second time there is nothing to do"


def test_what_a_deleted_stack_left_goes_too(stack: Stack, both: dict[str, dict[str, str]]) -> None:
    cloud, name = stack.cloud, NAMES[1]
    client = cloud.client("cloudformation")
    client.delete_stack(StackName=name)
    client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    left = there(cloud, both[name])
    assert {*TABLES, *BUCKETS, "queue", "secret", "key"} == left
    status, shown = teardown(cloud, name)
    assert (status, "is gone, and left:" in shown) == (1, True)
    status, said = teardown(cloud, name, "--yes")
    assert status == 0, said
    assert there(cloud, both[name]) == set()


def test_a_stack_that_never_was_is_one_line(stack: Stack) -> None:
    status, said = teardown(stack.cloud, "nowhere", "--yes")
    assert (status, said.count("\n")) == (1, 1)
    assert "there is no stack nowhere" in said


def test_the_doctor_finds_the_tests_own_stack_as_it_is(stack: Stack) -> None:
    status, said = command(stack.cloud, "doctor")
    lines = [line for line in said.splitlines() if not line.startswith("    ")]
    assert {line.split(": ")[0] for line in lines[:-1]} <= {"not checked", "warning", "error"}
    assert {line.split(": ")[1] for line in lines if line.startswith("not checked: ")} == {*ON_AWS}
    strange = [line for line in lines if line.startswith(("error: ", "warning: ")) and "could not be checked" in line]
    assert not strange, "the embedded cloud answers all else"
    # What the tests register on purpose: a model whose secret is nowhere.
    assert status == 2
    assert "error: secrets: there is no secret providers/nowhere, which the model no-secret needs" in lines
