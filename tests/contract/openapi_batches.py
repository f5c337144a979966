"""One call for each documented reply of the routes of batches, and what is there before it."""

import json
from dataclasses import replace
from typing import Any

from broker.batches.asking.request import parse_batch
from broker.batches.batch import Batch, BatchStatus
from broker.batches.shard import Sums
from broker.batches.store import Batches
from broker.clock import now_ms
from broker.contract.batches import EXAMPLE_BATCH
from broker.delivery.starting import StartDelivery
from broker.jobs.accepting import Caller
from broker.jobs.idempotency import fingerprint, reserve

from tests.contract.world import World
from tests.fakes.queue import FakeDeliveries

ROWS = {"requests": [{"custom_id": "a", "input": "Hello"}, {"input": {"text": 3}}], "metadata": {"order": "17"}}
FULL = ROWS | {
    "defaults": {"model": "small", "webhook": {"url": "https://example.com/hook"}},
    "dedupe": True,
    "max_cost_usd": 1.5,
    "completion_window": "7d",
    "not_before": "2020-01-01T00:00:00Z",
    "off_peak": {"start": "00:00", "end": "23:59", "time_zone": "Europe/Berlin"},
    "webhook": {"url": "https://example.com/hook", "events": ["batch.completed"]},
    "output": {"kind": "outbox", "key": "acme/out"},
}
KEYED = {"headers": {"idempotency-key": "k"}}
OPENAI_ROW = {"method": "POST", "url": "/v1/chat/completions", "body": {"model": "small", "messages": []}}
OPENAI = {
    "endpoint": "/v1/chat/completions",
    "requests": [OPENAI_ROW],
    "completion_window": "24h",
    "output_expires_after": {"anchor": "created_at", "seconds": 3600},
}
PROMPT = {"prompt": {"id": "shorten"}, "variables": [{"document": "The lamp."}]}


def batch_before(world: World, before: str) -> dict[str, Any]:
    """Make it, and name it as a call does."""
    if before in ("batch key used", "batch key of an ended one"):
        given = PROMPT if before == "batch key used" else ROWS
        made = world.call("POST", "/batches", body=json.dumps(given), **KEYED)
        if given is ROWS:
            _change(world, Batches(world.database).get(made.body["id"]), BatchStatus.COMPLETED)
        return {}
    if before == "batch key held":
        document = parse_batch(ROWS).model_dump(mode="json", exclude_unset=True)
        reserve(world.database, "acme", "k", fingerprint({"batch": document}), EXAMPLE_BATCH, now_ms())
        return {}
    made = world.batches.submit()(parse_batch(FULL), Caller("acme", "me", "rest", "r-1"), now_ms()).batch
    path = {"path": {"id": made.id}}
    match before:
        case "batch under way":
            _change(world, made, BatchStatus.IN_PROGRESS, stamps={"in_progress": now_ms() - 9_000})
        case "batch failed":
            error = {"type": "invalid_request", "code": "empty_file", "message": "The file is empty.", "param": None}
            _change(world, made, BatchStatus.FAILED, error=error, is_planned=False)
        case "batch canceled":
            _change(world, made, BatchStatus.CANCELLED, stop="cancelled")
        case "batch told":
            _change(world, made, BatchStatus.COMPLETED)
            facts = {"event_id": "evt_1", "event": "batch.completed", "url": "https://example.com/hook", "body": "{}"}
            start = StartDelivery(world.database, FakeDeliveries())
            start(made.id, "acme", made.expires_at, "DELIVERY#batch.completed", now_ms(), facts)
        case (
            "batch ended" | "batch with results" | "batch retried" | "batch retried to its end" | "batch key elsewhere"
        ):
            output = {"output_file_id": "file-1", "error_file_id": "file-2", "result_key": "acme/out.results.jsonl"}
            _change(world, made, BatchStatus.COMPLETED, output=output)
            if before == "batch with results":
                world.batches.links[made.id, "output"] = "https://bucket.example/results"
            elif before == "batch retried":
                again = world.call("POST", "/batches/{id}/retry", **path).body
                path = {"path": {"id": again["id"]}}
            elif before == "batch retried to its end":
                again = world.call("POST", "/batches/{id}/retry", **path, **KEYED).body
                _change(world, Batches(world.database).get(again["id"]), BatchStatus.COMPLETED)
            elif before == "batch key elsewhere":
                world.call("POST", "/batches", body=json.dumps(PROMPT), **KEYED)
    return path


def _change(world: World, batch: Batch, status: BatchStatus, **changes: Any) -> None:
    sums = Sums({"succeeded": 1, "rejected": 1}, 12_000, 30, 40, 1)
    known = {"status": status, "rows": 4, "shards": 1, "is_planned": True, "sums": sums, "released": 1} | changes
    Batches(world.database).change(batch.id, lambda before: replace(before, **known))


def batch_calls() -> list[Any]:
    """One call for each."""
    body, full, bad = json.dumps(ROWS), json.dumps(FULL), json.dumps({"requests": []})
    keyed, lost = KEYED, {"path": {"id": EXAMPLE_BATCH}}
    unknown = json.dumps(PROMPT | {"prompt": {"id": "none"}})
    one = "/batches/{id}"
    return [
        ("POST", "/batches", 202, None, {"body": body, **keyed}),
        ("POST", "/batches", 200, "batch key of an ended one", {"body": body, **keyed}),
        ("POST", "/batches", 202, None, {"body": full}),
        ("POST", "/batches", 202, None, {"body": json.dumps(PROMPT)}),
        ("POST", "/batches", 202, None, {"body": json.dumps(OPENAI)}),
        ("POST", "/batches", 400, None, {"body": bad}),
        ("POST", "/batches", 400, None, {"body": json.dumps(OPENAI | {"endpoint": "/v1/other"})}),
        ("POST", "/batches", 400, None, {"body": "[]"}),
        ("POST", "/batches", 404, None, {"body": unknown}),
        ("POST", "/batches", 409, "batch key held", {"body": body, **keyed}),
        ("POST", "/batches", 422, "batch key used", {"body": body, **keyed}),
        ("GET", "/batches", 200, None, {}),
        ("GET", "/batches", 200, "batch ended", {"query": {"limit": "1"}}),
        ("GET", "/batches", 400, None, {"query": {"limit": "0"}}),
        ("GET", "/batches", 200, "batch ended", {"query": {"after": EXAMPLE_BATCH}}),
        ("GET", "/batches", 400, None, {"query": {"cursor": "x"}}),
        ("GET", "/batches", 400, None, {"query": {"after": "#"}}),
        ("POST", "/batches/estimate", 200, None, {"body": body}),
        ("POST", "/batches/estimate", 200, "called", {"body": full}),
        ("POST", "/batches/estimate", 200, None, {"body": json.dumps(OPENAI)}),
        ("POST", "/batches/estimate", 400, None, {"body": bad}),
        ("POST", "/batches/estimate", 404, None, {"body": unknown}),
        *((("GET", one, 200, before, {})) for before in ("batch", "batch under way", "batch failed", "batch ended")),
        *((("GET", one, 200, before, {})) for before in ("batch canceled", "batch retried")),
        ("GET", one, 200, "batch told", {}),
        ("GET", one, 404, None, lost),
        ("DELETE", one, 204, "batch ended", {}),
        ("DELETE", one, 404, None, lost),
        ("DELETE", one, 409, "batch", {}),
        *(
            call
            for what, ended in (("cancel", "batch ended"), ("pause", "batch canceled"), ("resume", "batch failed"))
            for call in (
                ("POST", f"{one}/{what}", 200, "batch under way", {}),
                ("POST", f"{one}/{what}", 404, None, lost),
                ("POST", f"{one}/{what}", 409, ended, {}),
            )
        ),
        ("POST", f"{one}/retry", 200, "batch retried to its end", keyed),
        ("POST", f"{one}/retry", 202, "batch ended", keyed),
        ("POST", f"{one}/retry", 422, "batch key elsewhere", keyed),
        ("POST", f"{one}/retry", 400, "batch failed", {}),
        ("POST", f"{one}/retry", 404, None, lost),
        ("POST", f"{one}/retry", 409, "batch under way", {}),
        ("POST", f"{one}/redeliver", 202, "batch told", {}),
        ("POST", f"{one}/redeliver", 400, "batch", {}),
        ("POST", f"{one}/redeliver", 404, None, lost),
        ("GET", f"{one}/results", 307, "batch with results", {}),
        ("GET", f"{one}/results", 400, "batch with results", {"query": {"kind": "both"}}),
        ("GET", f"{one}/results", 404, "batch with results", {"query": {"kind": "errors"}}),
        ("GET", f"{one}/results", 404, None, lost),
        ("GET", f"{one}/results", 409, "batch", {}),
    ]
