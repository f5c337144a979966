"""What the dictionary saves on English, and what it costs in time."""

import json
import time
import zlib
from collections.abc import Callable
from functools import partial

from broker.cloud.packing import LEVEL, pack

from bench.stack import TEXT_BYTES
from bench.tables import Cell, keep, show, table
from local.servers import ROOT

ROUNDS, CALLS = 9, 200


def run() -> None:
    """Pack the beginnings of our own documents and examples, and print."""
    texts = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.txt"), ROOT / "README.md"])
    rows: list[list[Cell]] = []
    for path in texts:
        document = {"input": {"text": path.read_text()[:TEXT_BYTES]}}
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        plain, packed = len(zlib.compress(text, LEVEL)), len(pack(document))
        slower = _time(partial(pack, document)) / _time(partial(zlib.compress, text, LEVEL))
        rows.append([path.name, len(text), plain, packed, 100 * (1 - packed / plain), slower])
    heads = ["text", "bytes", "zlib", "with the dictionary", "% less", "times as long"]
    show(table("Packing", heads, rows))
    keep("packing", {"rows": [dict(zip(heads, row, strict=True)) for row in rows]})


def _time(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CALLS):
            work()
        best = min(best, time.process_time() - began)
    return best
