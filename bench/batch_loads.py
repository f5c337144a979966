"""Batches drawn by a seed, against providers of all kinds, and the least time that each can take.

Each provider counts by buckets or by windows, a second or a minute long, and names its limits or not; somebody else may
use the same account, limits may change, tenants differ in weight and come and go. Two sets are drawn by the same rules:
one by which the governor was tuned, and one that was held out.
"""

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tests.fakes.world import MINUTE, NOW, SECOND
from tests.unit.pacing_case import Batch, Row
from tests.unit.pacing_provider import Bucket, Elsewhere, Fixed, Limited, Limiter, Sliding

STEP_MS = 10

TUNED, HELD_OUT = 4, 77001
"""Seeds."""

NUMBER = 12
"""Batches of each."""

MOST_ROWS, LASTS_S = 6_000, 600
"""A batch has so many rows at the most, and else as many as take so long, beside what goes at once."""

KINDS = ("bucket of a minute", "bucket of a second", "window of a minute", "window of a second", "sliding minute")
TENANTS: Mapping[str, Mapping[str, int]] = {
    "one": {"acme": 1},
    "two": {"acme": 1, "beta": 1},
    "1:2:4": {"one": 1, "two": 2, "four": 4},
    "come and go": {"first": 1, "later": 1, "last": 1},
}
NAMES = ("", "", "", "openai", "calls alone", "anthropic", "what is left without limits", "a draft")


RETRY_AFTER, ELSEWHERE = ("", "", "true", "5"), ("", "", "even", "now and then")


class Load(NamedTuple):
    """A batch to be run, its rows, and the seconds that it takes at the least."""

    batch: Batch
    rows: Sequence[Row]
    bound_s: float

    @property
    def tenants(self) -> list[str]:
        """Whose rows they are."""
        return sorted({row.tenant for row in self.rows})


class Drawn(NamedTuple):
    """A batch of a set."""

    name: str
    load: Callable[[int], Load]
    """By a seed of what happens by chance."""


def drawn(seed: int) -> list[Drawn]:
    """A set: each property goes through all of its values in an order of its own, and the numbers are free."""
    dice = random.Random(seed)  # noqa: S311 - to draw by, not a secret
    return [_drawn(place, _dice(seed, place), row) for place, row in enumerate(_mixed(dice))]


def _dice(seed: int, place: int) -> random.Random:
    return random.Random(f"{seed}/{place}")  # noqa: S311


def _mixed(dice: random.Random) -> list[Sequence[str]]:
    columns = []
    for values in (
        KINDS,
        NAMES,
        ("", "", "true", "5"),
        tuple(TENANTS),
        ("equal", "mixed"),
        ("", "", "even", "now and then"),
    ):
        column = [values[place % len(values)] for place in range(NUMBER)]
        dice.shuffle(column)
        columns.append(column)
    return list(zip(*columns, strict=True))


def _drawn(place: int, dice: random.Random, row: Sequence[str]) -> Drawn:
    kind, names, retry_after, tenants, sizes, elsewhere = row
    readers = dice.choice((2, 3, 3, 4, 8))
    rate = min(200.0, 40.0 * readers) ** dice.random()
    latency_ms = round(300 * 200 ** dice.random())
    change = dice.choice((1.0, 1.0, 0.5, 2.0))
    by_tokens = sizes == "mixed" and names in ("", "openai", "anthropic") and dice.random() < 0.5
    models = ["small", "large"] if dice.random() < 0.25 else ["small"]
    offset = dice.randrange(MINUTE)

    def provider() -> Limited:
        calls = _limiter(kind, rate, offset)
        tokens = _limiter(kind, rate * 1_000, offset) if by_tokens else None
        others = None
        if elsewhere:
            others = Elsewhere(rate * 0.3, *((MINUTE, MINUTE) if elsewhere == "now and then" else ()))
        after = retry_after if retry_after in ("", "true") else float(retry_after)
        return Limited(calls, tokens, names, after or None, others)

    at_once = 0 if "second" in kind else 60 * rate
    number = int(max(200, min(MOST_ROWS, (at_once + LASTS_S * rate * (0.7 if elsewhere else 1)) * len(models))))
    weights = TENANTS[tenants]
    rows = _rows(
        number,
        tenants,
        sizes == "mixed" and kind not in ("bucket of a second", "window of a second"),
        models,
        latency_ms,
        dice,
    )
    last_s = least_s(rows, {model: provider() for model in models}, ())
    changes = [] if change == 1 else [(round(last_s * 500), change)]

    def load(seed: int) -> Load:
        providers = {model: provider() for model in models}
        concurrency = max(1_000, int(3 * 2 * rate * latency_ms / 1000 * len(models)))
        batch = Batch(concurrency, rows, seed=seed, providers=providers, changes=changes, weights=weights)
        batch.readers["bulk"] = readers
        return Load(batch, rows, least_s(rows, {model: provider() for model in models}, changes))

    says = [f"{rate:.1f}/s by a {kind}", f"{latency_ms / 1000:.1f} s", f"{readers} processes"]
    says += [f"limits named ({names})"] if names else []
    says += [f"Retry-After {retry_after}"] if retry_after else []
    says += [f"tenants {tenants}"] if tenants != "one" else []
    says += ["sizes mixed"] * (sizes == "mixed") + ["also by tokens"] * by_tokens
    says += [f"others use 0.3 {elsewhere}"] if elsewhere else []
    says += [f"rate times {change:g} halfway"] if changes else []
    says += ["two models"] * (len(models) > 1)
    return Drawn(f"{place + 1}. " + ", ".join(says), load)


def _limiter(kind: str, rate: float, offset: int) -> Limiter:
    """A limit of so many, a second in the mean."""
    match kind:
        case "bucket of a minute":
            return Bucket(rate, max(1.0, 60 * rate))
        case "bucket of a second":
            return Bucket(rate, max(1.0, rate))
        case "window of a minute":
            return Fixed(max(1, round(60 * rate)), MINUTE, offset)
        case "window of a second":
            return Fixed(max(1, round(rate)), SECOND, offset)
        case _:
            return Sliding(max(1, round(60 * rate)), MINUTE)


def _rows(
    number: int, tenants: str, mixed: bool, models: Sequence[str], latency_ms: int, dice: random.Random
) -> list[Row]:
    names = list(TENANTS[tenants])
    shares = [TENANTS[tenants][name] for name in names]
    rows = []
    for place in range(number):
        tenant = dice.choices(names, shares)[0] if tenants != "come and go" else names[place % 3]
        at = 0 if tenants != "come and go" else names.index(tenant) * 2 * MINUTE
        size = round(100 * 100 ** dice.random() * 0.465) if mixed else 1_000
        took = round(latency_ms * (0.5 + dice.random()))
        rows.append(Row(at, took, tenant, "bulk", dice.choice(models), tokens=size, hold=size * 1_000))
    return rows


def least_s(rows: Sequence[Row], providers: Mapping[str, Limited], changes: Sequence[tuple[int, float]]) -> float:
    """T*: what somebody takes who knows the limits, and asks at the moment when a call is let through."""
    last = 0
    for model, provider in providers.items():
        knows, ahead = copy.deepcopy(provider), sorted(changes)
        now = NOW
        for row in sorted((each for each in rows if each.model == model), key=lambda each: each.at):
            now = max(now, NOW + row.at)
            while True:
                while ahead and NOW + ahead[0][0] <= now:
                    knows.scale(ahead.pop(0)[1], now)
                if knows.takes(row.tokens, now):
                    break
                now += STEP_MS
            last = max(last, now + row.model_ms)
    return (last - NOW) / SECOND
