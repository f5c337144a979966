"""What becomes of each call of OpenAI's package is said, and what is said is so."""

import re

from tests.contract.openai_paths import NOT_SERVED, OURS, REFUSED, calls, served, table, unclassified
from tests.contract.stack import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()


def test_each_call_of_the_package_is_classified() -> None:
    assert len(calls()) > 300
    assert not unclassified(), "say in tests/contract/openai_paths.py what becomes of these"


def test_nothing_is_classified_that_the_package_does_not_know_or_that_has_a_route() -> None:
    assert not [call for call in REFUSED if call not in calls() or call in served()]
    assert OURS.keys() <= calls()
    assert NOT_SERVED.keys() <= {path.split("/")[1] for _, path in calls()}


def test_the_page_has_the_table_as_it_is() -> None:
    found = re.search("<!-- calls: [^\n]* -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found and found.group(1) == table(), "run `python -m tests.contract.openai_paths`"
