"""What becomes of each call of Anthropic's package is said, and what is said is so."""

import re

from broker.doors.unserved import ANTHROPIC_GROUPS, instead_of

from tests.contract.anthropic_paths import calls, served, table, unclassified
from tests.contract.stack import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()


def test_each_call_of_the_package_is_classified() -> None:
    assert len(calls()) > 250
    assert not unclassified(), "say in broker/doors/unserved.py what becomes of these"


def test_nothing_is_classified_that_the_package_does_not_know_or_that_has_a_route() -> None:
    groups = {path.split("/")[2] for _, path in calls()}
    assert ANTHROPIC_GROUPS.keys() <= groups
    assert not [path for _, path in served() if path.split("/")[2] in ANTHROPIC_GROUPS]


def test_the_page_has_the_table_as_it_is() -> None:
    found = re.search("<!-- anthropic's calls: [^\n]* -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found and found.group(1) == table(), "run `python -m tests.contract.anthropic_paths`"


def test_each_call_that_is_not_answered_is_refused_by_its_name() -> None:
    for method, path in calls() - served():
        told = instead_of(method, path.removeprefix("/v1").replace("{}", "x1"), anthropic=True)
        assert told and "](" not in told, f"{method} {path}"
