"""What batches need of the cloud."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

ResultKind = Literal["output", "errors"]
"""The two files of results: rows that succeeded, and all others. Where one file is asked for, it has both."""


class ShardQueue(Protocol):
    """The queue of shards that are to be tended: run, collected, folded."""

    def send(self, batch_id: str, tenant: str, shards: Iterable[int]) -> None:
        """Ask for each; may be repeated. In the fair group of the tenant."""
        ...

    def again(self, message: dict[str, Any], tenant: str, delay_s: int) -> None:
        """Have what is left of a shard's rows come again after a pause, up to 900 seconds."""
        ...


class RowBytes(Protocol):
    """The objects that rows are read from, and written to where they came in another form."""

    def lines(self, where: dict[str, Any], offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The lines of a part of one version of an object, one by one, each with its line end (`lines.split`).

        Args:
            where: `bucket`, `key`, `etag`, `version` (None where the bucket keeps none).
            offset: of the first byte.
            length: bytes; None for all there are.

        Raises:
            NotFound: it was deleted, or overwritten where no versions are kept.
        """
        ...

    def pieces(self, where: dict[str, Any], offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The same part as it comes, in pieces of bounded size.

        Raises:
            NotFound: as for `lines`.
        """
        ...

    def size(self, where: dict[str, Any]) -> int:
        """Bytes of one version of an object.

        Raises:
            NotFound: as for `lines`.
        """
        ...

    def write(self, batch_id: str, name: str, parts: Iterable[bytes]) -> dict[str, Any]:
        """Keep an object for a batch as long as its record; gives where it is, as `lines` takes it."""
        ...


class Results(Protocol):
    """The results of shards until they are put together."""

    def keep(self, batch_id: str, shard: int, kind: ResultKind, parts: Iterable[bytes]) -> None:
        """Write those of one shard, over what was there before; nothing is kept of none."""
        ...

    def parts(
        self, batch_id: str, shards: int, kind: ResultKind, since: tuple[int, int] = (0, 0)
    ) -> Iterator[tuple[int, bytes]]:
        """All that was kept of a kind, in the order of the shards, in pieces that fit memory, each with its shard.

        `since` is a shard, and the bytes of its results that are left out with those of all before it.
        """
        ...

    def forget(self, batch_id: str, shards: int) -> None:
        """Delete them all; may be repeated.

        Raises:
            Unavailable: some are there still.
        """
        ...

    def forget_rows(self, batch_id: str, places: Iterable[dict[str, Any]]) -> None:
        """Delete those of some places (as `RowBytes.lines` takes them) that `RowBytes.write` kept for the batch.

        Raises:
            Unavailable: some are there still.
        """
        ...


class BatchWorkflows(Protocol):
    """The workflow of batches."""

    def start(self, batch_id: str, attempt: int = 0) -> None:
        """Start it, once for each attempt."""
        ...

    def go_on(self, token: str) -> bool:
        """Tell one that waits that all rows have ended; False where none waits by that token any more."""
        ...
