"""What alarms watch, driven over their thresholds on the deployed stack: by the metrics that its functions really tell.

The embedded cloud makes no metrics of lines, and none of queues; so the lines are read here, and the alarms that are
deployed are evaluated as CloudWatch does it.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from broker.clock import now_ms
from broker.jobs.head import job_pk
from broker.reviews.record import OPEN
from broker.storage import Update

from local.client import Client
from tests.contract.ringing import ALARM, OK, alarms, states
from tests.e2e.stack import STACK, Stack, chat, until

Told = Callable[[str, str], list[float]]


@pytest.fixture
def told(stack: Stack) -> Told:
    """What a function (`Publish`, …) told of a metric since the test began."""
    began = int(time.time() * 1000)
    logs = stack.cloud.client("logs")

    def read(function: str, metric: str) -> list[float]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{STACK}/{function}", startTime=began
        )
        lines = [event["message"] for page in pages for event in page["events"] if '"_aws"' in event["message"]]
        return [value for line in lines for value in _values(json.loads(line), metric)]

    return read


def _values(line: dict[str, Any], metric: str) -> list[float]:
    return [
        line[each["Name"]]
        for directive in line["_aws"]["CloudWatchMetrics"]
        for each in directive["Metrics"]
        if each["Name"] == metric and ["stack"] in directive["Dimensions"] and line["stack"] == STACK
    ]


def after(stack: Stack, name: str, values: list[float]) -> str:
    """The state of an alarm, as it was deployed, when each of its periods brought these values."""
    found = stack.cloud.client("cloudwatch").describe_alarms(AlarmNames=[stack.physical(name)])
    (deployed,) = found["MetricAlarms"]
    assert deployed["Threshold"] == alarms()[name]["Threshold"]
    assert {each["Name"]: each["Value"] for each in deployed["Dimensions"]} == {"stack": STACK}
    return states(alarms()[name], [values] * alarms()[name]["EvaluationPeriods"])[-1]


def test_jobs_that_fail_by_no_callers_fault_ring(stack: Stack, told: Told) -> None:
    job = stack.run(chat(model="alarmed-key"))
    assert (job["status"], job["error"]["type"]) == ("failed", "credential_rejected")
    failures = until(lambda: told("Publish", "JobsFailed"))
    assert failures == [1] and after(stack, "JobsFailedAlarm", failures) == ALARM
    assert after(stack, "CredentialAlarm", told("InvokeModel", "CredentialsRejected")) == ALARM
    assert told("InvokeModel", "ModelsToMend") == [], "no name has to be mended"


def test_whatever_a_tenant_does_wrong_rings_nothing(stack: Stack, told: Told) -> None:
    careless = Client(stack.base_url, stack.seeded.other_key)
    for body in (chat(model="rejects"), chat(model="refuses"), chat(model="slow", timeout_seconds=1)):
        assert stack.run(body, careless)["status"] != "succeeded"
    assert careless.submit({"task": "none of these"}).status == 400
    ended = until(lambda: len(found := told("Publish", "JobsFailed")) >= 3 and found)
    assert set(ended) == {0} and after(stack, "JobsFailedAlarm", ended) == OK
    assert told("InvokeModel", "CredentialsRejected") == told("InvokeModel", "ModelsToMend") == []


def test_a_model_that_is_gone_rings_another_alarm_than_a_key(stack: Stack, told: Told) -> None:
    assert stack.run(chat(model="alarmed-gone"))["error"]["type"] == "model_gone"
    assert after(stack, "ModelAlarm", told("InvokeModel", "ModelsToMend")) == ALARM
    assert told("InvokeModel", "CredentialsRejected") == []


def test_what_ends_in_a_queue_rings_until_it_has_been_taken_out(stack: Stack, told: Told) -> None:
    queue = stack.physical("FilesDeadLetters")
    sqs = stack.cloud.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    stack.clean()
    found = told("Clean", "DeadLetters")
    assert found and after(stack, "DeadLettersAlarm", found) == ALARM
    sqs.purge_queue(QueueUrl=queue)
    others = [name for name in END_QUEUES if int(depth(stack, name))]
    stack.clean()
    assert len(told("Clean", "DeadLetters")) == len(found) + bool(others), "nothing is told where nothing lies"


END_QUEUES = (
    *("IntakeDeadLetters", "FilesDeadLetters", "DocumentsDeadLetters", "DeliveriesDeadLetters"),
    "PublishDeadLetters",
)


def depth(stack: Stack, queue: str) -> str:
    reply = stack.cloud.client("sqs").get_queue_attributes(
        QueueUrl=stack.physical(queue), AttributeNames=["ApproximateNumberOfMessages"]
    )
    return str(reply["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.parametrize("lane", ["Interactive", "Bulk"])
def test_a_lanes_dead_letters_ring_though_the_sweep_takes_them_at_once(stack: Stack, told: Told, lane: str) -> None:
    queue = f"{lane}DeadLetters"
    body = json.dumps({"job_id": "job_gone"})
    stack.cloud.client("sqs").send_message(QueueUrl=stack.physical(queue), MessageBody=body)
    stack.sweep()
    assert depth(stack, queue) == "0", "a gauge of the queue would show nothing"
    assert after(stack, "DeadLettersAlarm", until(lambda: told("Sweep", "DeadLetters"))) == ALARM


def test_a_job_that_nobody_looks_at_rings(stack: Stack, told: Told) -> None:
    api = stack.as_tenant("reviewed")
    job_id = api.submit(chat("Repeat: a stork at the door")).body["id"]
    assert until(lambda: api.call("GET", f"/jobs/{job_id}").body["review"]), "it is not held"
    stack.clean()
    assert after(stack, "ReviewAlarm", [max(told("Clean", "OldestReviewMs"))]) == OK
    record = next(item for item in stack.database.query("jobs", job_pk(job_id)) if item.get("due", "").startswith(OPEN))
    half_an_hour_ago = now_ms() - 1_801_000
    stack.database.write(Update("jobs", record["pk"], record["sk"], set={"due_at": half_an_hour_ago}))
    stack.clean()
    assert after(stack, "ReviewAlarm", [max(told("Clean", "OldestReviewMs"))]) == ALARM
    api.call("POST", f"/jobs/{job_id}/cancel")


def test_a_sweep_that_fails_rings(stack: Stack) -> None:
    began = time.time()
    with stack.faults("no order that is known", ["Sweep"]):  # so that it cannot even make a client
        reply = stack.cloud.client("lambda").invoke(FunctionName=stack.outputs["SweepFunction"], Payload=b"{}")
    assert "FunctionError" in reply
    found = stack.cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": stack.outputs["SweepFunction"]}],
        StartTime=began - 60,
        EndTime=time.time() + 60,
        Period=60,
        Statistics=["Sum"],
    )
    errors = sum(point["Sum"] for point in found["Datapoints"])
    alarm = alarms()["SweepAlarm"]
    assert errors >= 1
    assert states(alarm, [[errors]] * alarm["EvaluationPeriods"])[-1] == ALARM


def test_the_dashboard_is_made(stack: Stack) -> None:
    found = stack.cloud.client("cloudwatch").get_dashboard(DashboardName=STACK)
    body = json.loads(found["DashboardBody"])
    titles = [each["properties"]["title"] for each in body["widgets"]]
    assert {"Jobs by outcome", "Tokens and cost by tenant and model", "Alarms"} <= set(titles)
    assert "${" not in found["DashboardBody"], "something was not filled in"
    (shown,) = (each["properties"]["alarms"] for each in body["widgets"] if each["type"] == "alarm")
    assert all(arn.startswith("arn:aws:cloudwatch:") for arn in shown) and len(shown) == 19
