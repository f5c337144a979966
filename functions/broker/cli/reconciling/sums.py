"""Charges for all calls of a time, held against the sums of the calls on record.

Only sums can be compared: a call that is missing and another that is doubled are not to be seen, where both cost the
same. When a provider counts a call, nobody says: one that began in an hour and ended in the next may be in either, and
one of which nobody knows whether it was paid for may be there or not. So what is on record is a range.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from broker.cli.reconciling.comparing import TOLERANCE
from broker.cli.reconciling.findings import Comparison, Finding, Kind
from broker.cli.reconciling.records import Called, Summed, is_model

CLOCKS_MS = 2_000
"""By how much a provider's clock may differ from ours."""

COUNTED = ("requests", "input_tokens", "output_tokens", "nusd")


@dataclass(slots=True)
class Range:
    """How much there is at least, and what there may be beyond it."""

    sure: int = 0
    perhaps: int = 0

    def compared(self, charged: int, tolerance: int) -> Kind | None:
        """What a charge is to it; None for one within it."""
        if charged < self.sure - tolerance:
            return "less"
        return "more" if charged > self.sure + self.perhaps + tolerance else None


def compare_sums(ours: Sequence[Called], theirs: Sequence[Summed], *, tolerance: int = TOLERANCE) -> Comparison:
    """Compare all of it; see `comparing.compare_calls`. Calls of times that the file does not have are left out."""
    matched, findings = 0, []
    for each, known in _with_empty(ours, _added_up(theirs)):
        found = _difference(each, known, tolerance)
        findings += [found] if found else []
        matched += found is None
    spans = {(each.starts_at, each.ends_at) for each in theirs}
    paid = [each for each in ours if each.paid == "yes" and any(first <= each.started_at < end for first, end in spans)]
    amounts = [each.nusd for each in theirs if each.nusd is not None]
    on_record = sum(each.nusd for each in paid)
    return Comparison("sums", matched, on_record, sum(amounts) if amounts else None, findings)


def _added_up(theirs: Sequence[Summed]) -> list[Summed]:
    """The charges of one time and model as one: bills have them by kinds of tokens, keys, and more."""
    added: dict[tuple[int, int, str | None], Summed] = {}
    for each in theirs:
        key = each.starts_at, each.ends_at, each.name
        known = added.get(key, Summed(*key))
        told = {name: getattr(each, name) for name in COUNTED if getattr(each, name) is not None}
        added[key] = replace(known, **{name: (getattr(known, name) or 0) + more for name, more in told.items()})
    return list(added.values())


def _with_empty(ours: Sequence[Called], theirs: Sequence[Summed]) -> Iterator[tuple[Summed, list[Called]]]:
    """Each sum with the calls that may be in it; and sums of nothing, for models that the file has not at a time."""
    by_span = defaultdict[tuple[int, int], list[Summed]](list)
    for each in theirs:
        by_span[each.starts_at, each.ends_at].append(each)
    told = [name for name in COUNTED if any(getattr(each, name) is not None for each in theirs)]
    began = sorted(ours, key=lambda each: each.started_at)
    longest = max((each.ended_at - each.started_at for each in ours), default=0)
    for (first, end), sums in sorted(by_span.items()):
        earliest = bisect_left(began, first - longest - CLOCKS_MS, key=lambda each: each.started_at)
        behind = bisect_left(began, end + CLOCKS_MS, key=lambda each: each.started_at)
        within = [each for each in began[earliest:behind] if each.ended_at + CLOCKS_MS >= first]
        for each in sums:
            yield each, [call for call in within if each.name is None or is_model(call.name, each.name)]
        named = [each.name for each in sums if each.name is not None]
        rest = [call for call in within if not any(is_model(call.name, name) for name in named)] if named else []
        for name in sorted({call.name for call in rest}):
            zero = Summed(first, end, name, **dict.fromkeys(told, 0))
            yield zero, [call for call in rest if call.name == name]


def _difference(charged: Summed, calls: Sequence[Called], tolerance: int) -> Finding | None:
    ranges = _ranges(charged, calls)
    wrong = {
        name: how
        for name in COUNTED
        if (amount := getattr(charged, name)) is not None
        and (how := ranges[name].compared(amount, tolerance * max(1, len(calls)) if name == "nusd" else 0))
    }
    if not wrong:
        return None
    kind: Kind = "priced_differently" if set(wrong) == {"nusd"} and _counts(charged) else next(iter(wrong.values()))
    if not calls:
        kind = "orphaned"
    span = charged.starts_at, charged.ends_at, charged.name
    return Finding(kind, ranges["nusd"].sure, charged.nusd, span=span, why=_why(charged, ranges, wrong))


def _counts(charged: Summed) -> bool:
    """Whether it says more than an amount: then an amount alone that differs is one of prices."""
    return charged.input_tokens is not None or charged.requests is not None


def _ranges(charged: Summed, calls: Sequence[Called]) -> dict[str, Range]:
    ranges = {each.name: Range() for each in fields(Summed) if each.name in COUNTED}
    for call in calls:
        begins, ends = call.started_at - CLOCKS_MS, call.ended_at + CLOCKS_MS
        within = charged.starts_at <= begins and ends < charged.ends_at
        counts = {"requests": call.times, "nusd": call.nusd}
        counts |= {"input_tokens": call.input_tokens, "output_tokens": call.output_tokens}
        for name, amount in counts.items():
            # A call that failed may be told as a request.
            if within and call.paid == "yes":
                ranges[name].sure += amount
            elif call.paid != "no" or name == "requests":
                ranges[name].perhaps += amount
    if any(call.paid == "unknown" for call in calls):  # how many tokens such a call had, nobody knows
        for name in ("input_tokens", "output_tokens"):
            ranges[name].perhaps = 10**18
    return ranges


def _why(charged: Summed, ranges: dict[str, Range], wrong: dict[str, Kind]) -> str:
    told = []
    for name in wrong:
        known = ranges[name]
        most = f" to {known.sure + known.perhaps:,}" if known.perhaps else ""
        what = "nano-dollars" if name == "nusd" else name.replace("_", " ")
        told.append(f"{getattr(charged, name):,} {what} for {known.sure:,}{most}")
    return "; ".join(told)
