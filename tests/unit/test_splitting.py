"""Long texts in parts."""

import pytest
from broker.errors import ContextExceeded
from broker.providers.wire.chunking import split
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(st.sampled_from("ab .!?\n。é日🎉\u0301"), max_size=400)


@given(text=TEXTS, limit=st.integers(4, 60))
def test_parts_fit_and_nothing_but_space_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit, most=1000)
    end = 0
    for start, part in parts:
        assert 0 < len(part.encode()) <= limit
        assert part.strip()
        assert text[end:start].strip() == ""
        assert text[start : start + len(part)] == part
        end = start + len(part)
    assert text[end:].strip() == ""


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("One. Two. Three.", 12, ["One. Two. ", "Three."]),
        ("One! Two? Three", 12, ["One! Two? ", "Three"]),
        ("一つ。二つ。三つ。", 18, ["一つ。二つ。", "三つ。"]),
        ("one two three", 9, ["one two ", "three"]),
        ("abcdefgh", 5, ["abcde", "fgh"]),
        ("🎉🎉🎉", 9, ["🎉🎉", "🎉"]),
        ("short", 5, ["short"]),
        ("", 5, []),
        (" \n ", 5, []),
        # A sentence that ends in the first half is no place to cut.
        ("A. bcd efg hij", 10, ["A. bcd ", "efg hij"]),
    ],
)
def test_parts_end_with_sentences_or_words(text: str, limit: int, parts: list[str]) -> None:
    assert [part for _, part in split(text, limit)] == parts


def test_more_parts_than_a_call_has_time_for_are_too_many() -> None:
    assert len(split("word " * 100, 5, most=100)) == 100
    with pytest.raises(ContextExceeded) as caught:
        split("word " * 101, 5, most=100)
    assert caught.value.code == "text_too_long"
