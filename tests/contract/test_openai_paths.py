"""What becomes of each call of OpenAI's package is said, and what is said is so."""

import re

from broker.doors.unserved import CALLS, GROUPS, instead_of

from tests.contract.openai_paths import calls, served, table, unclassified
from tests.contract.stack import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()


def test_each_call_of_the_package_is_classified() -> None:
    assert len(calls()) > 300
    assert not unclassified(), "say in broker/doors/unserved.py what becomes of these"


def test_each_call_that_is_not_answered_is_refused_by_its_name_and_no_other() -> None:
    for method, path in calls():
        answered = (method, path) in served()
        told = instead_of(method, path.replace("{}", "x1"))
        if not answered:
            assert told, f"{method} {path}"
        elif path.split("/")[1] not in GROUPS:
            assert told is None, f"{method} {path} is answered"


def test_nothing_is_classified_that_the_package_does_not_know_or_that_has_a_route() -> None:
    assert not [call for call in CALLS if call not in calls() or call in served()]
    assert GROUPS.keys() <= {path.split("/")[1] for _, path in calls()}


def test_the_page_has_the_table_as_it_is() -> None:
    found = re.search("<!-- calls: [^\n]* -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found and found.group(1) == table(), "run `python -m tests.contract.openai_paths`"
