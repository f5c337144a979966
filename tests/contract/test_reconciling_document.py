"""docs/reconciling.md says what the code does."""

import re

from broker.cli.reconciling.comparing import TOLERANCE
from broker.cli.reconciling.findings import MEANS
from broker.cli.reconciling.records import Called
from broker.cli.reconciling.sums import CLOCKS_MS
from broker.cli.root import found
from broker.jobs.head import RECORD_S

from tests.contract.stack import ROOT

TEXT = (ROOT / "docs" / "reconciling.md").read_text()


def test_each_finding_and_field_is_told() -> None:
    assert all(f"`{kind}`" in TEXT for kind in MEANS)
    line = Called("acme", "job_1", "1.1", "openai", "small", "gpt", "yes", 1, 0, 1).to_line()
    assert {name for name in line if f"`{name}`" not in TEXT} <= {"input_tokens", "output_tokens"}


def test_the_numbers_are_those_of_the_code() -> None:
    assert (TOLERANCE, CLOCKS_MS, RECORD_S) == (1_000, 2_000, 14 * 86_400)


def test_the_options_are_those_of_the_commands() -> None:
    commands = found("usage").commands.values()
    known = {each for command in commands for option in command.params for each in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z]+", TEXT)) <= known
