"""docs/budgets.md says what the code does."""

import re
from typing import get_args

import yaml
from broker.registry.document import parse_registry
from broker.registry.tenants import BudgetEntry
from broker.tenants.budgets import LOOK_EACH
from broker.tenants.rules import KEEP_S, MOST_RULES, Action, Per, Period

from tests.contract.stack import ROOT

TEXT = (ROOT / "docs" / "budgets.md").read_text()
WORDS = " ".join(TEXT.split())


def test_the_example_is_taken() -> None:
    (document,) = re.findall(r"```yaml\n(.+?)```", TEXT, re.DOTALL)
    (tenant,) = parse_registry(yaml.safe_load(document)).tenants
    assert {each.action for each in tenant.budgets} == {*get_args(Action)}


def test_each_field_and_each_word_of_it_is_told() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", TEXT, re.MULTILINE))
    assert {*rows, "id", "tag", "degrade_to"} == {*BudgetEntry.model_fields}
    for field, words in (("per", Per), ("period", Period), ("action", Action)):
        assert all(f"`{word}`" in rows[field] for word in get_args(words)), field


def test_the_numbers_are_those_of_the_code() -> None:
    assert MOST_RULES == 10 and "up to ten of them" in WORDS
    assert KEEP_S == 60 * 86_400 and "sixty days after its period" in WORDS
    assert LOOK_EACH == 32 and "each 32nd job" in WORDS
