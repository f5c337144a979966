"""Citations of an answer: marks such as `[1]`, pages such as `[p. 12]`, and passages in quotation marks.

The input has to have them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

FEWEST_WORDS = 4
"""Of a passage: shorter ones are names, terms and irony."""

MOST_PASSAGES = 200
"""Each is looked for in all of the input."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_MARKS = re.compile(r"\[\^?(\d{1,4}(?:\s?[,;–-]\s?\d{1,4}){0,20})\]")
_PAGES = re.compile(r"\[\s?pp?\.?\s{0,3}(\d{1,5}(?:\s?[,;–-]\s?(?:pp?\.?\s{0,3})?\d{1,5}){0,50})\s?\]", re.IGNORECASE)
_PAGE_BEGINS = re.compile(r"^(?:.{0,200}<data_[0-9a-f]{12}>)?\[p\. (\d{1,5})\]$", re.MULTILINE)
"""How a page of a document begins: by itself on a line, or first in what stands between markers."""
_PASSAGES = re.compile(
    '"([^"\n]{0,4000})"|“([^“”\n]{0,4000})”|„([^„“”\n]{0,4000})[“”]|«([^«»\n]{0,4000})»|「([^「」\n]{0,4000})」'
)
_LEFT_OUT = re.compile(r"\[?(?:\.\.\.|…)\]?")
_RANGE = re.compile(r"(\d+)\s?[–-]\s?(\d+)")
_PLAIN = str.maketrans("’‘‚“”„«»–—", '\'\'\'"""""--') | {code: " " for code in range(0x3001) if chr(code).isspace()}

_AT_ONCE = 65_536
"""Characters that are made plain at once: a list of a prompt's words takes ten times its bytes, and to fold the case of
all of it as much."""

MOST_OF_RANGE = 100


def fault(rule: Mapping[str, Any], answer: str, documents: Iterable[str]) -> str | None:
    """What is wrong with an answer's citations, if anything; marks are told, passages only by their number.

    Args:
        rule: `marks`, `quotes` and `pages` say what is looked at; `at_least` how many there have to be of all.
        answer: its text. Code in it is passed over.
        documents: the texts of the input, but for the model's own.
    """
    text = _CODE.sub(" ", answer)
    marks = _marked(text) if rule["marks"] else set()
    passages = [part for found in _PASSAGES.finditer(text) for part in _parts(found)] if rule["quotes"] else []
    cited = cited_pages(answer) if rule.get("pages") else set()
    if len(marks) + len(passages) + len(cited) < rule["at_least"]:
        return f"The model's answer has fewer than {rule['at_least']} citations."
    if len(passages) > MOST_PASSAGES:
        return f"The model's answer quotes more than {MOST_PASSAGES} passages."
    if not marks and not passages and not cited:
        return None
    given = "\n".join(documents)
    if none := cited - {int(found[1]) for found in _PAGE_BEGINS.finditer(given)}:
        return f"The model's answer cites [p. {min(none)}], which is no page of the input."
    if unknown := marks - _marked(given):
        return f"The model's answer cites [{min(unknown)}], which is not in the input."
    plain = _plain(given)
    for number, passage in enumerate(passages, 1):
        if _plain(passage) not in plain:
            return f"The model's answer quotes a passage, number {number} of {len(passages)}, that is not in the input."
    return None


def page_mark(number: int) -> str:
    """What a page begins with, so that an answer can cite it."""
    return f"[p. {number}]"


def without_page_marks(text: str) -> str:
    """A text of somebody else's, in which nothing reads as the mark of a page; it stays as long as it was."""
    return _PAGES.sub(lambda found: f"({found[0][1:-1]})", text)


def cited_pages(text: str) -> set[int]:
    """The pages that a text cites: `[p. 12]`, `[p. 3, 5]`, `[pp. 7-9]`. Code in it is passed over."""
    return {number for found in _PAGES.finditer(_CODE.sub(" ", text)) for number in _numbers(found[1])}


def _marked(text: str) -> set[int]:
    return {number for found in _MARKS.finditer(text) for number in _numbers(found[1])}


def _numbers(text: str) -> set[int]:
    numbers = {int(each) for each in re.findall(r"\d+", text)}
    for found in _RANGE.finditer(text):
        first, last = int(found[1]), int(found[2])
        if first < last <= first + MOST_OF_RANGE:
            numbers |= set(range(first, last))
    return numbers


def _parts(found: re.Match[str]) -> list[str]:
    """What a quotation quotes, without what it says to leave out; nothing where it is short."""
    passage = next(group for group in found.groups() if group is not None)
    if len(passage.split()) < FEWEST_WORDS and len(passage) < 6 * FEWEST_WORDS:
        return []
    return [part for part in (each.strip(" .,;:") for each in _LEFT_OUT.split(passage)) if part]


def _plain(text: str) -> str:
    """A text as citations are compared: without case, and with one kind of blanks, dashes and quotation marks."""
    pieces = (text[begin : begin + _AT_ONCE] for begin in range(0, len(text), _AT_ONCE))
    plain = "".join(piece.translate(_PLAIN).casefold() for piece in pieces)
    while "  " in plain:
        plain = plain.replace("  ", " ")
    return plain.strip()
