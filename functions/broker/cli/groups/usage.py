"""`broker usage`: what jobs used and cost, and providers' bills that are held against the calls on record."""

import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from broker.cli.command import group, reads
from broker.cli.shell import Shell
from broker.cli.shown import NotSucceeded, Shown, rows
from broker.errors import InvalidRequest

if TYPE_CHECKING:
    from broker.cli.reconciling.records import Bill, Called

MARGIN_MS = 3_600_000
"""Around the time of a file, so that calls which its provider counts in it are read, whatever their clocks say."""

app = group(
    "What jobs used and cost, calls on record, and providers' bills that are held against them.", implied="list"
)

Since = Annotated[str, Option("--from", metavar="TIME", help="Calls from then on, such as 2026-11-01 (UTC).")]
Until = Annotated[str, Option("--to", metavar="TIME", help="And before then.")]
MaybeSince = Annotated[str | None, Option("--from", metavar="TIME", help="Calls from then on; as the file has them.")]
MaybeUntil = Annotated[str | None, Option("--to", metavar="TIME", help="And before then.")]


@reads(app, "list")
def list_usage(
    shell: Shell,
    first: Annotated[str | None, Option("--from", metavar="DAY", help="Such as 2026-12-01.")] = None,
    last: Annotated[str | None, Option("--to", metavar="DAY", help="Today when left out.")] = None,
    by: Annotated[str | None, Option(help="By day and this, such as model; by month and model when left out.")] = None,
) -> Shown:
    """List usage by month and model, or by what the tenant has counted."""
    found = list(shell.api.pages("/usage", {"from": first, "to": last, "by": by}, None))
    names = list(dict.fromkeys(name for row in found for name in row))
    return rows(found, {name: partial(_told, name) for name in names})


@reads(app)
def calls(
    shell: Shell,
    first: Since,
    last: Until,
    tenant: Annotated[list[str] | None, Option(help="Of this tenant alone; may be repeated.")] = None,
) -> None:
    """Print each call of a model on record, as a line of JSON."""
    from broker.cli.reconciling.records import moment

    begin, end = moment(first), moment(last)
    _check_span(begin, end)
    for each in _recorded(shell, begin, end, tenant):
        print(json.dumps(each.to_line(), ensure_ascii=True))


@reads(app)
def reconcile(
    shell: Shell,
    path: Annotated[Path, Argument(metavar="FILE", help="A provider's usage or costs.")],
    calls: Annotated[Path | None, Option(metavar="FILE", help="Calls that `broker usage calls` wrote.")] = None,
    first: MaybeSince = None,
    last: MaybeUntil = None,
    provider: Annotated[list[str] | None, Option(help="Compare calls of this registered provider alone.")] = None,
    model: Annotated[
        list[str] | None, Option(metavar="NAME=MODEL", help="What the file calls a model of that name.")
    ] = None,
    tolerance: Annotated[
        str | None, Option(metavar="USD", help="By which a charge may differ; 0.000001 unless said.")
    ] = None,
) -> Shown:
    """Hold a provider's bill against the calls on record."""
    from broker.cli.reconciling import files, recorded, telling
    from broker.cli.reconciling.comparing import TOLERANCE, compare_calls
    from broker.cli.reconciling.records import moment, nano
    from broker.cli.reconciling.sums import compare_sums

    bill = _renamed(files.read(path), model or [])
    said = {name: moment(text) for name, text in (("first", first), ("last", last)) if text}
    begin, end = _span(bill, said.get("first"), said.get("last"))
    ours: Iterable[Called] = (
        recorded.of_file(calls) if calls else _recorded(shell, begin - MARGIN_MS, end + MARGIN_MS, None)
    )
    providers = tuple(provider or bill.providers)
    found = [each for each in ours if not providers or each.provider in providers]
    most = TOLERANCE if tolerance is None else nano(tolerance)
    if bill.sums:
        comparison = compare_sums(found, bill.sums, tolerance=most)
    else:
        comparison = compare_calls(found, bill.calls, tolerance=most, **said)
    shown = Shown(comparison.shown() | {"form": bill.form}, telling.text(bill, comparison, begin, end))
    if comparison.findings:
        raise NotSucceeded(shown)
    return shown


def _recorded(shell: Shell, first: int, last: int, tenants: Sequence[str] | None) -> Iterable["Called"]:
    from broker.cli.reconciling import recorded

    every = tenants or sorted(shell.registry.all("tenants"))
    return recorded.of_tenants(shell.tables, every, recorded.Names(shell.registry), first, last)


def _span(bill: "Bill", first: int | None, last: int | None) -> tuple[int, int]:
    """From when to when calls are compared: as said, or as the file has them."""
    begins = [each.starts_at for each in bill.sums] + [each.at for each in bill.calls if each.at is not None]
    ends = [each.ends_at for each in bill.sums] + [each.at + 1 for each in bill.calls if each.at is not None]
    if not begins and None in (first, last):
        raise InvalidRequest("The file says no time: say --from and --to.", param="from")
    begin = min(begins) if first is None else first
    end = max(ends) if last is None else last
    _check_span(begin, end)
    return begin, end


def _check_span(first: int, last: int) -> None:
    if first >= last:
        raise InvalidRequest("--from is before --to.", param="from")


def _renamed(bill: "Bill", said: Sequence[str]) -> "Bill":
    """The bill with models by the names that requests have for them.

    AWS's report names kinds of use and no models: unless it is said what is what, all of it is one sum.
    """
    from dataclasses import replace

    named = dict(_pair(each) for each in said)
    if bill.form == "aws_cur" and not named:
        return replace(bill, sums=tuple(replace(each, name=None) for each in bill.sums))
    sums = tuple(replace(each, name=named.get(each.name, each.name) if each.name else None) for each in bill.sums)
    calls = tuple(replace(each, name=named.get(each.name, each.name)) for each in bill.calls)
    return replace(bill, sums=sums, calls=calls)


def _pair(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"(.+)=([^=]+)", text)
    if not found:
        raise InvalidRequest(f"{text!r} is no name; write NAME=MODEL.", param="model")
    return found[1], found[2]


def _told(name: str, row: dict[str, Any]) -> str:
    """A figure by its name, which a line without titles needs."""
    value = row.get(name)
    return "" if value is None else f"{name} {value}"
