"""The list of attacks has each file, and names none that is not there."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_the_list_is_whole() -> None:
    named = {(HERE / each).resolve() for each in re.findall(r"\]\(([^)]+\.py)\)", (HERE / "README.md").read_text())}
    assert all(each.is_file() for each in named)
    assert {*HERE.glob("test_*.py")} - named == {Path(__file__)}
