"""What a month costs whatever the number of jobs, and what kind of bill each resource of the template comes to.

Every type of resource is in one of three tables here, which a test holds against the template: each piece has a price
of its own (`PER_PIECE`, so another alarm is counted by itself), or it is paid by use (`BY_USE` names the lines of
`bench.pricing.bill` or of this module that have it), or it is free (`FREE`). Nothing here needs a stack that runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from broker.observability import STACK

from bench.pricing import HOURS_A_MONTH, Function, Job, Line, PriceList, Traffic, function_usd, gb_s, summed, waits_ms
from bench.template import detailed_metrics, every_minutes, memory_mb, readers, resources, watched_metrics
from tests.contract.stack import of_type
from tests.contract.told import metrics_told

PER_PIECE = {
    "AWS::CloudWatch::Alarm": ("metrics that alarms look at", "alarm"),
    "AWS::CloudWatch::CompositeAlarm": ("composite alarms", "composite_alarm"),
    "AWS::CloudWatch::Dashboard": ("dashboards", "dashboard"),
    "AWS::KMS::Key": ("KMS key", "kms_key"),
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
        "KMS requests",
        "KMS requests of jobs, at most",
    ),
    "AWS::Events::Archive": ("EventBridge archive, taken in", "EventBridge archive, kept"),
    "AWS::Events::EventBus": ("EventBridge events",),
    "AWS::Logs::LogGroup": LOGS,
    "AWS::S3::Bucket": S3,
    "AWS::SQS::Queue": ("SQS requests", "reading empty queues", "KMS requests of jobs, at most"),
    "AWS::Serverless::Api": ("API Gateway requests", "API Gateway's metrics by route", "Data out"),
    "AWS::Serverless::Function": (
        "Lambda invocations",
        "Lambda, waiting for the model",
        "Lambda, all other time",
        "what runs by the clock",
        "custom metrics",
        "secrets",
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
        "AWS::Logs::MetricFilter",  # what it counts is a custom metric, where there is something to count
        "AWS::Logs::QueryDefinition",  # a query is paid for when somebody runs it
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SNS::Topic",  # alarms that ring: 0.02 dollars for a thousand mails
        "AWS::SQS::QueuePolicy",
        "AWS::Serverless::LayerVersion",
    }
)

NOT_BY_ITSELF = frozenset(
    {
        *(
            f"AWS::ApiGatewayV2::{kind}"
            for kind in ("Api", "Authorizer", "Integration", "Route", "RouteResponse", "Stage")
        ),
        *("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"),
        *("AWS::CloudFormation::Stack", "AWS::Budgets::Budget"),
    }
)
"""Of `Push`, and of what `docs/hardening.md` has, which are off: a stack as these bills have it has none of them. What
they cost on, `docs/push.md` and that page say."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A custom metric in a month that has jobs in each of its hours."""

    name: str
    dimensions: tuple[str, ...]
    """Beside the stack."""
    sets: int
    """Of their values."""
    share: float
    """Of a month's hours, those in which it is told."""

    @property
    def billed(self) -> float:
        """How many metrics a month is billed for: CloudWatch bills each name with each set of values, by the hour."""
        return self.sets * self.share


def metrics(prices: PriceList) -> list[Metric]:
    """All that the code tells and filters count, whatever came up in a run. A stack without jobs has none of them.

    Raises:
        KeyError: nothing is assumed of one.
    """
    filters = of_type("AWS::Logs::MetricFilter").values()
    counted = {each["MetricName"]: frozenset[str]() for found in filters for each in found["MetricTransformations"]}
    found = []
    for name, dimensions in sorted((metrics_told() | counted).items()):
        assumed = prices.assumed["metric_series"][name]
        keys = tuple(sorted(dimensions - {STACK}))
        found.append(Metric(name, keys, assumed.get("sets", 1), assumed.get("share", 1)))
    return found


def clock_run(name: str, prices: PriceList) -> Job:
    """One run of a function that runs by the clock, with nothing to do."""
    run = prices.assumed["clock"][name]
    function = Function(memory_mb(name), 1, run["requests"], run["log_bytes"])
    return Job(functions={name: function}, reads=run["reads"])


def exceeded(counted: Mapping[str, Job], prices: PriceList) -> list[str]:
    """The functions whose run by the clock was counted as more than is assumed."""
    found = []
    for name, run in counted.items():
        assumed = clock_run(name, prices)
        ours, theirs = run.functions[name], assumed.functions[name]
        asked = any(number > theirs.requests.get(operation, 0) for operation, number in ours.requests.items())
        if asked or run.reads > assumed.reads or ours.log_bytes > theirs.log_bytes:
            found.append(name)
    return found


def idle(prices: PriceList, **parameters: str) -> list[Line]:
    """The lines of a month of a stack on AWS that does nothing; these parameters, else defaults."""
    usd, assumed, pieces = prices.usd, prices.assumed, resources(**parameters)
    pieces["AWS::CloudWatch::Alarm"] = watched_metrics(**parameters)
    lines = [Line(name, pieces[kind], "", pieces[kind] * usd[price]) for kind, (name, price) in PER_PIECE.items()]
    # Each of them reads one table, and DynamoDB asks for its key anew for each.
    kms = len(every_minutes()) * HOURS_A_MONTH * 60 / assumed["table_key_minutes"]
    receives = len(readers(**parameters)) * assumed["pollers"] * HOURS_A_MONTH * 3600 / assumed["poll_s"]
    runs, cost = 0.0, 0.0
    for name, minutes in every_minutes().items():
        times = HOURS_A_MONTH * 60 / minutes
        runs, cost = runs + times, cost + times * _run_usd(name, prices)
    return [
        *lines,
        Line("reading empty queues", receives, "requests", receives * usd["sqs_request"]),
        Line("what runs by the clock", runs, "runs", cost),
        Line("KMS requests", kms, "requests", kms * usd["kms_request"]),
    ]


def busy(prices: PriceList, traffic: Traffic, table_users: int, **parameters: str) -> list[Line]:
    """The lines that a month with jobs in each hour has beside, however many they are."""
    usd, assumed = prices.usd, prices.assumed
    series = [Line(each.name, each.billed, "metrics", each.billed * usd["metric"]) for each in metrics(prices)]
    routes = assumed["routes_in_use"] * assumed["metrics_of_a_route"] * detailed_metrics(**parameters)
    queues = resources(**parameters)["AWS::SQS::Queue"]
    kms = table_users * HOURS_A_MONTH * 60 / assumed["table_key_minutes"]
    kms += queues * assumed["users_of_a_queue"] * HOURS_A_MONTH
    return [
        Line("custom metrics", sum(each.quantity for each in series), "metrics", summed(series)),
        Line("API Gateway's metrics by route", routes, "metrics", routes * usd["metric"]),
        Line("secrets", traffic.secrets, "", traffic.secrets * usd["secret"]),
        Line("KMS requests of jobs, at most", kms, "requests", kms * usd["kms_request"]),
    ]


def _run_usd(name: str, prices: PriceList) -> float:
    usd, run = prices.usd, clock_run(name, prices)
    function = run.functions[name]
    waits = waits_ms(function.requests, prices.assumed["latency_ms"])
    spared = waits - prices.assumed["clock"][name].get("waits_ms", waits)
    asked = sum(number for operation, number in function.requests.items() if operation.startswith("sqs."))
    return (
        function_usd(function, prices)
        - gb_s(function.memory_mb, spared) * usd["lambda_gb_s"]
        + function.log_bytes / 1e9 * usd["log_gb"]
        + run.reads * usd["dynamodb_read"]
        + asked * usd["sqs_request"]
    )
