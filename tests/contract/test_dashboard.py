"""The dashboard and the saved queries ask for what is told, and AWS takes them."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator
from broker.cache.answers import Given, Hit
from broker.consequences import TABLE
from broker.delivery.sending import Sent
from broker.jobs.head import Status
from broker.metrics import answer_given, circuit_changed, job_ended, provider_called, webhook_attempted
from broker.observability import NAMESPACE

from tests.contract.aws_metrics import AWS_METRICS, OF_THE_ACCOUNT, fits
from tests.contract.boards import (
    board,
    body,
    fields_of,
    groups,
    lines_of_handlers,
    metrics,
    queries,
    saved_groups,
    widgets,
)
from tests.contract.ringing import alarms, is_ours, watched
from tests.contract.stack import of_type, queues, template
from tests.contract.told import metrics_told
from tests.fakes.world import NOW, a_head

COLUMNS = 24

MOST_METRICS = 50
"""Of a dashboard that is free (CloudWatch pricing: three, of up to fifty metrics)."""

OUR_OWN = {"@timestamp", "@message"}


def test_the_dashboard_is_made_on_request_and_is_json() -> None:
    assert template()["Parameters"]["Dashboard"]["Default"] == "off"
    assert template()["Conditions"]["HasDashboard"] == {"Fn::Equals": [{"Ref": "Dashboard"}, "on"]}
    ((name, resource),) = (
        (name, each) for name, each in template()["Resources"].items() if each["Type"] == "AWS::CloudWatch::Dashboard"
    )
    assert resource["Condition"] == "HasDashboard", name
    assert board()["DashboardName"] == {"Ref": "AWS::StackName"}
    assert {each["type"] for each in body()["widgets"]} == {"metric", "log", "alarm"}


def test_no_widget_lies_on_another_or_beside_the_grid() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in body()["widgets"]:
        assert widget["x"] + widget["width"] <= COLUMNS
        here = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not here & taken, widget["properties"]["title"]
        taken |= here


def test_each_metric_that_is_shown_is_told() -> None:
    shown = metrics()
    assert 20 < len(shown) <= MOST_METRICS
    for namespace, name, dimensions, statistic in shown:
        if namespace == NAMESPACE:
            assert set(dimensions) == metrics_told()[name], name
            assert dimensions["stack"] == "${AWS::StackName}"
        else:
            known = set(AWS_METRICS[namespace, name].dimensions)
            assert set(dimensions) == known or (not dimensions and (namespace, name) in OF_THE_ACCOUNT), name
            assert fits(namespace, name, statistic), f"{statistic} of {name} says something else"


def test_each_placeholder_is_of_something_that_stands_with_the_dashboard() -> None:
    for all_alarms in (True, False):
        for name in set(re.findall(r"\$\{(\w+)(?:\.\w+)?\}", json.dumps(body(all_alarms=all_alarms)))):
            resource = template()["Resources"][name]
            missing = resource.get("Condition") == "HasAllAlarms" and not all_alarms
            assert not missing and resource.get("Condition") in (None, "HasAllAlarms"), f"{name} may not be there"


@pytest.mark.parametrize("all_alarms", [True, False])
def test_the_dashboard_shows_all_alarms_that_stand_on_both_clouds(all_alarms: bool) -> None:
    (widget,) = (each for each in body(all_alarms=all_alarms)["widgets"] if each["type"] == "alarm")
    stand = {None, "HasAllAlarms"} if all_alarms else {None}
    expected = {name for name in alarms() if template()["Resources"][name].get("Condition") in stand}
    assert set(widget["properties"]["alarms"]) == {f"${{{name}.Arn}}" for name in expected}


def test_both_lanes_and_each_end_of_messages_are_shown() -> None:
    shown = {dimensions.get("QueueName", "") for _, _, dimensions, _ in metrics()}
    assert {f"${{{name}.QueueName}}" for name in queues()} == shown - {""}


def test_no_metric_is_told_that_neither_an_alarm_nor_the_dashboard_needs() -> None:
    rung = {each["MetricName"] for alarm in alarms().values() for each in watched(alarm) if is_ours(each)}
    shown = {name for namespace, name, _, _ in metrics() if namespace == NAMESPACE}
    assert metrics_told().keys() == rung | shown, "each costs 0.30 dollars a month"


def test_the_dashboard_asks_what_is_saved_and_of_the_same_logs() -> None:
    asked = {}
    for widget in widgets("log"):
        sources = re.findall(r"SOURCE '([^']+)' \| ", widget["query"])
        asked[re.sub(r"SOURCE '[^']+' \| ", "", widget["query"])] = sources
    assert asked == {query: groups()[name] for name, query in queries().items()}


def test_what_is_asked_is_saved_under_the_stacks_name_and_costs_nothing_by_itself() -> None:
    saved = of_type("AWS::Logs::QueryDefinition")
    assert {name.removesuffix("Query"): each["QueryString"] for name, each in saved.items()} == queries()
    for name, each in saved.items():
        said = name.removesuffix("Query")
        assert each["Name"] == {"Fn::Sub": f"${{AWS::StackName}}/{said}"}
        assert saved_groups(each) == groups()[said]
        assert template()["Resources"][name]["Condition"] == "OnAws", "the embedded cloud has no saved queries"


def test_each_query_reads_a_log_group_of_the_stack() -> None:
    there = {each["LogGroupName"]["Fn::Sub"] for each in of_type("AWS::Logs::LogGroup").values()}
    assert {group for some in groups().values() for group in some} <= there


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, set[str]]:
    """By the beginning of its message, the facts of each line that may be counted, as the code writes it."""
    call = {"latency_ms": 5, "paid": "yes", "cost": 4, "input_tokens": 3, "output_tokens": 2}
    error = {"type": "unavailable", "code": "c", "message": "m"}
    job_ended(a_head(status=Status.FAILED, started_at=NOW + 1, ended_at=NOW + 9, error=error))
    provider_called(a_head(), {"model": "m", "outcome": "succeeded", **call})
    circuit_changed("m", "opened")
    answer_given(*given())
    webhook_attempted("job_1", {"tenant": "acme", "event_id": "e", "state": "delivered"}, sent())
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    access = re.findall(r'"(\w+)":', of_type("AWS::Serverless::Api")["Api"]["AccessLogSetting"]["Format"])
    return {**lines_of_handlers(), **{line["message"]: set(line) for line in written}, "": set(access)}


def given() -> Any:
    """A run and what it was given."""
    return SimpleNamespace(id="job_1", tenant="acme"), Hit(Given("m", {}, {}, 5), "exact", 9)


def sent() -> Sent:
    """A webhook that arrived."""
    return Sent(204, None, None, 12)


@pytest.mark.parametrize("name", sorted(queries()))
def test_a_query_counts_a_line_that_is_written_by_facts_that_it_has(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    query, written = queries()[name], lines(capsys)
    capsys.readouterr()
    said = re.search(r"message (?:=|like) '([^']+)'", query)
    message = next(each for each in written if each.startswith(said[1])) if said else ""
    unknown = fields_of(query) - written[message] - {"message"}
    assert not unknown, f"{name} reads {sorted(unknown)}, which the line `{message}` does not have"


def test_a_query_stands_in_json_as_it_is() -> None:
    for query in queries().values():
        assert json.dumps(query) == f'"{query}"', "it would have to be written otherwise in the dashboard"
        assert len(query) <= 10_000 and "$" not in query


def test_values_that_queries_compare_with_are_those_that_are_told() -> None:
    outcomes = {each.value for each in Status} | {"succeeded", *(each.__name__ for each in TABLE)}
    for query in queries().values():
        for value in re.findall(r"outcome(?:,| !?=| in) (?:\[)?'(\w+)'", query):
            assert value in outcomes, f"{value} is no outcome of a job or a call"


REFUSED_HERE = {"AWS::CloudWatch::CompositeAlarm", "AWS::Logs::QueryDefinition"}
"""Kinds that the embedded cloud does not have; of alarms, those that reckon with metrics."""


def test_what_the_embedded_cloud_refuses_stands_on_aws_alone() -> None:
    for name, each in template()["Resources"].items():
        if each["Type"] in REFUSED_HERE or "Metrics" in each.get("Properties", {}):
            assert each["Condition"] in ("OnAws", "HasAllAlarmsOnAws"), name
    assert template()["Conditions"]["HasAllAlarmsOnAws"] == {
        "Fn::And": [{"Condition": "OnAws"}, {"Condition": "HasAllAlarms"}]
    }


def plain(value: Any) -> Any:
    """With a word in place of what only a deployment knows."""
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{[\w:.]+\}", "x", text)
        case {"Fn::Sub": [str(text), *_]}:
            return re.sub(r"\$\{[\w:.]+\}", "x", text)
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Select": _}:
            return "x"
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list():
            return [plain(each) for each in value]
    return value


CALLS = {
    "AWS::CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm", {}, "AlarmName"),
    "AWS::CloudWatch::CompositeAlarm": ("cloudwatch", "PutCompositeAlarm", {}, "AlarmName"),
    "AWS::Logs::QueryDefinition": (
        *("logs", "PutQueryDefinition"),
        {"Name": "name", "QueryString": "queryString", "LogGroupNames": "logGroupNames"},
        "name",
    ),
}
"""By type: what CloudFormation calls with its properties, under which names, and the name that it makes up."""


@pytest.mark.parametrize("kind", sorted(CALLS))
def test_aws_takes_what_the_template_says(kind: str) -> None:
    service, operation, names, own = CALLS[kind]
    shape = get_session().get_service_model(service).operation_model(operation).input_shape
    for name, properties in of_type(kind).items():
        asked = {own: name} | {names.get(key, key): plain(value) for key, value in properties.items()}
        report = ParamValidator().validate(asked, shape)
        assert not report.has_errors(), f"{name}: {report.generate_report()}"
    assert of_type(kind)
