"""Strangers' texts on an operator's terminal: they are shown, and do nothing there."""

import codecs
import json
import re
import sys
from typing import Any

_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters (escape sequences move the cursor and rename windows), what changes the direction of a line, and
tag characters, which nobody sees."""


def printable(text: str) -> str:
    """A text whose characters are all to be seen: those that would act on the terminal are told by their number."""
    return _ACTING.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


class Printing:
    """Writes bytes of a text to standard output as they come, so that they are to be seen and do not act."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def write(self, data: bytes) -> int:
        """Print some more; a character that is cut off waits for the rest of it."""
        sys.stdout.write(printable(self._decoder.decode(data)))
        return len(data)


def on_one_line(text: str) -> str:
    """The same of a word, which begins no line of its own."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def block(text: str) -> str:
    """The same of a longer text. Each line is set in, so that none looks like one of ours."""
    return "\n".join(f"  {line}" for line in printable(text).split("\n"))


def as_json(value: Any) -> str:
    """A value as JSON, in which such characters are escaped as JSON has it."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _ACTING.sub(lambda found: json.dumps(found[0])[1:-1], text)
