"""A document of several PDFs of pictures: its tenant's budget covers all of them, or none is read."""

from typing import Any

import pytest

from tests.fakes.document_batches import DOCUMENT_ID, Documents
from tests.unit.test_document_forms import PRICES, documents, items, keep, layout, of, scanned  # noqa: F401

PAGE = sum(PRICES.values())

TWICE = 2
"""What is held for a call: its price and that of one repeat."""


def submitted(place: Documents, budget: int | None, sizes: tuple[int, ...] = (25, 25, 10)) -> dict[str, Any]:
    """The result of a document of so many PDFs, where its tenant has so much."""
    if budget is not None:
        place.world.tenant(monthly_budget=budget)
    keep(place, *[b"%PDF"] * len(sizes))
    firsts = [sum(sizes[:number]) for number in range(len(sizes))]
    gathered = tuple(zip(firsts, sizes, strict=True))
    of(place, *[layout(*[items(first + each) for each in range(size)]) for first, size in gathered])
    place.submit(scanned(sum(sizes), gathered))
    return place.live()


@pytest.mark.parametrize("pages", [1, 25, 50, 59])
def test_where_it_covers_some_none_is_read_and_nothing_is_paid(documents: Documents, pages: int) -> None:  # noqa: F811
    budget = TWICE * pages * PAGE
    result = submitted(documents, budget)
    assert result["error"]["code"] == "document_not_covered"
    assert "budget" in result["error"]["message"] and "7.80" in result["error"]["message"]
    assert documents.jobs(DOCUMENT_ID) == []
    assert result["usage"]["cost_usd"] == 0


@pytest.mark.parametrize("budget", [TWICE * 60 * PAGE + 10**9, None])
def test_where_it_covers_all_or_there_is_none_all_are_read(documents: Documents, budget: int | None) -> None:  # noqa: F811
    assert submitted(documents, budget)["error"] is None
    assert sum(head.task == "extract_text" for head in documents.jobs(DOCUMENT_ID)) == 3


def test_anothers_budget_says_nothing_of_it(documents: Documents) -> None:  # noqa: F811
    documents.world.tenant("other", monthly_budget=0)
    assert submitted(documents, 10**13)["error"] is None
