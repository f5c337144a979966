"""The verdict on a text: a linear model over its windows' features, by `data/detector.json`."""

import base64
import json
import math
from array import array
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from broker.guardrails.detector.features import name_of, number_of, space, windows
from broker.guardrails.work import Work

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

    features: list[float]
    wording: list[float]
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
    features = [0.0] * space().size
    for name, weight in kept["weights"].items():
        features[number_of(name)] = weight
    mixture = kept["mixture"]
    wording = array("b", base64.b64decode(kept["wording"]))
    return Weights(
        features,
        [weight * kept["wording_step"] for weight in wording],
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
    weigh, weigh_words = model.features.__getitem__, model.wording.__getitem__
    scores: list[float] = []
    best, highest, worded = set[int](), -math.inf, 0.0
    for window in windows(text, work or Work()):
        wording = window.share() * sum(map(weigh_words, window.wording))
        score = model.bias + wording + sum(map(weigh, window.features))
        scores.append(score)
        if score > highest:
            best, highest, worded = window.features, score, wording
    mixed = mix(scores, model.mixture) - model.centre
    weighed = [(weigh(feature), name_of(feature)) for feature in best] + [(worded, "wording")]
    reasons = sorted((each for each in weighed if each[0] > 0), key=lambda each: (-each[0], each[1]))
    return Verdict(
        1 / (1 + math.exp(-max(min(mixed, 30.0), -30.0))),
        tuple(name for _, name in reasons[:REASONS]),
    )
