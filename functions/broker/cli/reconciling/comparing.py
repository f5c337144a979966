"""Charges for single calls, held against the calls on record.

A charge is a call's by the provider's id of the request. One without such an id, or whose id nobody on our side got to
see because the connection was cut, is found by the job that the provider was told of; and what has neither, by model,
tokens and time, where no other charge or call is like it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from broker.cli.reconciling.findings import Comparison, Finding
from broker.cli.reconciling.records import Called, Charged, is_model

TOLERANCE = 1_000
"""Nano-dollars by which a charge may differ: a millionth of a dollar, to which bills are rounded."""

NEAR_MS = 300_000
"""Between the time of a charge and that of the call that it may be, where neither tells more."""


def compare_calls(
    ours: Sequence[Called],
    theirs: Sequence[Charged],
    *,
    first: int | None = None,
    last: int | None = None,
    tolerance: int = TOLERANCE,
) -> Comparison:
    """Compare all of it.

    Args:
        ours: calls on record; also of the time before and after.
        theirs: charges.
        first: milliseconds: calls that ended before it are not expected in the file; from its first charge unless said.
        last: the same of calls that began at this moment, or later.
        tolerance: nano-dollars by which a charge may differ.
    """
    singles, findings = _singles(theirs)
    ours, twice = _once(ours)
    findings += twice
    pairs, orphans, left = _paired(ours, singles)
    matched = 0
    for call, charge in pairs:
        if found := _difference(call, charge, tolerance):
            findings.append(found)
        else:
            matched += 1
    findings += [Finding("orphaned", None, each.nusd, charge=each) for each in orphans]
    times = [each.at for each in theirs if each.at is not None]
    begin = min(times, default=0) if first is None else first
    end = max(times, default=0) + 1 if last is None else last
    expected = [each for each in left if each.ended_at >= begin and each.started_at < end]
    findings += [found for each in expected if (found := _absent(each))]
    compared = [call for call, _ in pairs] + expected
    amounts = [each.nusd for each in theirs if each.nusd is not None]
    paid = sum(each.nusd for each in compared if each.paid == "yes")
    return Comparison("calls", matched, paid, sum(amounts) if amounts else None, findings)


def _singles(theirs: Sequence[Charged]) -> tuple[list[Charged], list[Finding]]:
    """The first charge of each request, and what is there twice."""
    seen, singles, doubled = set[str](), [], []
    for each in theirs:
        if each.request_id is not None and each.request_id in seen:
            doubled.append(Finding("doubled", None, each.nusd, charge=each))
            continue
        seen.update([each.request_id] if each.request_id is not None else [])
        singles.append(each)
    return singles, doubled


def _once(ours: Sequence[Called]) -> tuple[list[Called], list[Finding]]:
    """The first call of each request, and what is on record twice."""
    seen, once, twice = set[str](), [], []
    for each in ours:
        if each.request_id is not None and each.request_id in seen:
            twice.append(Finding("doubled", each.nusd, None, each, why="on record twice"))
            continue
        seen.update([each.request_id] if each.request_id is not None else [])
        once.append(each)
    return once, twice


def _paired(
    ours: Sequence[Called], theirs: Sequence[Charged]
) -> tuple[list[tuple[Called, Charged]], list[Charged], list[Called]]:
    """Calls with their charges, charges that are nobody's, and calls that have none."""
    by_id = {each.request_id: each for each in ours if each.request_id is not None}
    pairs, rest = list[tuple[Called, Charged]](), list[Charged]()
    for charge in theirs:
        call = by_id.get(charge.request_id) if charge.request_id is not None else None
        if call is None:
            rest.append(charge)
        else:
            pairs.append((call, charge))
    taken = {id(call) for call, _ in pairs}
    # A call with an id was asked for by it already; of those that are kept as one, only the last has its own.
    free = [each for each in ours if id(each) not in taken and (each.request_id is None or each.times > 1)]
    by_job, by_likeness = defaultdict[str, list[Called]](list), defaultdict[tuple[int, int], list[Called]](list)
    for each in free:
        by_job[each.job].append(each)
        by_likeness[each.input_tokens, each.output_tokens].append(each)
    orphans = []
    for charge in rest:
        likely = by_job[charge.job] if charge.job else _alike(by_likeness, charge)
        call = _nearest([each for each in likely if id(each) not in taken and is_model(each.name, charge.name)], charge)
        if call is None:
            orphans.append(charge)
        else:
            taken.add(id(call))
            pairs.append((call, charge))
    return pairs, orphans, [each for each in ours if id(each) not in taken]


def _alike(by_likeness: dict[tuple[int, int], list[Called]], charge: Charged) -> list[Called]:
    if charge.input_tokens is None or charge.output_tokens is None or charge.at is None:
        return []
    found = by_likeness[charge.input_tokens, charge.output_tokens]
    return [each for each in found if each.started_at - NEAR_MS <= charge.at <= each.ended_at + NEAR_MS]


def _nearest(calls: Iterable[Called], charge: Charged) -> Called | None:
    return min(calls, key=lambda each: abs((charge.at or each.started_at) - each.started_at), default=None)


def _difference(call: Called, charge: Charged, tolerance: int) -> Finding | None:
    amounts = call.nusd, charge.nusd
    if call.paid == "unknown":
        return Finding("unknown", *amounts, call, charge, why="nobody knew whether it was paid for: it was charged")
    if charge.nusd is not None and abs(charge.nusd - call.nusd) > tolerance:
        return Finding("priced_differently", *amounts, call, charge)
    counts = ((call.input_tokens, charge.input_tokens), (call.output_tokens, charge.output_tokens))
    if any(theirs is not None and theirs != own for own, theirs in counts):
        return Finding("counted_differently", *amounts, call, charge)
    return None


def _absent(call: Called) -> Finding | None:
    """What is to be told of a call that was not charged: nothing, where it cost nothing."""
    if call.paid == "unknown":
        why = "nobody knew whether it was paid for: the file has nothing of it"
        return Finding("unknown", call.nusd, None, call, why=why)
    return Finding("missing", call.nusd, None, call) if call.paid == "yes" and call.nusd else None
