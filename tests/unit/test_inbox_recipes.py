"""Documents by recipe in the inbox: which are taken so, what is read first, and what is said of those that are not."""

import json
from pathlib import Path
from typing import Any

import pytest
from broker.batches.asking.submitting import Found
from broker.batches.batch import BatchStatus
from broker.batches.store import Batches
from broker.documents.document import Document, EncryptedDocument, Page
from broker.documents.reading import Reading
from broker.documents.sandbox import Ocr
from broker.errors import InvalidRequest
from broker.inbox.asking import AskForDocument
from broker.inbox.recipes import RECIPE
from broker.inbox.splitting import Taken
from broker.permissions.who import NOBODY
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.tenants.registry import Tenants

from tests.fakes.inbox import Files
from tests.fakes.world import NOW

ASK = {"id": "ask", "user": "{{document}}"}
NOTES = {"id": "notes", "merge": {"way": "concat"}, "prompts": {"map": "ask"}, "deadline_seconds": 3600}
KEY = "acme/notes/a.pdf"


def registered(files: Files, *recipes: dict[str, Any]) -> None:
    document = parse_registry({"prompts": [ASK], "recipes": [NOTES, *recipes]})
    apply(files.world.registry(), document, by="tests", now=NOW)


@pytest.fixture
def files() -> Files:
    made = Files()
    registered(made)
    return made


def one_page(path: Path, name: str, ocr: Ocr, together: bool = False) -> Document:
    return Document(name, "pdf", (Page(1, path.read_text()),))


def locked(path: Path, name: str, ocr: Ocr, together: bool = False) -> Document:
    return Document(name, error=EncryptedDocument("It needs a password."))


def scanned(path: Path, name: str, ocr: Ocr, together: bool = False) -> Document:
    pictures = [path.with_name("1.png"), path.with_name("2.png")]
    for picture in pictures:
        picture.write_bytes(picture.name.encode())
    (one, two) = ocr(pictures, 9.0)
    return Document(name, "pdf", (Page(1, "Typed."), Page(2, f"{one}\n\n{two}", ocr=True)))


def end(files: Files, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files.outbox.objects[key])
    return found


def test_a_document_in_the_folder_of_a_recipe_is_read_and_becomes_a_batch_of_its_own(files: Files) -> None:
    taken = files.taken(KEY, "What it says.")
    assert taken == Taken(taken.batch_id, "acme")
    (event, tenant), *_ = files.readings.asked
    assert tenant == "acme" and event[RECIPE] == "notes", "texts are read too: a recipe wants pages and tables"
    files.read_for_recipe(one_page)
    files.go_on()
    batch = Batches(files.world.database).get(taken.batch_id, "acme")
    assert files.workflows.started == [(batch.id, 0)] and files.jobs(batch.id) == []
    assert (batch.status, batch.principal, batch.ends_at) == (BatchStatus.VALIDATING, "s3:inbox", NOW + 3_600_000)
    assert batch.source == {
        "kind": "document",
        "bucket": "inbox",
        "key": KEY,
        "etag": batch.source["etag"],
        "version": "v0",
    }
    assert batch.asked["document"] == {"recipe": "notes", "version": 1, "size": 6000}
    reading = Reading.of(files.readings.kept[batch.id]["reading"])
    assert [page.text for page in reading.pages] == ["What it says."]


def test_the_same_event_again_is_the_same_batch(files: Files) -> None:
    event = files.inbox.put(KEY, "x")
    for _ in range(3):
        files.split(event)
        files.read_for_recipe(one_page)
        files.go_on()
    assert len(files.workflows.started) == 1
    batch_id = files.workflows.started[0][0]
    Batches(files.world.database).change(batch_id, lambda batch: batch.ended({}, NOW))
    files.readings.forget(batch_id)
    files.split({**event, "read": True})
    assert not files.readings.asked, "one that has ended is not read again"


@pytest.mark.parametrize(
    "key", ["acme/a.txt", "acme/other/a.txt", "acme/Notes/a.txt", "acme/notes.txt", "acme/x/notes/a.txt"]
)
def test_without_a_recipe_documents_are_taken_as_ever(files: Files, key: str) -> None:
    taken = files.taken(key, "What it says.")
    assert taken.accepted == 1 and len(files.jobs(taken.batch_id)) == 1 and not files.workflows.started


def test_requests_and_media_in_such_a_folder_are_what_they_are_anywhere(files: Files) -> None:
    assert files.taken("acme/notes/a.json", json.dumps({"input": {"text": "Hi."}})).accepted == 1
    assert files.split(files.inbox.put("acme/media/notes/a.pdf", "x")) is None
    assert files.split(files.inbox.put("acme/notes/", "")) is None
    assert not files.readings.asked


def test_a_tenant_may_take_documents_by_recipe_alone(files: Files) -> None:
    files.world.tenant(recipes_only=True)
    assert files.taken("acme/other/a.txt", "x").error == "recipe_needed"
    assert files.taken("acme/a.txt", "x").error == "recipe_needed"
    assert end(files, "acme/other/a.txt.error.json")["error"]["code"] == "recipe_needed"
    assert files.taken(KEY, "x").error is None
    assert files.taken("acme/a.json", json.dumps({"input": {"text": "Hi."}})).accepted == 1, "requests are no documents"


def test_a_recipe_of_others_is_none_and_one_out_of_use_says_so(files: Files) -> None:
    registered(files, {**NOTES, "id": "theirs", "tenants": ["other"]}, {**NOTES, "id": "old", "enabled": False})
    assert files.taken("acme/theirs/a.txt", "x").accepted == 1, "a folder like any other"
    assert files.taken("acme/old/a.txt", "x").error == "recipe_disabled"
    files.world.tenant("other")
    assert files.taken("other/theirs/a.txt", "x").accepted == 0 and files.readings.asked


@pytest.mark.parametrize(
    ("recipe", "answer", "code"),
    [
        ({"takes": ["docx"]}, one_page, "kind_not_taken"),
        ({"extract": {"scans": "off"}}, scanned, "scans_not_read"),
        (
            {},
            lambda path, name, ocr, together: Document(name, error=EncryptedDocument("It needs a password.")),
            "encrypted_document",
        ),
    ],
)
def test_what_a_recipe_does_not_take_is_rejected_before_anything_is_paid(
    files: Files, recipe: dict[str, Any], answer: Any, code: str
) -> None:
    registered(files, {**NOTES, "id": "strict", **recipe})
    files.split(files.inbox.put("acme/strict/a.pdf", "x"))
    files.read_for_recipe(answer)
    files.go_on()
    assert end(files, "acme/strict/a.pdf.error.json")["error"]["code"] == code
    assert files.bus.kinds == ["RequestRejected"] and not files.workflows.started


def test_pictures_of_pages_are_kept_for_jobs_to_read_and_read_by_nobody_before(files: Files) -> None:
    taken = files.taken(KEY, "x")
    files.read_for_recipe(scanned)
    files.go_on()
    reading = Reading.of(files.readings.kept[taken.batch_id]["reading"])
    assert reading.scans == 2 and reading.pages_of_scans() == [2, 2]
    assert files.readings.scans == {(taken.batch_id, 0): b"1.png", (taken.batch_id, 1): b"2.png"}
    assert len(files.workflows.started) == 1


def test_a_recipe_that_goes_while_a_document_is_read_leaves_it_rejected(files: Files) -> None:
    registered(files, {**NOTES, "id": "brief"})
    files.split(files.inbox.put("acme/brief/a.pdf", "x"))
    files.read_for_recipe(one_page)
    registered(files, {**NOTES, "id": "brief", "tenants": ["other"]})
    files.go_on()
    assert end(files, "acme/brief/a.pdf.error.json")["error"]["code"] == "unknown_recipe"


def test_a_file_that_was_taken_before_there_was_a_recipe_goes_on_as_it_began(files: Files) -> None:
    event = files.inbox.put("acme/later/a.txt", "x")
    files.split(event)
    registered(files, {**NOTES, "id": "later"})
    taken = files.split(event)
    assert taken and taken.error is None and len(files.jobs(taken.batch_id)) == 1 and not files.readings.asked


class Objects:
    """The inbox before a file is read."""

    def object(self, bucket: str, key: str) -> Found | None:
        return Found(bucket, key, "e", "v0", 1) if key.endswith("a.pdf") else None


def ask(files: Files, detail: Any, event_id: str = "e-1", tenant: str = "acme") -> None:
    AskForDocument(Objects(), files.collects, "inbox")(detail, tenant, event_id, "event:acme.app", NOBODY)


def test_an_event_may_ask_for_a_document_wherever_it_lies_below_the_tenant(files: Files) -> None:
    files.inbox.put("acme/media/a.pdf", "x")
    for event_id in ("e-1", "e-2", "e-1"):
        ask(files, {"document": {"s3": "s3://inbox/acme/media/a.pdf", "recipe": "notes"}}, event_id)
    files.go_on()
    files.read_for_recipe(one_page)
    files.go_on()
    started = {batch_id for batch_id, _ in files.workflows.started}
    assert len(started) == 2, "each event asks once, however often it comes"
    batch = Batches(files.world.database).get(started.pop())
    assert batch.principal == "event:acme.app" and batch.source["key"] == "acme/media/a.pdf"


@pytest.mark.parametrize(
    ("detail", "code", "param"),
    [
        ({"document": {"s3": "s3://inbox/other/a.pdf", "recipe": "notes"}}, "file_not_yours", "document.s3"),
        ({"document": {"s3": "s3://outbox/acme/a.pdf", "recipe": "notes"}}, "file_not_yours", "document.s3"),
        ({"document": {"s3": "s3://inbox/acme/../other/a.pdf", "recipe": "notes"}}, "invalid_key", "document.s3"),
        ({"document": {"s3": "s3://inbox/acme/none.txt", "recipe": "notes"}}, "file_not_found", "document.s3"),
        ({"document": {"s3": "acme/a.pdf", "recipe": "notes"}}, "invalid_field", "document.s3"),
        ({"document": {"s3": "s3://inbox/acme/a.pdf"}}, "invalid_field", "document.recipe"),
        ({"document": {"s3": "s3://inbox/acme/a.pdf", "recipe": "a/b"}}, "invalid_field", "document.recipe"),
        ({"document": "s3://inbox/acme/a.pdf"}, "invalid_field", "document"),
        ({"document": {"s3": "s3://inbox/acme/a.pdf", "recipe": "notes"}, "model": "x"}, "invalid_field", "model"),
    ],
)
def test_an_event_at_fault_names_the_field(files: Files, detail: Any, code: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        ask(files, detail)
    assert (failure.value.code, failure.value.param) == (code, param) and not files.collects.later


def test_an_event_that_names_no_recipe_of_ours_is_rejected_with_the_file(files: Files) -> None:
    ask(files, {"document": {"s3": "s3://inbox/acme/a.pdf", "recipe": "none"}})
    files.go_on()
    assert end(files, "acme/a.pdf.error.json")["error"]["code"] == "unknown_recipe"
    assert Tenants(files.world.database).get("acme", NOW).recipes_only is False
