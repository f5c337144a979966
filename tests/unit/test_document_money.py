"""What a document may cost, and what is on record of it."""

import pytest
from broker.documents.document import Document, Page
from broker.documents.reading import numbered, scan_mark
from broker.jobs.head import Head

from tests.fakes.document_batches import DOCUMENT_ID, Documents
from tests.unit.documents.recipes_case import document
from tests.unit.registry_case import MODEL
from tests.unit.test_document_batches import SUMS, cites


@pytest.fixture
def documents() -> Documents:
    made = Documents(says=cites)
    made.register(SUMS)
    return made


def test_what_a_document_holds_of_the_budget_is_never_above_what_it_may_cost(documents: Documents) -> None:
    documents.register({**SUMS, "max_cost_usd": 0.0001})
    documents.world.tenant(monthly_budget=10**9)
    documents.submit(document(10))
    documents.plan_document()
    documents.run(DOCUMENT_ID)
    documents.tend_all()
    heads = documents.jobs(DOCUMENT_ID)
    assert len(heads) == 10
    assert 0 < sum(sum(head.holds.values()) for head in heads) <= 100_000


def test_pictures_are_read_by_jobs_of_the_tenant_whose_money_is_on_record(documents: Documents) -> None:
    reading = numbered(Document("a.pdf", "pdf", (Page(1, "Typed."), Page(2, scan_mark("n", 0)))), "n", 1)
    documents.submit(reading)
    documents.readings.scans[DOCUMENT_ID, 0] = b"hello"
    seen: list[str] = []

    def says(head: Head, text: str) -> str:
        seen.append(text)
        return "Written by hand." if head.task == "extract_text" else "Fine."

    documents.says = says
    result = documents.live()
    scan, part = documents.jobs(DOCUMENT_ID)
    assert (scan.task, part.task) == ("extract_text", "chat")
    assert documents.world.prompt(scan.id)["file"] == {"data": "aGVsbG8=", "media_type": "image/png"}
    assert "[p. 2]\nWritten by hand." in seen[1]
    assert [child["stage"] for child in result["children"]] == ["scans", "parts"]
    assert not documents.readings.scans


def test_what_guardrails_cost_counts_within_the_budget_too(documents: Documents) -> None:
    judge = {"id": "judge", "rules": [{"check": "harmful_content", "engines": ["judge"], "action": "flag"}]}
    models = [MODEL | {"id": "judge", "context_window": 100_000, "price_in_usd": 1, "price_out_usd": 1}]
    priced = {**SUMS, "max_cost_usd": 0.005, "guardrails": ["judge"]}
    documents.register(priced, guardrails=[judge], models=models)
    assert documents.submit(document(10)).asked["max_cost"] == 5_000_000
    documents.plan_document()
    documents.run(DOCUMENT_ID)
    while documents.shards.sent:  # those that wait for money come later
        batch_id, shard = documents.shards.sent.pop(0)
        documents.tend({"batch_id": batch_id, "shard": shard})
    heads = documents.jobs(DOCUMENT_ID)
    assert 0 < len(heads) < 10 and 0 < sum(head.limit for head in heads) <= 5_000_000
