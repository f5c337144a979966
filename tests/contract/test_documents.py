"""Documents lead somewhere: their links to files, the glossary's words, and the commands that are listed."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from broker.batches.rows.planning import MOST_BYTES, MOST_ROWS
from broker.inbox import files

from tests.contract.stack import ROOT

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
ROW = re.compile(r"\| (\*\*.+?) \| (.+) \| (.+) \|")


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_links_to_files_lead_to_files(path: Path) -> None:
    for link in LINK.findall(path.read_text()):
        if "://" not in link:
            assert (path.parent / link).exists(), f"{path.name} links to {link}, which is not there"


def test_the_glossary_says_of_each_word_where_it_lives() -> None:
    rows = [ROW.fullmatch(line) for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()]
    found = [row for row in rows if row]
    assert len(found) > 40
    for row in found:
        assert LINK.search(row[3]), f"{row[1]} lives nowhere"
    words = Counter(word for row in found for word in re.findall(r"\*\*(.+?)\*\*", row[1]))
    assert max(words.values()) == 1, f"{words.most_common(1)} is explained twice"


def test_the_readme_leads_to_the_glossary_and_to_how_to_work_on_it() -> None:
    assert {"docs/glossary.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= set(
        LINK.findall((ROOT / "README.md").read_text())
    )


def test_make_lists_every_command() -> None:
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert ".DEFAULT_GOAL := help\n" in text, "make alone says what there is"
    command = ["make", "--no-print-directory", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    listed = re.findall(r"^  make (\w+) +\S", done.stdout, re.MULTILINE)
    assert listed == phony.split(), "in the order of the file"


def test_the_contract_says_what_the_inbox_takes() -> None:
    rows = re.findall(r"^\| (.+?) \| .+ \| (.+?) \|$", (ROOT / "docs" / "contract.md").read_text(), re.MULTILINE)
    known = dict(rows)
    assert known["`.jsonl`"] == f"{MOST_ROWS:,} requests, {MOST_BYTES:,} bytes"
    assert known["`.json`"] == f"{files.MAX_REQUEST_BYTES:,} bytes"
    assert known["any other"] == f"{files.MAX_FILE_BYTES:,} bytes, {files.MAX_DOCUMENT_BYTES:,} bytes of text"
    assert f"`{files.MEDIA}…`" in known


def test_who_sent_what_is_not_read_is_told_of_the_kinds_that_the_documents_name() -> None:
    kinds = "\n".join(re.findall(r"^\| (.+?) \|", (ROOT / "docs" / "documents.md").read_text(), re.MULTILINE))
    for kind in re.findall(r"\b[A-Z]{3,}\b", files.TAKEN):
        assert kind in kinds, kind
