"""What the dictionary saves on texts of different kinds, and what it costs in time."""

import json
import time
import zlib
from collections.abc import Callable
from functools import partial
from statistics import mean

from broker.cloud.packing import LEVEL, pack

from bench.tables import Cell, keep, show, table
from bench.texts import TEXT_BYTES, texts
from local.servers import ROOT

ROUNDS, CALLS = 9, 200


def run() -> None:
    """Pack the bench's own texts, and beginnings of documents and examples, and print."""
    paths = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.txt"), ROOT / "README.md"])
    mine = texts()
    rows = [_row(kind, text) for kind, text in mine.items()]
    rows += [_row(path.name, path.read_text()[:TEXT_BYTES]) for path in paths]
    heads = ["text", "bytes", "zlib", "with the dictionary", "% less", "times as long"]
    show(table("Packing", heads, rows))
    packed = [len(pack(_document(text))) for text in mine.values()]
    show(f"\nthe bench's texts: {mean(packed):.0f} bytes on average, {min(packed)} to {max(packed)}")
    keep("packing", {"rows": [dict(zip(heads, row, strict=True)) for row in rows]})


def _document(text: str) -> dict[str, dict[str, str]]:
    return {"input": {"text": text}}


def _row(name: str, text: str) -> list[Cell]:
    document = _document(text)
    plain = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    zipped, packed = len(zlib.compress(plain, LEVEL)), len(pack(document))
    slower = _time(partial(pack, document)) / _time(partial(zlib.compress, plain, LEVEL))
    return [name, len(plain), zipped, packed, 100 * (1 - packed / zipped), slower]


def _time(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CALLS):
            work()
        best = min(best, time.process_time() - began)
    return best
