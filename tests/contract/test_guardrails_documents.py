"""Documents on guardrails: what they show can be registered, the default is as they say, and nothing is left out."""

import re
from typing import get_args

import pytest
import yaml
from broker.contract.replies import Finding
from broker.guardrails.policy import DEFAULT, Action, Policy
from broker.registry.document import parse_registry
from broker.registry.guardrail_entry import GuardrailEntry
from broker.registry.rule_entry import CHECK_NAMES, RuleEntry

from tests.contract.stack import ROOT

SHOWN = re.compile(r"^```yaml\n(.+?)^```", re.MULTILINE | re.DOTALL)
FIRST_CELL = re.compile(r"^\| (`.+?) \|", re.MULTILINE)
NAME = re.compile(r"`([a-z_]+)`")

GUARDRAILS = (ROOT / "docs" / "guardrails.md").read_text()


@pytest.mark.parametrize("name", ["guardrails.md", "redaction.md", "operations.md"])
def test_what_they_show_is_taken_by_the_registry(name: str) -> None:
    shown = SHOWN.findall((ROOT / "docs" / name).read_text())
    assert shown
    for document in shown:
        parse_registry(yaml.safe_load(document))


def test_the_default_is_as_it_is_written() -> None:
    (entry,) = parse_registry(yaml.safe_load(SHOWN.findall(GUARDRAILS)[0])).guardrails
    assert Policy.from_item(entry.id, entry.item()).rules == DEFAULT.rules


@pytest.mark.parametrize(
    "names", [CHECK_NAMES, get_args(Action), Finding.model_fields], ids=["check", "action", "field"]
)
def test_each_has_a_row(names: tuple[str, ...]) -> None:
    rows = {name for cell in FIRST_CELL.findall(GUARDRAILS) for name in NAME.findall(cell)}
    assert set(names) <= rows


def test_each_option_is_named() -> None:
    options = {*RuleEntry.model_fields, *GuardrailEntry.model_fields} - {"check", "action"}
    assert options <= set(NAME.findall(GUARDRAILS))
