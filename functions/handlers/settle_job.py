"""Settle Job: the workflow's one terminal commit."""

from typing import Any

from broker import bootstrap
from broker.clock import now_ms
from broker.steps.context import Run

from handlers.step import step


def _settle_job(run: Run, event: dict[str, Any]) -> dict[str, Any]:
    head = bootstrap.settle_job()(run, event["ending"], now_ms())
    return {"job_id": head.id, "status": head.status.value}


handler = step(_settle_job)
