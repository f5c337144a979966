"""What jobs cost, line by line, by the million and by the month, and which quota binds first."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from statistics import mean
from typing import Any

from bench import counting, gates, polls, quotas
from bench.counting import Counted
from bench.monthly import busy, exceeded, idle
from bench.pricing import MILLION, Job, Line, PriceList, Traffic, bill, billed_ms, cpu_ms, standard, summed
from bench.refreshing import with_refreshes
from bench.runs import ON_REQUEST, PROSE
from bench.stack import Bench
from bench.tables import Cell, Table, keep, markdown, show, table

BUDGET = {3.0: (40, 25, 549), 30.0: (110, 60, 729)}
"""Seconds of model time: the design's budget for a million jobs, its aim, and its (quoted) figure for a naive one."""

SAID = """
Counted on the emulator, one job at a time, {jobs} jobs of 2 KB in and out, a submit and a poll after the end: requests,
units, bytes, invocations and states. What the emulator's clock says is in none of these figures.
Computed: a function's time = CPU by its invocations and requests * 1769 MB / MemorySize + requests * assumed latency;
all of prices.json, as of {as_of}. Added by arithmetic: the model's seconds, to invoke_model and to the workflow.
Left out: cold starts."""


def run(bench: Bench, rounds: int, traffic: Traffic, seconds: list[float], *, plain_markdown: bool) -> int:
    """Count, print and keep; gives the exit status, which is 1 where a job takes more than `gates.MOST`."""
    print(f"price: {rounds} jobs of each text, one at a time …", file=sys.stderr)
    prices = PriceList.load()
    counted = counting.count(bench, rounds, lambda line: print(line, file=sys.stderr))
    found = list(priced(counted, prices, traffic, seconds))
    if plain_markdown:
        show("\n\n".join(markdown(*each) for each in found))
    else:
        for each in [_requests(counted), _functions(counted, prices), *found]:
            show(table(*each))
        _say(counted, prices, traffic, seconds)
    too_much = gates.exceeded(counted.job)
    for name in too_much:
        number = gates.taken(counted.job)[name]
        print(f"TOO MUCH: {name}, {number:.2f} a job, {gates.MOST[name]} at most", file=sys.stderr)
    for name in (by_the_clock := exceeded(counted.clock, prices)):
        print(f"TOO MUCH: {name} by the clock, {counted.clock[name]}", file=sys.stderr)
    keep("price", {"as_of": prices.as_of, "traffic": asdict(traffic), **_facts(counted)})
    return int(bool(too_much or by_the_clock))


def _facts(counted: Counted) -> dict[str, Any]:
    return {
        "taken": gates.taken(counted.job),
        "job": asdict(counted.job),
        "poll": asdict(counted.poll),
        "large": asdict(counted.large),
        "spared": {name: asdict(job) for name, job in counted.spared.items()},
        "states": counted.states,
        "clock": {name: asdict(run) for name, run in counted.clock.items()},
        "table_users": counted.table_users,
        "requests": [
            dict(zip(("function", "operation", "target"), row, strict=True)) | measured
            for row, measured in counted.requests.items()
        ],
    }


def priced(counted: Counted, prices: PriceList, traffic: Traffic, seconds: list[float]) -> Iterator[Table]:
    """The tables that the documentation holds."""
    yield _taken(counted)
    bills = [bill(at(counted, prices, traffic, each), prices, traffic, each) for each in seconds]
    yield _bill(bills, [less(counted, ON_REQUEST, prices, traffic, each) for each in seconds], seconds, traffic)
    yield _month(counted, bills, seconds, prices, traffic)
    yield _apart(counted, prices, traffic, seconds)
    yield _quotas(counted, prices, seconds)


def at(counted: Counted, prices: PriceList, traffic: Traffic, model_s: float) -> Job:
    """A job as it is at some traffic."""
    job = counted.job.with_polls(counted.poll, traffic.polls - 1)
    return with_refreshes(job, counted.refreshes, prices, traffic, model_s)


def less(counted: Counted, name: str, prices: PriceList, traffic: Traffic, model_s: float) -> float:
    """Dollars by which a million jobs of prose cost more where they do without something: a negative number."""
    without, plain = (bill(each, prices, traffic, model_s) for each in (counted.spared[name], counted.by_text[PROSE]))
    return summed(without) - summed(plain)


def _heads(seconds: list[float]) -> list[str]:
    return [f"{each:g} s" for each in seconds]


def _requests(counted: Counted) -> Table:
    measures = ("count", "reads", "writes", "bytes_in")
    rows: list[list[Cell]] = [[*row, *(each[name] for name in measures)] for row, each in counted.requests.items()]
    total = [sum(each[name] for each in counted.requests.values()) for name in measures]
    heads = ["function", "operation", "of", "requests", "read units", "write units", "bytes sent"]
    return Table("AWS requests of one job", heads, [*rows, ["all", "", "", *total]], 2)


def _functions(counted: Counted, prices: PriceList) -> Table:
    rows: list[list[Cell]] = []
    for name, each in counted.job.functions.items():
        asked = sum(each.requests.values())
        computed = (cpu_ms(each, prices), billed_ms(each, prices))
        rows.append([name, each.memory_mb, each.invocations, asked, *computed, each.log_bytes])
    total = [sum(float(row[column] or 0) for row in rows) for column in range(2, 7)]
    heads = ["function", "MB", "invocations", "requests", "CPU ms (computed)", "billed ms (computed)", "log bytes"]
    return Table("Functions, for one job", heads, [*rows, ["all", None, *total]])


def _taken(counted: Counted) -> Table:
    """By text, with the mean; its range is in the rows."""
    kinds = {kind: gates.taken(job) for kind, job in counted.by_text.items()}
    rows: list[list[Cell]] = []
    for name, most in gates.MOST.items():
        each = [float(taken[name]) for taken in kinds.values()]
        rows.append([name, *each, mean(each), float(most)])
    return Table("What one job takes", ["", *kinds, "mean", "at most"], rows, 1)


def _bill(bills: list[list[Line]], on_request: list[float], seconds: list[float], traffic: Traffic) -> Table:
    rows: list[list[Cell]] = []
    for lines in zip(*bills, strict=True):
        quantities = dict.fromkeys(f"{line.quantity:.4g} {line.unit}".strip() for line in lines)
        rows.append([lines[0].name, ", ".join(quantities), *(line.usd for line in lines)])
    rows.append(["**together**", "", *(summed(lines) for lines in bills)])
    quiet = [summed(lines) + change for lines, change in zip(bills, on_request, strict=True)]
    rows.append([f"**with {ON_REQUEST}**", "", *quiet])
    title = f"$ per million jobs, of {traffic.jobs_per_month:,.0f} a month (polls of each: {traffic.polls:g})"
    return Table(title, ["", "for one job", *_heads(seconds)], rows, 2)


def _month(
    counted: Counted, bills: list[list[Line]], seconds: list[float], prices: PriceList, traffic: Traffic
) -> Table:
    lines = busy(prices, traffic, counted.table_users)
    fixed = summed(idle(prices)) + summed(lines)
    rows: list[list[Cell]] = [["without a job", "", summed(idle(prices))]]
    rows += [[line.name, f"{line.quantity:,.0f} {line.unit}".strip(), line.usd] for line in lines]
    for each, one in zip(seconds, bills, strict=True):
        whole = fixed + round(summed(one) * traffic.jobs_per_month / MILLION, 2)
        rows.append([f"**with {traffic.jobs_per_month:,.0f} jobs of {each:g} s**", "", whole])
    return Table("$ a month, with jobs", ["", "", "$"], rows, 2)


def _apart(counted: Counted, prices: PriceList, traffic: Traffic, seconds: list[float]) -> Table:
    job, poll, rows = counted.job, counted.poll, list[list[Cell]]()
    rows.append(["one poll more", *(polls.further(job, poll, 1, prices, traffic, each) for each in seconds)])
    asked = [polls.each_second(job, prices, each) for each in seconds]
    name = f"a poll each second ({' and '.join(f'{number}' for number in asked)} more)"
    pairs = list(zip(asked, seconds, strict=True))
    rows.append([name, *(polls.further(job, poll, number, prices, traffic, each) for number, each in pairs)])
    rows.append(["a connection that is held open", *(polls.long_poll(job, prices, each) for each in seconds)])
    plain, large, express = [], [], []
    for each in seconds:
        lines = bill(job, prices, traffic, each)
        plain.append(summed(lines))
        large.append(summed(bill(counted.large, prices, traffic, each)))
        express.append(sum(line.usd for line in lines if line.name.startswith("Express workflow")))
    more = [one - other for one, other in zip(large, plain, strict=True)]
    rows.append(["a prompt of 600 KB, which goes to the bucket", *more])
    rows.append(["a Standard workflow", *(standard(job, prices) - each for each in express)])
    for name in counted.spared:
        rows.append([name, *(less(counted, name, prices, traffic, each) for each in seconds)])
    return Table("$ more per million jobs", ["", *_heads(seconds)], rows, 2)


def _quotas(counted: Counted, prices: PriceList, seconds: list[float]) -> Table:
    tables = [{quota.name: quota for quota in quotas.quotas(counted.job, prices, each)} for each in seconds]
    rows: list[list[Cell]] = [
        [quota.name, f"{quota.limit:,.0f}", *(f"{each[quota.name].jobs_s:,.0f}" for each in tables), quota.note]
        for quota in tables[0].values()
    ]
    return Table("Jobs a second at default quotas", ["quota", "a second", *_heads(seconds), "of what"], rows)


def _say(counted: Counted, prices: PriceList, traffic: Traffic, seconds: list[float]) -> None:
    show(f"\nstates entered: {len(counted.states)} ({' → '.join(counted.states)})")
    for each in seconds:
        job = at(counted, prices, traffic, each)
        total = summed(bill(job, prices, traffic, each))
        anew = gates.taken(job)["AWS requests"] - gates.taken(counted.job)["AWS requests"]
        show(f"\n{each:g} s: {anew:.1f} requests a job are of what processes keep in memory, at this traffic")
        if each in BUDGET:
            budget, aim, naive = BUDGET[each]
            verdict = "aim met" if total <= aim else "within the budget" if total <= budget else "OVER THE BUDGET"
            show(
                f"{each:g} s: {total:.2f} $ (budget {budget}, aim {aim}): {verdict}. A naive design: {naive} $, quoted."
            )
        first = quotas.binding(quotas.quotas(counted.job, prices, each))
        show(f"{each:g} s: {first.name} binds, at {first.jobs_s:,.0f} jobs a second")
    show(SAID.format(jobs=counted.jobs, as_of=prices.as_of))
