"""Moderate Output: the guardrail rules on the answer, before anyone is told."""

from typing import Any

from broker.bootstrap import running
from broker.clock import now_ms
from broker.steps.context import Run

from handlers.step import step


def _moderate_output(run: Run, event: dict[str, Any]) -> dict[str, Any]:
    return running.guard().moderate_output(run, event["output"], now_ms(), event.get("heard", ""))


handler = step(_moderate_output)
