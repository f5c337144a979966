"""A large batch by the same code: nothing grows with it but what is said to, and nothing is lost or done twice."""

import tracemalloc
from pathlib import Path

import pytest
from broker.batches.shard import ROWS, RowEnd, Shard
from broker.batches.store import Batches

from bench.crowded import BATCH, Crowd
from tests.fakes.counting import CountingDatabase

LEAST_MB = 14
"""What the tables in memory, a shard's rows and the pieces of files take, and no more than that."""


@pytest.mark.parametrize("rows", [1, 999, 1_000, 4_150])
def test_each_row_is_in_one_file_once_and_in_order(tmp_path: Path, rows: int) -> None:
    crowd = Crowd(rows, 120, tmp_path)
    batch = crowd()
    bad = rows // 1_000
    assert (batch.status, batch.rows, batch.sums.ended) == ("completed", rows, rows)
    assert crowd.accepted == rows - bad
    assert crowd.files.lines == {"output": rows - bad} | ({"errors": bad} if bad else {})
    assert crowd.files.is_in_order
    assert batch.sums.cost == 1_200_000 * (rows - bad)
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_bytes_of_the_rows(tmp_path: Path) -> None:
    tracemalloc.start()
    crowd = Crowd(500, 80_000, tmp_path, answer="x" * 40_000)
    crowd()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert crowd.files.size > 20_000_000
    assert peak <= LEAST_MB * 1_000_000, f"{peak / 1e6:.1f} MB for 40 MB of rows and 20 MB of answers"


def test_counting_a_row_is_one_write_of_two_units_at_most(tmp_path: Path) -> None:
    database = CountingDatabase()
    batches = Batches(database)
    batches.put_shards([Shard(BATCH, 0, ROWS, 0, 0, 1, 1, is_sent=True)])
    units, requests = database.units, database.requests
    for row in range(ROWS):
        batches.end_row(BATCH, row, RowEnd("succeeded", 123_456_789, 12_345, 1_234))
    assert database.requests - requests == ROWS
    assert (database.units - units) / ROWS <= 2
