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

SAYING = re.compile("style|\\shidden|\\scolor=", re.IGNORECASE)
"""Where to look for it."""

LONGEST_TAG = 500

MOST_HIDDEN = 2000
"""Characters of what an element hides that are read; what hides more hides something."""

TAG = re.compile(r"<(/?)([a-z][a-z0-9-]{0,30})[^<>]{0,500}>", re.IGNORECASE)

EMPTY = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
"""Elements that have nothing in them (HTML Living Standard, "Void elements")."""

ALTERNATIVES = re.compile(
    r"\s(?:alt|title|aria-label|aria-description|aria-placeholder|placeholder|summary|content)\s{0,3}=\s{0,3}([\"'])",
    re.IGNORECASE,
)
"""Attributes whose text is shown where something else is not, or to nobody but programs."""


class HiddenText:
    """Looks at the text as it came."""

    version = "2"
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
            yield from _alternatives(text)


def _unseen(text: str) -> Iterator[Span]:
    """Elements that are not shown, with all that is in them."""
    last = 0
    while found := SAYING.search(text, last):
        at = found.start()
        begin = text.rfind("<", max(last, at - LONGEST_TAG), at)
        tag = TAG.match(text, begin) if begin >= 0 else None
        if tag is None or tag.end() <= at or tag[1] or tag[2].lower() in EMPTY or not UNSEEN.search(tag[0]):
            last = found.end()
            continue
        last, has_text = _element(text, tag)
        if has_text:
            yield Span(begin, last, "hidden_style")


def _element(text: str, opened: re.Match[str]) -> tuple[int, bool]:
    """Where an element ends, and whether it has a text in it; it has where its end is not in sight."""
    name, depth, at, has_text = opened[2].lower(), 1, opened.end(), False
    limit = min(len(text), at + MOST_HIDDEN)
    for tag in TAG.finditer(text, at, limit):
        has_text = has_text or (not text[at : tag.start()].isspace() and at < tag.start())
        at = tag.end()
        if tag[2].lower() == name:
            depth += -1 if tag[1] else 1
            if not depth:
                return at, has_text
    rest = text[at:limit]
    return limit, has_text or limit < len(text) or bool(rest.strip())


def _alternatives(text: str) -> Iterator[Span]:
    last = 0
    nowhere = {'"': 0, "'": 0}
    """Up to where there is no such quotation mark: not to look for it again."""
    while found := ALTERNATIVES.search(text, last):
        quote, begin = found[1], found.end()
        last = begin
        if begin < nowhere[quote]:
            continue
        end = text.find(quote, begin, begin + MOST_HIDDEN)
        if end < 0:
            nowhere[quote] = begin + MOST_HIDDEN
            continue
        opened = text.rfind("<", max(0, found.start() - LONGEST_TAG), found.start())
        if opened >= 0 and text.find(">", opened, found.start()) < 0 and text[begin:end].strip():
            yield Span(found.start() + 1, end + 1, "alternative_text")
            last = end


def _comments(text: str) -> Iterator[Span]:
    begin = text.find("<!--")
    while begin >= 0:
        end = text.find("-->", begin + 4)
        if end < 0:
            return
        if text[begin + 4 : end].strip():
            yield Span(begin, end + 3, "comment")
        begin = text.find("<!--", end + 3)
