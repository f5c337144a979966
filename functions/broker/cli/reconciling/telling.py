"""A comparison in words, for people."""

from collections import Counter

from broker.cli.printable import on_one_line
from broker.cli.reconciling.findings import MEANS, Comparison, Finding
from broker.cli.reconciling.records import Bill
from broker.clock import NANO, iso

MOST_SHOWN = 200
"""Findings that are told so; as JSON there are all."""


def text(bill: Bill, comparison: Comparison, first: int, last: int) -> str:
    """What was compared, how much of each there is, and each finding."""
    what = "calls" if comparison.compared == "calls" else "sums (a missing and a doubled call may even out)"
    counts = Counter(each.kind for each in comparison.findings)
    lines = [f"{bill.form}, {iso(first)} to {iso(last)}, compared by {what}", f"{comparison.matched:>8}  matched"]
    lines += [f"{counts[kind]:>8}  {kind}: {means}" for kind, means in MEANS.items() if counts[kind]]
    charged = "the file has no amounts" if comparison.charged is None else f"{comparison.charged / NANO:.6f} $ charged"
    lines.append(f"{comparison.on_record / NANO:.6f} $ on record, {charged}")
    lines += map(_line, comparison.findings[:MOST_SHOWN])
    if len(comparison.findings) > MOST_SHOWN:
        lines.append(f"… and {len(comparison.findings) - MOST_SHOWN} more; --json has all")
    return "\n".join(lines)


def _line(found: Finding) -> str:
    parts: list[str] = [found.kind]
    if found.call:
        parts += [found.call.tenant, found.call.job, found.call.call, found.call.model]
    if found.charge:
        parts.append(f"line {found.charge.place}")
        parts += [found.charge.name] if not found.call else []
    if found.span:
        parts += [f"{iso(found.span[0])}/{iso(found.span[1])}", found.span[2] or "all models"]
    for what, amount in (("on record", found.on_record), ("charged", found.charged)):
        parts += [f"{what} {amount / NANO:.9f} $"] if amount is not None else []
    return on_one_line("  ".join([*parts, found.why]).rstrip())
