"""What is looked at first only saves work: with it, all is found that the patterns alone find."""

import re
import sys
import unicodedata
from collections.abc import Iterable

import pytest
from broker.guardrails import encodings
from broker.guardrails.checks.hidden_text import KINDS
from broker.guardrails.encodings import Signs
from broker.guardrails.normal import INVISIBLE, normalised
from broker.guardrails.numbers import PLAIN, plain
from hypothesis import given, settings
from hypothesis import strategies as st

PIECES = (
    *("a", "b", "_", "-", ".", "*", " ", "  ", "0", "f", "é", "字", "\u2003", "\u3000", "\u1680", "\n", "\r\n", "\x1c"),
    *(
        "%",
        "%20",
        "%41",
        "20",
        "=",
        "/",
        "?",
        "&",
        "0x",
        "de",
        "ad ",
        "ab,",
        "\\x41",
        "\\u0041",
        "&#65;",
        " a b",
        " _ _",
    ),
    *("A" * 20, "x" * 23, "0a" * 12, "AbC3" * 16, "AbC3" * 16 + "\n", "AbC3" * 17 + "\r\n> "),
)
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).flatmap(
    lambda few: st.lists(st.sampled_from(few), max_size=40).map("".join)
)
"""Of few pieces each, so that rows come about."""


def lengths(text: str) -> str:
    return "".join(chr(len(word)) for word in text.split())


UNSIEVED = {
    "in_base64": (encodings.BASE64, lambda text: True),
    "in_hex_words": (encodings.HEX, lambda text: True),
    "in_hex_rows": (encodings.HEX, lambda text: "\2" * 12 in lengths(text) or text.count("0x") >= 12),
    "in_percents": (encodings.PERCENT, lambda text: text.count("%") >= 3),
    "in_spaced": (encodings.SPACED, lambda text: "\1" * 6 in lengths(text) or encodings.SIGNED.search(text)),
}


def spans(found: Iterable[re.Match[str]]) -> list[tuple[int, int]]:
    return [each.span() for each in found]


@pytest.mark.parametrize("finder", UNSIEVED)
@settings(max_examples=400)
@given(text=TEXTS)
def test_encodings_are_found_as_by_their_patterns_alone(finder: str, text: str) -> None:
    pattern, signs = UNSIEVED[finder]
    if finder in ("in_base64", "in_hex_words"):
        words = [each.span() for each in re.finditer(rf"\S{{{encodings.LONG_WORD},}}", text)]
        wanted = [span for word in words for span in spans(pattern.finditer(text, *word))]
    else:
        wanted = spans(pattern.finditer(text)) if signs(text) else []
    assert spans(getattr(encodings, finder)(Signs(text))) == wanted


@settings(max_examples=400)
@given(text=TEXTS)
def test_of_lines_of_base64_none_is_missed(text: str) -> None:
    assert spans(encodings.in_base64_lines(Signs(text))) == spans(encodings.BASE64_LINES.finditer(text))


MIXED = "aZ9. \n\0\x7f\xa0…“—ﬁ１（Ａ字仮がか\u3099゙ée\u0301\u0323µΩжср\u200b\u00ad\u202e\ufe0f\U000e0041\U0001f600\ud800"  # noqa: RUF001
CHARACTERS = st.text(st.one_of(st.sampled_from(MIXED), st.characters(blacklist_categories=["Mn", "Mc"])), max_size=30)


def seen(text: str) -> str:
    """What a reader sees, by Unicode's own form of the whole; Hangul is left out, whose letters are joined there."""
    shown = "".join(char for char in text if not INVISIBLE.match(char) and (char in "\t\n\r" or char >= " "))
    shown = "".join(char for char in shown if not "\x7f" <= char <= "\x9f")
    return INVISIBLE.sub("", unicodedata.normalize("NFKC", shown))


@settings(max_examples=600)
@given(
    text=CHARACTERS.filter(lambda text: not re.search("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7ff\uffa0-\uffdc]", text))
)
def test_the_normal_form_is_that_of_unicode(text: str) -> None:
    wanted, normal = seen(text), normalised(text)
    assert len(normal.text) == len(wanted)
    different = [pair for pair in zip(normal.text, wanted, strict=True) if pair[0] != pair[1]]
    assert all("\u0370" <= was <= "\u052f" and now.isascii() for now, was in different), "but for look-alikes"
    for place, char in enumerate(text):
        if char.isascii() and char.isalnum() and text.count(char) == 1 == normal.text.count(char):
            at = normal.text.index(char)
            assert normal.back(at, at + 1)[0] == place


def test_each_character_is_put_into_its_normal_form() -> None:
    for code in range(128, sys.maxunicode + 1):
        char = chr(code)
        if not unicodedata.is_normalized("NFKC", char) or INVISIBLE.match(char):
            assert normalised(f"字{char}").text[1:] == seen(char), hex(code)


@given(text=st.text(st.one_of(st.sampled_from([*PLAIN, "a", "1", "字"]), st.characters()), max_size=60))
def test_digits_of_other_scripts_are_read(text: str) -> None:
    assert plain(text) == "".join(PLAIN.get(char, char) for char in text)


@pytest.mark.parametrize(("kind", "needed", "pattern"), KINDS)
@given(
    text=st.text(
        st.sampled_from("aZ \u200b\u200d\u2060\u202e\ufeff\ufe0f\u180e\U0001f3f4\U000e0041\U000e0101"), max_size=20
    )
)
def test_hidden_characters_need_what_is_looked_for_first(
    kind: str, needed: re.Pattern[str], pattern: re.Pattern[str], text: str
) -> None:
    if pattern.search(text):
        assert needed.search(text)
