"""Characters that a reader cannot see, where no script needs them."""

import re
from collections.abc import Iterator

from broker.guardrails.policy import Rule
from broker.guardrails.spans import Span
from broker.guardrails.walk import Seen

TAGS = re.compile("(?<!\U0001f3f4)[\U000e0001\U000e0020-\U000e007f]{3,}")
"""Tag characters spell ASCII that nobody sees; after a black flag they are the flag of a region (UTS 51)."""

OVERRIDES = re.compile("[\u202d\u202e]")
"""They turn the order of letters round; no text needs them that has embeddings and isolates (UAX 9)."""

BETWEEN_LATIN = re.compile("(?<=[A-Za-z])[\u200b-\u200d\u2060\u2061-\u2064\u180e\ufeff]+(?=[A-Za-z])")
"""Joiners of Persian, Indic scripts and emoji, and spaces of no width, have no work between Latin letters."""

RUNS = re.compile("[\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\U000e0100-\U000e01ef]{8,}")
"""So many in a row carry a message of their own."""

KINDS = (
    ("tag_characters", TAGS),
    ("direction_override", OVERRIDES),
    ("invisible_in_word", BETWEEN_LATIN),
    ("invisible_run", RUNS),
)


class HiddenText:
    """Looks at the text as it came."""

    version = "1"
    threshold = 0.0
    reads_original = True

    def find(self, text: str, rule: Rule, seen: Seen) -> Iterator[Span]:
        """See `Check.find`."""
        if text.isascii():
            return
        for kind, pattern in KINDS:
            for found in pattern.finditer(text):
                yield Span(*found.span(), kind)
