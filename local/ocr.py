"""Reads text from pictures on this machine, as Textract does on AWS: a stand-in that really reads (PP-OCR by RapidOCR).

The pictures are read in a process of its own, for it takes hundreds of megabytes, and is ended when its time is over.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from broker.documents.document import BrokenDocument, TooMuch
from broker.documents.layout import Cell, Line, written
from broker.documents.worker import peak_mb

SURE = 0.5
"""How sure it has to be of a line."""

THREADS = 2


class LocalOcr:
    """An `Ocr` for `broker.documents.sandbox`."""

    def __init__(self) -> None:
        self.peak_mb = 0.0

    def __call__(self, pictures: list[Path], seconds: float) -> list[str]:
        """The text of each picture, with headings and tables as Markdown.

        Raises:
            TooMuch: it takes longer than `seconds`.
            BrokenDocument: it cannot be read.
        """
        process = subprocess.Popen(
            [sys.executable, "-m", "local.ocr"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": str(THREADS)},
        )
        try:
            said, _ = process.communicate("\n".join(map(str, pictures)).encode(), timeout=max(seconds, 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise TooMuch("Reading its pictures takes too long.", code="document_timed_out") from None
        with suppress(ValueError):
            told: dict[str, Any] = json.loads(said)
            self.peak_mb = told["peak_mb"]
            texts: list[str] = told["texts"]
            return texts
        raise BrokenDocument("Its pictures could not be read.")


def lines_of(boxes: list[tuple[list[tuple[float, float]], str]]) -> list[Line]:
    """Pieces of text with their corners (from the top left) as lines from top to bottom, their pieces from the left."""
    lines: list[Line] = []
    tops: list[float] = []
    for corners, text in sorted(boxes, key=lambda box: sum(y for _, y in box[0])):
        left, right = min(x for x, _ in corners), max(x for x, _ in corners)
        top, bottom = min(y for _, y in corners), max(y for _, y in corners)
        cell = Cell(left, right, text)
        if lines and (top + bottom) / 2 < -lines[-1].bottom and tops[-1] < (top + bottom) / 2:
            lines[-1].cells.append(cell)
            lines[-1].cells.sort(key=lambda each: each.left)
        else:
            lines.append(Line([cell], -bottom, bottom - top))  # upwards, as in PDF
            tops.append(top)
    return lines


def main() -> None:
    """Read paths of pictures from standard input, one a line; print their texts as JSON."""
    import logging

    logging.disable()
    from rapidocr import RapidOCR

    engine = RapidOCR()
    texts = []
    for path in sys.stdin.read().splitlines():
        found: Any = engine(path)
        boxes = zip(found.boxes, found.txts, found.scores, strict=True) if found.boxes is not None else ()
        kept = [([(float(x), float(y)) for x, y in box], text) for box, text, score in boxes if score > SURE]
        texts.append(written(_even(lines_of(kept))))
    print(json.dumps({"texts": texts, "peak_mb": peak_mb()}))


def _even(lines: list[Line]) -> list[Line]:
    """Make heights that are nearly the middle one the same: a box is as high as its tallest letter."""
    heights = sorted(line.height for line in lines)
    usual = heights[len(heights) // 2] if heights else 0.0
    for line in lines:
        if abs(line.height - usual) < 0.3 * usual:
            line.height = usual
    return lines


if __name__ == "__main__":
    main()
