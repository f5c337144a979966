"""How a document is shown: its stages, its children, and what is left of one that was erased."""

import json

import pytest
from broker.batches.batch import BatchStatus
from broker.batches.results.assembling import Assemble
from broker.batches.shard import RowEnd, row_job_id

from tests.fakes.batch_flow import FakeResultFiles
from tests.fakes.document_batches import DOCUMENT_ID, KEY, Documents
from tests.fakes.world import NOW
from tests.unit.documents.recipes_case import document
from tests.unit.test_document_batches import SUMS, cites


@pytest.fixture
def documents() -> Documents:
    made = Documents(says=cites)
    made.register(SUMS)
    return made


def test_a_document_shows_its_stages_and_its_children(documents: Documents) -> None:
    documents.submit(document(5))
    documents.plan_document()
    documents.run(DOCUMENT_ID)
    documents.tend_all()
    for head in documents.jobs(DOCUMENT_ID)[:2]:
        documents.end(head)
        documents.batches.end_row(DOCUMENT_ID, head.row or 0, RowEnd("succeeded", 7))
    shown = documents.shown()
    about = shown["document"]
    assert about["recipe"] == {"id": "sums", "version": 1} and about["key"] == KEY
    assert about["stages"] == [{"name": "parts", "total": 5, "ended": 2, "succeeded": 2, "cost_usd": 14e-9}]
    assert [child["status"] for child in about["children"]] == ["succeeded"] * 2 + ["queued"] * 3
    documents.answer()
    documents.live()
    about = documents.shown()["document"]
    assert [(stage["name"], stage["total"], stage["ended"]) for stage in about["stages"]] == [
        ("parts", 5, 5),
        ("merge-1", 1, 1),
    ]
    assert [child["stage"] for child in about["children"]] == ["parts"] * 5 + ["merge-1"]
    assert about["children"][5]["job_id"] == row_job_id(DOCUMENT_ID, NOW, 100)


def test_a_document_of_many_children_is_shown_by_its_stages(documents: Documents) -> None:
    documents.submit(document(150))
    documents.live()
    about = documents.shown()["document"]
    assert about["children"] is None and about["stages"][0] | {"cost_usd": 0} == {
        "name": "parts",
        "total": 150,
        "ended": 150,
        "succeeded": 150,
        "cost_usd": 0,
    }


def test_an_erased_document_is_shown_as_what_it_was_without_its_name(documents: Documents) -> None:
    documents.submit(document(2))
    documents.live()
    documents.batches.change(DOCUMENT_ID, lambda batch: batch.erasing(NOW))
    shown = documents.shown()
    assert (shown["erased"], shown["status"], shown["document"]) == (True, "completed", None)
    assert KEY not in json.dumps(shown)


def test_nothing_is_put_together_of_a_document_but_its_result(documents: Documents) -> None:
    documents.submit(document(3))
    assemble = Assemble(documents.batches, documents.results, FakeResultFiles(), FakeResultFiles(), "outbox")
    documents.plan_document()
    documents.stage()
    assert assemble(DOCUMENT_ID, lambda: NOW) == {"written": False}
    assert documents.batch().status is BatchStatus.IN_PROGRESS
    documents.live()
    assert assemble(DOCUMENT_ID, lambda: NOW) == {"written": True}
    assert documents.batch().output["result_key"] == f"{KEY}.result.json"
