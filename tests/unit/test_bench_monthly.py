"""What a month costs: each resource of the template is in the bill, each metric is counted."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import idle as printed
from bench.logs import Logged
from bench.monthly import BY_USE, FREE, NOT_BY_ITSELF, PER_PIECE, Metric, busy, clock_run, exceeded, idle, metrics
from bench.pricing import Function, Job, Line, PriceList, Traffic, bill, summed
from bench.tables import markdown
from bench.template import every_minutes, holds, readers, resources, watched_metrics
from tests.contract.ringing import alarms
from tests.contract.stack import template

ROOT = Path(__file__).parents[2]

PRICES = PriceList.load()

JOB = Job(functions={"InvokeModelFunction": Function(128, 1)})


def lines_of_all_bills() -> Iterator[Line]:
    yield from bill(JOB, PRICES, Traffic(), 3)
    yield from idle(PRICES)
    yield from busy(PRICES, Traffic(), table_users=10)


def line(name: str, **parameters: str) -> Line:
    return next(each for each in idle(PRICES, **parameters) if each.name == name)


def test_each_kind_of_resource_has_its_place_in_the_bill() -> None:
    known = [*PER_PIECE, *BY_USE, *FREE, *NOT_BY_ITSELF]
    assert len(known) == len(set(known)), "a kind has two places"
    kinds = {each["Type"] for each in template()["Resources"].values()}
    assert kinds - set(known) == set(), "what does it cost?"
    assert not resources().keys() & set(NOT_BY_ITSELF), "it is there, and in no bill"


def test_what_is_paid_by_use_is_a_line_of_a_bill() -> None:
    names = [each.name for each in lines_of_all_bills()]
    assert {name for used in BY_USE.values() for name in used} | {name for name, _ in PER_PIECE.values()} == set(names)
    assert len(names) == len(set(names)), "a line is counted twice"


def test_the_documentation_has_each_line_of_all_bills() -> None:
    documented = (ROOT / "docs" / "operations.md").read_text()
    for each in lines_of_all_bills():
        assert f"\n| {each.name} | " in documented, (
            f"`python -m bench price --markdown` prints {each.name}; the docs lack it"
        )


def test_the_documentation_has_what_a_stack_costs_that_does_nothing_as_it_is_now() -> None:
    documented = (ROOT / "docs" / "operations.md").read_text()
    for each in printed.tables(PRICES):
        assert markdown(*each) in documented, f"`python -m bench idle --markdown` prints {each.title!r} anew"


def test_a_stack_that_does_nothing_costs_what_its_key_and_queues_do_and_its_alarms() -> None:
    alarm_lines = {"metrics that alarms look at", "composite alarms"}
    assert summed([each for each in idle(PRICES) if each.name not in alarm_lines]) <= 3.05
    assert summed(idle(PRICES, AlarmSet="few")) <= 3.55
    assert summed(idle(PRICES, AlarmSet="few", Inbox="off")) <= 3
    assert summed(idle(PRICES)) <= 5.55


def test_metrics_cost_less_than_five_dollars_whatever_the_jobs_models_and_tenants() -> None:
    (told, routes, *_) = busy(PRICES, Traffic(jobs_per_month=100_000), table_users=10)
    assert (told.name, told.usd <= 5, routes.usd) == ("custom metrics", True, 0)
    assert all(set(each.dimensions) <= {"service", "lane"} for each in metrics(PRICES)), "a dimension without a bound"
    more = busy(PRICES, Traffic(), 10, ApiMetrics="on")
    assert more[1].usd == pytest.approx(10 * 0.30)


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text, as cells."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines()] for block in blocks]


@pytest.mark.parametrize("head", ["$ per million jobs, of", "$ a month, without a job"])
def test_what_the_documentation_shows_adds_up(head: str) -> None:
    found = tables((ROOT / "docs" / "operations.md").read_text())
    heads, _, *rows = next(table for table in found if table[0][0].startswith(head))
    whole = next(row for row in rows if row[0].startswith("**together"))
    for column in range(2, len(heads)):
        cents = [round(100 * float(row[column].replace(",", ""))) for row in rows if not row[0].startswith("**")]
        assert sum(cents) == round(100 * float(whole[column].replace(",", "")))


def test_each_metric_that_an_alarm_looks_at_is_paid_for() -> None:
    shown = line("metrics that alarms look at")
    assert shown.quantity == watched_metrics() == len(alarms()), "an alarm that reckons with two metrics costs two"
    assert shown.usd == pytest.approx(0.10 * shown.quantity)
    assert line("metrics that alarms look at", AlarmSet="few").quantity == 5
    assert [line("composite alarms", AlarmSet=each).usd for each in ("all", "few")] == [0.50, 0]
    assert [line("dashboards", Dashboard=each).usd for each in ("off", "on")] == [0, 3]


def test_what_a_parameter_leaves_out_is_not_in_the_bill() -> None:
    assert resources(AlarmSet="few")["AWS::CloudWatch::Alarm"] < resources()["AWS::CloudWatch::Alarm"]
    assert resources(Target="local")["AWS::CloudWatch::CompositeAlarm"] == 0
    assert holds("CreatesApiLogRole") and not holds("CreatesApiLogRole", ApiLogRole="existing")
    assert not holds("HasAlarmEmail") and holds("HasAlarmEmail", AlarmEmail="a@example.com")


def test_each_metric_of_the_code_and_of_filters_has_its_hours_assumed() -> None:
    assert [each.name for each in metrics(PRICES)] == sorted(PRICES.assumed["metric_series"])


def test_a_metric_is_paid_for_each_set_of_values_in_the_hours_that_have_it() -> None:
    assert Metric("A", ("service",), 2, 0.05).billed == pytest.approx(0.1)
    assert Metric("A", (), 1, 1).billed == 1


def test_lambdas_own_lines_count_where_they_are_logged() -> None:
    logged, with_platform = Logged(), Logged()
    for message in ("START RequestId: 1", "hello", "REPORT RequestId: 1\tDuration: 5 ms"):
        logged.add(message, platform=False)
        with_platform.add(message, platform=True)
    assert (logged.invocations, logged.size) == (1, 5 + 26)
    assert with_platform.size > logged.size + 2 * 26


def test_what_the_clock_runs_is_read_from_the_template() -> None:
    assert every_minutes()["SweepFunction"] == 1
    assert set(readers()) == {
        "InteractiveQueue",
        "BulkQueue",
        "FilesQueue",
        "DeliveriesQueue",
        "IntakeQueue",
        "DocumentsQueue",
        "ShardsQueue",
    }
    runs = sum(730 * 60 / minutes for minutes in every_minutes().values())
    assert line("what runs by the clock").quantity == runs


def test_a_run_by_the_clock_that_takes_more_than_is_assumed_is_told() -> None:
    assumed = {name: clock_run(name, PRICES) for name in every_minutes()}
    assert exceeded(assumed, PRICES) == []
    sweep = assumed["SweepFunction"]
    more = sweep.functions["SweepFunction"].plus(Function(0, 0, {"dynamodb.Query": 1}), 1)
    assert exceeded(assumed | {"SweepFunction": replace(sweep, functions={"SweepFunction": more})}, PRICES) == [
        "SweepFunction"
    ]
    assert exceeded(assumed | {"SweepFunction": replace(sweep, reads=sweep.reads + 1)}, PRICES) == ["SweepFunction"]
