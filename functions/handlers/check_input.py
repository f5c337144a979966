"""Check Input: the guardrail rules before any model sees the prompt."""

from typing import Any

from broker.bootstrap import running
from broker.clock import now_ms
from broker.steps.context import Run

from handlers.step import step


def _check_input(run: Run, event: dict[str, Any]) -> dict[str, Any]:
    return running.guard().check_input(run, now_ms(), event.get("heard", ""))


handler = step(_check_input)
