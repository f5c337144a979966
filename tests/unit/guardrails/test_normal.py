"""The normal form: what a reader sees, and where in the text it stands."""

import unicodedata

import pytest
from broker.guardrails import normal
from broker.guardrails.normal import normalised
from hypothesis import example, given
from hypothesis import strategies as st

HOSTILE = st.text(
    st.sampled_from("aeЕо1 \n\x00\u200b\u00ad\u0301\u0323ＡｶﾞＢ\ufb01\ufdfa㍿é각ᄀ\u1161\u11a8𝐛\ufe0f\U000e0041")  # noqa: RUF001
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("blue\u200bbird", "bluebird"),
        ("blue\u00adbird", "bluebird"),
        ("\ufeffbluebird", "bluebird"),
        ("blue\u2066bird\u2069", "bluebird"),
        ("blue\u202ebird", "bluebird"),
        ("blue\x00bird", "bluebird"),
        ("blue\U000e0041bird", "bluebird"),
        ("ｂｌｕｅｂｉｒｄ", "bluebird"),  # noqa: RUF001 - the full-width form of it
        ("𝐛𝐥𝐮𝐞𝐛𝐢𝐫𝐝", "bluebird"),  # noqa: RUF001 - and the mathematical one
        ("раypаl", "paypal"),  # noqa: RUF001 - with Cyrillic letters in it
        ("ΑΒc", "ABc"),  # noqa: RUF001 - and Greek ones
        ("cafe\u0301", "café"),
        ("cafe\u200b\u0301", "café"),
        ("４１１１", "4111"),  # noqa: RUF001
    ],
)
def test_what_a_reader_sees(text: str, plain: str) -> None:
    assert normalised(text).text == plain


@pytest.mark.parametrize(
    "text",
    [
        "plain\ttext\r\n",
        "Привет, мир",
        "Ελληνικά",
        "naïve café",
        "日本語",
        "한국어",
        "हिन्दी में",
        "x = λ + β",
    ],
)
def test_what_is_in_normal_form_stays(text: str) -> None:
    assert normalised(text) == normal.Normal(text)


@given(st.text() | HOSTILE)
@example("e\x00\u0301")
@example("a" + "\u0301" * 70 + "\u0323" * 70)
def test_it_is_idempotent(text: str) -> None:
    once = normalised(text).text
    assert normalised(once).text == once


@given(HOSTILE, st.text(st.sampled_from("\x00\u200b\u00ad\ufe0f\U000e0041")), HOSTILE)
def test_a_place_in_it_is_a_place_in_the_text(before: str, hidden: str, behind: str) -> None:
    text = f"{before}; nee{hidden}dle; {behind}"
    form = normalised(text)
    begin = form.text.index("; needle; ") + 2
    first, last = form.back(begin, begin + len("needle"))
    assert (text[:first], text[last:]) == (f"{before}; ", f"; {behind}")


@given(HOSTILE)
def test_the_whole_of_it_is_the_whole_text(text: str) -> None:
    form = normalised(f"|{text}|")
    assert form.back(0, len(form.text)) == (0, len(text) + 2)


def test_each_letter_knows_where_it_came_from() -> None:
    text = "ｍｙ 4111\u200b1111 caf e\u0301!"  # noqa: RUF001
    form = normalised(text)
    begin = form.text.index("41111111")
    first, last = form.back(begin, begin + 8)
    assert text[first:last] == "4111\u200b1111"
    assert [text[slice(*form.back(at, at + 1))] for at in range(2)] == ["ｍ", "ｙ"]  # noqa: RUF001
    at = form.text.index("é")
    assert text[slice(*form.back(at, at + 1))] == "e\u0301"


def test_every_mark_is_kept_from_long_runs() -> None:
    everything = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    marks = [char for char in everything if unicodedata.combining(unicodedata.normalize("NFKD", char)[0])]
    assert len(marks) > 900
    assert [char for char in marks if not normal.MARKS.fullmatch(char * 30)] == []
    assert [char for char in marks if not normal._UNUSUAL.match(char)] == []


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301" * 100_000 + "\u0323" * 100_000,  # sorting these marks would take many minutes
        "a" + "\u0301\uff9e" * 100_000,
        "\ufdfa" * 100_000,
        " \u200b" * 100_000,
        "aа" * 500_000,  # noqa: RUF001
    ],
    ids=range(5),
)
def test_hostile_texts_come_to_an_end(text: str) -> None:
    form = normalised(text)
    assert len(form.text) <= 18 * len(text)
