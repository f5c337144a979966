"""The page of operations has each of the template's parameters, with the value that it begins as."""

import re

from tests.contract.stack import ROOT, template

TABLE = (ROOT / "docs" / "operations.md").read_text().partition("## Parameters")[2].partition("\n## ")[0]
LINES = [line.strip("|") for line in TABLE.splitlines() if line.startswith("| `")]
ROWS = [[cell.strip() for cell in line.split(" | ")] for line in LINES]


def test_each_parameter_is_told_once() -> None:
    told = [name for row in ROWS for name in re.findall(r"`([A-Z]\w+)`", row[0])]
    assert sorted([*told, "LocalUrl"]) == sorted(template()["Parameters"]), "LocalUrl stands beside Target"


def test_each_begins_as_the_page_says() -> None:
    for names, begins, _ in ROWS:
        told = begins.partition(":")[0].replace("`", "").split(", ")
        values = {str(template()["Parameters"][name].get("Default", "")) for name in re.findall(r"`([A-Z]\w+)`", names)}
        wanted = {value.replace(",", "") for value in told} - {"none", "that of the stage"}
        assert wanted == values - {""}, names
