"""Embeddings by hashing: texts that share words, or parts of words, lie near each other."""

import hashlib
import math
from collections import Counter, defaultdict
from functools import lru_cache

from local.model_server.brain.text import READ_CHARS, stem, stop_words, words

DIMENSIONS = 256
_PART = 3
_PART_WEIGHT = 0.3
_STOP_WEIGHT = 0.1


@lru_cache(maxsize=100_000)
def _place(feature: str) -> tuple[int, float]:
    number = int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")
    return number >> 1, 1.0 if number & 1 else -1.0


def _features(text: str) -> dict[str, float]:
    weights: defaultdict[str, float] = defaultdict(float)
    for word, times in Counter(words(text)).items():
        weight = math.sqrt(times) * (_STOP_WEIGHT if word in stop_words() else 1.0)
        weights[f"={stem(word)}"] += weight
        padded = f"<{word}>"
        for start in range(len(padded) - _PART + 1):
            weights[padded[start : start + _PART]] += weight * _PART_WEIGHT
    return dict(weights) or {text: 1.0}


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Give a vector of length 1: stems count most, then three-letter parts of words, stop words little."""
    vector = [0.0] * dimensions
    for feature, weight in _features(text[:READ_CHARS]).items():
        place, sign = _place(feature)
        vector[place % dimensions] += sign * weight
    norm = math.sqrt(sum(value * value for value in vector))
    if norm == 0:  # opposite signs met in every place: only with very few dimensions
        vector[0] = norm = 1.0
    return [value / norm for value in vector]


def similarity(one: list[float], other: list[float]) -> float:
    """Give the cosine of two vectors of length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))
