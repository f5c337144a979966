"""Live figures: how fast the models answer and how often they fail, counted in slots of a quarter of a minute.

| item (table `ledger`) | pk | sk | attributes |
|---|---|---|---|
| what was counted in a slot | `FIGURES#model` | `slot#shard` | `writes`, `calls`, `failures`, `answers`, `ms`, `h0` … |
| the same by group of tenants | | | `c0` … for calls, `f0` … for failures |
| a tenant's failures in a slot | `FIGURES#model#tenant` | `slot#shard` | `writes`, `calls`, `failures` |
| what comes of it | `HEALTH` | model | `at`, `calls`, `failures`, `mean_ms`, `p95_ms` (see `board`) |

An item has no room for every tenant, so tenants fall into `GROUPS` by a hash. Two of one group count as one: they then
open their own circuits, and not the one of all.

Successes are sampled: one of `EVERY` is written, and counts for so many. A failure is always written; a process that
saw one writes each call for a minute, and all do while the model is known to be sick. The first write of a slot in each
shard also renews what comes of it, so the figures cost at most two small writes for `EVERY` calls of a model that is
well, and reading them one query for all models.
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol, Self
from zlib import crc32

from broker.consequences import SUCCEEDED
from broker.routing.circuits import WINDOW_MS, State, is_failure
from broker.storage import Database, Item, Update

EVERY = 20
"""One of so many successes is written."""

SICK = 0.05
"""The error rate from which on a model's calls are counted one by one: its circuit may have to be decided on few."""

SAMPLED_FROM = 15_000
"""Calls in the figures' span, fifty a second, from which on a sample is enough for that too."""

SLOT_MS = 15_000
"""Fine enough for a circuit that looks back a minute; slots from before it closed do not count against it."""

SHARDS = 4
"""Items of one slot. A partition takes a thousand writes, so 20,000 calls, a second; beyond, DynamoDB can split it."""

SPAN_MS = 300_000
"""Figures tell of the last five minutes."""

KEPT_S = 3_600
"""Slots are deleted an hour after their last write."""

GROUPS = 16
"""Of tenants. With the histogram, an item stays below the kilobyte that a write unit pays for."""

STEPS = 4
"""Buckets of the histogram for each doubling: a percentile is at most 19 % above the truth."""

LAST_BUCKET = 88
"""From 2 ** 22 ms, more than an hour, on."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a model's calls of some minutes: estimates, for most successes are not counted one by one."""

    at: int
    """When they were put together, in milliseconds since the epoch."""
    calls: int
    failures: int
    mean_ms: int | None = None
    """Of the calls that were answered; None where there was none."""
    p95_ms: int | None = None

    @property
    def error_rate(self) -> float:
        """Share of the calls that failed, 0 to 1."""
        return self.failures / self.calls if self.calls else 0.0

    @property
    def sick(self) -> bool:
        """True where each call should be counted."""
        return self.error_rate >= SICK and self.calls < SAMPLED_FROM

    @classmethod
    def from_item(cls, item: Item) -> Self | None:
        """Read the stored form; None where there is none yet."""
        if "at" not in item:
            return None
        return cls(item["at"], item["calls"], item["failures"], item.get("mean_ms"), item.get("p95_ms"))

    @classmethod
    def of(cls, slots: Iterable[Item], now: int) -> Self:
        """Add slots up."""
        calls = failures = answers = total = 0
        buckets = [0] * (LAST_BUCKET + 1)
        for slot in slots:
            calls += slot["calls"]
            failures += slot.get("failures", 0)
            answers += slot.get("answers", 0)
            total += slot.get("ms", 0)
            for name, count in slot.items():
                if name[0] == "h":
                    buckets[int(name[1:])] += count
        if not answers:
            return cls(now, calls, failures)
        return cls(now, calls, failures, round(total / answers), percentile(buckets, answers, 0.95))

    def to_attributes(self) -> dict[str, int | None]:
        """The stored form."""
        return {name: getattr(self, name) for name in ("at", "calls", "failures", "mean_ms", "p95_ms")}


class Health(Protocol):
    """What the selection goes by; at most a few seconds old."""

    def states(self, now: int, tenant: str) -> Mapping[str, State]:
        """The circuits that are not closed for a tenant, by model."""
        ...

    def figures(self, now: int) -> Mapping[str, Figures]:
        """Live figures by model, where anything is known of the last quarter of an hour."""
        ...


@dataclass(slots=True)
class Span:
    """Calls of some slots, and how many of them failed; in all, and by group of tenants."""

    calls: int = 0
    failures: int = 0
    by_group: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, slot: Item) -> None:
        """Count a slot in."""
        self.calls += slot["calls"]
        self.failures += slot.get("failures", 0)
        for group in range(GROUPS):
            calls, failures = self.by_group.get(group, (0, 0))
            self.by_group[group] = calls + slot.get(f"c{group}", 0), failures + slot.get(f"f{group}", 0)

    @property
    def others_fail(self) -> bool:
        """True where calls fail of others too than of the group that fails most: one of theirs, and half or more."""
        worst = max(self.by_group.values(), key=lambda each: (each[1], each[0]), default=(0, 0))
        calls, failures = self.calls - worst[0], self.failures - worst[1]
        return failures > 0 and 2 * failures >= calls


def spans(slots: Iterable[Item]) -> Iterator[Span]:
    """What was counted in the newest slot, in the two newest, and so on."""
    span = Span()
    for _, shards in groupby(sorted(slots, key=began, reverse=True), key=began):
        for shard in shards:
            span.add(shard)
        yield span


def began(slot: Item) -> str:
    """When a slot began, in a form that sorts by time."""
    return str(slot["sk"]).split("#")[0]


def group_of(tenant: str) -> int:
    """The group that a tenant is counted in."""
    return crc32(tenant.encode()) % GROUPS


def bucket(ms: int) -> int:
    """The bucket of a latency: each is 19 % wide."""
    return min(max(0, math.floor(STEPS * math.log2(max(1, ms)))), LAST_BUCKET)


def percentile(buckets: list[int], total: int, share: float) -> int:
    """Milliseconds that so large a share of the calls did not exceed: the upper end of the bucket it falls into."""
    left = math.ceil(total * share)
    for place, count in enumerate(buckets):
        left -= count
        if left <= 0:
            return math.ceil(2 ** ((place + 1) / STEPS))
    raise ValueError("the buckets hold less than the total")


class Meter:
    """Counts calls, for one process."""

    def __init__(self, database: Database, chance: Callable[[], float] = random.random) -> None:
        self._database = database
        self._chance = chance
        self._failed_at: dict[str, int] = {}

    def count(self, model_id: str, tenant: str, outcome: str, latency_ms: int, now: int, *, sick: bool) -> bool:
        """Count one call, or leave it out of the sample; of a `sick` model each is counted.

        Returns:
            True where this was the first write of its slot and shard.
        """
        failed = is_failure(outcome)
        if failed:
            self._failed_at[model_id] = now
        exact = sick or now - self._failed_at.get(model_id, -WINDOW_MS) < WINDOW_MS
        if not exact and self._chance() >= 1 / EVERY:
            return False
        weight = 1 if exact else EVERY
        group = group_of(tenant)
        add = {"writes": 1, "calls": weight, f"c{group}": weight}
        if failed:
            add |= {"failures": weight, f"f{group}": weight}
            self._add(f"{model_id}#{tenant}", {"writes": 1, "calls": 1, "failures": 1}, now)
        elif outcome == SUCCEEDED:
            add |= {"answers": weight, "ms": weight * latency_ms, f"h{bucket(latency_ms)}": weight}
        return self._add(model_id, add, now)

    def slots(self, model_id: str, since: int, tenant: str | None = None) -> list[Item]:
        """The slots that began at or after a time: of all calls, or of a tenant's failures."""
        of = model_id if tenant is None else f"{model_id}#{tenant}"
        return self._database.query_since("ledger", _pk(of), _slot(since + SLOT_MS - 1))

    def _add(self, of: str, add: Mapping[str, int], now: int) -> bool:
        key = f"{_slot(now)}#{int(self._chance() * SHARDS)}"
        kept = {"expires_at": now // 1000 + KEPT_S}
        after = self._database.update(Update("ledger", _pk(of), key, set=kept, add=dict(add)))
        return bool(after["writes"] == 1)


def _pk(of: str) -> str:
    return f"FIGURES#{of}"


def _slot(ms: int) -> str:
    """The slot of a moment, so that slots sort by time."""
    return f"{ms // SLOT_MS:012}"
