"""Embeddings: what is one."""

import math
from typing import Any


def is_vector(numbers: Any) -> bool:
    """True for a list of finite numbers that is not empty."""
    if not isinstance(numbers, list) or not numbers or not set(map(type, numbers)) <= {int, float}:
        return False
    try:
        return all(map(math.isfinite, numbers))
    except OverflowError:  # an integer that no float can hold
        return False
