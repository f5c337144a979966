"""Invoke Model: one call of one candidate. It waits for the provider, so it is the leanest function there is."""

from typing import Any

from broker.bootstrap import running
from broker.clock import now_ms
from broker.observability import invocation, span
from broker.steps.context import Run

from handlers.step import step


def _invoke_model(run: Run, event: dict[str, Any]) -> dict[str, Any]:
    if event.get("guard"):
        return running.ask_engines()(run, event["guard"], event["rules"], event.get("output"), now_ms())
    if event.get("similar"):
        return running.find_similar()(run, now_ms())
    with span("provider", job_id=run.id, model=event["candidates"][event["place"]]):
        return running.advance()(run, event["candidates"], event["place"], now_ms())


_step = step(_invoke_model)


@invocation
def _leave_undone(event: dict[str, Any], context: Any) -> dict[str, Any]:
    running.invoke_model().leave_undone(event["leave_undone"], now_ms())
    return {}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A step of the workflow; or, asked by `publish`, the end of work that nobody waits for any more."""
    return _leave_undone(event, context) if "leave_undone" in event else _step(event, context)
