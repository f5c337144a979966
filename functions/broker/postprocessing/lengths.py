"""Cutting a text that is too long where a reader finds it least odd."""

import re

_SENTENCE_END = re.compile(r"[.!?…]{1,6}[\"'”’»)\]]{0,4}(?=\s)|[。！？][」』”’）]{0,4}|\n")


def cut(text: str, most: int) -> str:
    """The beginning of a text, of so many characters at most: whole sentences, else whole words, else characters."""
    beginning = text[: most + 1]  # one more tells whether a sentence, or a word, ends with the last
    ends = [found.end() for found in _SENTENCE_END.finditer(beginning) if found.end() <= most]
    if ends and (kept := text[: ends[-1]].rstrip()):
        return kept
    words = beginning if beginning[-1].isspace() else beginning[: -len(beginning.split()[-1])]
    return words.rstrip() or text[:most]
