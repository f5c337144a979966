"""Testing an endpoint: one delivery that is no job's, made as all others are, and waited for."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.clock import iso, new_id
from broker.delivery.owners import owner_pk
from broker.delivery.starting import StartDelivery
from broker.endpoints.events import NATIVE, openai_body, response_id
from broker.endpoints.record import Endpoint
from broker.errors import InvalidRequest, Unavailable
from broker.jobs.head import HELD_EVENT
from broker.storage import Database, Item

KEPT_S = 7 * 86_400
"""How long a test stands in the log."""

POLL_S = 0.25

NOBODY = "0" * 32
"""In the ids of what a test tells of, which there is not."""


@dataclass(frozen=True, slots=True)
class Test:
    """Tests endpoints."""

    __test__ = False

    database: Database
    start: StartDelivery
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def __call__(self, endpoint: Endpoint, event: str, now: int, until: float, base_url: str) -> Item:
        """Send one of the endpoint's events with made-up facts, and wait for the attempt until a time (`clock`).

        Args:
            endpoint: enabled or not.
            event: one that it takes.
            now: milliseconds.
            until: by `clock`.
            base_url: of the REST API, for the links of the body.

        Returns:
            The attempt, as deliveries have them, with the `event_id`.

        Raises:
            InvalidRequest: the endpoint does not take the event.
            Unavailable: it was not attempted in time.
        """
        if event not in endpoint.events:
            taken = ", ".join(endpoint.events)
            raise InvalidRequest(f"event: it is one of the endpoint's: {taken}.", code="invalid_field", param="event")
        event_id = f"{new_id('evt_', now)}_test"
        about = f"batch_{NOBODY}" if event.startswith("batch.") else response_id(f"job_{NOBODY}")
        native = endpoint.form == NATIVE
        body = sample(event, now, base_url) if native else openai_body(event, event_id, now, about)
        facts = {"event_id": event_id, "event": event, "endpoint": endpoint.id, "at": now, "test": True}
        name = f"DELIVERY#{event_id}"
        text = json.dumps(body, separators=(",", ":"))
        self.start(endpoint.id, endpoint.tenant, now // 1000 + KEPT_S, name, now, facts | {"body": text})
        while True:
            note = self.database.get("jobs", owner_pk(endpoint.id), f"NOTE#{name}") or {}
            if attempts := note.get("attempts"):
                return {**attempts[-1], "event_id": event_id, "state": note["state"]}
            if self.clock() >= until:
                message = "The test was not attempted in time; the endpoint's deliveries will tell what became of it."
                raise Unavailable(message, code="test_pending", retry_after=30)
            self.sleep(POLL_S)


def sample(event: str, now: int, base_url: str) -> dict[str, Any]:
    """The body of an event about a job or a batch that there is not."""
    if event.startswith("batch."):
        return {"type": event, "timestamp": iso(now), "data": _batch(event, base_url)}
    job_id = f"job_{NOBODY}"
    data: dict[str, Any] = {"job_id": job_id, "task": "chat", "url": f"{base_url}/jobs/{job_id}", "sequence": 1}
    if event == HELD_EVENT:
        review = {"stage": "output", "rules": ["test"], "until": iso(now)}
        return {"type": event, "timestamp": iso(now), "data": data | {"status": "queued", "review": review}}
    status = event.removeprefix("job.")
    failure = {"type": "internal_error", "code": "test", "message": "This is a test."}
    error = None if status == "succeeded" else failure
    usage = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
    return {
        "type": event,
        "timestamp": iso(now),
        "data": data | {"status": status, "model": "auto", "error": error, "usage": usage},
    }


def _batch(event: str, base_url: str) -> dict[str, Any]:
    batch_id, status = f"batch_{NOBODY}", event.removeprefix("batch.")
    about = {"id": batch_id, "batch_id": batch_id, "url": f"{base_url}/batches/{batch_id}", "status": status}
    if status == "failed":
        error = {"type": "internal_error", "code": "test", "message": "This is a test.", "param": None}
        return about | {"total": 0, "error": error}
    counts = dict.fromkeys(("succeeded", "failed", "blocked", "canceled", "expired", "rejected"), 0)
    usage = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
    files = dict.fromkeys(("stop_reason", "key", "result_key", "output_file_id", "error_file_id"))
    return about | files | {"total": 0, "counts": counts, "usage": usage}
