"""Logistic regression over sets of features, with numpy alone: the same rows give the same weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """The windows of many texts, one after the other, each a set of feature numbers."""

    features: Ints
    """The features of all windows in order."""
    begins: Ints
    """Where in `features` each window begins."""
    sizes: Ints
    """How many features each window has; never none."""
    texts: Ints
    """Which text each window is of; rising."""
    values: Floats
    """How much each feature counts in its window."""
    width: int
    """One more than the highest feature number."""

    @classmethod
    def of(cls, texts: Sequence[Sequence[tuple[Sequence[int], Sequence[float]]]], width: int) -> "Windows":
        """Put the windows of texts together, each as its features and their values."""
        windows = [window for text in texts for window in text]
        sizes = np.array([len(features) for features, _ in windows])
        return cls(
            np.fromiter((feature for features, _ in windows for feature in features), np.int64),
            np.cumsum(sizes) - sizes,
            sizes,
            np.array([number for number, text in enumerate(texts) for _ in text]),
            np.fromiter((value for _, values in windows for value in values), np.float64),
            width,
        )

    def select(self, chosen: NDArray[np.bool_]) -> "Windows":
        """Some of the windows."""
        sizes = self.sizes[chosen]
        parts = np.repeat(chosen, self.sizes)
        begins = np.cumsum(sizes) - sizes
        return Windows(self.features[parts], begins, sizes, self.texts[chosen], self.values[parts], self.width)

    def scores(self, weights: Floats) -> Floats:
        """What each window scores; the last weight is the bias."""
        scores: Floats = np.add.reduceat(weights[self.features] * self.values, self.begins) + weights[-1]
        return scores


def fit(windows: Windows, targets: Floats, shares: Floats, strength: float) -> Floats:
    """Weights that make the windows' scores tell the targets (0 or 1); the bias comes last.

    Args:
        windows: what the targets are of.
        targets: 0 or 1 for each window.
        shares: how much each window counts.
        strength: the inverse of the penalty on the squares of the weights.
    """
    used, features = np.unique(windows.features, return_inverse=True)
    # What no window has keeps the weight 0: a few rows are then fitted in a few numbers, not in all that there can be.
    narrow = replace(windows, features=features, width=len(used))

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = narrow.scores(weights)
        signed = np.where(targets > 0, scores, -scores)
        value = float(shares @ np.logaddexp(0, -signed)) + float(weights[:-1] @ weights[:-1]) / (2 * strength)
        errors = shares * (1 / (1 + np.exp(-np.clip(scores, -40, 40))) - targets)
        gradient = np.append(
            np.bincount(narrow.features, np.repeat(errors, narrow.sizes) * narrow.values, narrow.width)
            + weights[:-1] / strength,
            errors.sum(),
        )
        return value, gradient

    fitted, weights = _minimise(loss, np.zeros(narrow.width + 1)), np.zeros(windows.width + 1)
    weights[used], weights[-1] = fitted[:-1], fitted[-1]
    return weights


def _minimise(loss: Any, start: Floats, steps: int = 150, memory: int = 10, enough: float = 1e-4) -> Floats:
    """Limited-memory BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.5); steps too long are halved."""
    weights, (value, gradient) = start, loss(start)
    moves: list[tuple[Floats, Floats, float]] = []
    for _ in range(steps):
        direction, factors = gradient.copy(), []
        for moved, turned, inverse in reversed(moves):
            factors.append(inverse * (moved @ direction))
            direction -= factors[-1] * turned
        if moves:
            moved, turned, inverse = moves[-1]
            direction *= 1 / (inverse * (turned @ turned))
        else:
            direction /= max(float(np.abs(gradient).sum()), 1.0)
        for (moved, turned, inverse), factor in zip(moves, reversed(factors), strict=True):
            direction += (factor - inverse * (turned @ direction)) * moved
        step, slope = 1.0, float(gradient @ direction)
        while True:
            tried = weights - step * direction
            tried_value, tried_gradient = loss(tried)
            if tried_value <= value - 1e-4 * step * slope or step < 1e-9:
                break
            step /= 2
        moved, turned = tried - weights, tried_gradient - gradient
        if (product := float(moved @ turned)) > 1e-12:
            moves = [*moves, (moved, turned, 1 / product)][-memory:]
        gained = value - tried_value
        weights, value, gradient = tried, tried_value, tried_gradient
        if gained < enough * max(abs(value), 1.0) * 0.1:
            break
    return weights


ROUNDS = 3
MARGIN = 0.5


def fit_texts(windows: Windows, labels: Floats, shares: Floats, strength: float) -> Floats:
    """Weights by labels of whole texts: of an attack, only the windows that score highest are taken for attacks.

    Args:
        windows: of all texts, also of those that are not learned from.
        labels: 0 or 1 for each text.
        shares: how much each text counts; 0 for one that is not learned from.
        strength: as in `fit`.
    """
    count = len(labels)
    each = np.bincount(windows.texts, minlength=count)[windows.texts]
    learned, target, share = shares[windows.texts] > 0, labels[windows.texts], shares[windows.texts]
    weighed = share / each
    for number in range(ROUNDS):
        part = windows.select(learned)
        weights = fit(part, target[learned], weighed[learned], strength)
        if number < ROUNDS - 1:
            scores = windows.scores(weights)
            highest = np.full(count, -np.inf)
            np.maximum.at(highest, windows.texts, scores)
            learned = (share > 0) & ((target == 0) | (scores >= highest[windows.texts] - MARGIN))
            kept = np.bincount(windows.texts[learned], minlength=count)[windows.texts]
            weighed = np.where(target > 0, share / np.maximum(kept, 1), share / np.sqrt(each))
    return weights
