"""docs/usage.md says what the code does."""

import re
from typing import get_args

import yaml
from broker.registry.document import parse_registry
from broker.rest.usage import MOST_DAYS, MOST_MONTHS, MOST_ROWS, USUAL_ROWS
from broker.tenants.usage import KEEP_DAYS, LONGEST, MOST_DIMENSIONS, SHARDS, Dimension

from tests.contract.stack import ROOT

TEXT = (ROOT / "docs" / "usage.md").read_text()
WORDS = " ".join(TEXT.split())


def test_the_example_is_taken_and_each_dimension_is_told() -> None:
    (document,) = re.findall(r"```yaml\n(.+?)```", TEXT, re.DOTALL)
    assert parse_registry(yaml.safe_load(document)).tenants
    assert all(f"`{name}`" in TEXT for name in get_args(Dimension))


def test_the_numbers_are_those_of_the_code() -> None:
    assert (MOST_MONTHS, MOST_DIMENSIONS, KEEP_DAYS, LONGEST, SHARDS) == (12, 5, 400, 256, 8)
    for words in (
        "twelve months at most",
        "five at most",
        "400 days",
        "256 characters count",
        "over eight items a value",
    ):
        assert words in WORDS
    assert (MOST_DAYS, f"({USUAL_ROWS}, {MOST_ROWS:,} at most)" in WORDS) == (366, True)
