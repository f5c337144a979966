"""The text of an answer that has HTML in it, read by Python's own parser.

The parser looks for the end of an element, of a comment or of a declaration, and where there is none it looks again
from the next one on: that takes the square of a text's length. So what has no end is made plain text first, and so is
what is no markup: "if x < y" is kept, and in "if x<y" a blank keeps it from being read as an element by anybody else.
Placeholders and hashes of guardrails (`<EMAIL_1>`) are no markup either.
"""

import re
from collections import Counter
from html.parser import HTMLParser

from broker.errors import BadOutput
from broker.guardrails.placeholders import PLACEHOLDER

UNSEEN = frozenset({"script", "style", "template", "iframe", "object", "noembed", "noframes", "xmp"})
"""Elements whose content is none of the text."""

BLOCKS = frozenset(
    "address article aside blockquote br dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hr li main nav ol p pre section summary table tr ul".split()
)
"""Elements that begin and end a line."""

CELLS = frozenset({"td", "th"})

MOST_ROUNDS = 4
"""Markup that is written in entities is markup to whoever shows the answer: it is read again, so often at most."""

_OURS = re.compile(rf"{PLACEHOLDER.pattern}|<([A-Z][A-Z0-9_]{{0,60}}:[0-9a-f]{{1,64}})>")
_SET_ASIDE = re.compile("\ue000([A-Z][A-Z0-9_]{0,60}(?:_[1-9][0-9]{0,6}|:[0-9a-f]{1,64}))\ue001")
"""Characters that mean nothing, around a name that is no element's of HTML."""

_MARKUP = re.compile(r"<(?=[A-Za-z/!?])")
_NO_MARKUP = re.compile(r"<(?![A-Za-z/!?])|</(?![A-Za-z])")
_DECLARATION = re.compile(r"<!(?!--|doctype)|<\?", re.IGNORECASE)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._unseen: list[str] = []
        self._open: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self._unseen.append(tag)
            self._open[tag] += 1
        self._break(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # a slash at its end closes no element of HTML

    def handle_endtag(self, tag: str) -> None:
        left = self._open[tag] - 1
        while self._open[tag] > max(left, 0):  # it ends what was begun in it, too
            self._open[self._unseen.pop()] -= 1
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data)

    def _break(self, tag: str) -> None:
        if tag in BLOCKS and self.pieces and not self.pieces[-1].endswith("\n"):
            self.pieces.append("\n")
        elif tag in CELLS and self.pieces and not self.pieces[-1].endswith(("\n", "\t")):
            self.pieces.append("\t")


def text_of(answer: str) -> str:
    """An answer without any element, comment or entity, and without what browsers would not show as text.

    To strip what comes out changes nothing: however often markup was written in entities, none is left.

    Raises:
        BadOutput: it was written in entities of entities of entities.
    """
    answer = _OURS.sub(lambda found: f"\ue000{found[found.lastindex or 0]}\ue001", answer)
    for _ in range(MOST_ROUNDS):
        text = _read(answer) if "<" in answer or "&" in answer else answer
        if text == answer:
            answer = _MARKUP.sub("< ", answer)  # what the parser could not read
            return _SET_ASIDE.sub(r"<\1>", answer)
        answer = text
    raise BadOutput("The model's answer hides markup in entities.", code="hidden_markup", maybe_paid=True)


def _read(answer: str) -> str:
    reader = _Reader()
    reader.feed(_ended(answer))
    reader.close()
    return "".join(reader.pieces)


def _ended(text: str) -> str:
    """A text in which all markup that begins also ends."""
    text = _NO_MARKUP.sub(lambda found: f"&lt;{found[0][1:]}", text)
    text = _DECLARATION.sub("<!x ", text)  # that it ends with the next angle bracket is sure of no other
    last = text.rfind("-->") + 1
    text = text[:last] + text[last:].replace("<!--", "&lt; !--")
    last = text.rfind(">") + 1
    return text[:last] + _MARKUP.sub("&lt; ", text[last:])
