"""Citations: marks and passages that the input has, has not, or that are none."""

from typing import Any

import pytest
from broker.postprocessing.citations import MOST_PASSAGES, fault

INPUT = (
    "[1] The lamp was lit at dusk, and the keeper's log says so.",
    "[2] Nobody saw the ship until it had   passed\nthe rocks.\n[5-7] Weather reports.",
    "Answer from the documents.",
)


def told(answer: str, **rule: Any) -> str | None:
    return fault({"marks": True, "quotes": True, "at_least": 0} | rule, answer, INPUT)


@pytest.mark.parametrize(
    "answer",
    [
        *("It was lit at dusk [1].", "Lit[1][2].", "So say [1, 2] and [5-6].", "A footnote[^2].", "No citation."),
        'The log: "the lamp was lit at dusk, and the keeper\'s log says so" [1].',
        "“Nobody saw the ship until it had passed the rocks.”",
        "„the keeper’s log says so“, and «nobody saw the ship until»",
        '"The lamp was lit … the keeper\'s log says so"',
        '"The lamp was lit at dusk [...] log says so."',
        'He said "yes" and then nothing at all for "a day" or so.',
        "Use `items[9]` or:\n```\nprint(list[44])\n```",
        "[Not a mark], [12345], [a1], [1",
    ],
)
def test_what_the_input_has_may_be_cited(answer: str) -> None:
    assert told(answer) is None


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        *(("As [3] says.", "[3]"), ("[1, 4]", "[4]"), ("[1-3]", "[3]"), ("[5-9]", "[8]"), ("[^9]", "[9]")),
        ('The log says "the lamp was never lit at dusk".', "number 1 of 1"),
        ('"The lamp was lit at dusk" but "the keeper slept all night long"', "number 2 of 2"),
        ('"The lamp was lit … and nobody was ever there"', "number 2 of 2"),
        ("「この灯台には昔から誰もいなかったと言われていますが本当です」", "number 1 of 1"),
    ],
)
def test_what_it_has_not_is_told_and_never_quoted(answer: str, word: str) -> None:
    message = told(answer)
    assert message is not None and word in message
    assert "night" not in message and "never" not in message


def test_either_kind_may_be_left_alone_and_so_many_asked_for() -> None:
    assert told("As [3] says.", marks=False) is None
    assert told('"the lamp was never lit at dusk"', quotes=False) is None
    assert told("It was lit.", at_least=1) == "The model's answer has fewer than 1 citations."
    assert told("It was lit [1].", at_least=1) is None


@pytest.mark.parametrize("blanks", [" ", "  ", "\n", "\t \r\n", "\u00a0", "\u2003\u3000", "\x0b\x1f\x85\u2028"])
def test_white_space_is_one_blank_of_whatever_kind_and_length(blanks: str) -> None:
    words = blanks.join("THE lamp was lit at dusk".split())
    assert told(f'"{words}"' if "\n" not in words else "“The lamp was lit at dusk”") is None
    rule = {"marks": True, "quotes": True, "at_least": 1}
    assert fault(rule, '"the lamp was lit at dusk"', ["x" * 65_530 + f" {words}"]) is None, "at any place of an input"


def test_there_are_only_so_many_passages() -> None:
    message = told('"the lamp was lit at dusk" ' * (MOST_PASSAGES + 1))
    assert message == f"The model's answer quotes more than {MOST_PASSAGES} passages."


PAGED = (
    "Read: <data_0123456789ab>[p. 1]\nThe lamp was lit.\n\n[p. 2]\nNobody saw it, says (p. 9).</data_0123456789ab>",
    "[p. 3]\nThe rocks. As in [p. 8] of another book.",
    "Cite pages, such as [p. 7].",
)


def of_pages(answer: str, **rule: Any) -> str | None:
    return fault({"marks": False, "quotes": False, "pages": True, "at_least": 0} | rule, answer, PAGED)


@pytest.mark.parametrize(
    "answer",
    [
        *("It was lit [p. 1].", "So [p.2], [P. 3] and [pp. 1-3].", "[p. 1, 3; p. 2]", "[pp 1–2]", "No citation."),
        *("`[p. 9]`", "(p. 9)", "[p. x]", "[page 9]", "[p. 1234567]", "[9]"),
    ],
)
def test_pages_that_the_input_has_may_be_cited(answer: str) -> None:
    assert of_pages(answer) is None


@pytest.mark.parametrize(
    ("answer", "page"),
    [("[p. 4]", 4), ("[pp. 1-5]", 4), ("[p. 2, 9]", 9), ("[p. 7]", 7), ("[p. 8]", 8), ("[p. 99999]", 99999)],
)
def test_pages_that_it_has_not_are_told_whatever_else_stands_in_brackets_there(answer: str, page: int) -> None:
    assert of_pages(answer) == f"The model's answer cites [p. {page}], which is no page of the input."
    assert of_pages(answer, pages=False) is None


def test_pages_count_among_the_citations_that_are_asked_for() -> None:
    assert of_pages("It was lit [p. 1].", at_least=1) is None
    assert of_pages("It was lit.", at_least=1) is not None
    assert of_pages("It was lit [p. 1].", at_least=1, pages=False) is not None


def test_a_long_row_of_brackets_takes_no_long_time() -> None:
    assert of_pages("[p. 1" + ", 1" * 100_000) is None
    assert of_pages("[p." * 100_000) is None
