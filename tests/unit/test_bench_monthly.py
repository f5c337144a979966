"""What a month costs: each resource of the template is in the bill, each metric is counted."""

import ast
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.logs import Logged, series_of
from bench.monthly import BY_USE, FREE, PER_PIECE, Background, monthly, series_seen
from bench.pricing import Function, Job, Line, PriceList, Traffic, bill
from bench.template import every_minutes, readers, resources

ROOT = Path(__file__).parents[2]

PRICES = PriceList.load()

RUN = Job(functions={"SweepFunction": Function(256, 1, {"dynamodb.Query": 8})}, reads=4)

BACKGROUND = Background(dict.fromkeys(every_minutes(), RUN), table_users=10)

TOLD = {
    ("ProviderCalls", (("model", "a"), ("outcome", "succeeded"), ("service", "x"))),
    ("ProviderCalls", (("model", "b"), ("outcome", "succeeded"), ("service", "x"))),
    ("InputTokens", (("model", "a"), ("outcome", "succeeded"), ("service", "x"))),
    ("ModelsToMend", (("service", "x"),)),
}


def line(name: str, pieces: Counter[str] | None = None) -> Line:
    lines = monthly(pieces or resources(), BACKGROUND, TOLD, PRICES, Traffic())
    return next(each for each in lines if each.name == name)


def test_each_kind_of_resource_has_its_place_in_the_bill() -> None:
    known = [*PER_PIECE, *BY_USE, *FREE]
    assert len(known) == len(set(known)), "a kind has two places"
    assert resources().keys() - set(known) == set(), "what does it cost?"


def test_what_is_paid_by_use_is_a_line_of_a_bill() -> None:
    job = Job(functions={"InvokeModelFunction": Function(128, 1)})
    lines = [*bill(job, PRICES, Traffic(), 3), *monthly(resources(), BACKGROUND, TOLD, PRICES, Traffic())]
    names = [each.name for each in lines]
    assert {name for used in BY_USE.values() for name in used} | {name for name, _ in PER_PIECE.values()} == set(names)
    assert len(names) == len(set(names)), "a line is counted twice"


def test_the_documentation_has_each_line_of_both_bills() -> None:
    documented = (ROOT / "docs" / "operations.md").read_text()
    job = Job(functions={"InvokeModelFunction": Function(128, 1)})
    for each in [*bill(job, PRICES, Traffic(), 3), *monthly(resources(), BACKGROUND, TOLD, PRICES, Traffic())]:
        assert f"\n| {each.name} | " in documented, (
            f"`python -m bench price --markdown` prints {each.name}; the docs lack it"
        )


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text, as cells."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines()] for block in blocks]


@pytest.mark.parametrize("head", ["$ per million jobs", "$ a month"])
def test_what_the_documentation_shows_adds_up(head: str) -> None:
    found = tables((ROOT / "docs" / "operations.md").read_text())
    heads, _, *rows = next(table for table in found if table[0][0].startswith(head + ","))
    whole = next(row for row in rows if row[0].startswith("**together"))
    for column in range(2, len(heads)):
        cents = [round(100 * float(row[column].replace(",", ""))) for row in rows if not row[0].startswith("**")]
        assert sum(cents) == round(100 * float(whole[column].replace(",", "")))


def test_another_piece_costs_more_by_itself() -> None:
    more = resources() + Counter({"AWS::CloudWatch::Alarm": 2, "AWS::SecretsManager::Secret": 1})
    assert line("alarms", more).usd == pytest.approx(line("alarms").usd + 2 * 0.10)
    assert line("secrets", more).usd == pytest.approx(line("secrets").usd + 0.40)
    assert line("alarms").quantity == resources()["AWS::CloudWatch::Alarm"] > 0


def test_a_metric_is_paid_for_each_set_of_values() -> None:
    assumed = PRICES.assumed | {"metric_series": {"model,outcome": {"sets": 3}, "": {"share": 0.05}}}
    prices = replace(PRICES, assumed=assumed)
    assert series_seen(TOLD, prices, 1) == {("model", "outcome"): 2 * 3, (): 0.05}
    assert series_seen(TOLD, prices, 5) == {("model", "outcome"): 2 * 3 * 5, (): 0.05}


def test_each_metric_of_the_code_has_its_number_of_values_assumed() -> None:
    found = set()
    for path in (ROOT / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "metric":
                assert isinstance(node.args[0], ast.Dict), f"{path}: dimensions that cannot be read"
                found.add(",".join(sorted(ast.literal_eval(key) for key in node.args[0].keys if key)))
    assert found == PRICES.assumed["metric_series"].keys()


EMF = (
    '{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":[["service","lane"]],'
    '"Metrics":[{"Name":"Ended","Unit":"Count"},{"Name":"Ms","Unit":"Milliseconds"}]}]},'
    '"lane":"bulk","service":"s","Ended":[1.0],"Ms":[5.0]}'
)


def test_metrics_are_read_from_the_lines_that_make_them() -> None:
    dimensions = (("lane", "bulk"), ("service", "s"))
    assert series_of(EMF) == {("Ended", dimensions), ("Ms", dimensions)}
    assert series_of('{"message":"plain"}') == set()


def test_lambdas_own_lines_count_where_they_are_logged() -> None:
    logged, with_platform = Logged(), Logged()
    for message in ("START RequestId: 1", "hello", "REPORT RequestId: 1\tDuration: 5 ms"):
        logged.add(message, platform=False)
        with_platform.add(message, platform=True)
    assert (logged.invocations, logged.size) == (1, 5 + 26)
    assert with_platform.size > logged.size + 2 * 26


def test_what_the_clock_runs_is_read_from_the_template() -> None:
    assert every_minutes()["SweepFunction"] == 1
    assert set(readers()) == {"InteractiveQueue", "BulkQueue", "FilesQueue", "DeliveriesQueue", "IntakeQueue"}
    runs = sum(730 * 60 / minutes for minutes in every_minutes().values())
    assert line("what runs by the clock").quantity == runs
