"""Alarms look at what is really told, ring when it matters and only then, and say what to do."""

import re
from itertools import pairwise
from typing import Any

import pytest
from broker.jobs.request import JobRequest

from tests.contract.aws_metrics import AWS_METRICS, OF_THE_ACCOUNT, fits
from tests.contract.ringing import (
    ALARM,
    INSUFFICIENT_DATA,
    OK,
    actions,
    alarms,
    dimensions,
    is_ours,
    namespace,
    states,
    statistics,
    watched,
)
from tests.contract.stack import ROOT, Resource, events, of_type, queues, target, template
from tests.contract.told import metrics_told

SILENT = {"SweepAlarm", "CleanAlarm"}
"""Alarms that also ring when what they watch falls silent."""

FEW = {"JobsFailedAlarm", "ApiErrorsAlarm", "InteractiveAgeAlarm", "DeadLettersAlarm", "SweepAlarm"}

EACH = pytest.mark.parametrize("name", sorted(alarms()))


@EACH
def test_an_alarm_watches_what_is_told(name: str) -> None:
    for metric in watched(alarms()[name]):
        keys = set(dimensions(metric))
        if is_ours(metric):
            sent = metrics_told()
            assert metric["MetricName"] in sent, f"{name} watches what nobody tells: it can never ring"
            assert keys == sent[metric["MetricName"]], f"{metric['MetricName']} is told by {sent[metric['MetricName']]}"
            assert dimensions(metric)["stack"] == {"Ref": "AWS::StackName"}, "another stack's trouble would ring"
        elif (metric["MetricName"], namespace(metric)) in filtered():
            assert not keys, "what a filter counts has no dimension here"
        else:
            of = namespace(metric), metric["MetricName"]
            known = AWS_METRICS[of].dimensions
            if "RuleName" in keys:
                on_bus = "EventBusName" in of_type("AWS::Events::Rule")[rule_of(metric)]
                known = known if on_bus else ("RuleName",)
            assert keys == set(known) or (not keys and of in OF_THE_ACCOUNT), name
            assert all(fits(*of, each) for each in statistics(alarms()[name])), f"{name} asks for something else"


def filtered() -> set[tuple[str, str]]:
    """The metrics that filters of log groups count: name and namespace."""
    return {
        (each["MetricName"], namespace({"Namespace": each["MetricNamespace"]}))
        for found in of_type("AWS::Logs::MetricFilter").values()
        for each in found["MetricTransformations"]
    }


def rule_of(metric: dict[str, Any]) -> str:
    """The rule whose ARN a dimension takes apart."""
    return target(dimensions(metric)["RuleName"]["Fn::Select"][1]["Fn::Split"][1])


@pytest.mark.parametrize("name", sorted(of_type("AWS::Events::Rule")))
def test_an_event_that_is_not_handed_on_raises_an_alarm(name: str) -> None:
    rule = of_type("AWS::Events::Rule")[name]
    (alarm,) = (
        each
        for each in alarms().values()
        if each.get("MetricName") == "FailedInvocations" and rule_of(watched(each)[0]) == name
    )
    found = dimensions(alarm)
    on_bus = "EventBusName" in rule
    # An ARN ends in `rule/name` on the default bus, and elsewhere in `rule/bus/name`.
    assert found.pop("RuleName")["Fn::Select"][0] == (2 if on_bus else 1)
    assert found == ({"EventBusName": rule["EventBusName"]} if on_bus else {})
    assert (alarm["Threshold"], alarm["Period"]) == (0, 60)


@EACH
def test_an_alarm_says_what_it_means_and_is_heard(name: str) -> None:
    alarm = alarms()[name]
    assert alarm["AlarmDescription"].endswith("."), f"{name} does not say what it means"
    assert actions(alarm, ALARM) == ["Alarms"], f"nobody hears {name}"
    assert alarm["TreatMissingData"] == ("missing" if name in SILENT else "notBreaching")


def idle(alarm: Resource) -> list[list[float]]:
    """An hour of a stack that nobody uses, from its first minute: the clock's functions run, and nothing else does."""
    metric = watched(alarm)[0]
    runs = {function: source["Schedule"] for function, _, source in events("Schedule")}
    running = namespace(metric) == "AWS/Lambda" and "FunctionName" in dimensions(metric)
    told = [0.0] if running and target(dimensions(metric)["FunctionName"]) in runs else []
    return [[], *([told] * 60)]


@EACH
def test_no_alarm_rings_on_a_fresh_idle_stack(name: str) -> None:
    alarm = alarms()[name]
    came = [INSUFFICIENT_DATA, *states(alarm, idle(alarm))]
    heard = [now for before, now in pairwise(came) if now != before and actions(alarm, now)]
    assert heard == []


@pytest.mark.parametrize("name", sorted(SILENT))
def test_what_runs_by_the_clock_is_missed_when_it_falls_silent(name: str) -> None:
    alarm = alarms()[name]
    quiet: list[list[float]] = [[]] * alarm["EvaluationPeriods"]
    came = states(alarm, [*idle(alarm), *quiet])
    assert came[-1 - len(quiet)] == OK and came[-1] == INSUFFICIENT_DATA
    assert actions(alarm, INSUFFICIENT_DATA) == ["Alarms"], f"nobody notices when what {name} watches is silent"
    assert {f"{each.removesuffix('Alarm')}Function" for each in SILENT} == {each[0] for each in events("Schedule")}


@EACH
def test_an_alarm_rings_above_its_threshold_and_is_quiet_at_it(name: str) -> None:
    alarm = alarms()[name]
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    at, above = [float(alarm["Threshold"])], [alarm["Threshold"] + 0.01]
    assert states(alarm, [at] * 20)[-1] == OK
    assert states(alarm, [above] * needed)[-1] == ALARM
    assert ALARM not in states(alarm, [above] * (needed - 1)), "it rings too soon"


def test_each_end_of_messages_is_counted_and_by_those_who_may() -> None:
    read = {target(source["Queue"]) for _, _, source in events("SQS")}
    environment = of_type("AWS::Serverless::Function")["CleanFunction"]["Environment"]["Variables"]
    looked_at = [target(each) for each in environment["END_QUEUES"]["Fn::Join"][1]]
    emptied = {"InteractiveDeadLetters", "BulkDeadLetters"}
    senders = {"RejectedQueue"}  # a tenant that sends what is refused must not keep the operators' alarm ringing
    assert set(looked_at) | emptied | senders == queues().keys() - read, "messages could end where nobody looks"
    assert not set(looked_at) & senders, "they are told, by RequestRejected"
    assert not set(looked_at) & emptied, "the sweep tells of these, which it empties"
    (statement,) = (
        each
        for each in of_type("AWS::IAM::ManagedPolicy")["CleanPolicy"]["PolicyDocument"]["Statement"]
        if each["Action"] == ["sqs:GetQueueAttributes"]
    )
    assert [target(each) for each in statement["Resource"]] == looked_at


def test_executions_that_fail_are_counted_from_what_both_workflows_log() -> None:
    groups = {name: target(each["LogGroupName"]) for name, each in of_type("AWS::Logs::MetricFilter").items()}
    assert groups == {"ExecutionsFailed": "WorkflowLogs", "ExecutionsThrottled": "DispatchLogs"}
    for machine in of_type("AWS::Serverless::StateMachine").values():
        (destination,) = machine["Logging"]["Destinations"]
        assert target(destination["CloudWatchLogsLogGroup"]["LogGroupArn"]) == "WorkflowLogs"
        # Step Functions developer guide, "Log levels": these three are logged at ERROR, of which FATAL is a part.
        assert machine["Logging"]["Level"] == "ERROR"
    pattern = of_type("AWS::Logs::MetricFilter")["ExecutionsFailed"]["FilterPattern"]
    assert set(re.findall(r'"(\w+)"', pattern)) == {"ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}


def conditions(name: str) -> Any:
    return template()["Resources"][name].get("Condition")


def test_few_alarms_are_those_without_which_jobs_would_be_lost_sight_of() -> None:
    assert {name for name in alarms() if conditions(name) is None} == FEW
    assert {conditions(name) for name in alarms()} == {None, "HasAllAlarms", "HasAllAlarmsOnAws"}
    assert template()["Parameters"]["AlarmSet"]["Default"] == "all"


def test_the_one_alarm_of_all_is_made_of_alarms_that_stand_when_it_does() -> None:
    ((name, composite),) = of_type("AWS::CloudWatch::CompositeAlarm").items()
    assert conditions(name) == "HasAllAlarmsOnAws" and composite["AlarmDescription"].endswith(".")
    rule = " ".join(composite["AlarmRule"]["Fn::Sub"].split())
    parts = rule.split(" OR ")
    made_of = [re.fullmatch(r'ALARM\("\$\{(\w+)\}"\)', part) for part in parts]
    assert all(made_of), "only alarms that ring, any of them (CloudWatch user guide, AlarmRule)"
    names = [found[1] for found in made_of if found]
    assert set(names) <= alarms().keys() and len(names) == len(set(names)) > 5
    assert actions(composite, ALARM) == ["Alarms"]


OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """What the documentation says below a heading, by the names in the first column."""
    text = OPERATIONS.partition(f"# {heading}\n")[2].partition("\n##")[0]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    return {name: cells[1:] for cells in found for name in re.findall(r"`(\w+)`", cells[0])}


def test_the_documentation_says_of_each_alarm_what_to_do() -> None:
    named = {name.removesuffix("Alarm") for name in [*alarms(), *of_type("AWS::CloudWatch::CompositeAlarm")]}
    told = rows("Alarms, and what to do")
    assert told.keys() == named
    assert all(len(cells) == 2 and min(map(len, cells)) > 20 for cells in told.values())


def test_the_documentation_says_of_each_end_of_messages_what_to_do() -> None:
    read = {target(source["Queue"]) for _, _, source in events("SQS")}
    assert rows("Dead letters").keys() == queues().keys() - read


def test_what_is_said_of_a_model_that_bedrock_refuses_speaks_of_its_access_and_not_of_a_key() -> None:
    means, do = rows("Alarms, and what to do")["Model"]
    assert "Bedrock" in means + do and "model access" in means + do
    means, do = rows("Alarms, and what to do")["Credential"]
    assert "broker secret" in do and "role" in means + do


@pytest.mark.parametrize(("lane", "wait_ms"), [("interactive", 5 * 60_000), ("bulk", 30 * 60_000)])
def test_each_lane_rings_where_nobody_takes_its_messages_and_where_there_is_no_room(lane: str, wait_ms: int) -> None:
    by_lane = {name: alarm for name, alarm in alarms().items() if dimensions(watched(alarm)[0]).get("lane", "") == lane}
    ((name, room),) = by_lane.items()
    age = alarms()[name.replace("Wait", "Age")]
    assert target(dimensions(age)["QueueName"]) == f"{lane.title()}Queue"
    assert room["Threshold"] == 1000 * age["Threshold"] == wait_ms
    assert states(room, [[wait_ms + 1.0, 5.0]] * 2)[-1] == ALARM


@pytest.mark.parametrize("name", ["InteractiveWaitAlarm", "BulkWaitAlarm"])
def test_who_waits_for_room_is_heard_of_before_jobs_expire_that_say_nothing_else(name: str) -> None:
    alarm = alarms()[name]
    expire_ms = JobRequest.model_fields["deadline_seconds"].default * 1000
    rings_ms = alarm["Threshold"] + alarm["Period"] * 1000 * alarm["EvaluationPeriods"]
    assert rings_ms < expire_ms, "what is past its deadline waits no longer, so the metric never says more"
