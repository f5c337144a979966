"""What processes keep in memory for some seconds, and so ask anew in some jobs: how often depends on the traffic.

The registry and circuits are read by a process that has not done so for a while. In a burst hardly a job waits for it;
with a job every few seconds nearly each does. So these requests are no part of what a job takes for certain: their
share is computed from the traffic. Live figures of models are sampled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from broker.routing import board, catalog, figures
from broker.tenants import registry

from bench.metering import Row
from bench.pricing import SECONDS_A_MONTH, WAITING, Function, Job, PriceList, Traffic, billed_ms
from bench.tally import Tally
from bench.template import authorized_s

PERIODS_S: dict[tuple[str, str], float] = {
    ("dynamodb.Query", "HEALTH"): board.KEEP_MS / 1000,
    ("dynamodb.Query", "MODELS"): catalog.KEEP_MS / 1000,
    ("dynamodb.GetItem", "TENANT/TENANT"): registry.KEEP_MS / 1000,
    ("dynamodb.GetItem", "KEY/KEY"): authorized_s(),
}
"""By operation and target, for how long a process does without."""

SAMPLED = (("dynamodb.UpdateItem", "FIGURES"), ("dynamodb.UpdateItem", "HEALTH"), ("dynamodb.Query", "FIGURES"))
"""What a call of a healthy model asks once in `figures.EVERY`; of a sick one, or a slow machine's, each does."""

AUTHORIZER = "AuthorizeFunction"
"""Runs only when API Gateway asks anew who calls: each of its requests is an invocation."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """Requests of one kind that a job makes when they are due."""

    function: str
    operation: str
    period_s: float
    count: float
    reads: float
    writes: float
    memory_mb: int


def refreshed(row: Row) -> bool:
    """True where a process keeps what this row asks."""
    return row[1:] in PERIODS_S or row[1:] in SAMPLED


def refreshes(tallies: Sequence[Tally], memory_mb: dict[str, int]) -> list[Refresh]:
    """What was asked so in any of some jobs, and the sampled; `memory_mb` of each function."""
    found = []
    for operation, _ in SAMPLED:
        reads, writes = (1, 0) if operation.endswith("Query") else (0, 1)
        share = 1 / figures.EVERY
        found.append(Refresh(WAITING, operation, 0, share, reads * share, writes * share, memory_mb[WAITING]))
    for row in sorted({row for tally in tallies for row in tally if row[1:] in PERIODS_S}):
        seen = [tally[row] for tally in tallies if row in tally]
        asked = sum(each["count"] for each in seen)
        count = median_low(each["count"] for each in seen)
        units = {name: count * sum(each[name] for each in seen) / asked for name in ("reads", "writes")}
        found.append(Refresh(row[0], row[1], PERIODS_S[row[1:]], count, **units, memory_mb=memory_mb[row[0]]))
    return found


def due(a_second: float, busy_s: float, period_s: float) -> float:
    """The share of invocations that find something due, for a function that is invoked `a_second` for `busy_s` each.

    Its processes are those that are busy, and one; each is invoked at random, so a period begins with an invocation
    that refreshes, and has as many more as come in it.
    """
    processes = 1 + a_second * busy_s
    return 1 / (1 + a_second / processes * period_s)


def with_refreshes(job: Job, some: Sequence[Refresh], prices: PriceList, traffic: Traffic, model_s: float) -> Job:
    """A job at some traffic: with its share of what is due."""
    functions, reads, writes = dict(job.functions), job.reads, job.writes
    for each in some:
        function = functions.get(each.function) or Function(each.memory_mb, 0)
        known = job.functions.get(each.function) or Function(each.memory_mb, job.api_requests)
        a_second = known.invocations * traffic.jobs_per_month / SECONDS_A_MONTH
        busy_s = billed_ms(known, prices, model_s if each.function == WAITING else 0) / 1000 / known.invocations
        share, invoked = due(a_second, busy_s, each.period_s), 0.0
        if each.function == AUTHORIZER:
            share, invoked = share * known.invocations, each.count
        functions[each.function] = function.plus(Function(0, invoked, {each.operation: each.count}), share)
        reads, writes = reads + share * each.reads, writes + share * each.writes
    return replace(job, functions=functions, reads=reads, writes=writes)
