"""Invoke Model: one call of one candidate. It waits for the provider, so it is the leanest function there is."""

from typing import Any

from broker.bootstrap import running
from broker.clock import now_ms
from broker.observability import span
from broker.steps.context import Run

from handlers.step import step


def _invoke_model(run: Run, event: dict[str, Any]) -> dict[str, Any]:
    if event.get("guard"):
        return running.ask_engines()(run, event["guard"], event["rules"], event.get("output"), now_ms())
    if event.get("similar"):
        return running.find_similar()(run, now_ms())
    with span("provider", job_id=run.id, model=event["candidates"][event["place"]]):
        return running.advance()(run, event["candidates"], event["place"], now_ms())


handler = step(_invoke_model)
