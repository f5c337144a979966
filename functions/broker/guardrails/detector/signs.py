"""Signs that are no words: markers of roles and turns, fences, placeholders, encoded runs, disguises, form."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from broker.guardrails.characters import beyond_ascii

LITERALS: dict[str, tuple[str, ...]] = {
    "role_token": (
        *(
            "<|im_start",
            "<|im_end",
            "<|system",
            "<|user",
            "<|assistant",
            "<|endoftext",
            "<system",
            "</system",
            "<user>",
        ),
        *("</user>", "<assistant", "[inst]", "[/inst]", "[system", "[/system", "<<sys>>", "<</sys>>", "</prompt"),
    ),
    "placeholder": ("[insert", "[query", "[prompt", "[your", "{query", "{prompt", "{input", "{user", "{{ "),
    "fence": (
        *("-----", "=====", "#####", "*****", "_____", "~~~~~", "\n\n\n\n"),
        *("\\n\\n\\n", "\\n \\n", "\\ n \\ n"),
    ),
    "image": ("![", "<img", "onerror", "javascript:"),
    "markup": (
        "```",
        "</",
        ";\n",
        "{\n",
        "}\n",
        "\nimport ",
        "\nfrom ",
        "\ndef ",
        "\nclass ",
        "\nreturn ",
        "    return ",
    ),
    "article": ("\n#", "\n- ", "\n* ", "](http", " et al", "arxiv", "[^1]"),
    "escapes": ("\\x", "%2", "%3", "&#x", "&#1"),
    "shell": (
        *("$(", "&&", " | ", "| ls", "rm -rf", "/etc/passwd", "whoami", "sudo ", "os.system", "subprocess", "curl "),
        *("; rm", "; cat", "; ls", "drop table", "eval(", "exec("),
    ),
}
"""Found in the text in lower case, after a line's end, by one of these."""

TURN = re.compile(r"\n(?:# |### |\[|\*\*)?(?:system|assistant|human|user|ai)(?:\]:|:)")
CLOSING_FIRST = re.compile(r"\W{0,3}[\"'\])}]{1,3}[\s.\\]")
# What begins with a set of characters is looked for quickly: what stands before is asked afterwards.
SHOUT = re.compile(r"[A-Z](?<!\w.)[A-Z]{2,19}(?:\W{1,3}[A-Z]{2,20}){2}")
LEET_INSIDE = re.compile(r"[0134578@$!|€](?<=[A-Za-z].)(?=[A-Za-z])")
LETTERS_AND_DIGITS = re.compile(r"[0-9][a-z]|[a-z][0-9]")
MARK = re.compile(r"[^\w\s]")
_NO_MARKS = bytes(code for code in range(128) if not MARK.match(chr(code)))

ENCODED = 28
"""Letters of a word that is none in any language."""

DISGUISES = ("invisible", "mixed_script", "spaced", "escaped")
LENGTHS = 10
"""Buckets of the number of words, each twice the one before."""

NAMES = (
    *LITERALS,
    *("turn", "closing_first", "asks_last", "colon_last", "encoded", "shouted"),
    *DISGUISES,
    *("mixed_scripts", "leet", "leet_words", "leet_inside", "digits_inside", "marks", "many_marks", "not_ascii"),
    *(f"length_{bucket}" for bucket in range(LENGTHS)),
)
NUMBERS = {name: number for number, name in enumerate(NAMES)}


def signs(text: str, words: list[str], disguises: dict[str, int], leet: int) -> Iterator[str]:
    """The names of the signs of a text whose words were read."""
    lower = f"\n{text.lower()}\n"
    yield from _named(lower)
    if TURN.search(lower):
        yield "turn"
    if CLOSING_FIRST.match(text):
        yield "closing_first"
    last = text.rstrip()[-1:]
    if last in ("?", "？"):
        yield "asks_last"
    if last in (":", "："):
        yield "colon_last"
    if words and max(map(len, words)) >= ENCODED:
        yield "encoded"
    if SHOUT.search(text):
        yield "shouted"
    yield from disguises
    if disguises.get("mixed_script", 0) > 2:
        yield "mixed_scripts"
    if leet:
        yield "leet"
    if leet > 2:
        yield "leet_words"
    size = len(words) + 1
    inside = len(LEET_INSIDE.findall(text))
    if inside > 2 and inside * 12 > size:
        yield "leet_inside"
    digits = {word for word in set(words) if not word.isalpha() and LETTERS_AND_DIGITS.search(word)}
    if digits and sum(map(digits.__contains__, words)) * 7 > size:
        yield "digits_inside"
    other = _marks(text)
    if other * 7 > len(text):
        yield "marks"
    if other * 3 > len(text):
        yield "many_marks"
    if not text.isascii():
        yield "not_ascii"
    yield f"length_{min(LENGTHS - 1, size.bit_length() - 1)}"


@cache
def _literals() -> tuple[Any, list[str]]:
    from ahocorasick_rs import BytesAhoCorasick, Implementation

    table = [(literal.encode(), name) for name, literals in LITERALS.items() for literal in literals]
    search = BytesAhoCorasick([literal for literal, _ in table], implementation=Implementation.DFA)
    return search, [name for _, name in table]


def _named(lower: str) -> set[str]:
    """Which of the literals' names a text has, all of them in one pass."""
    search, names = _literals()
    found = search.find_matches_as_indexes(lower.encode("ascii", "replace"), overlapping=True)
    return {names[literal] for literal, _, _ in found}


def _marks(text: str) -> int:
    """How many characters are neither letters, digits nor white space."""
    plain = len(text.encode("ascii", "ignore").translate(None, _NO_MARKS))
    return plain + len(MARK.findall(beyond_ascii(text)))
