"""Scans of forms and tables: read together by a service, held for by the page, and in their places in the text."""

import json
from typing import Any

import pytest
from broker.batches.rows.sources import Span, content_of
from broker.batches.shard import Shard
from broker.documents.document import Document, Page
from broker.documents.gathering import AT_ONCE
from broker.documents.reading import Reading, numbered, scan_mark
from broker.errors import InvalidRequest
from broker.jobs.head import Head, Status
from broker.jobs.request import parse_request
from broker.jobs.store import REQUEST
from broker.routing.units import most_units

from tests.fakes.document_batches import DOCUMENT_ID, Documents, Output

PAGE = 1_500_000
"""Nano-dollars of a page, as registered below; forms and tables are on top."""
PRICES = {"pages": PAGE, "forms": 48_500_000, "tables": 15_000_000}

FORMS: dict[str, Any] = {
    "id": "sums",
    "merge": {"way": "concat"},
    "prompts": {"map": "ask"},
    "split": {"size": 2000, "by": "pages"},
    "extract": {"model": "textract", "features": ["tables", "forms"]},
    "parameters": {"max_output_tokens": 50},
}


def scanned(pages: int, gathered: tuple[tuple[int, int], ...] = (), typed: str = "Typed.") -> Reading:
    """A typed page, and pages that are pictures behind it."""
    marks = [Page(number + 2, scan_mark("n", number)) for number in range(pages)]
    return numbered(Document("a.pdf", "pdf", (Page(1, typed), *marks)), "n", pages, gathered)


def layout(*pages: list[dict[str, Any]]) -> Output:
    told = [{"page": number, "items": items} for number, items in enumerate(pages, 1)]
    return Output({"text": "all", "pages": len(pages), "layout": told})


def items(number: int) -> list[dict[str, Any]]:
    return [
        {"text": f"Sheet {number}"},
        {"table": [["Part", "Price"], [f"Lamp {number}", "12"]]},
        {"key": "Name:", "value": f"Ann {number}", "score": 0.9},
    ]


SHEET = "Sheet {0}\n\n| Part | Price |\n| --- | --- |\n| Lamp {0} | 12 |\n\nName: Ann {0}"


MODEL = {
    **{"id": "textract", "provider": "textract", "name": "textract", "tasks": ["extract_text"]},
    **{"context_window": 25_000, "max_output_tokens": 1, "price_in_usd": 0, "price_out_usd": 0},
    **{"unit_prices_usd": {name: price / 1e9 for name, price in PRICES.items()}, "asynchronous": True},
    "regions": ["us"],
}


def register(documents: Documents, **changes: Any) -> None:
    prompts = [{"id": "ask", "user": "Sum up: {{document}}"}]
    documents.register({**FORMS, **changes}, prompts=prompts, models=[MODEL])


@pytest.fixture
def documents() -> Documents:
    made = Documents()
    register(made)
    return made


def of(documents: Documents, *outputs: Any) -> list[str]:
    """Answer scans with these, one after the other, and all else; gives what the models of chats read."""
    seen: list[str] = []
    given = iter(outputs)

    def says(head: Head, text: str) -> Any:
        if head.task == "extract_text":
            return next(given)
        seen.append(text.removeprefix("Sum up: "))
        return "Fine."

    documents.says = says
    return seen


def keep(documents: Documents, *pdfs: bytes, batch_id: str = DOCUMENT_ID) -> None:
    documents.readings.pages |= {(batch_id, number): data for number, data in enumerate(pdfs)}


def test_pages_that_were_gathered_are_one_job_and_each_has_its_text_tables_and_fields(documents: Documents) -> None:
    keep(documents, b"%PDF of three")
    seen = of(documents, layout(items(1), [], items(3)))
    documents.submit(scanned(3, ((0, 3),)))
    result = documents.live()
    assert result["error"] is None
    assert [(child["stage"], child["pages"]) for child in result["children"]] == [("scans", "2-4"), ("parts", "1-2, 4")]
    (said,) = seen
    assert f"[p. 1]\nTyped.\n\n[p. 2]\n{SHEET.format(1)}\n\n[p. 4]\n{SHEET.format(3)}" in said
    assert documents.readings.pages == {}, "what was gathered is kept no longer than it is needed"


def test_its_job_names_a_file_of_the_tenants_own_and_finds_the_pages_there_that_were_read(documents: Documents) -> None:
    keep(documents, b"%PDF of three")
    documents.submit(scanned(3, ((0, 3),)))
    documents.plan_document()
    documents.run(DOCUMENT_ID)
    documents.tend_all()
    (head,) = documents.jobs(DOCUMENT_ID)
    request = documents.world.payloads.load(head.id, REQUEST)
    given = request["input"]
    assert given["features"] == ["forms", "tables"]
    assert given["file"] == {
        "s3": f"s3://inbox/acme/media/{DOCUMENT_ID}/pages-0.pdf",
        "media_type": "application/pdf",
    }
    pins = [files for (job_id, name), files in documents.world.payloads.files.items() if job_id == head.id]
    assert pins == [[(b"%PDF of three", "application/pdf")]]
    assert (head.lane, head.task, head.door) == ("bulk", "extract_text", "batch")


def test_what_is_held_is_what_its_pages_cost_and_no_more(documents: Documents) -> None:
    documents.world.tenant(monthly_budget=10**12)
    keep(documents, b"%PDF")
    documents.submit(scanned(40, ((0, 40),)))
    documents.plan_document()
    documents.run(DOCUMENT_ID)
    documents.tend_all()
    (head,) = documents.jobs(DOCUMENT_ID)
    calls = 2  # as for each job: one, and its repeat
    assert head.limit == calls * 40 * sum(PRICES.values())
    assert documents.world.available() == 10**12 - head.limit


def test_a_budget_that_does_not_cover_the_pages_starts_nothing(documents: Documents) -> None:
    documents.world.tenant(monthly_budget=39 * sum(PRICES.values()))
    keep(documents, b"%PDF")
    documents.submit(scanned(40, ((0, 40),)))
    result = documents.live()
    assert result["error"]["code"] == "part_rejected" and "budget" in result["error"]["message"]
    assert result["usage"]["cost_usd"] == 0


def test_the_limit_of_a_document_holds_for_its_pages_too(documents: Documents) -> None:
    register(documents, max_cost_usd=0.5)
    keep(documents, b"%PDF")
    documents.submit(scanned(40, ((0, 40),)))
    result = documents.live()
    assert result["error"]["code"] in ("part_rejected", "document_budget_spent", "document_capped")
    generous = 40 * 2 * sum(PRICES.values()) * 1.2 / 1e9
    register(documents, max_cost_usd=generous)
    keep(documents, b"%PDF", batch_id="batch_2")
    of(documents, layout(*[items(number) for number in range(40)]))
    documents.submit(scanned(40, ((0, 40),)), batch_id="batch_2")
    assert documents.live("batch_2")["error"] is None


def test_a_page_by_itself_is_sent_as_a_picture_with_what_is_looked_for(documents: Documents) -> None:
    documents.readings.scans[DOCUMENT_ID, 0] = b"\x89PNG"
    seen = of(documents, layout(items(7)))
    documents.submit(scanned(1))
    assert documents.live()["error"] is None
    (head, *_) = documents.jobs(DOCUMENT_ID)
    given = documents.world.payloads.load(head.id, REQUEST)["input"]
    assert given["features"] == ["forms", "tables"] and given["file"]["media_type"] == "image/png"
    assert f"[p. 2]\n{SHEET.format(7)}" in seen[-1]


def test_of_many_pages_each_pdf_is_a_job_and_pages_count_on(documents: Documents) -> None:
    keep(documents, b"%PDF one", b"%PDF two")
    first = [items(number) for number in range(1, AT_ONCE + 1)]
    seen = of(documents, layout(*first), layout(items(AT_ONCE + 1), items(AT_ONCE + 2)))
    documents.submit(scanned(AT_ONCE + 2, ((0, AT_ONCE), (AT_ONCE, 2))))
    result = documents.live()
    assert [child["pages"] for child in result["children"] if child["stage"] == "scans"] == ["2-26", "27-28"]
    text = "\n".join(seen)
    for number in (1, AT_ONCE, AT_ONCE + 1, AT_ONCE + 2):
        assert f"[p. {number + 1}]\n{SHEET.format(number)}" in text


@pytest.mark.parametrize("on_failure", ["fail", "continue"])
def test_pages_that_the_service_could_not_read_are_told(documents: Documents, on_failure: str) -> None:
    register(documents, on_failure=on_failure)
    keep(documents, b"%PDF")
    of(documents, Output({**layout(items(1), [], []), "missing_pages": [2, 3, 99]}))
    documents.submit(scanned(3, ((0, 3),)))
    result = documents.live()
    if on_failure == "fail":
        assert result["error"]["code"] == "pages_unread" and "3-4" in result["error"]["message"]
    else:
        assert result["error"] is None
        assert [(note["code"], note["pages"]) for note in result["notes"]] == [("pages_unread", [3, 4])]


def test_a_reader_that_does_not_say_which_page_a_text_is_of_gives_no_wrong_pages(documents: Documents) -> None:
    keep(documents, b"%PDF")
    of(documents, Output({"text": "One. Two.", "pages": 2}))
    documents.submit(scanned(2, ((0, 2),)))
    assert documents.live()["error"]["code"] == "layout_missing"


def test_where_reading_fails_the_recipe_says_what_becomes_of_the_document(documents: Documents) -> None:
    keep(documents, b"%PDF")
    of(documents, Status.FAILED)
    documents.submit(scanned(2, ((0, 2),)))
    assert documents.live()["error"]["code"] == "part_failed"


def test_how_sure_the_service_is_is_told_to_a_recipe_that_merges_by_that(documents: Documents) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "confidence": {"type": "number"}}}
    register(documents, merge={"way": "extract", "scalars": "confidence"}, output_schema=schema)
    keep(documents, b"%PDF")
    seen = of(documents, layout(items(1), items(2)))
    documents.submit(scanned(2, ((0, 2),)))
    documents.live()
    assert any("Name: Ann 1 (confidence 0.90)" in text for text in seen)


def test_a_document_that_was_read_before_this_could_be_is_read_as_it_was(documents: Documents) -> None:
    facts = scanned(2).facts()
    del facts["gathered"]
    assert Reading.of(facts).portions() == [(range(1), None), (range(1, 2), None)]
    told = Reading.of(scanned(6, ((1, 3),)).facts())
    assert told.portions() == [(range(1), None), (range(1, 4), 0), (range(4, 5), None), (range(5, 6), None)]


@pytest.mark.parametrize("more", [{"pages": 1}, {"known": {"pages": 1}}])
def test_no_client_says_how_many_pages_are_held_for(more: dict[str, Any]) -> None:
    asked = {"task": "extract_text", "input": {"file": {"s3": "s3://inbox/acme/long.pdf"}}}
    with pytest.raises(InvalidRequest):
        parse_request({**asked, **more})
    with pytest.raises(InvalidRequest):
        parse_request({**asked, "input": {**asked["input"], **more}})
    assert most_units({**asked, "metadata": {"pages": "1"}})["pages"] == 3_000
    line = json.dumps({"line": 1, "body": asked, **more}).encode()
    shard, span = Shard(DOCUMENT_ID, 0, 1, 0, len(line), 1, 0), Span(0, 1, 0, len(line))
    documents = Documents()
    register(documents)
    content = content_of(documents.submit(scanned(1)), shard, span, line)
    assert content.known == {} and "line" in content.request.body, "it is a request like any other, and no line of ours"
