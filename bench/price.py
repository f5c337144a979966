"""What a million jobs cost, line by line, and which quota binds first."""

from dataclasses import asdict
from typing import Any

from bench import counting, quotas
from bench.counting import Counted
from bench.pricing import PriceList, bill, billed_ms, express_ms, idle, long_poll, standard
from bench.stack import Bench
from bench.tables import Cell, keep, show, table

BUDGET = {3.0: (40, 25, 549), 30.0: (110, 60, 729)}
"""Seconds of model time: the design's budget, its aim, and its figure for a naive design (quoted, not measured)."""

CPU_BUDGET_MS, CPU_AIM_MS = 11.0, 5.5
"""Of all handlers for one job."""

SAID = """
Measured on the emulator, one job at a time, {jobs} jobs of 2 KB in and out, submit and one poll after the end:
AWS requests, DynamoDB units, events and log bytes from the emulator's side; CPU time of the function processes from
the kernel; the workflow's states from a Standard run of the same definition.
Computed: billed time = CPU * 1769 MB / MemorySize + AWS requests * assumed latency (prices.json, as of {as_of}).
Added by arithmetic: the model's seconds, to invoke_model and to the Express workflow. Not in the table: cold starts,
webhooks, the part of a poll that waits (shown apart)."""


def run(bench: Bench, jobs: int) -> None:
    """Count, print and keep."""
    show(f"\nprice: {jobs} jobs, one at a time …")
    prices = PriceList.load()
    counted = counting.count(bench, jobs, lambda line: None)
    _show_requests(counted)
    _show_functions(counted, prices)
    results: dict[str, Any] = {"job": asdict(counted.job), "states": counted.states, "as_of": prices.as_of}
    results["requests"] = [
        {"function": row[0], "operation": row[1], "target": row[2], **each} for row, each in counted.requests.items()
    ]
    results["bill"] = _show_bill(counted, prices)
    results["quotas"] = _show_quotas(counted, prices)
    keep("price", results)


def _show_requests(counted: Counted) -> None:
    rows: list[list[Cell]] = [
        [*row, each["count"], each["reads"], each["writes"]] for row, each in counted.requests.items()
    ]
    total = [sum(each[name] for each in counted.requests.values()) for name in ("count", "reads", "writes")]
    heads = ["function", "operation", "of", "requests", "read units", "write units"]
    show(table("AWS requests of one job", heads, [*rows, ["all", "", "", *total]]))
    show(f"\nstates entered: {len(counted.states)} ({' → '.join(counted.states)})")


def _show_functions(counted: Counted, prices: PriceList) -> None:
    rows: list[list[Cell]] = []
    for name, each in counted.job.functions.items():
        wall = counted.logs[name].wall_ms / counted.jobs
        rows.append(
            [name, each.memory_mb, each.invocations, each.cpu_ms, wall, billed_ms(each, prices), each.log_bytes]
        )
    total = [sum(float(row[column] or 0) for row in rows) for column in range(2, 7)]
    heads = ["function", "MB", "invocations", "CPU ms", "wall ms here", "billed ms (computed)", "log bytes"]
    show(table("Functions, for one job", heads, [*rows, ["all", None, *total]]))
    cpu = total[1]
    verdict = "aim met" if cpu <= CPU_AIM_MS else "within the budget" if cpu <= CPU_BUDGET_MS else "MISSED"
    show(f"\nCPU of all handlers: {cpu:.1f} ms a job (budget {CPU_BUDGET_MS:.0f}, aim {CPU_AIM_MS}): {verdict}")


def _show_bill(counted: Counted, prices: PriceList) -> dict[str, Any]:
    bills = {seconds: bill(counted.job, prices, seconds) for seconds in BUDGET}
    totals = {seconds: sum(line.usd for line in lines) for seconds, lines in bills.items()}
    rows: list[list[Cell]] = []
    for place, line in enumerate(bills[3.0]):
        each = [bills[seconds][place].usd for seconds in BUDGET]
        quantity = f"{bills[3.0][place].quantity:.4g} {line.unit}".strip()
        rows.append([line.name, quantity, *each])
    rows.append(["all", "", *totals.values()])
    show(table("US dollars for a million jobs", ["", "for one job at 3 s", "3 s", "30 s"], rows, decimals=2))
    results: dict[str, Any] = {}
    for seconds, (budget, aim, naive) in BUDGET.items():
        total = totals[seconds]
        most = max(bills[seconds], key=lambda line: line.usd)
        verdict = "aim met" if total <= aim else "within the budget" if total <= budget else "OVER THE BUDGET"
        show(
            f"\n{seconds:.0f} s: {total:.2f} $ (budget {budget}, aim {aim}): {verdict}. Most of it: {most.name}, "
            f"{most.usd:.2f} $. A naive design, quoted from the design: {naive} $."
        )
        apart = long_poll(counted.job, prices, seconds)
        express = next(line.usd for line in bills[seconds] if line.name == "Express workflow duration") + 1
        show(f"  a client that holds a long poll open all the while: {apart:.2f} $ more")
        show(f"  as Standard workflow: {standard(counted.job, prices) - express:+.2f} $")
        lines = [asdict(line) for line in bills[seconds]]
        took = express_ms(counted.job, prices, seconds)
        results[f"{seconds:.0f}s"] = {"lines": lines, "total": total, "long_poll": apart, "express_ms": took}
    for line in idle(counted.job, prices):
        show(f"apart, for a month without jobs: {line.name}, {line.usd:.2f} $")
    show(SAID.format(jobs=counted.jobs, as_of=prices.as_of))
    return results


def _show_quotas(counted: Counted, prices: PriceList) -> dict[str, Any]:
    found: dict[str, Any] = {}
    tables = {seconds: quotas.quotas(counted.job, prices, seconds) for seconds in BUDGET}
    other = {quota.name: quota for quota in tables[30.0]}
    rows: list[list[Cell]] = [[q.name, q.limit, q.jobs_s, other[q.name].jobs_s, f"  {q.note}"] for q in tables[3.0]]
    show(table("Jobs a second at default quotas", ["quota", "a second", "at 3 s", "at 30 s", ""], rows))
    for seconds, each in tables.items():
        first = quotas.binding(each)
        show(f"{seconds:.0f} s of model time: {first.name} binds, at {first.jobs_s:,.0f} jobs a second")
        found[f"{seconds:.0f}s"] = {"binds": first.name, "jobs_s": {quota.name: quota.jobs_s for quota in each}}
    return found
