"""What `citations: require` asks of an answer."""

from typing import Any

import pytest

from tests.unit.documents.recipes_case import Life, document, recipe

SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}}


@pytest.mark.parametrize("way", ["map_reduce", "refine", "concat", "per_page", "extract"])
def test_what_is_said_of_one_page_is_of_that_page_cited_or_not(way: Any) -> None:
    wanted = recipe(way, citations="require", schema=SCHEMA if way == "extract" else None)
    final = Life(document(1), wanted, lambda *_: {"title": "Lamps"} if way == "extract" else "Lamps.").final
    assert final.error is None
    assert final.citations == {"pages": [{"page": 1}], "unknown": []}


@pytest.mark.parametrize(
    "pages, said, why", [(1, "Lamps [p. 2].", "[p. 2]"), (2, "Lamps.", "no page"), (2, "Lamps [p. 12].", "[p. 12]")]
)
def test_a_page_that_is_not_there_is_never_passed_over_nor_that_one_of_several_is_not_named(
    pages: int, said: str, why: str
) -> None:
    final = Life(document(pages), recipe(citations="require"), lambda *_: said).final
    assert final.error and final.error["code"] == "unfounded_citation" and why in final.error["message"]


def test_where_nothing_was_said_nothing_is_founded() -> None:
    final = Life(document(1), recipe("concat", citations="require"), lambda *_: "").final
    assert final.error and final.error["code"] == "unfounded_citation"
