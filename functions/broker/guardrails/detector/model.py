"""The verdict on a text: a linear model over its windows' features, by `data/detector.json`."""

import base64
import json
import math
from array import array
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import NamedTuple

from broker.guardrails.detector.features import name_of, number_of, pieces, share, space
from broker.guardrails.work import Work

THOUSAND = 1000

REASONS = 5
"""How many features a verdict names at most."""


class Verdict(NamedTuple):
    """How much a text looks like an attack on the instructions of a model."""

    score: float
    """0 to 1; `thresholds` says from where on to flag and to block."""
    reasons: tuple[str, ...]
    """The features that weighed most in the window that scored highest, or `wording`; never the text."""


class Thresholds(NamedTuple):
    """Scores from which on a text is flagged or blocked, each with the share of ordinary texts that it hits."""

    flag: float
    block: float


class Weights(NamedTuple):
    """The model as it is kept."""

    features: list[int]
    """In thousandths: in whole numbers, no order of adding makes a difference."""
    wording: list[int]
    """In steps."""
    step: float
    bias: float
    mixture: tuple[float, float, float]
    """The shares of the highest window, the second and the mean."""
    centre: float
    """What scores 0.5."""
    thresholds: Thresholds


@cache
def weights() -> Weights:
    """The weights, read at first use."""
    kept = json.loads(files("broker.guardrails").joinpath("data/detector.json").read_text("utf-8"))
    features = [0] * space().size
    for name, weight in kept["weights"].items():
        features[number_of(name)] = round(weight * THOUSAND)
    mixture = kept["mixture"]
    return Weights(
        features,
        list(array("b", base64.b64decode(kept["wording"]))),
        kept["wording_step"],
        kept["bias"],
        (mixture["highest"], mixture["second"], mixture["mean"]),
        kept["centre"],
        Thresholds(**kept["thresholds"]),
    )


def thresholds() -> Thresholds:
    """From which score on a text is flagged, and from which on it is blocked."""
    return weights().thresholds


def mix(scores: list[float], mixture: tuple[float, float, float]) -> float:
    """One number for the windows of a text."""
    first, second, mean = mixture
    highest = sorted(scores)[-2:]
    return first * highest[-1] + second * highest[0] + mean * sum(scores) / len(scores)


def judge_text(text: str, work: Work | None = None) -> Verdict:
    """Judge one text, as far as the work goes. Linear in its length, for a window's work is bounded."""
    model = weights()
    weigh = model.features.__getitem__
    scores: list[float] = []
    best, highest, worded = set[int](), -math.inf, 0.0
    for piece in pieces(text, work or Work()):
        wording = list(accumulate(map(model.wording.__getitem__, piece.wording), initial=0))
        every = sum(map(weigh, piece.signs))
        blocks = [sum(map(weigh, block)) for block in piece.blocks]
        for block, begin, end in piece.places():
            features = every + blocks[block]
            if block + 1 < len(blocks):  # what both blocks of a window have counts once
                both = piece.blocks[block] & piece.blocks[block + 1]
                features += blocks[block + 1] - sum(map(weigh, both))
            told = share(end - begin) * model.step * (wording[end] - wording[begin])
            scores.append(model.bias + told + features / THOUSAND)
            if scores[-1] > highest:
                best, highest, worded = piece.features(block), scores[-1], told
    mixed = mix(scores, model.mixture) - model.centre
    weighed = [(weigh(feature) / THOUSAND, name_of(feature)) for feature in best] + [(worded, "wording")]
    reasons = sorted((each for each in weighed if each[0] > 0), key=lambda each: (-each[0], each[1]))
    return Verdict(
        1 / (1 + math.exp(-max(min(mixed, 30.0), -30.0))),
        tuple(name for _, name in reasons[:REASONS]),
    )
