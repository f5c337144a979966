"""`broker reconcile FILE` and `broker usage calls`."""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from broker.cli.asking import NotSucceeded
from broker.cli.printable import as_json, on_one_line
from broker.cli.reconciling import files, recorded
from broker.cli.reconciling.comparing import TOLERANCE, compare_calls
from broker.cli.reconciling.findings import MEANS, Comparison, Finding
from broker.cli.reconciling.records import Bill, Called, moment, nano
from broker.cli.reconciling.sums import compare_sums
from broker.cli.shell import Shell
from broker.cli.stack import tables_of
from broker.clock import NANO, iso
from broker.errors import InvalidRequest

MARGIN_MS = 3_600_000
"""Around the time of a file, so that calls which its provider counts in it are read, whatever their clocks say."""

MOST_SHOWN = 200
"""Findings that are printed for people; `--json` has all."""


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of `broker reconcile`."""
    command.add_argument("path", metavar="FILE", type=Path, help="a provider's usage or costs (docs/reconciling.md)")
    command.add_argument("--calls", type=Path, metavar="FILE", help="calls that `broker usage calls` wrote")
    _add_span(command, needed=False)
    command.add_argument("--provider", action="append", help="compare calls of this registered provider alone")
    command.add_argument(
        "--model", action="append", default=[], metavar="NAME=MODEL", help="what the file calls a model of that name"
    )
    command.add_argument("--tolerance", metavar="USD", help="by which a charge may differ; 0.000001 unless said")
    command.add_argument("--json", action="store_true", help="print all findings as JSON")


def add_calls(command: argparse.ArgumentParser) -> None:
    """The arguments of `broker usage calls`."""
    _add_span(command, needed=True)
    command.add_argument("--tenant", action="append", help="of this tenant alone; may be repeated")


def _add_span(command: argparse.ArgumentParser, *, needed: bool) -> None:
    command.add_argument("--from", dest="first", metavar="TIME", required=needed, help="calls from then on (UTC)")
    command.add_argument("--to", dest="last", metavar="TIME", required=needed, help="and before then")


def calls(shell: Shell) -> str:
    """`broker usage calls`: a line of JSON for each call on record."""
    options = shell.options
    first, last = moment(options.first), moment(options.last)
    _check_span(first, last)
    for each in _recorded(shell, first, last, options.tenant):
        print(json.dumps(each.to_line(), ensure_ascii=True))
    return ""


def reconcile(shell: Shell) -> str:
    """`broker reconcile`.

    Raises:
        NotSucceeded: there is something to look at.
    """
    options = shell.options
    bill = _renamed(files.read(options.path), options.model)
    first, last = _span(bill, options)
    if options.calls:
        ours: Iterable[Called] = recorded.of_file(options.calls)
    else:
        ours = _recorded(shell, first - MARGIN_MS, last + MARGIN_MS, None)
    providers = tuple(options.provider or bill.providers)
    found = [each for each in ours if not providers or each.provider in providers]
    tolerance = TOLERANCE if options.tolerance is None else nano(options.tolerance, NANO)
    if bill.sums:
        comparison = compare_sums(found, bill.sums, tolerance=tolerance)
    else:
        said = {name: moment(value) for name in ("first", "last") if (value := getattr(options, name))}
        comparison = compare_calls(found, bill.calls, tolerance=tolerance, **said)
    text = as_json(comparison.shown() | {"form": bill.form}) if options.json else _text(bill, comparison, first, last)
    if comparison.findings:
        raise NotSucceeded(text)
    return text


def _recorded(shell: Shell, first: int, last: int, tenants: Sequence[str] | None) -> Iterable[Called]:
    tables, registry = tables_of(shell.session, shell.outputs), shell.registry
    every = tenants or sorted(registry.all("tenants"))
    return recorded.of_tenants(tables, every, recorded.Names(registry), first, last)


def _span(bill: Bill, options: argparse.Namespace) -> tuple[int, int]:
    """From when to when calls are compared: as said, or as the file has them."""
    begins = [each.starts_at for each in bill.sums] + [each.at for each in bill.calls if each.at is not None]
    ends = [each.ends_at for each in bill.sums] + [each.at + 1 for each in bill.calls if each.at is not None]
    said = [moment(text) if text else None for text in (options.first, options.last)]
    if not begins and None in said:
        raise InvalidRequest("The file says no time: say --from and --to.", param="from")
    first = min(begins) if said[0] is None else said[0]
    last = max(ends) if said[1] is None else said[1]
    _check_span(first, last)
    return first, last


def _check_span(first: int, last: int) -> None:
    if first >= last:
        raise InvalidRequest("--from is before --to.", param="from")


def _renamed(bill: Bill, said: Sequence[str]) -> Bill:
    """The bill with models by the names that requests have for them.

    AWS's report names kinds of use and no models: unless it is said what is what, all of it is one sum.
    """
    named = dict(_pair(each) for each in said)
    if bill.form == "aws_cur" and not named:
        return replace(bill, sums=tuple(replace(each, name=None) for each in bill.sums))
    sums = tuple(replace(each, name=named.get(each.name, each.name) if each.name else None) for each in bill.sums)
    return replace(
        bill, sums=sums, calls=tuple(replace(each, name=named.get(each.name, each.name)) for each in bill.calls)
    )


def _pair(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"(.+)=([^=]+)", text)
    if not found:
        raise InvalidRequest(f"{text!r} is no name; write NAME=MODEL.", param="model")
    return found[1], found[2]


def _text(bill: Bill, comparison: Comparison, first: int, last: int) -> str:
    """For people: what was compared, how much of each there is, and each finding."""
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
