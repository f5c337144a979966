"""What each of some equal jobs took by the meter, and from it what a job takes for certain."""

from collections.abc import Callable, Sequence
from statistics import median_low

from bench.metering import MEASURES, Row

Tally = dict[Row, dict[str, float]]
"""By row, the measures of one job (`bench.metering.MEASURES`)."""


def grown(before: Tally, after: Tally) -> Tally:
    """What the meter grew by; rows without a request more are left out."""
    none = dict.fromkeys(MEASURES, 0.0)
    return {
        row: {name: measured[name] - before.get(row, none)[name] for name in MEASURES}
        for row, measured in after.items()
        if measured["count"] > before.get(row, none)["count"]
    }


def firm(tallies: Sequence[Tally]) -> Tally:
    """What most jobs ask: each row as often as the median job does, with the mean units and bytes of its requests.

    What few jobs ask is left out.
    """
    found: Tally = {}
    for row in sorted({row for tally in tallies for row in tally}):
        measured = [tally[row] for tally in tallies if row in tally]
        usual = median_low([*(each["count"] for each in measured), *[0.0] * (len(tallies) - len(measured))])
        if usual:
            asked = sum(each["count"] for each in measured)
            found[row] = {name: usual * sum(each[name] for each in measured) / asked for name in MEASURES}
    return found


def total(tally: Tally, measure: str) -> float:
    """A measure of all rows together."""
    return sum(each[measure] for each in tally.values())


def without(tallies: Sequence[Tally], left_out: Callable[[Row], bool]) -> list[Tally]:
    """The same without some rows."""
    return [{row: measured for row, measured in tally.items() if not left_out(row)} for tally in tallies]
