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
