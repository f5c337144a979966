"""Arithmetic on what was measured."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key")


def percentile(values: Iterable[float], share: float) -> float:
    """The nearest-rank percentile; `share` from 0 to 100.

    Raises:
        ValueError: there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile of nothing")
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


def since(before: Mapping[Key, float], after: Mapping[Key, float]) -> dict[Key, float]:
    """What counters grew by; what did not grow is left out."""
    grown = {key: value - before.get(key, 0) for key, value in after.items()}
    return {key: value for key, value in grown.items() if value}


def memory_size(peak_mb: float, *, runtime_mb: float, margin: float, sizes: Sequence[int]) -> int:
    """The smallest size that holds the measured peak, what Lambda's own runtime takes, and a margin over both.

    Raises:
        ValueError: none of the sizes does.
    """
    needed = (peak_mb + runtime_mb) * margin
    for size in sorted(sizes):
        if size >= needed:
            return size
    raise ValueError(f"{needed:.0f} MB is more than any of {list(sizes)}")
