"""`python -m bench.train_detector FILE.jsonl[.gz]…`: the injection detector's weights, and how they were made.

The rows are `{"text", "label", "kind", "source", "family", "lang"}`; they are read from where they are and go nowhere.
The same rows give the same weights, in some minutes on one core.
"""

import argparse
import base64
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from broker.guardrails.detector.features import WORDINGS, name_of, space, windows
from broker.guardrails.work import Work

from bench.detector_card import card
from bench.detector_fit import Windows, fit_texts
from bench.detector_held_out import MIXTURE, STRENGTH, held_out, mixed, shares
from bench.detector_rows import Row, rows

DATA = Path(__file__).parents[1] / "functions" / "broker" / "guardrails" / "data"
LONGEST = 12_000
"""Characters of a text that are learned from."""
CAREFUL = 1.0
"""The share of the held-out models whose own threshold is no higher than the one that is kept."""
SMALLEST = 0.005
"""Weights nearer to nothing are left out."""


def main() -> int:
    """Build the weights and the card; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.train_detector", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="labelled rows, one a line")
    parser.add_argument("--out", type=Path, default=DATA, help="the folder of detector.json and detector.md")
    parser.add_argument("--ordinary", type=Path, nargs="*", default=[], help="files of ordinary text to learn from too")
    parser.add_argument("--date", default="", help="what the card gives as its date")
    asked = parser.parse_args()
    given = [row for file in asked.files for row in read(file)] + [plain(file) for file in asked.ordinary]
    train([*given, *rows()], asked.out, asked.date)
    return 0


def read(file: Path) -> list[Row]:
    """The rows of a file that are attacks or ordinary texts; other kinds are left aside."""
    lines = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    found: list[Row] = [json.loads(line) for line in lines.splitlines() if line.strip()]
    return [row for row in found if row["kind"] in ("injection", "benign")]


def plain(file: Path) -> Row:
    """A file as one ordinary text."""
    text = file.read_text("utf-8", errors="replace")[:LONGEST]
    return Row(text=text, label=0, kind="benign", family="file", source="files", lang="")


def _windows(text: str, first: int) -> Iterator[tuple[list[int], list[float]]]:
    """The features of a text's windows with their values; those of the wording are numbered from `first` on."""
    for window in windows(text[:LONGEST], Work()):
        features = sorted(window.features)
        values = [1.0] * len(features) + [window.share()] * len(window.wording)
        yield [*features, *(first + word for word in window.wording)], values


def train(texts: Sequence[Row], out: Path, date: str) -> None:
    """Write `detector.json` and `detector.md` for these rows."""
    first = space().size
    made = Windows.of([list(_windows(row["text"], first)) for row in texts], first + WORDINGS)
    held = list(held_out(texts, made))
    learned = np.ones(len(texts), dtype=bool)
    weights = fit_texts(made, np.array([float(row["label"]) for row in texts]), shares(texts, learned), STRENGTH)
    flag, block = (float(np.quantile([getattr(each, name) for each in held], CAREFUL)) for name in ("flag", "block"))
    kept = {
        name_of(n): round(float(weights[n]), 3) for n in np.flatnonzero(np.abs(weights[:first]) >= SMALLEST).tolist()
    }
    wording = weights[first:-1]
    step = float(np.abs(wording).max() or 1) / 127
    model = {
        "rows": len(texts),
        "concepts_sha256": hashlib.sha256((DATA / "concepts.txt").read_bytes()).hexdigest(),
        "rows_sha256": hashlib.sha256("".join(sorted(row["text"] for row in texts)).encode()).hexdigest(),
        "mixture": dict(zip(("highest", "second", "mean"), MIXTURE, strict=True)),
        "bias": round(float(weights[-1]), 4),
        "centre": round(flag, 4),
        "thresholds": {"flag": 0.5, "block": round(1 / (1 + float(np.exp(flag - block))), 4)},
        "weights": dict(sorted(kept.items())),
        "wording_step": step,
        "wording": base64.b64encode(np.rint(wording / step).astype(np.int8).tobytes()).decode(),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "detector.json").write_text(json.dumps(model, indent=0, ensure_ascii=True) + "\n")
    flagged = mixed(made, made.scores(weights), len(texts)) > flag
    (out / "detector.md").write_text(card(texts, held, model, flagged, date))


if __name__ == "__main__":
    sys.exit(main())
