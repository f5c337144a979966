"""What the template says of things that are priced or limited."""

from collections import Counter
from typing import Any

from tests.contract.ringing import watched
from tests.contract.stack import events, functions, of_type, target, template

MINUTES = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60, "day": 1440, "days": 1440}


def parameter(name: str) -> Any:
    """The default of a parameter."""
    return template()["Parameters"][name]["Default"]


def resources(**parameters: str) -> Counter[str]:
    """How many of each type a stack on AWS has, with the loops written out; by these parameters, else by defaults."""
    return Counter(str(each["Type"]) for each in standing(**parameters).values())


def standing(**parameters: str) -> dict[str, Any]:
    """The resources that a stack on AWS has, by logical id."""
    named = template()["Resources"].items()
    return {name: each for name, each in named if "Condition" not in each or holds(each["Condition"], **parameters)}


def holds(condition: Any, **parameters: str) -> bool:
    """Whether a condition of the template does."""
    match condition:
        case str():
            return holds(template()["Conditions"][condition], **parameters)
        case {"Condition": str(name)}:
            return holds(name, **parameters)
        case {"Fn::Not": [one]}:
            return not holds(one, **parameters)
        case {"Fn::And": list(some)}:
            return all(holds(each, **parameters) for each in some)
        case {"Fn::Equals": [{"Ref": str(name)}, value]}:
            return str(parameters.get(name, parameter(name))) == str(value)
    raise AssertionError(f"{condition!r} is not known here")


def watched_metrics(**parameters: str) -> int:
    """The metrics that alarms look at: each is paid for, also where an alarm reckons with several."""
    alarms = (each for each in standing(**parameters).values() if each["Type"] == "AWS::CloudWatch::Alarm")
    return sum(len(watched(each["Properties"])) for each in alarms)


def detailed_metrics(**parameters: str) -> bool:
    """True where API Gateway's metrics are told by route."""
    return any(
        holds(setting["MetricsEnabled"]["Fn::If"][0], **parameters)
        for api in of_type("AWS::Serverless::Api").values()
        for setting in api.get("MethodSettings", [])
    )


def reservoir() -> float:
    """Requests of the API that are traced in each second before `TraceRate` counts."""
    return float(sum(each["SamplingRule"]["ReservoirSize"] for each in of_type("AWS::XRay::SamplingRule").values()))


def readers(**parameters: str) -> dict[str, float]:
    """The queues that functions read, with how many readers each may have at a time."""
    reading = (each for _, _, each in events("SQS") if "Enabled" not in each or _chosen(each["Enabled"], **parameters))
    return {target(each["Queue"]): float(each["ScalingConfig"]["MaximumConcurrency"]) for each in reading}


def _chosen(value: Any, **parameters: str) -> bool:
    condition, one, other = value["Fn::If"]
    return bool(one if holds(condition, **parameters) else other)


def memory_mb(function: str) -> int:
    """A function's memory, where no parameter sets it."""
    return int(functions()[function]["MemorySize"])


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
