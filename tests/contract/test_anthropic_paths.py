"""What becomes of each call of Anthropic's package is said, and what is said is so."""

import re

from tests.contract.anthropic_paths import NOT_SERVED, OURS, REFUSED, calls, served, table, unclassified
from tests.contract.stack import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()


def test_each_call_of_the_package_is_classified() -> None:
    assert len(calls()) > 250
    assert not unclassified(), "say in tests/contract/anthropic_paths.py what becomes of these"


def test_nothing_is_classified_that_the_package_does_not_know_or_that_has_a_route() -> None:
    assert not [call for call in (*REFUSED, *OURS) if call not in calls() or call in served()]
    groups = {path.split("/")[2] for _, path in calls()}
    assert NOT_SERVED.keys() <= groups
    assert not [path for _, path in served() if path.split("/")[2] in NOT_SERVED]


def test_the_page_has_the_table_as_it_is() -> None:
    found = re.search("<!-- anthropic's calls: [^\n]* -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found and found.group(1) == table(), "run `python -m tests.contract.anthropic_paths`"
