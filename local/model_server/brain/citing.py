"""Citing pages: the marks of a document's pages, put behind the sentences that an answer takes from there."""

import re
from typing import Any

from local.model_server.brain.text import sentences

_ASKED = re.compile(r"\[p\. \d+\]")
_BEGINS = re.compile(r"^\[p\. \d+\]$", re.MULTILINE)
_END = re.compile(r"([.!?]?)$")
_FEWEST_WORDS = 3
"""Of a sentence: a name or a date by itself is taken as it stands."""

Pages = dict[str, str]
"""The mark of its page, by sentence; of one that comes more than once, the first."""


def asks_for_pages(instruction: str) -> bool:
    """Tell whether an instruction shows how pages are cited."""
    return _ASKED.search(instruction) is not None


def parted(text: str) -> tuple[str, Pages]:
    """Part a text from the marks of its pages, each by itself on a line."""
    pages: Pages = {}
    marks = _BEGINS.findall(text)
    texts = _BEGINS.split(text)
    for mark, page in zip(marks, texts[1:], strict=True):
        for sentence in sentences(page):
            if len(sentence.split()) >= _FEWEST_WORDS:
                pages.setdefault(sentence, mark)
    return "\n".join(each.strip() for each in texts).strip(), pages


def cited(value: Any, pages: Pages) -> Any:
    """Give an answer whose sentences tell their page, where they are the document's own."""
    if isinstance(value, dict):
        return {name: cited(each, pages) for name, each in value.items()}
    if isinstance(value, list):
        return [cited(each, pages) for each in value]
    if not isinstance(value, str):
        return value
    # The longest first, so that none is taken for a shorter one in it.
    taken = sorted((each for each in pages if each in value), key=len, reverse=True)
    if not taken:
        return value
    return re.sub("|".join(map(re.escape, taken)), lambda found: _with_mark(found[0], pages[found[0]]), value)


def _with_mark(sentence: str, mark: str) -> str:
    return _END.sub(rf" {mark}\1", sentence, count=1)
