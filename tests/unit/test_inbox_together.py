"""Documents of recipes that want forms and tables: they are read with their pictures gathered, and never otherwise."""

from pathlib import Path
from typing import Any

import pytest
from broker.batches.store import Batches
from broker.documents.document import Document, EncryptedDocument, Page
from broker.documents.reading import Reading
from broker.documents.sandbox import Ocr
from broker.inbox.recipes import RECIPE, TOGETHER

from tests.fakes.inbox import Files
from tests.unit.test_inbox_recipes import NOTES, registered

FORMS = {**NOTES, "extract": {"features": ["forms"]}}
KEY = "acme/notes/a.pdf"


@pytest.fixture
def files() -> Files:
    made = Files()
    registered(made)
    return made


def change(files: Files, recipe: dict[str, Any]) -> None:
    from broker.registry.applying import apply
    from broker.registry.document import parse_registry

    from tests.fakes.world import NOW

    apply(files.world.registry(), parse_registry({"recipes": [recipe]}), by="tests", now=NOW)


def scanned(path: Path, name: str, ocr: Ocr, together: bool) -> Document:
    """Three pages: gathered in a PDF where that is wanted."""
    made = path.with_name("pages-0.pdf")
    if together:
        made.write_bytes(b"%PDF of three")
        texts = ocr([made / f"{number:05}" for number in (1, 2, 3)], 9.0)
    else:
        pictures = [path.with_name(f"{number}.png") for number in (1, 2, 3)]
        for picture in pictures:
            picture.write_bytes(picture.name.encode())
        texts = ocr(pictures, 9.0)
    return Document(name, "pdf", tuple(Page(number, text, ocr=True) for number, text in enumerate(texts, 1)))


def reading(files: Files, batch_id: str) -> Reading:
    return Reading.of(files.readings.kept[batch_id]["reading"])


def test_a_recipe_with_features_has_pictures_gathered_and_one_without_has_not(files: Files) -> None:
    plain = files.taken(KEY, "x").batch_id
    files.read_for_recipe(scanned)
    assert reading(files, plain).gathered == () and len(files.readings.scans) == 3
    change(files, FORMS)
    formed = files.taken("acme/notes/b.pdf", "x").batch_id
    (event, _), *_ = files.readings.asked
    assert event[TOGETHER] is True and event[RECIPE] == "notes"
    files.read_for_recipe(scanned)
    assert reading(files, formed).gathered == ((0, 3),)
    assert files.readings.pages == {(formed, 0): b"%PDF of three"}


@pytest.mark.parametrize("before, after", [(NOTES, FORMS), (FORMS, NOTES)])
def test_a_recipe_that_is_changed_while_its_document_is_read_has_it_read_once_more(
    files: Files, before: dict[str, Any], after: dict[str, Any]
) -> None:
    change(files, before)
    batch_id = files.taken(KEY, "x").batch_id
    files.read_for_recipe(scanned)
    change(files, after)
    files.go_on()
    assert Batches(files.world.database).find(batch_id) is None, "nothing is begun by a reading of another kind"
    files.read_for_recipe(scanned)
    files.go_on()
    assert Batches(files.world.database).find(batch_id) is not None
    assert bool(reading(files, batch_id).gathered) is (after is FORMS)


def test_what_cannot_be_read_is_rejected_and_not_read_again_and_again(files: Files) -> None:
    change(files, FORMS)
    files.taken(KEY, "x")
    files.read_for_recipe(
        lambda path, name, ocr, together: Document(name, error=EncryptedDocument("It needs a password."))
    )
    files.go_on()
    assert files.readings.asked == [] and f"{KEY}.error.json" in files.outbox.objects
