"""What the template says of things that are priced or limited."""

from collections import Counter
from typing import Any

from tests.contract.stack import events, of_type, target, template

MINUTES = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60, "day": 1440, "days": 1440}


def parameter(name: str) -> Any:
    """The default of a parameter."""
    return template()["Parameters"][name]["Default"]


def resources() -> Counter[str]:
    """How many there are of each type, with the loops written out."""
    return Counter(str(each["Type"]) for each in template()["Resources"].values())


def detailed_metrics() -> bool:
    """True where API Gateway's metrics are told by route."""
    return any(
        setting.get("MetricsEnabled")
        for api in of_type("AWS::Serverless::Api").values()
        for setting in api.get("MethodSettings", [])
    )


def reservoir() -> float:
    """Requests of the API that are traced in each second before `TraceRate` counts."""
    return float(sum(each["SamplingRule"]["ReservoirSize"] for each in of_type("AWS::XRay::SamplingRule").values()))


def readers() -> dict[str, float]:
    """The queues that functions read, with how many readers each may have at a time."""
    return {target(each["Queue"]): float(each["ScalingConfig"]["MaximumConcurrency"]) for _, _, each in events("SQS")}


def every_minutes() -> dict[str, int]:
    """The functions that run by the clock, with the minutes between their runs."""
    found = {}
    for function, _, each in events("Schedule"):
        number, unit = str(each["Schedule"]).removeprefix("rate(").removesuffix(")").split()
        found[function] = int(number) * MINUTES[unit]
    return found


def authorized_s() -> float:
    """For how long API Gateway takes it as read who calls."""
    return float(
        max(
            authorizer["Identity"]["ReauthorizeEvery"]
            for api in of_type("AWS::Serverless::Api").values()
            for authorizer in api["Auth"]["Authorizers"].values()
        )
    )


def archive_days() -> float:
    """How long the bus keeps events, of the archive that keeps them longest."""
    return float(max((each["RetentionDays"] for each in of_type("AWS::Events::Archive").values()), default=0))
