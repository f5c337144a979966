"""What the account lets the stack do: how many functions at a time, how many requests and executions a second."""

import json
import math
import shlex
from collections.abc import Iterator
from typing import Any

from broker.cli.doctor.deployed import Deployed
from broker.cli.doctor.finding import Finding, error, warning

FEW = 100
"""Functions at a time below which an account is a new one, whose quota AWS raises when it is asked to."""

USUAL = 1_000
"""The default quota of an account that is not new (Lambda developer guide, "Quotas")."""

AT_A_TIME, REQUESTS_A_SECOND = "L-B99A9384", "L-8A5B8E43"
"""Codes of Service Quotas: Lambda's concurrent executions, API Gateway's throttle rate."""


def raise_quota(service: str, code: str, value: float) -> str:
    """The command that asks AWS for more."""
    asked = f"--service-code {service} --quota-code {code} --desired-value {math.ceil(value)}"
    return f"aws service-quotas request-service-quota-increase {asked}"


def concurrency(deployed: Deployed) -> Iterator[Finding]:
    """Functions that the account runs at a time, against those that read the stack's queues at most."""
    settings = deployed.account.ask("lambda", "get_account_settings") or {}
    limit = int(settings.get("AccountLimit", {}).get("ConcurrentExecutions", USUAL))
    readers = sum(_most(deployed, uuid) for uuid in deployed.of_type("AWS::Lambda::EventSourceMapping").values())
    if limit < max(FEW, readers + 1):
        what = f"the account runs {limit} functions at a time, and up to {readers} read queues: jobs will wait"
        yield warning(what, raise_quota("lambda", AT_A_TIME, max(USUAL, 2 * readers)))


def _most(deployed: Deployed, uuid: str) -> int:
    source = deployed.account.ask("lambda", "get_event_source_mapping", UUID=uuid) or {}
    return int((source.get("ScalingConfig") or {}).get("MaximumConcurrency", 0))


def rates(deployed: Deployed) -> Iterator[Finding]:
    """Requests a second that the stack takes, against what API Gateway and Step Functions do for the account."""
    wanted = float(deployed.parameters.get("RequestRate", 1000))
    of_one = float(deployed.parameters.get("TenantRequestRate", 100))
    settings: Any = (deployed.account.ask("apigateway", "get_account") or {}).get("throttleSettings", {})
    if (rate := settings.get("rateLimit", math.inf)) < wanted:
        what = f"API Gateway takes {rate:g} requests a second of the account, and RequestRate is {wanted:g}"
        yield warning(what, raise_quota("apigateway", REQUESTS_A_SECOND, wanted))
    for quota in deployed.account.all(
        "service-quotas", "list_service_quotas", "Quotas", "NextToken", ServiceCode="states"
    ):
        name = str(quota.get("QuotaName", ""))
        if "StartExecution" in name and "refill rate" in name and quota.get("Value", math.inf) < of_one:
            what = f"Step Functions: {name} is {quota['Value']:g}, and TenantRequestRate is {of_one:g}: jobs will wait"
            yield warning(what, raise_quota("states", quota["QuotaCode"], of_one))


def log_role(deployed: Deployed) -> Iterator[Finding]:
    """The role by which API Gateway logs, one for the account and region."""
    arn = (deployed.account.ask("apigateway", "get_account") or {}).get("cloudwatchRoleArn", "")
    name = arn.rpartition("/")[2]
    own = deployed.of_type("AWS::IAM::Role").get("ApiAccountRole")
    if not arn:
        what = "API Gateway has no role to log with, so it refuses a stage that logs"
        if own is None:
            yield error(what, deployed.deploy(ApiLogRole="create"))
        else:
            value = f"arn:{deployed.partition}:iam::{deployed.account_id}:role/{own}"
            operation = f"op=replace,path=/cloudwatchRoleArn,value={value}"
            yield error(what, f"aws apigateway update-account --patch-operations {operation}")
    elif deployed.account.ask("iam", "get_role", RoleName=name) is None:
        yield error(
            f"API Gateway is to log with the role {name}, which is gone; no request is logged", _role(deployed, name)
        )


def _role(deployed: Deployed, name: str) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = shlex.quote(json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    managed = f"arn:{deployed.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    return (
        f"aws iam create-role --role-name {name} --assume-role-policy-document {document}"
        f" && aws iam attach-role-policy --role-name {name} --policy-arn {managed}"
    )
