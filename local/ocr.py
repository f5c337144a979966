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
from broker.documents.layout import Box, read_lines, written
from broker.documents.sandbox import end
from broker.documents.worker import peak_mb

SURE = 0.5
"""How sure it has to be of a line."""

THREADS = 2

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
"""Of the environment: what reads pictures of strangers gets no credentials."""


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
        return [written(read_lines(pieces)) for pieces in self.pieces(pictures, seconds)]

    def pieces(self, pictures: list[Path], seconds: float) -> list[list[tuple[Box, str]]]:
        """Pieces of text and where they stand, in dots; raises as above."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-m", "local.ocr"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": str(THREADS)},
            start_new_session=True,
        )
        try:
            said, _ = process.communicate("\n".join(map(str, pictures)).encode(), timeout=max(seconds, 0))
        except subprocess.TimeoutExpired:
            raise TooMuch("Reading its pictures takes too long.", code="document_timed_out") from None
        finally:
            end(process)
            process.communicate()
        with suppress(ValueError):
            told: dict[str, Any] = json.loads(said)
            self.peak_mb = told["peak_mb"]
            return [[(tuple(box), text) for box, text in pieces] for pieces in told["pictures"]]
        raise BrokenDocument("Its pictures could not be read.")


def main() -> None:
    """Read paths of pictures from standard input, one a line; print what is in them as JSON."""
    import logging

    logging.disable()
    from rapidocr import RapidOCR

    engine = RapidOCR()
    found = []
    for path in sys.stdin.read().splitlines():
        read: Any = engine(path)
        boxes = zip(read.boxes, read.txts, read.scores, strict=True) if read.boxes is not None else ()
        found.append([[_around(corners), text] for corners, text, score in boxes if score > SURE])
    print(json.dumps({"pictures": found, "peak_mb": peak_mb()}))


def _around(corners: Any) -> Box:
    """The upright box around four corners."""
    across, down = [float(x) for x, _ in corners], [float(y) for _, y in corners]
    return min(across), min(down), max(across), max(down)


if __name__ == "__main__":
    main()
