"""The pages that jobs have read: kept for the job alone, erased with it, and of what became no job nothing is left."""

import pytest
from broker.batches.shard import row_job_id

from tests.fakes.document_batches import DOCUMENT_ID, Documents
from tests.fakes.world import NOW
from tests.unit.test_document_forms import PRICES, keep, layout, of, register, scanned


@pytest.fixture
def documents() -> Documents:
    made = Documents()
    register(made)
    return made


def kept(documents: Documents) -> dict[int, bytes]:
    """What lies for the jobs of rows, by row."""
    ids = {row_job_id(DOCUMENT_ID, NOW, row): row for row in range(10)}
    files = documents.world.payloads.files
    return {ids[job_id]: data for (job_id, _), [(data, _)] in files.items() if job_id in ids}


def test_of_pages_that_became_no_job_nothing_is_left(documents: Documents) -> None:
    keep(documents, b"%PDF one", b"%PDF two")
    of(documents, layout(*[[]] * 25))
    documents.submit(scanned(27, ((0, 25), (25, 2))))
    documents.plan_document()
    assert kept(documents) == {0: b"%PDF one", 1: b"%PDF two"}
    documents.world.tenant(monthly_budget=2 * 25 * sum(PRICES.values()))  # what there was, others took meanwhile
    result = documents.live()
    assert result["error"]["code"] == "part_rejected", "there was money for the first alone"
    assert kept(documents) == {0: b"%PDF one", 1: b""}


def test_what_a_document_that_was_cancelled_has_not_begun_leaves_nothing(documents: Documents) -> None:
    keep(documents, b"%PDF one")
    batch = documents.submit(scanned(2, ((0, 2),)))
    documents.plan_document()
    documents.batches.change(batch.id, lambda now_is: now_is.stopped("cancelled", documents.now))
    result = documents.live()
    assert result["error"]["code"] == "document_cancelled"
    assert kept(documents) == {0: b""}


def test_pages_go_with_their_job(documents: Documents) -> None:
    keep(documents, b"%PDF one")
    of(documents, layout([], []))
    documents.submit(scanned(2, ((0, 2),)))
    documents.live()
    (head, *_) = documents.jobs()
    assert kept(documents) == {0: b"%PDF one"}
    documents.world.payloads.erase(head.id)
    assert kept(documents) == {}
