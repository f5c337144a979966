"""One call for each documented reply of the routes of bulk operations, and what is there before it."""

import json
from dataclasses import replace
from typing import Any

from broker.bulk.record import Bulks
from broker.bulk.request import parse_bulk
from broker.clock import now_ms
from broker.contract.bulk import EXAMPLE_BULK
from broker.jobs.idempotency import fingerprint, reserve

from tests.contract.world import World

FAILED = {"action": "retry", "filter": {"status": "failed", "tag": {"key": "order", "value": "17"}}, "dry_run": True}
OPEN = {"action": "cancel", "filter": {"created_before": "2020-01-01T00:00:00Z"}}
KEYED = {"headers": {"idempotency-key": "k"}}


def bulk_before(world: World, before: str) -> dict[str, Any]:
    """Make it, and name it as a call does."""
    if before == "bulk key held":
        document = parse_bulk(OPEN).model_dump(mode="json", exclude_unset=True)
        reserve(world.database, "acme", "k", fingerprint({"bulk": document}), EXAMPLE_BULK, now_ms())
        return {}
    given = FAILED if before in ("bulk key used", "bulk of a dry run") else OPEN
    made = world.call("POST", "/jobs/bulk", body=json.dumps(given), **KEYED).body
    bulks = Bulks(world.database)
    bulk = bulks.get(made["id"], "acme")
    if before in ("bulk key of an ended one", "bulk of a dry run"):
        figures: dict[str, Any] = {"counts": {"done": 3, "refused": 1}, "statuses": {"failed": 4}, "errors": {"x": 1}}
        bulks.save(bulk, replace(bulk, ended_at=now_ms(), due_at=None, worst=12_000_000, **figures))
    return {"path": {"id": bulk.id}} if before in ("bulk under way", "bulk of a dry run") else {}


def bulk_calls() -> list[Any]:
    """One call for each documented reply that the function itself gives."""
    route, one, body = "/jobs/bulk", "/jobs/bulk/{id}", json.dumps(OPEN)
    return [
        ("POST", route, 202, None, {"body": body, **KEYED}),
        ("POST", route, 202, None, {"body": json.dumps(FAILED)}),
        ("POST", route, 200, "bulk key of an ended one", {"body": body, **KEYED}),
        ("POST", route, 400, None, {"body": json.dumps({"action": "cancel", "filter": {}})}),
        ("POST", route, 400, None, {"body": json.dumps({"action": "cancel", "filter": {"batch": "batch_1"}})}),
        ("POST", route, 409, "bulk key held", {"body": body, **KEYED}),
        ("POST", route, 422, "bulk key used", {"body": body, **KEYED}),
        ("GET", one, 200, "bulk under way", {}),
        ("GET", one, 200, "bulk of a dry run", {}),
        ("GET", one, 404, None, {"path": {"id": "bulk_0"}}),
        ("GET", one, 404, None, {"path": {"id": "job 0"}}),
    ]
