"""What a reader cannot see: characters that no script needs where they stand, and text of pages that is not shown."""

import re
from collections.abc import Iterator

from broker.guardrails.characters import beyond_ascii
from broker.guardrails.checks.base import About
from broker.guardrails.spans import Span

TAGS = re.compile("(\U0001f3f4)?[\U000e0001\U000e0020-\U000e007f]{3,}")
"""Tag characters spell ASCII that nobody sees; after a black flag they are the flag of a region (UTS 51)."""

OVERRIDES = re.compile("[\u202d\u202e]")
"""They turn the order of letters round; no text needs them that has embeddings and isolates (UAX 9)."""

_JOINER = "[\u180e\u200b-\u200d\u2060-\u2064\ufeff]"
BETWEEN_LATIN = re.compile(f"{_JOINER}(?<=[A-Za-z]{_JOINER}){_JOINER}*(?=[A-Za-z])")
"""Joiners of Persian, Indic scripts and emoji, and spaces of no width, have no work between Latin letters."""

RUNS = re.compile("[\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\U000e0100-\U000e01ef]{8,}")
"""So many in a row carry a message of their own."""

KINDS = (
    ("tag_characters", re.compile("[\U000e0001\U000e0020-\U000e007f]"), TAGS),
    ("direction_override", OVERRIDES, OVERRIDES),
    ("invisible_in_word", re.compile(_JOINER), BETWEEN_LATIN),
    ("invisible_run", re.compile("[\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\U000e0100-\U000e01ef]"), RUNS),
)
"""Each with a character that it needs."""

ANY_OF_THEM = re.compile("[\u180e\u200b-\u200f\u202d\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0001-\U000e01ef]")

UNSEEN = re.compile(
    r"(?:display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|font-size\s{0,3}:\s{0,3}0(?![.\d])"
    r"|opacity\s{0,3}:\s{0,3}0(?![.\d])|(?<!-)color\s{0,3}[:=][\s\"']{0,3}(?:white|#fff(?:fff)?)\b"
    r"|(?:left|top|text-indent)\s{0,3}:\s{0,3}-\d{3,5}|\shidden[\s>])",
    re.IGNORECASE,
)
"""How an element of a page says that it is not shown."""

SAYING = ("style", " hidden", " color=")
"""Where to look for it."""

LONGEST_TAG = 500

MOST_HIDDEN = 2000
"""Characters of what an element hides that are counted to it."""


class HiddenText:
    """Looks at the text as it came."""

    version = "1"
    threshold = 0.0
    reads_original = True

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        if not text.isascii() and ANY_OF_THEM.search(beyond := beyond_ascii(text)):
            for kind, needed, pattern in KINDS:
                for found in pattern.finditer(text) if needed.search(beyond) else ():
                    if not (found.lastindex and found.group(1)):
                        yield Span(*found.span(), kind)
        if "<" in text:
            yield from _unseen(text)
            yield from _comments(text)


def _unseen(text: str) -> Iterator[Span]:
    lower = text.lower()
    for word in SAYING:
        last, at = 0, lower.find(word)
        while at >= 0:
            begin = text.rfind("<", max(last, at - LONGEST_TAG), at)
            close = text.find(">", at, at + LONGEST_TAG) if begin >= 0 else -1
            if close >= 0 and text[begin + 1].isalpha() and UNSEEN.search(text, begin, close + 1):
                shown_again = text.find("<", close, close + MOST_HIDDEN)
                last = shown_again if shown_again >= 0 else min(close + MOST_HIDDEN, len(text))
                if text[close + 1 : last].strip():
                    yield Span(begin, last, "hidden_style")
            at = lower.find(word, max(at + len(word), last))


def _comments(text: str) -> Iterator[Span]:
    begin = text.find("<!--")
    while begin >= 0:
        end = text.find("-->", begin + 4)
        if end < 0:
            return
        if text[begin + 4 : end].strip():
            yield Span(begin, end + 3, "comment")
        begin = text.find("<!--", end + 3)
