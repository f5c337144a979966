"""The workflows' definitions, and where to look in them."""

import json
from pathlib import Path
from typing import Any

from broker.steps.settling import NOT_STARTED, OUT_OF_MEMORY

from tests.contract.stack import workflow_files

DIED = {"Runtime.ExitError", OUT_OF_MEMORY}
PLATFORM = {"States.ALL", "States.Timeout", "States.TaskFailed", "Sandbox.Timedout", "Lambda.Unknown"}
PLATFORM |= {*NOT_STARTED, *DIED}
"""Error names that AWS gives: Step Functions' own, and Lambda's for a function that ran out of time or memory, whose
process ended, or that never began."""

INVOKES = "Invoke Model"
SETTLES = "Settle Job"
LANDED = {path.name.split(".")[0]: path for path in sorted(Path(__file__).with_name("landed").glob("*.json"))}
"""The definitions that have been deployed and may still have executions, by the day: docs/upgrading.md."""

DEFINITIONS = {path.stem: path for path in workflow_files()}


def states(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = definition["States"]
    return found


def inference() -> dict[str, dict[str, Any]]:
    return states(json.loads(DEFINITIONS["inference.asl"].read_text()))


def rule_for(state: dict[str, Any], field: str, error: str) -> dict[str, Any]:
    rules: list[dict[str, Any]] = state[field]
    return next((rule for rule in rules if {error, "States.ALL"} & set(rule["ErrorEquals"])), {})
