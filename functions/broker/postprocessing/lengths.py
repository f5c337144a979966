"""Cutting a text that is too long where a reader finds it least odd."""

import re

from broker.guardrails.placeholders import PLACEHOLDER

_LONGEST_PLACEHOLDER = 100
"""Characters, in any of its forms."""

_SENTENCE_END = re.compile(r"[.!?…]{1,6}[\"'”’»)\]]{0,4}(?=\s)|[。！？][」』”’）]{0,4}|\n")


def cut(text: str, most: int) -> str:
    """The beginning of a text, of so many characters at most: whole sentences, else whole words, else characters.

    No placeholder is cut in two, for a half of one is never filled in: empty where the text is one that is too long.
    Where all that fits is white space, it begins behind it.
    """
    if not text[:most].strip() and len(text := text.lstrip()) <= most:
        return text
    beginning = text[: most + 1]  # one more tells whether a sentence, or a word, ends with the last
    ends = [found.end() for found in _SENTENCE_END.finditer(beginning) if found.end() <= most]
    if ends and (kept := text[: ends[-1]].rstrip()):
        return kept
    words = beginning if beginning[-1].isspace() else beginning[: -len(beginning.split()[-1])]
    return words.rstrip() or text[: _before_placeholder(text, most)]


def _before_placeholder(text: str, most: int) -> int:
    around = PLACEHOLDER.finditer(text, max(most - _LONGEST_PLACEHOLDER, 0), most + _LONGEST_PLACEHOLDER)
    return next((found.start() for found in around if found.start() < most < found.end()), most)
