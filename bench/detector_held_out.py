"""How the detector does on sources that it has not seen: each is held out in turn, with ordinary texts beside it."""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.detector_fit import Floats, Windows, fit_texts
from bench.detector_rows import SOURCE as OWN
from bench.detector_rows import Row

POWER = 0.3
"""A source counts by its number of texts to this power: a large synthetic set does not drown the others."""

OWN_POWER = 0.5
STRENGTH = 0.03
MIXTURE = (0.4, 0.3, 0.3)
"""Of the highest window, the second and the mean, in the score of a text."""

FLAGGED, BLOCKED = 0.01, 0.001
"""Shares of ordinary texts that may be flagged and blocked."""

SHINGLE, SHARED = 8, 0.1
"""Two sources that share runs of so many words in this share of the smaller one's attacks are held out together."""


def shares(rows: Sequence[Row], learned: NDArray[np.bool_]) -> Floats:
    """How much each text counts: sources by a power of their size, attacks as much as ordinary texts."""
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for row, use in zip(rows, learned, strict=True):
        counts[row["source"], row["label"]] += bool(use)
    given = np.array(
        [
            counts[row["source"], row["label"]] ** ((OWN_POWER if row["source"] == OWN else POWER) - 1) if use else 0.0
            for row, use in zip(rows, learned, strict=True)
        ]
    )
    labels = np.array([row["label"] for row in rows])
    for label in (0, 1):
        given[labels == label] *= learned.sum() / 2 / given[labels == label].sum()
    return given


def mixed(windows: Windows, scores: Floats, count: int) -> Floats:
    """One score a text, as `model.mix` makes it of its windows."""
    order = np.lexsort((-scores, windows.texts))
    begins = np.searchsorted(windows.texts, np.arange(count))
    each = np.bincount(windows.texts, minlength=count)
    highest = scores[order][begins]
    second = scores[order][np.where(each > 1, begins + 1, begins)]
    mean = np.add.reduceat(scores, begins) / each
    return MIXTURE[0] * highest + MIXTURE[1] * second + MIXTURE[2] * mean


def groups(rows: Sequence[Row]) -> list[set[str]]:
    """The sources of attacks; those that share texts are one group."""
    shingles: dict[str, list[set[int]]] = defaultdict(list)
    for row in rows:
        if row["label"] and row["source"] != OWN:
            words = row["text"].lower().split()
            runs = [" ".join(words[place : place + SHINGLE]) for place in range(max(len(words) - SHINGLE + 1, 0))]
            shingles[row["source"]].append({zlib.crc32(run.encode()) for run in runs})
    joined = [{source} for source in sorted(shingles)]
    everything = {source: set().union(*texts) for source, texts in shingles.items()}
    for one in sorted(shingles):
        for other in sorted(shingles):
            if one < other:
                small, large = sorted((one, other), key=lambda source: len(shingles[source]))
                hits = sum(1 for text in shingles[small] if text & everything[large])
                if hits > SHARED * len(shingles[small]):
                    both = [group for group in joined if one in group or other in group]
                    joined = [group for group in joined if group not in both] + [set().union(*both)]
    return sorted(joined, key=min)


@dataclass(frozen=True)
class Held:
    """One group held out, judged by a model that saw neither it nor half of the other ordinary sources."""

    tested: NDArray[np.bool_]
    scores: Floats
    """Of all texts."""
    flag: float
    block: float
    """Scores that let through all but the shares of the ordinary texts tested, families by the root of their size."""
    pooled: float
    """The same for `flag`, where each text counts alike."""


def held_out(rows: Sequence[Row], windows: Windows) -> Iterator[Held]:
    """Hold each group of sources out, twice: with either half of the sources that are ordinary alone."""
    labels = np.array([float(row["label"]) for row in rows])
    sources = np.array([row["source"] for row in rows])
    attacking = set(sources[labels > 0])
    ordinary = sorted(set(sources) - attacking)
    for group in groups(rows):
        for half in (0, 1):
            aside = np.isin(sources, [*group, *ordinary[half::2]])
            weights = fit_texts(windows, labels, shares(rows, ~aside), STRENGTH)
            scores = mixed(windows, windows.scores(weights), len(rows))
            innocent = aside & (labels == 0)
            families: dict[str, int] = defaultdict(int)
            for number in np.flatnonzero(innocent):
                families[_family(rows[number])] += 1
            weight = np.array([families[_family(rows[number])] ** -0.5 for number in np.flatnonzero(innocent)])
            yield Held(
                aside,
                scores,
                above(scores[innocent], weight, FLAGGED),
                above(scores[innocent], weight, BLOCKED),
                above(scores[innocent], np.ones(len(weight)), FLAGGED),
            )


def _family(row: Row) -> str:
    return f"{row['source']} {row['family']}"


def above(scores: Floats, weight: Floats, share: float) -> float:
    """The lowest score such that no more than the share of the weight lies above it."""
    order = np.argsort(-scores, kind="stable")
    passed = np.cumsum(weight[order]) / weight.sum()
    return float(scores[order][min(int(np.searchsorted(passed, share, "right")), len(order) - 1)])
