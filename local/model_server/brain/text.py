"""Words, stems and sentences."""

import re
import threading
from functools import cache, lru_cache

from snowballstemmer import stemmer
from stop_words import get_stop_words

READ_CHARS = 200_000
_WORD = re.compile(r"[^\W_]+(?:['\u2019\-][^\W_]+)*")
_BREAK = re.compile(r"(?<=[.!?])[\"'\u201d)]*\s+|(?<=[\u3002\uff01\uff1f])|\n")
_ABBREVIATION = re.compile(r"(?:^|\s)(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|Inc|Ltd|Co|St|No|vs|e\.g|i\.e|approx)\.$")
_stemmer = cache(stemmer)
_stemming = threading.Lock()


def words(text: str) -> list[str]:
    """Give the words in lower case, in order."""
    return [found.group().lower() for found in _WORD.finditer(text)]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Give the English stem; other languages' words mostly stay as they are."""
    with _stemming:  # a stemmer keeps the word that it works on in itself
        return str(_stemmer("english").stemWord(word))


@cache
def stop_words() -> frozenset[str]:
    """Give English words that say little about a text's subject."""
    return frozenset(get_stop_words("english"))


def stems(text: str) -> list[str]:
    """Give the stems of the words that carry meaning, in order."""
    return [stem(word) for word in words(text) if word not in stop_words()]


def sentences(text: str) -> list[str]:
    """Part a text into sentences; a line break ends one, an initial or a title does not."""
    found: list[list[str]] = []
    for piece in filter(None, (piece.strip() for piece in _BREAK.split(text))):
        if found and _ABBREVIATION.search(found[-1][-1]):
            found[-1].append(piece)
        else:
            found.append([piece])
    return [" ".join(pieces) for pieces in found]
