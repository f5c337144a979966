"""What is done about items that others write at the same moment: a pause, at random and longer each time."""

import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from broker.storage import Contended

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.64

Result = TypeVar("Result")


class Met(Exception):
    """One try met others, at these positions of its operations."""

    def __init__(self, places: Sequence[int]) -> None:
        super().__init__()
        self.places = places


def persist(write: Callable[[], Result], tries: int, sleep: Callable[[float], None] | None = None) -> Result:
    """What a write gives that raises `Met` where others are in its way; it is tried again with full jitter.

    Raises:
        Contended: they were at each try.
    """
    for attempt in range(tries):
        try:
            return write()
        except Met as met:
            places = met.places
        if attempt < tries - 1:
            longest = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
            (sleep or time.sleep)(random.uniform(0, longest))  # noqa: S311 - jitter, not a secret
    raise Contended(places)
