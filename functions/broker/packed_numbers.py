"""Many embeddings in little memory."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

SINGLE, DOUBLE = "f", "d"
"""Numbers of 32 and of 64 bits, in the words of `array`."""


class Vectors(Sequence[list[float]]):
    """Embeddings that look like a list of lists of numbers, and take a fourth of what that takes, or an eighth.

    A number of Python's takes 32 bytes in a list. A thousand embeddings of 3,072 numbers are 98 MB then, and here 25,
    or 12 where they came as 32-bit floats.
    """

    def __init__(self) -> None:
        self._rows: list[array[float]] = []

    def add(self, rows: "Iterable[list[float] | array[float]]") -> None:
        """Take in embeddings, each a list of numbers, or an array of them."""
        self._rows += [each if isinstance(each, array) else array(DOUBLE, each) for each in rows]

    @property
    def numbers(self) -> int:
        """How many numbers there are in all."""
        return sum(map(len, self._rows))

    def texts(self) -> Iterator[str]:
        """Each embedding as JSON.

        A 32-bit float has nine digits at most that tell it from all others (IEEE 754); as a 64-bit float it would be
        written with twice as many, which say no more.
        """
        for row in self._rows:
            words = map("%.9g".__mod__, row) if row.typecode == SINGLE else map(repr, row)
            yield f"[{','.join(words)}]"

    def __len__(self) -> int:
        """How many embeddings there are."""
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> list[float]: ...

    @overload
    def __getitem__(self, place: slice) -> list[list[float]]: ...

    def __getitem__(self, place: int | slice) -> Any:
        """One embedding, or some."""
        if isinstance(place, slice):
            return [each.tolist() for each in self._rows[place]]
        return self._rows[place].tolist()

    def __eq__(self, other: object) -> bool:
        """As the lists that it stands for."""
        return isinstance(other, list | Vectors) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list's
