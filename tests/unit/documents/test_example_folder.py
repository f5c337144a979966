"""The documents of the examples: of every kind, small, and as our script makes them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from broker.documents.document import Document
from broker.documents.extract import KINDS
from broker.documents.sandbox import read

from tests.unit.documents.example_folder import FOLDER, documents

MOST_BYTES = 400_000
Reads = Callable[[str, bytes], Document]


def seen(pictures: Sequence[Path], seconds: float) -> list[str]:
    """Who looks at pictures sees that there is one."""
    return [f"a picture of {len(each.read_bytes()) // 10_000}0 kB" for each in pictures]


def texts(document: Document) -> list[str]:
    assert document.error is None, document.error
    return [page.text for page in document.pages] + [text for child in document.children for text in texts(child)]


def test_the_folder_is_what_the_script_makes() -> None:
    made = documents()
    assert {each.name for each in FOLDER.iterdir()} == made.keys()
    assert sum(each.stat().st_size for each in FOLDER.iterdir()) < MOST_BYTES


@pytest.mark.parametrize("name", sorted(documents()))
def test_each_says_what_the_script_says(document: Reads, name: str) -> None:
    kept = (FOLDER / name).read_bytes()
    if name.endswith(".png"):
        assert document(name, kept).kind == "image"
    else:
        found = texts(document(name, kept))
        assert found == texts(document(name, documents()[name]))
        assert len("".join(found)) > 60


def test_there_is_one_of_every_kind(document: Reads) -> None:
    kinds = {document(each.name, each.read_bytes()).kind for each in FOLDER.iterdir()}
    assert kinds == KINDS.keys() - {"msg"}, "Outlook's own form is nothing that a script of ours writes"


def test_they_have_pages_and_files_inside() -> None:
    survey = read(FOLDER / "survey.pdf")
    assert [page.number for page in survey.pages] == [1, 2, 3] and "gutter" in survey.pages[2].text
    assert [child.name for child in read(FOLDER / "order.eml").children] == ["quotation.txt"]
    assert len(read(FOLDER / "archive.zip").children) == 2
    assert read(FOLDER / "plaque.png", ocr=seen).pages[0].ocr
