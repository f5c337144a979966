"""What a month costs whatever the number of jobs, and what kind of bill each resource of the template comes to.

Every type of resource is in one of three tables here, which a test holds against the template: each piece has a price
of its own (`PER_PIECE`, so another alarm is counted by itself), or it is paid by use (`BY_USE` names the lines of
`bench.pricing.bill` or of this module that have it), or it is free (`FREE`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bench.logs import Series
from bench.pricing import HOURS_A_MONTH, Function, Job, Line, PriceList, Traffic, function_usd
from bench.template import detailed_metrics, every_minutes, readers

SECRETS_TYPE = "AWS::SecretsManager::Secret"

PER_PIECE = {
    "AWS::CloudWatch::Alarm": ("alarms", "alarm"),
    "AWS::KMS::Key": ("KMS key", "kms_key"),
    SECRETS_TYPE: ("secrets", "secret"),
}
"""By type: the line, and the price of one for a month."""

LOGS = ("CloudWatch Logs, taken in", "CloudWatch Logs, kept")
S3 = ("S3 puts", "S3 gets", "S3 storage")

BY_USE = {
    "AWS::DynamoDB::Table": (
        "DynamoDB writes",
        "DynamoDB reads",
        "DynamoDB storage",
        "DynamoDB point-in-time recovery",
        "KMS requests, at most",
    ),
    "AWS::Events::Archive": ("EventBridge archive, taken in", "EventBridge archive, kept"),
    "AWS::Events::EventBus": ("EventBridge events",),
    "AWS::Logs::LogGroup": LOGS,
    "AWS::S3::Bucket": S3,
    "AWS::SQS::Queue": ("SQS requests", "reading empty queues", "KMS requests, at most"),
    "AWS::Serverless::Api": ("API Gateway requests", "API Gateway's metrics by route", "Data out"),
    "AWS::Serverless::Function": (
        "Lambda invocations",
        "Lambda, waiting for the model",
        "Lambda, all other time",
        "what runs by the clock",
        "custom metrics",
    ),
    "AWS::Serverless::StateMachine": ("Express workflow, starts", "Express workflow, duration"),
    "AWS::XRay::SamplingRule": ("X-Ray traces",),
}
"""By type, the lines that its use is in."""

FREE = frozenset(
    {
        "AWS::ApiGateway::Account",
        "AWS::Events::EventBusPolicy",  # who sends an event to another account's bus pays for it
        "AWS::Events::Rule",  # an event is paid for when it is put, not when a rule hands it on
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",  # alarms that ring: 0.02 dollars for a thousand mails
        "AWS::SQS::QueuePolicy",
        "AWS::Serverless::LayerVersion",
    }
)


@dataclass(frozen=True, slots=True)
class Background:
    """What runs whatever the jobs do."""

    runs: Mapping[str, Job]
    """One run of each function that runs by the clock."""
    table_users: int


def series_seen(seen: Collection[Series], prices: PriceList, models: int) -> dict[tuple[str, ...], float]:
    """By dimensions, how many metrics a month is billed for: CloudWatch bills each name with each set of values.

    The names are those that the handlers told; how many values their dimensions have in a month is assumed. A metric is
    billed for the hours in which it is told (`share`).

    Raises:
        KeyError: nothing is assumed of these dimensions.
    """
    names: dict[tuple[str, ...], set[str]] = {}
    for name, dimensions in seen:
        names.setdefault(tuple(key for key, _ in dimensions if key != "service"), set()).add(name)
    series = {}
    for keys, found in names.items():
        assumed = prices.assumed["metric_series"][",".join(keys)]
        sets = assumed.get("sets", 1) * (models if "model" in keys else 1)
        series[keys] = len(found) * sets * assumed.get("share", 1)
    return series


def kms_requests(table_users: int, queues: int, prices: PriceList) -> float:
    """What a month takes at most, however many jobs there are."""
    tables = table_users * HOURS_A_MONTH * 60 / prices.assumed["table_key_minutes"]
    return float(tables + queues * prices.assumed["users_of_a_queue"] * HOURS_A_MONTH)


def monthly(
    pieces: Mapping[str, int], background: Background, seen: Collection[Series], prices: PriceList, traffic: Traffic
) -> list[Line]:
    """The lines of a month; `pieces` are the template's resources by type."""
    usd, assumed = prices.usd, prices.assumed
    beside = {SECRETS_TYPE: traffic.secrets}
    numbers = {kind: pieces.get(kind, 0) + beside.get(kind, 0) for kind in PER_PIECE}
    lines = [Line(name, numbers[kind], "", numbers[kind] * usd[price]) for kind, (name, price) in PER_PIECE.items()]
    series = round(sum(series_seen(seen, prices, traffic.models).values()), 2)
    routes = assumed["routes_in_use"] * assumed["metrics_of_a_route"] * detailed_metrics()
    kms = kms_requests(background.table_users, pieces.get("AWS::SQS::Queue", 0), prices)
    receives = len(readers()) * assumed["pollers"] * HOURS_A_MONTH * 3600 / assumed["poll_s"]
    lines += [
        Line("custom metrics", series, "metrics", series * usd["metric"]),
        Line("API Gateway's metrics by route", routes, "metrics", routes * usd["metric"]),
        Line("KMS requests, at most", kms, "requests", kms * usd["kms_request"]),
        Line("reading empty queues", receives, "requests", receives * usd["sqs_request"]),
    ]
    runs, cost = 0.0, 0.0
    for name, minutes in every_minutes().items():
        times = HOURS_A_MONTH * 60 / minutes
        runs, cost = runs + times, cost + times * _run_usd(background.runs[name], prices)
    return [*lines, Line("what runs by the clock", runs, "runs", cost)]


def _run_usd(run: Job, prices: PriceList) -> float:
    functions: list[Function] = list(run.functions.values())
    logs = sum(each.log_bytes for each in functions) / 1e9 * prices.usd["log_gb"]
    return sum(function_usd(each, prices) for each in functions) + run.reads * prices.usd["dynamodb_read"] + logs
