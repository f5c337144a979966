"""The rows of a batch that did not succeed, as the rows of another, under the lines that they had."""

from collections.abc import Iterator

from broker.batches.batch import Batch
from broker.batches.ports import RowBytes
from broker.batches.rows.sources import rows_of, value_of, wrapped
from broker.batches.shard import Shard
from broker.batches.store import Batches
from broker.errors import InvalidRequest
from broker.jobs.head import Status

AT_ONCE = 50
"""Shards that are read together."""


def rows_to_retry(batches: Batches, rows: RowBytes, first: Batch) -> Iterator[bytes]:
    """Lines in the form of what is converted (`rows.sources`), of each row of an ended batch that did not succeed.

    Raises:
        NotFound: what its rows were read from was deleted.
        Unread: the tables are busy.
    """
    for start in range(0, first.shards, AT_ONCE):
        for shard in batches.some_shards(first.id, range(start, min(start + AT_ONCE, first.shards))):
            if any(_is_meant(shard, place) for place in range(shard.rows)):
                yield from _of_shard(first, shard, rows)


def _of_shard(first: Batch, shard: Shard, rows: RowBytes) -> Iterator[bytes]:
    is_wrapped = bool(first.rows_in and first.rows_in.get("wrapped"))
    for span, data in rows_of(first, shard, rows):
        if not _is_meant(shard, span.place):
            continue
        if is_wrapped:
            yield data.rstrip(b"\r\n") + b"\n"
            continue
        try:
            told = wrapped(span.line, body=value_of(data))
        except InvalidRequest as error:
            told = wrapped(span.line, error=error.facts())
        yield told


def _is_meant(shard: Shard, place: int) -> bool:
    end = shard.ends.get(place)
    return end is None or end.status != Status.SUCCEEDED.value
