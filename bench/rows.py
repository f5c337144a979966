"""A batch of many rows through the code that runs batches, on tables in memory: what it holds, takes and keeps."""

import resource
import tempfile
import time
import tracemalloc
from pathlib import Path

from bench.crowded import Crowd
from bench.tables import show, table
from tests.fakes.counting import CountingDatabase
from tests.fakes.database import FakeDatabase

ROW_BYTES = 120
"""Of a row where many are wanted."""

LARGE = (50_000, 4_000)
"""Rows and bytes of each: two hundred megabytes."""

FEW, MANY = 100, 10_000
"""Rows of the batches whose work for a row is compared."""


def run(rows: int) -> int:
    """Print the figures; gives the exit status, which is 1 where a row was lost or doubled."""
    good = _counts()
    good &= _memory()
    return 0 if good & _many(rows) else 1


def _counts() -> bool:
    lines, good = [], True
    for rows in (FEW, MANY):
        database = CountingDatabase()
        begun = time.process_time()
        good &= _is_whole(rows, ROW_BYTES, database)[0]
        cpu_ms = (time.process_time() - begun) * 1000
        facts = (database.requests, database.units, database.reads)
        lines.append([rows, *(each / rows for each in facts), cpu_ms / rows])
    heads = ["rows", "writes", "write units", "reads", "CPU ms, with the tables in memory"]
    show(table("What the batch itself takes for a row, without its job", heads, lines, 3))
    return good


def _memory() -> bool:
    rows, width = LARGE
    tracemalloc.start()
    good, read = _is_whole(rows, width)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    heads = ["rows", "MB of rows", "MB of results", "peak MB, with the tables in memory"]
    show(table("Memory", heads, [[rows, rows * width / 1e6, read / 1e6, peak / 1e6]]))
    return good


def _many(rows: int) -> bool:
    begun = time.monotonic()
    good, _ = _is_whole(rows, ROW_BYTES)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    heads = ["rows", "each in one file, once, in order", "seconds", "peak MB of the process"]
    show(table("Many rows", heads, [[rows, "yes" if good else "NO", time.monotonic() - begun, peak]]))
    return good


def _is_whole(rows: int, width: int, database: CountingDatabase | None = None) -> tuple[bool, int]:
    """Run a batch; gives whether each row is in one file, once, in order, and the bytes of these files."""
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(rows, width, Path(folder), database=database or FakeDatabase())
        batch = crowd()
    bad = rows - crowd.accepted
    lines = {"output": rows - bad} | ({"errors": bad} if bad else {})
    good = batch.status == "completed" and batch.sums.ended == rows and crowd.files.lines == lines
    return good and crowd.files.is_in_order, crowd.files.size
