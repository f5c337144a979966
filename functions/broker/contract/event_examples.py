"""An example of each event that the broker puts on its bus, as a rule's target gets it."""

from typing import Any

from broker.contract.common import EXAMPLE_JOB
from broker.delivery.events import DETAIL_TYPES, REVIEW_TYPES, THRESHOLD
from broker.endpoints.record import BY_FAILURE
from broker.envelope import SOURCE, envelope
from broker.errors import Unavailable
from broker.jobs.head import Status

AT = 1_796_000_400_000
ASKED_BY = "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
API = "https://api.example.com/v1"
BATCH = "batch_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c"
ENDPOINT = "we_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c"

Json = dict[str, Any]

ERRORS: dict[Status, Json] = {
    Status.FAILED: {"type": Unavailable.type, "code": "unavailable", "message": "No model answered."},
    Status.BLOCKED: {
        "type": "blocked",
        "code": "blocked_input",
        "message": "A guardrail blocked the input.",
        "source": "policy",
    },
    Status.CANCELED: {"type": "canceled", "code": "canceled", "message": "Canceled on request."},
    Status.EXPIRED: {"type": "expired", "code": "deadline_passed", "message": "The job's deadline passed."},
}


def event_examples() -> dict[str, Json]:
    """By detail-type."""
    events = {kind: _of_job(status, kind) for status, kind in DETAIL_TYPES.items()}
    events |= {kind: _of_review(kind, state) for kind, state in zip(REVIEW_TYPES, ("held", "released"), strict=True)}
    events["RequestRejected"] = _event(
        "RequestRejected",
        envelope(
            f"evt_{ASKED_BY}_rejected",
            ASKED_BY,
            None,
            AT,
            {
                "source": "acme.orders",
                "key": None,
                "error": {
                    "type": "invalid_request",
                    "code": "invalid_field",
                    "message": "modle: there is no such field",
                    "param": "modle",
                },
            },
        ),
    )
    events |= {kind: _of_batch(kind, stage, facts) for kind, stage, facts in _batches()}
    disabled = {"endpoint_id": ENDPOINT, "disabled_by": BY_FAILURE, "failing_since": "2026-11-24T09:00:00.000Z"}
    events["WebhookEndpointDisabled"] = _about(
        "WebhookEndpointDisabled", ENDPOINT, f"evt_{ENDPOINT.removeprefix('we_')}_disabled_4", disabled
    )
    crossing = {"budget": "daily", "percent": 80, "period": "2026-11-29", "principal": "ci", "job_id": EXAMPLE_JOB}
    events[THRESHOLD] = _about(THRESHOLD, ASKED_BY, f"evt_{'0' * 32}_crossed", crossing)
    events["WebhookExhausted"] = _about(
        "WebhookExhausted",
        EXAMPLE_JOB,
        f"{_of('succeeded')}_exhausted_{ENDPOINT}",
        {
            "about": EXAMPLE_JOB,
            "event": "job.succeeded",
            "webhook_id": _of("succeeded"),
            "endpoint_id": ENDPOINT,
            "attempts": 10,
            "last_status": 503,
            "last_error": None,
        },
    )
    return events


def _event(kind: str, detail: Json) -> Json:
    return {
        "version": "0",
        "id": "4f5a0c9e-7f0c-4a63-9a6b-0d3f5f6b7c11",
        "detail-type": kind,
        "source": SOURCE,
        "account": "123456789012",
        "time": "2026-11-29T09:00:02Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }


def _about(kind: str, cause: str, event_id: str, data: Json) -> Json:
    return _event(kind, envelope(event_id, cause, "acme", AT, data))


def _of(what: str) -> str:
    return f"evt_{EXAMPLE_JOB.removeprefix('job_')}_{what}"


def _facts(status: Status) -> Json:
    done = status is Status.SUCCEEDED
    return {
        "job_id": EXAMPLE_JOB,
        "status": status.value,
        "task": "chat",
        "model": "gpt-4o-mini" if done else None,
        "error": ERRORS.get(status),
        "usage": {
            "input_tokens": 14 if done else 0,
            "output_tokens": 9 if done else 0,
            "cost_usd": 0.0000075 if done else 0,
        },
        "url": f"{API}/jobs/{EXAMPLE_JOB}",
    }


def _of_job(status: Status, kind: str) -> Json:
    return _event(kind, envelope(_of(status.value), ASKED_BY, "acme", AT, _facts(status)))


def _of_review(kind: str, state: str) -> Json:
    review = {"stage": "output", "rules": ["pii"], "url": f"{API}/admin/reviews/{EXAMPLE_JOB}"}
    facts = _facts(Status.QUEUED) | {"review": review}
    return _event(kind, envelope(f"{_of(state)}_1", ASKED_BY, "acme", AT, facts))


def _of_batch(kind: str, stage: str, facts: Json) -> Json:
    detail = envelope(f"evt_{BATCH.removeprefix('batch_')}_{stage}", BATCH, "acme", AT, {"batch_id": BATCH, **facts})
    return _event(kind, detail)


def _batches() -> list[tuple[str, str, Json]]:
    begun = {"url": f"{API}/batches/{BATCH}", "total": 200}
    counts = {"succeeded": 98, "failed": 2, "blocked": 0, "canceled": 0, "expired": 0, "rejected": 0, "passed_over": 0}
    ended = {
        "url": f"{API}/batches/{BATCH}",
        "status": "completed",
        "stop_reason": None,
        "key": None,
        "result_key": None,
        "output_file_id": "file-019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c",
        "error_file_id": "file-019a0b1c2d3e7f4a8b9c0d1e2f3a4b5d",
        "total": 200,
        "counts": counts | {"succeeded": 196, "failed": 4},
        "usage": {"input_tokens": 2800, "output_tokens": 1800, "cost_usd": 0.0015},
    }
    error = {"type": "invalid_request", "code": "no_rows", "message": "The file has no rows.", "param": "input_file_id"}
    return [
        ("BatchStarted", "started", begun),
        ("BatchProgressed", "progressed_50", begun | {"ended": 100, "percent": 50, "counts": counts}),
        ("BatchCompleted", "completed", ended),
        ("BatchFailed", "failed", begun | {"total": 0, "status": "failed", "error": error}),
    ]
