"""When an alarm of the template rings: CloudWatch's evaluation, as far as our alarms need it.

Of the last `EvaluationPeriods` periods, `DatapointsToAlarm` have to breach. A period without data breaches, or does
not, or says nothing, by `TreatMissingData` (CloudWatch user guide, "Configuring how CloudWatch alarms treat missing
data").
"""

import operator
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

from broker.observability import NAMESPACE

from tests.contract.stack import Resource, of_type, target

ALARM, OK, INSUFFICIENT_DATA = "ALARM", "OK", "INSUFFICIENT_DATA"

COMPARISONS = {"GreaterThanThreshold": operator.gt}

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {"Sum": sum, "Maximum": max, "Average": mean}

Period = Sequence[float]
"""What was told in one period; nothing, mostly."""


def alarms() -> dict[str, Resource]:
    """The alarms on metrics, by logical id."""
    return of_type("AWS::CloudWatch::Alarm")


def watched(alarm: Resource) -> list[dict[str, Any]]:
    """The metrics that an alarm looks at, all of them paid for: `Namespace`, `MetricName` and perhaps `Dimensions`."""
    if "Metrics" not in alarm:
        return [alarm]
    return [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]


def statistics(alarm: Resource) -> list[str]:
    """What an alarm asks of the metrics that it looks at."""
    if "Metrics" not in alarm:
        return [alarm.get("Statistic") or alarm["ExtendedStatistic"]]
    return [each["MetricStat"]["Stat"] for each in alarm["Metrics"] if "MetricStat" in each]


def namespace(metric: dict[str, Any]) -> str:
    """A metric's namespace, without what `Fn::Sub` puts into it."""
    named = metric["Namespace"]
    return str(named if isinstance(named, str) else named["Fn::Sub"])


def dimensions(metric: dict[str, Any]) -> dict[str, Any]:
    """A metric's dimensions with the values that stand in the template."""
    return {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}


def is_ours(metric: dict[str, Any]) -> bool:
    """True where our code tells the metric by itself."""
    return namespace(metric) == NAMESPACE


def state(alarm: Resource, periods: Sequence[Period], before: str = INSUFFICIENT_DATA) -> str:
    """The alarm's state after these periods, the newest last."""
    window = periods[-alarm["EvaluationPeriods"] :]
    if alarm["TreatMissingData"] == "missing" and not any(window):
        return INSUFFICIENT_DATA if before == INSUFFICIENT_DATA or len(window) == alarm["EvaluationPeriods"] else before
    breaches = [_breaches(alarm, period) for period in window]
    return ALARM if sum(breaches) >= int(alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]) else OK


def states(alarm: Resource, periods: Sequence[Period]) -> list[str]:
    """The alarm's state after each period; it begins as CloudWatch's alarms do."""
    found = [INSUFFICIENT_DATA]
    for number in range(1, len(periods) + 1):
        found.append(state(alarm, periods[:number], found[-1]))
    return found[1:]


def _breaches(alarm: Resource, period: Period) -> bool:
    if not period:
        return bool(alarm["TreatMissingData"] == "breaching")
    value = period[0] if "Metrics" in alarm else STATISTICS[alarm["Statistic"]](period)
    return bool(COMPARISONS[alarm["ComparisonOperator"]](value, alarm["Threshold"]))


def actions(alarm: Resource, came: str) -> list[str]:
    """The topics that hear of a state."""
    key = {ALARM: "AlarmActions", OK: "OKActions", INSUFFICIENT_DATA: "InsufficientDataActions"}[came]
    return [target(each) for each in alarm.get(key, [])]
