"""More jobs than Lambda lets run at once, in virtual time: what becomes of them, how long they wait, what that costs.

The simulation (`tests/unit/overload_case.py`) runs dispatch, the in-flight bound, settling and the sweep themselves,
with the workflow's own retriers, the template's readers and a Lambda that throttles. Steps take 0.1 s, and nothing else
runs in the account. Dollars are those of the price list, for what a job takes beside a job that finds room at once.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from bench.figures import percentile
from bench.pricing import MILLION, Function, PriceList, billed_ms
from bench.tables import Cell, keep, show, table
from tests.fakes.world import HOUR, MINUTE, SECOND
from tests.unit.overload_case import Arrival, Overload

PLAIN_REVISIONS = 3
"""Of a head: it was accepted, asked a model, and ended."""

CHANGE_UNITS = 3
"""Write units of a further change of a head that moves it in the index of what is due."""

DISPATCH_MB = 256


def spread(
    number: int, within_s: float, model_s: int, tenant: str = "acme", lane: str = "interactive"
) -> list[Arrival]:
    """Jobs that come evenly within some seconds."""
    return [Arrival(round(each * within_s * SECOND / number), model_s * SECOND, tenant, lane) for each in range(number)]


LOADS: dict[str, tuple[int, list[Arrival]]] = {
    "20 jobs at once, model 10 s": (10, spread(20, 0, 10)),
    "30 jobs in 10 s, model 5 s": (10, spread(30, 10, 5)),
    "a file of 100 lines, model 5 s": (10, spread(100, 1, 5, lane="bulk")),
    "burst of 2,000, model 30 s": (1_000, spread(2_000, 0, 30)),
    "a file of 10,000 lines at 100 a second, model 30 s": (1_000, spread(10_000, 100, 30, lane="bulk")),
    "40 jobs a second for 10 min, model 30 s": (1_000, spread(24_000, 600, 30)),
}
"""How many functions may run at once, and the jobs that come."""

CROWDED = "crowded"
FLOODS: dict[str, tuple[int, list[Arrival]]] = {
    "2,000 jobs of 60 s by another tenant": (10, spread(2_000, 10, 60, CROWDED) + spread(30, 600, 3, "quiet")),
    "10,000 jobs of 60 s by another tenant": (1_000, spread(10_000, 10, 60, CROWDED) + spread(300, 600, 3, "quiet")),
}
"""The same beside one tenant with much to do: how long one waits that has little."""


def run() -> int:
    """Simulate, print and keep; gives the exit status: 1 where a job did not succeed, or was called for twice."""
    with ProcessPoolExecutor() as pool:
        found, waits = pool.map(_load, LOADS), pool.map(_flood, FLOODS)
        loads, floods = list(found), list(waits)
    show(table("More jobs than may run at once, simulated", _HEADS, [load.row for load in loads], 2))
    show(table("Seconds that a tenant's own jobs wait for their model", _WAITS, floods, 1))
    keep("waiting", {"rows": [load.row for load in loads], "waits": floods})
    return 0 if all(load.good for load in loads) else 1


class Row(NamedTuple):
    """What became of a load."""

    row: list[Cell]
    good: bool
    """All succeeded within an hour, and no call was made twice."""


_HEADS = ["load", "at once", "jobs", "succeeded", "called twice", "min 50 %", "min last", "runs more", "throttled"]
_HEADS += ["$ more a million"]
_WAITS = ["beside", "at once", "jobs", "50 %", "95 %", "most"]


def _load(name: str) -> Row:
    concurrency, arrivals = LOADS[name]
    overload = Overload(concurrency, arrivals)
    heads = overload.run(2 * HOUR)
    succeeded = sum(head.status.value == "succeeded" and (head.ended_at or 0) <= head.deadline_at for head in heads)
    twice = sum(len(head.calls) > 1 for head in heads)
    minutes = [((head.ended_at or 0) - head.created_at) / MINUTE for head in heads]
    throttled = sum(number for what, number in overload.throttles.items() if what not in ("dispatch", "sweep"))
    row: list[Cell] = [name, concurrency, len(heads), succeeded, twice, percentile(minutes, 50), max(minutes)]
    row += [overload.starts - len(heads), throttled, _dollars(overload, heads, PriceList.load())]
    print(f"  simulated: {name}", file=sys.stderr)
    return Row(row, succeeded == len(heads) and not twice)


def _flood(name: str) -> list[Cell]:
    concurrency, arrivals = FLOODS[name]
    overload = Overload(concurrency, arrivals)
    overload.run(11 * MINUTE)
    seconds = [wait / SECOND for wait in overload.waits_ms("quiet")]
    print(f"  simulated: {name}", file=sys.stderr)
    return [name, concurrency, len(seconds), percentile(seconds, 50), percentile(seconds, 95), max(seconds)]


def _dollars(overload: Overload, heads: Sequence[Any], prices: PriceList) -> float:
    """What a million such jobs cost more than a million that find room at once."""
    usd, asked = prices.usd, overload.metered
    # A batch that is left is sent again, received again and deleted.
    queue = overload.sent_again * 3 * usd["sqs_request"]
    changes = sum(max(0, head.rev - PLAIN_REVISIONS) for head in heads)
    tables = asked.reads * usd["dynamodb_read"] + (asked.writes + CHANGE_UNITS * changes) * usd["dynamodb_write"]
    each = Function(DISPATCH_MB, 1, {"sqs.SendMessageBatch": 1})
    seconds = billed_ms(each, prices) / 1000
    invoked = usd["lambda_request"] + seconds * DISPATCH_MB / 1024 * usd["lambda_gb_s"]
    return float((queue + tables + overload.sent_again * invoked) * MILLION / len(heads))
