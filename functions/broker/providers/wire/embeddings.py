"""Embeddings: what is one."""

import base64
import binascii
import math
import sys
from array import array
from typing import Any

from broker.packed_numbers import SINGLE


def is_vector(numbers: Any) -> bool:
    """True for a list of finite numbers that is not empty."""
    if not isinstance(numbers, list) or not numbers or not set(map(type, numbers)) <= {int, float}:
        return False
    try:
        return all(map(math.isfinite, numbers))
    except OverflowError:  # an integer that no float can hold
        return False


def from_base64(text: str) -> "array[float]":
    """The numbers of an embedding that came as base64 of 32-bit floats, the lowest byte first (OpenAI's `base64`).

    Raises:
        ValueError: it is none.
    """
    try:
        found: array[float] = array(SINGLE)
        found.frombytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("no embedding") from None
    if sys.byteorder == "big":
        found.byteswap()
    if not found or not all(map(math.isfinite, found)):
        raise ValueError("no embedding")
    return found
