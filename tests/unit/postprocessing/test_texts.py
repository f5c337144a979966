"""Clean-up, HTML and lengths: tables of each, and that no hostile answer holds them up."""

from contextlib import suppress

import pytest
from broker.errors import BadOutput
from broker.postprocessing import lengths, texts
from broker.postprocessing.html_text import MOST_ROUNDS, text_of
from broker.postprocessing.processing import CLEAN_UPS, processed
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Yes.", "Yes."),
        ("<think>hm</think>Yes.", "Yes."),
        ("A<THINKING>x</thinking> B<think>y</think> C", "A B C"),
        ("so so</think>Yes.", "Yes."),
        ("Yes.<think>and so on", "Yes."),
        ("<think>a<think>b</think>c</think>Yes.", "Yes."),
        ("2 < 3, I think>so", "2 < 3, I think>so"),
        ("<think>only", ""),
    ],
)
def test_thinking_is_left_out(said: str, kept: str) -> None:
    assert texts.without_thinking(said) == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("```\na\n```", "a"),
        ("\n```python\na\n\nb\n``` \n", "a\n\nb"),
        ("```a```", "```a```"),
        ("Here:\n```\na\n```", "Here:\n```\na\n```"),
        ("```\na\n```\nand\n```\nb\n```", "```\na\n```\nand\n```\nb\n```"),
        ("```", "```"),
        ("````markdown\n```py\na\n```\n````", "```py\na\n```"),
        ("~~~\na\n~~~", "a"),
        ("```\r\na\r\nb\r\n```\r\n", "a\r\nb"),
        ("``` `a` b\nc\n```", "``` `a` b\nc\n```"),
        ("```\na\n````\nb\n```", "```\na\n````\nb\n```"),
        ("````\na\n```", "````\na\n```"),
    ],
)
def test_the_fence_around_all_of_a_text_goes(said: str, kept: str) -> None:
    assert texts.without_fence(said) == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [("a\n\n\n\nb", "a\n\nb"), ("a\n\nb\nc", "a\n\nb\nc"), ("a\n \n\t\nb\n", "a\n \nb\n"), ("a  b", "a  b")],
)
def test_no_blank_line_follows_another(said: str, kept: str) -> None:
    assert texts.with_single_blank_lines(said) == kept


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("<p>Hi <b>you</b>.</p><ul><li>one<li>two</ul>", "Hi you.\none\ntwo\n"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a\tb\t\n"),
        ("Tom &amp; Jerry &lt; 3 &#65;", "Tom & Jerry < 3 A"),
        ("a<!-- hidden --><script>alert(1)</script><style>p{}</style>b", "ab"),
        ("<img src=x onerror='go(\">\")'>a<br/>b", "a\nb"),
        ("<script><b>x</b>", ""),
        ("a<template><object>x</template>b", "ab"),
        ("a<object><object>x</object>y</object>b</object>c", "abc"),
        ("a<object>x</template>y</object>b", "ab"),
        ("a&lt;script&gt;x&lt;/script&gt;b", "ab"),
        ("a&amp;lt;b&amp;gt;c", "ac"),
        ("if x < y and y > z", "if x < y and y > z"),
        ("if x<y, stop", "if x< y, stop"),
        ("a <b and no end", "a < b and no end"),
        ("a <!-- and no <i>end</i>", "a < !-- and no end"),
        ("<![CDATA[a]]>b<?php x ?>c", "bc"),
        ("plain & simple", "plain & simple"),
        ("<b><EMAIL_1></b> &lt;NAME_2&gt; <VISA:0123abcd>", "<EMAIL_1> <NAME_2> <VISA:0123abcd>"),
        ("\ue000SCRIPT\ue001alert(1)", "\ue000SCRIPT\ue001alert(1)"),
    ],
)
def test_of_html_the_text_is_kept(said: str, text: str) -> None:
    assert text_of(said) == text


@given(st.text(alphabet="<>/!-?ab&lt;gm# \"'=x"))
@settings(max_examples=300, deadline=None)
def test_no_markup_is_left_whatever_was_said(said: str) -> None:
    try:
        text = text_of(said)
    except BadOutput as error:
        assert error.code == "hidden_markup"
        return
    assert text_of(text) == text
    assert not any(text[at] == "<" and text[at + 1 : at + 2].isalpha() for at in range(len(text)))


def test_markup_in_entities_of_entities_is_a_bad_answer() -> None:
    with pytest.raises(BadOutput):
        text_of("&" + "amp;" * (MOST_ROUNDS + 1) + "lt;b>")


@pytest.mark.parametrize(
    ("said", "most", "kept"),
    [
        ("One. Two. Three.", 9, "One. Two."),
        ("One. Two. Three.", 8, "One."),
        ('He said "No!" And left.', 13, 'He said "No!"'),
        ("Version 2.5 is out now", 12, "Version 2.5"),
        ("Line\nnext line", 8, "Line"),
        ("one two three", 7, "one two"),
        ("one two three", 6, "one"),
        ("abcdefgh", 3, "abc"),
        ("一つ。二つ。三つ。", 7, "一つ。二つ。"),
        ("  abcdefgh", 4, "  ab"),
        (" " * 9 + "One. Two.", 5, "One."),
        (" " * 9 + "One.", 5, "One."),
        ("a,<EMAIL_12>,b", 9, "a,"),
        ("a,&lt;EMAIL_12&gt;,b", 9, "a,"),
        ("a,<EMAIL_12>,b", 12, "a,<EMAIL_12>"),
        ("<EMAIL_12>,b", 9, ""),
    ],
)
def test_a_text_is_cut_after_a_sentence_else_after_a_word(said: str, most: int, kept: str) -> None:
    assert lengths.cut(said, most) == kept


@given(st.text(), st.integers(1, 40))
def test_a_cut_text_is_a_beginning_of_the_text_and_no_longer_than_allowed(said: str, most: int) -> None:
    kept = lengths.cut(said, most) if len(said) > most else said
    assert len(kept) <= most
    assert said.startswith(kept) or said.lstrip().startswith(kept)
    assert kept.strip() or not said.strip() or len(said) <= most


HOSTILE = (
    *("<", "<a ", "<!--", "<!--x>", '<a x="', "</", "<![", "<?", "<!doctype ", "&", "&#", "&amp;lt", "<script>"),
    *("<a b='\"", '<a x=">', "--><!--", "&lt;a&gt;", "<template>", "<a/", " ", "\n", " \n", ".", '."', "…", "“", "„"),
    *("«", '"', '"a ', "`", "```", "[1,", "[1-9", "<think>", "</think>", "a", "der ", "https://"),
)


def test_ends_without_their_beginning_are_not_looked_for_in_all_that_is_open() -> None:
    assert text_of("a" + "<object>" * 100_000 + "</template>" * 100_000 + "b") == "a"


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hostile_answer_is_told_or_made_harmless(unit: str) -> None:
    """Work that grew with the square of its length would take hours."""
    answer = unit * ((1_000_000 if unit == "<" else 200_000) // len(unit)) + "x"
    clean_ups = {name: True for name, _ in CLEAN_UPS}
    citations = {"marks": True, "quotes": True, "at_least": 0}
    rules = clean_ups | {"max_chars": 150_000, "languages": ["en"], "citations": citations}
    with suppress(BadOutput):
        text = processed(rules, {"text": answer}, {"input": {"text": f"[1] {answer}"}})["text"]
        assert len(text) <= 150_000
        assert "<a" not in text and "<!" not in text
