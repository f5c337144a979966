"""A file of results in the pieces that it is written in: after each it is known where the next one begins.

Where pieces end follows from the results alone: whoever goes on with a file makes the same as whoever began it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from broker.batches.ports import ResultKind, Results
from broker.errors import Unavailable


class Place(NamedTuple):
    """A place in the results of a kind: bytes of a shard's that are behind it, and lines of all."""

    shard: int = 0
    offset: int = 0
    lines: int = 0

    @classmethod
    def of(cls, item: dict[str, Any]) -> Self:
        """Read the stored form."""
        return cls(**item)


BEGIN = Place()


class Piece(NamedTuple):
    """Some bytes of a file, and where the next ones are."""

    data: bytes
    following: Place


@dataclass(frozen=True, slots=True)
class Source:
    """What a file is made of: the results of a kind of all shards of a batch, in their order."""

    results: Results
    batch_id: str
    shards: int
    kind: ResultKind
    lines: int
    """As many as there have to be."""

    def pieces(self, size_of: Callable[[int], int], number: int = 0, since: Place = BEGIN) -> Iterator[Piece]:
        """Its bytes in pieces; memory holds one, and the part of a shard's results that it ends in.

        Args:
            size_of: of a piece, by its number from 0; the last may be smaller.
            number: of the first that is wanted.
            since: where it begins.

        Raises:
            Unavailable: all together have not as many lines as there should be; before the last piece.
        """
        kept, at = bytearray(), since
        for shard, part in self.results.parts(self.batch_id, self.shards, self.kind, (at.shard, at.offset)):
            begun = at.offset if shard == at.shard else 0
            at = Place(shard, begun + len(part), at.lines + part.count(b"\n"))
            kept += part
            while len(kept) >= (size := size_of(number)):
                with memoryview(kept) as seen:
                    piece = bytes(seen[:size])
                del kept[:size]
                # What is over is of this part, for less than a piece was kept before it.
                yield Piece(piece, Place(shard, at.offset - len(kept), at.lines - kept.count(b"\n")))
                number += 1
        if at.lines != self.lines:
            message = f"Of {self.lines} results of a kind there were {at.lines}."
            raise Unavailable(message, code="results_missing")
        if kept:
            yield Piece(bytes(kept), at)
