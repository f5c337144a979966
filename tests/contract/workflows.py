"""The workflows' definitions, and where to look in them."""

import json
from typing import Any

from tests.contract.stack import workflow_files

PLATFORM = {"States.ALL", "States.Timeout", "States.TaskFailed", "Sandbox.Timedout", "Lambda.Unknown"}
"""Error names that AWS gives: Step Functions' own, and Lambda's for a function that ran out of time."""

INVOKES = "Invoke Model"
SETTLES = "Settle Job"
DEFINITIONS = {path.stem: path for path in workflow_files()}


def states(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = definition["States"]
    return found


def inference() -> dict[str, dict[str, Any]]:
    return states(json.loads(DEFINITIONS["inference.asl"].read_text()))


def rule_for(state: dict[str, Any], field: str, error: str) -> dict[str, Any]:
    rules: list[dict[str, Any]] = state[field]
    return next((rule for rule in rules if {error, "States.ALL"} & set(rule["ErrorEquals"])), {})
