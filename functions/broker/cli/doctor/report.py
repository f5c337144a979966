"""The checks in their order, and what is printed of them."""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from broker.cli.doctor.account import Account, NotRead
from broker.cli.doctor.account import policy as policy_text
from broker.cli.doctor.checks import hearing, limits, models_of_aws, registered, running
from broker.cli.doctor.deployed import Deployed, readable, unread
from broker.cli.doctor.finding import Finding, Severity, error, exit_status
from broker.cli.printable import on_one_line
from broker.cli.shown import Shown
from broker.clock import now_ms

CHECKS: dict[str, Callable[[Deployed], Iterator[Finding]]] = {
    "stack": running.stack,
    "protection": running.protection,
    "functions": running.functions,
    "sources": running.sources,
    "key": running.key,
    "registry": registered.models,
    "names": registered.names,
    "secrets": registered.secrets,
    "bedrock": models_of_aws.bedrock,
    "endpoints": models_of_aws.endpoints,
    "concurrency": limits.concurrency,
    "rates": limits.rates,
    "log role": limits.log_role,
    "subscribed": hearing.subscribed,
    "alarms": hearing.alarms,
    "bus": hearing.bus,
}

ON_AWS = {
    "protection": "need of protection",
    "bedrock": "subscriptions of models",
    "endpoints": "states of endpoints and guardrails",
    "rates": "quotas of an account",
    "log role": "role to log requests with",
    "subscribed": "mail",
}
"""Checks of what the embedded cloud has nothing of, and what that is."""

Found = tuple[str, Finding]
"""A check's name, and what it found."""


def doctor(session: Any, stack: str, *, policy: bool = False) -> Shown:
    """What was found; the exit status is 2 with an error, 1 with a warning, or 0."""
    if policy:
        return Shown(json.loads(policy_text()), policy_text())
    found = list(look(Account(session), stack, now_ms()))
    status = exit_status(finding for _, finding in found)
    return Shown(_as_json(stack, found), _as_text(stack, found), status=status)


def look(account: Account, name: str, now: int) -> Iterator[Found]:
    """All findings of a stack, in the order of the checks."""
    try:
        deployed = _deployed(account, name, now)
    except NotRead as unknown:
        yield "stack", replace(unread(unknown, is_local=False), severity=Severity.ERROR)
        return
    if deployed is None:
        mend = f"sam build && sam deploy --guided --stack-name {shlex.quote(name)}"
        yield "stack", error(f"there is no stack {name} in this account and region", mend)
        return
    for check, run in CHECKS.items():
        if deployed.is_local and check in ON_AWS:
            yield check, Finding(Severity.UNCHECKED, f"the embedded cloud has no {ON_AWS[check]}")
        elif deployed.outputs or check == "stack":
            # A right that is missing is missed for each model and function.
            yield from ((check, each) for each in dict.fromkeys(readable(deployed, run(deployed))))


def _deployed(account: Account, name: str, now: int) -> Deployed | None:
    none = frozenset({"ValidationError"})
    told = account.ask("cloudformation", "describe_stacks", none=none, StackName=name)
    if told is None:
        return None
    (description,) = told["Stacks"]
    listed = account.all(
        "cloudformation",
        "list_stack_resources",
        "StackResourceSummaries",
        "NextToken",
        StackName=description["StackId"],
    )
    resources = {
        each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"])
        for each in listed
        if each.get("PhysicalResourceId") and not each["ResourceStatus"].startswith("DELETE_")
    }
    return Deployed(account, name, description, resources, now)


def _as_text(stack: str, found: list[Found]) -> str:
    lines = []
    for check, finding in found:
        lines.append(f"{finding.severity.value}: {check}: {on_one_line(finding.what)}")
        lines += [f"    {on_one_line(finding.mend)}"] if finding.mend else []
    counts = Counter(finding.severity for _, finding in found)
    told = ", ".join(f"{each.value}: {counts[each]}" for each in Severity)
    return "\n".join([*lines, f"{stack}, {len(CHECKS)} checks; {told}"])


def _as_json(stack: str, found: list[Found]) -> dict[str, Any]:
    rows = [
        {"check": check, "severity": each.severity.value, "what": each.what, "mend": each.mend or None}
        for check, each in found
    ]
    return {"stack": stack, "checks": list(CHECKS), "findings": rows}
