"""A batch near a provider's rate limits, in virtual time: how long it takes, and how many calls are refused.

And whether two tenants share by tokens, and what becomes meanwhile of who waits for an answer. The simulation
(`tests/unit/pacing_case.py`) runs dispatch with its governor, the workflow's rules, settling and the sweep themselves.
The bound is T* = (N - burst) / rate + latency: what somebody takes who knows the limits beforehand.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from typing import Any, NamedTuple

from bench.batch_loads import HELD_OUT, NUMBER, TUNED, Load, drawn, least_s
from bench.figures import percentile
from bench.tables import Cell, keep, show, table
from tests.fakes.world import MINUTE, NOW, SECOND
from tests.unit.pacing_case import Batch, Row, drained_s, gap
from tests.unit.pacing_provider import Bucket, Limited

LATENCY_S = 2

AIM, MOST_REFUSED, MOST_GAP, MOST_SLOWER = 0.97, 0.02, 2, 1.3
"""Parts of the bound; refused calls a row; largest jobs; times the 95th percentile."""

SEED = 5
"""Of what happens by chance."""

SETS = {"held out": HELD_OUT, "tuned": TUNED}
"""Batches that are drawn, by whether the governor was tuned by them."""

HEADS = ["batch", "s", "at least", "part of it", "refused a row", "looks a row", "rows failed", "gap"]


def rows(number: int, tenant: str = "acme", tokens: int = 1_000, at: int = 0, lane: str = "bulk") -> list[Row]:
    """Jobs that come at once, with budgets that hold for their size."""
    return [Row(at, LATENCY_S * SECOND, tenant, lane, tokens=tokens, hold=tokens * 1_000) for _ in range(number)]


def minutes(rate: float = 10, names: str = "") -> dict[str, Limited]:
    """So many calls a second, and those of a minute at once."""
    return {"small": Limited(Bucket(rate, 60 * rate), names=names)}


def load(some: Sequence[Row], seed: int, names: str = "", changes: Sequence[tuple[int, float]] = ()) -> Load:
    """Rows to a provider of 600 calls a minute."""
    batch = Batch(1_000, some, seed=seed, providers=minutes(names=names), changes=changes)
    return Load(batch, some, least_s(some, minutes(names=names), changes))


def by_tokens(number: int, seed: int) -> Load:
    """Ten thousand tokens a second, named; rows of 500 to 1,500."""
    sizes = [500 + 7_919 * place % 1_001 for place in range(number)]
    some = [Row(0, LATENCY_S * SECOND, "acme", "bulk", tokens=size, hold=size * 1_000) for size in sizes]

    def providers() -> dict[str, Limited]:
        return {"small": Limited(Bucket(1e6, 1e12), Bucket(10_000, 600_000), names="openai")}

    return Load(Batch(1_000, some, seed=seed, providers=providers()), some, least_s(some, providers(), ()))


def two(number: int) -> list[Row]:
    """Two tenants, half each."""
    return [each for pair in zip(rows(number // 2), rows(number // 2, "beta"), strict=True) for each in pair]


DRAINS: dict[str, Callable[[int], Load]] = {
    "steady": lambda seed: load(rows(9_000), seed),
    "steady, limits named": lambda seed: load(rows(9_000), seed, "openai"),
    "half the rate after 400 s": lambda seed: load(rows(9_000), seed, changes=[(400 * SECOND, 0.5)]),
    "a limit of tokens, named": lambda seed: by_tokens(9_000, seed),
    "two tenants": lambda seed: load(two(9_000), seed),
}


def uneven(number: int, seed: int = SEED) -> Batch:
    """Two tenants with rows of 100 and 10,000 tokens, who both have sent some before."""
    warm = rows(10, "light", 100) + rows(10, "heavy", 10_000)
    pairs = zip(rows(number, "light", 100, MINUTE), rows(number, "heavy", 10_000, MINUTE), strict=True)
    some = warm + [each for pair in pairs for each in pair]
    return Batch(1_000, some, seed=seed, providers={"small": Limited(Bucket(10, 50))})


def beside(number: int) -> Batch:
    """A tenant with a question every three seconds, with a batch of another or without."""
    asked = [Row(MINUTE + 3 * each * SECOND, LATENCY_S * SECOND, "quiet", "interactive") for each in range(100)]
    return Batch(1_000, asked + rows(number), providers={"small": Limited(Bucket(10, 50), names="openai")})


def waits_s(batch: Batch) -> list[float]:
    """Seconds from a question to its answer, in order."""
    ours = ((job_id, each) for job_id, each in batch.jobs.items() if each.tenant == "quiet")
    return sorted((batch.ended[job_id] - NOW - each.at) / 1000 for job_id, each in ours if job_id in batch.ended)


Task = tuple[str, str | int]
"""A set's name, or none, and a batch of it."""


class Drained(NamedTuple):
    """What became of a batch."""

    seconds: float
    least_s: float
    refused: float
    """Calls a row."""
    looks: float
    """A row."""
    failed: int
    """Rows that did not succeed."""
    gap: float
    """Between any two tenants that both waited, by weight, in largest rows; 0 of one alone."""

    @property
    def part(self) -> float:
        """Of the bound."""
        return self.least_s / self.seconds


def drained(load: Load) -> Drained:
    """Run a batch to its end."""
    heads, batch, largest = load.batch.run(), load.batch, max(row.tokens for row in load.rows)
    failed = sum(head.status.value != "succeeded" for head in heads)
    refused = sum(batch.refused.values()) / len(heads)
    apart = max((gap(batch, *pair) for pair in combinations(load.tenants, 2)), default=0) / largest
    return Drained(drained_s(batch), load.bound_s, refused, batch.looks / len(heads), failed, apart)


def run() -> int:
    """Simulate, print and keep; gives the exit status: 1 where an aim is missed."""
    tasks: list[Task] = [("", name) for name in DRAINS]
    tasks += [(which, place) for which in SETS for place in range(NUMBER)]
    with ProcessPoolExecutor() as pool:
        shares = [pool.submit(_gap, seed) for seed in (SEED, SEED + 1)]
        waiting = [pool.submit(_waits, number) for number in (0, 4_000)]
        drains = dict(zip(tasks, pool.map(_drain, tasks), strict=True))
        apart, p95 = max(each.result() for each in shares), [percentile(each.result(), 95) for each in waiting]
    usual = [_row(name, drains["", name]) for name in DRAINS]
    show(table("Batches near a provider's limit, simulated", HEADS, usual, 3))
    kept = {"rows": usual}
    for which, seed in SETS.items():
        kept[which] = [_row(each.name, drains[which, place]) for place, each in enumerate(drawn(seed))]
        show(table(f"Drawn by a seed, {which}", HEADS, kept[which], 3))
    rest: list[list[Cell]] = [
        ["gap of two tenants with rows of 1 and 100, in largest jobs", apart, MOST_GAP],
        ["95 % of answers to who waits, beside a batch, times alone", p95[1] / p95[0], MOST_SLOWER],
    ]
    show(table("Beside others", ["what", "measured", "aim"], rest, 2))
    keep("batch", {"heads": HEADS, **kept, "beside": rest})
    good = all(float(str(row[3])) >= AIM and float(str(row[4])) <= MOST_REFUSED for row in usual)
    return 0 if good and apart <= MOST_GAP and p95[1] <= MOST_SLOWER * p95[0] else 1


def _drain(task: Task) -> Drained:
    which, name = task
    load = DRAINS[str(name)] if not which else drawn(SETS[which])[int(name)].load
    found = drained(load(SEED))
    print(f"  simulated: {which} {name}: {found.part:.3f} of the bound", file=sys.stderr, flush=True)
    return found


def _row(name: str, run: Drained) -> list[Cell]:
    return [name, run.seconds, run.least_s, run.part, run.refused, run.looks, run.failed, run.gap]


def _gap(seed: int) -> float:
    batch = uneven(1_500, seed)
    batch.run(4 * MINUTE)
    return gap(batch, "light", "heavy", MINUTE + 5 * SECOND) / 10_000


def _waits(number: int) -> Sequence[Any]:
    batch = beside(number)
    batch.run(8 * MINUTE)
    return waits_s(batch)
