"""The metrics of AWS that alarms and the dashboard look at: the dimensions that are documented, and what to ask."""

import re
from typing import NamedTuple


class Documented(NamedTuple):
    """A metric as AWS describes it."""

    dimensions: tuple[str, ...]
    statistics: str
    """Those that say what the metric's name says, as a pattern."""


COUNTED = "Sum"
"""Each data point says how often something happened; of them together only the sum does."""

RATED = "Sum|Average"
"""There is a data point for each request: the average is the share of those to which it happened."""

TIMED = r"Average|Minimum|Maximum|p\d+(\.\d+)?"

AT_A_TIME = "Average|Minimum|Maximum"
"""How it is whenever it is looked at, which no sum tells."""

AWS_METRICS: dict[tuple[str, str], Documented] = {
    # API Gateway developer guide, "Amazon API Gateway dimensions and metrics": by API and stage they cost nothing.
    ("AWS/ApiGateway", "4XXError"): Documented(("ApiName", "Stage"), RATED),
    ("AWS/ApiGateway", "5XXError"): Documented(("ApiName", "Stage"), RATED),
    ("AWS/ApiGateway", "Count"): Documented(("ApiName", "Stage"), COUNTED),
    # EventBridge user guide, "Monitoring Amazon EventBridge": of the default bus by rule alone.
    ("AWS/Events", "FailedInvocations"): Documented(("EventBusName", "RuleName"), COUNTED),
    # Lambda developer guide, "Types of metrics for Lambda functions"; without a dimension, of account and region.
    ("AWS/Lambda", "ConcurrentExecutions"): Documented(("FunctionName",), "Maximum"),
    ("AWS/Lambda", "Duration"): Documented(("FunctionName",), TIMED),
    ("AWS/Lambda", "Errors"): Documented(("FunctionName",), COUNTED),
    ("AWS/Lambda", "IteratorAge"): Documented(("FunctionName",), TIMED),
    ("AWS/Lambda", "Throttles"): Documented(("FunctionName",), COUNTED),
    # SQS developer guide, "Available CloudWatch metrics for Amazon SQS".
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): Documented(("QueueName",), AT_A_TIME),
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): Documented(("QueueName",), AT_A_TIME),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): Documented(("QueueName",), AT_A_TIME),
    # Step Functions developer guide, "Monitoring Step Functions metrics using Amazon CloudWatch".
    ("AWS/States", "ExecutionsFailed"): Documented(("StateMachineArn",), COUNTED),
}

OF_THE_ACCOUNT = {("AWS/Lambda", "ConcurrentExecutions"), ("AWS/Lambda", "Throttles")}
"""Told without a dimension as well: of all functions of the account in a region."""


def fits(namespace: str, name: str, statistic: str) -> bool:
    """True where a statistic says of a metric what AWS means by it."""
    return re.fullmatch(AWS_METRICS[namespace, name].statistics, statistic) is not None
