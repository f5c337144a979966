"""Settle Job: the workflow's one terminal commit, or the way back to the queue, or aside until a person has looked."""

from typing import Any

from broker.bootstrap import running
from broker.clock import now_ms
from broker.jobs.head import Status
from broker.observability import say
from broker.steps.context import Run

from handlers.step import step


def _settle_job(run: Run, event: dict[str, Any]) -> dict[str, Any]:
    head = running.settle_job()(run, event["ending"], now_ms(), keeps=bool(event.get("keep")))
    if head.is_held:
        facts = {
            "message": "job held for review",
            "job_id": head.id,
            "tenant": head.tenant,
            "rules": head.review["rules"],
            "stage": head.review["stage"],
        }
        say(facts)
    elif head.status is Status.QUEUED:
        facts = {
            "message": f"job waits for {head.waits_for}",
            "job_id": head.id,
            "tenant": head.tenant,
            "runs": head.run,
            "lane": head.lane,
        }
        say(facts)
    return {"job_id": head.id, "status": head.status.value}


handler = step(_settle_job, told=False)  # the stream has `job ended`, and what is no end is told above
