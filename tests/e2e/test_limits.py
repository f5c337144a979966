"""AWS's limits bite on the deployed stack, and what the broker makes of them is told in its own words."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import boto3
import pytest
from botocore.exceptions import ClientError

from local.client import Client
from local.demo import Listener
from local.emulator.limits.figures import ENTRIES_BYTES, REQUEST_BYTES
from local.servers import REGION
from tests.contract.test_events import MOST_EVENT_BYTES
from tests.e2e.stack import Stack, chat, put_event, until


@contextmanager
def throttled(stack: Stack, *functions: str) -> Iterator[None]:
    """Let functions (`Api`, …) not run at all for a time: they may run none at a time."""
    client = stack.cloud.client("lambda")
    names = [stack.physical(f"{each}Function") for each in functions]
    for name in names:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        for name in names:
            client.delete_function_concurrency(FunctionName=name)


@pytest.mark.parametrize(
    "text",
    ["x" * 11_000_000, "x" * 6_400_000, '"' * 2_400_000],
    ids=["for API Gateway", "for Lambda", "for Lambda, being a string of JSON"],
)
def test_a_body_that_is_too_large_is_told_in_the_errors_form(stack: Stack, text: str) -> None:
    answer = stack.api.submit(chat(text))
    assert (answer.status, answer.body.keys()) == (413, {"type", "error", "request_id"})
    assert (answer.body["error"]["type"], answer.body["error"]["code"]) == ("invalid_request", "body_too_large")


def test_a_throttled_api_says_when_to_come_again(stack: Stack) -> None:
    with throttled(stack, "Api"):
        for method, path, body in (("GET", "/models", None), ("POST", "/jobs", chat())):
            answer = stack.api.call(method, path, body)
            assert (answer.status, answer.body["error"]["code"]) == (503, "not_answered"), path
            assert int(answer.headers["retry-after"]) > 0
    assert stack.api.call("GET", "/models").status == 200


def test_a_throttled_authorizer_says_when_to_come_again_and_lets_nobody_in(stack: Stack) -> None:
    """A policy is kept for a minute, so this is somebody who was not seen before."""
    client = Client(stack.base_url, stack.unknown_key())
    with throttled(stack, "Authorize"):
        answer = client.call("GET", "/models")
        assert (answer.status, answer.body["error"]["code"]) == (503, "not_answered")
        assert int(answer.headers["retry-after"]) > 0
    assert client.call("GET", "/models").status == 401


def test_a_message_waits_for_a_function_that_is_throttled(stack: Stack) -> None:
    with throttled(stack, "Dispatch"):
        job_id = stack.api.submit(chat()).body["id"]
        assert stack.api.call("GET", f"/jobs/{job_id}?wait=2").body["status"] == "queued"
    assert stack.api.finished(job_id)["status"] == "succeeded"


def test_a_workflow_waits_for_a_function_that_is_throttled(stack: Stack) -> None:
    def refused() -> bool:
        with suppress(stack.cloud.client("stepfunctions").exceptions.ExecutionDoesNotExist):
            failed = [event.get("taskFailedEventDetails", {}) for event in stack.history(job_id)]
            return "Lambda.TooManyRequestsException" in [each.get("error") for each in failed]
        return False

    with throttled(stack, "SelectModel"):
        job_id = stack.api.submit(chat(timeout_seconds=600)).body["id"]
        assert until(refused)
    assert stack.api.finished(job_id)["status"] == "succeeded"


def test_more_jobs_than_functions_may_run_are_all_done(stack: Stack) -> None:
    client = stack.cloud.client("lambda")
    name = stack.physical("InvokeModelFunction")
    assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 1000
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    try:
        jobs = [stack.api.submit(chat(f"Say {number}.")).body["id"] for number in range(12)]
        assert {stack.api.finished(job)["status"] for job in jobs} == {"succeeded"}
    finally:
        client.delete_function_concurrency(FunctionName=name)


def test_jobs_that_meet_on_a_budget_are_all_accepted(stack: Stack) -> None:
    clients = [stack.api, Client(stack.base_url, stack.seeded.other_key)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: clients[number % 2].submit(chat()), range(32)))
    assert {answer.status for answer in answers} == {202}


def test_what_services_refuse_for_its_size(stack: Stack) -> None:
    functions, events = stack.cloud.client("lambda"), stack.cloud.client("events")
    with pytest.raises(functions.exceptions.RequestTooLargeException):
        functions.invoke(FunctionName=stack.outputs["SweepFunction"], Payload=b'"' + b"x" * REQUEST_BYTES + b'"')
    entry = {"EventBusName": stack.outputs["BusName"], "Source": "tests", "DetailType": "Large"}
    with pytest.raises(ClientError, match="Total size of the entries"):
        events.put_events(Entries=[entry | {"Detail": json.dumps("x" * ENTRIES_BYTES)}])


def test_an_event_of_the_most_that_is_promised_is_a_job(stack: Stack) -> None:
    empty = chat("", model="echoes")
    rest = len(json.dumps(empty)) + len("InferenceRequested") + 64  # and the source's name
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        sent = put_event(stack, chat("x" * (MOST_EVENT_BYTES - rest), model="echoes"))
        event = heard.wait("JobSucceeded", lambda detail: detail["metadata"]["correlation_id"] == sent)
    assert event is not None


def test_who_may_not_list_a_bucket_is_not_told_what_is_missing(stack: Stack) -> None:
    bucket, iam = stack.outputs["OutboxBucket"], stack.cloud.client("iam")
    user = f"reader-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=user)

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=user, PolicyName="reads", PolicyDocument=document)

    key = iam.create_access_key(UserName=user)["AccessKey"]
    s3 = boto3.client(
        "s3",
        endpoint_url=stack.cloud.url,
        region_name=REGION,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    for actions, code, status in (
        (("s3:GetObject",), "AccessDenied", "403"),
        (("s3:GetObject", "s3:ListBucket"), "NoSuchKey", "404"),
    ):
        allow(*actions)
        with pytest.raises(ClientError) as refused:
            s3.get_object(Bucket=bucket, Key="demo/missing")
        assert refused.value.response["Error"]["Code"] == code
        with pytest.raises(ClientError) as refused:
            s3.head_object(Bucket=bucket, Key="demo/missing")
        assert refused.value.response["Error"]["Code"] == status
