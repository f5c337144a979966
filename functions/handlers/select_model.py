"""Select Model: the candidates, in order."""

from typing import Any

from broker.bootstrap import running
from broker.clock import now_ms
from broker.steps.context import Run

from handlers.step import step


def _select_model(run: Run, event: dict[str, Any]) -> dict[str, Any]:
    return running.select_model()(run, now_ms())


handler = step(_select_model)
