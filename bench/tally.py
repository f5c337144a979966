"""What each of some equal jobs took by the meter, and from it what a job takes for certain."""

from collections.abc import Sequence
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

    What processes read anew by the clock (the registry, circuits) is asked in few jobs, and more often the slower the
    machine is. It is left out here, and priced by the month.
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


def by_the_clock(tallies: Sequence[Tally]) -> float:
    """Requests a job that are not firm, on average."""
    return sum(total(tally, "count") for tally in tallies) / len(tallies) - total(firm(tallies), "count")
