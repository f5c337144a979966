"""One call for each documented reply of the routes of Anthropic's clients, and what is there before it."""

import json
from dataclasses import replace
from typing import Any

from broker.batches.asking.request import parse_batch
from broker.batches.batch import MESSAGES, BatchStatus
from broker.batches.shard import Sums
from broker.batches.store import Batches
from broker.clock import now_ms
from broker.contract.batches import EXAMPLE_BATCH
from broker.doors.message_batches import batch_of, public_id
from broker.jobs.idempotency import fingerprint, reserve

from tests.contract.world import World

VERSION = {"headers": {"anthropic-version": "2023-06-01"}}
COUNTED = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}

ASKED = {"requests": [{"custom_id": "a", "params": COUNTED | {"max_tokens": 9}}, {"custom_id": "b", "params": {}}]}
KEYED = {"headers": {"idempotency-key": "k"}}


def messages_before(world: World, before: str) -> dict[str, Any]:
    """Make a batch of messages, and name it as a call does."""
    if before == "messages key held":
        document = parse_batch(batch_of(ASKED)).model_dump(mode="json", exclude_unset=True)
        held = fingerprint({"batch": document, MESSAGES: 2})
        reserve(world.database, "acme", "k", held, EXAMPLE_BATCH, now_ms())
        return {}
    given = ASKED if before != "messages key used" else {"requests": ASKED["requests"][:1]}
    known = world.call("POST", "/messages/batches", body=json.dumps(given), **KEYED).body["id"]
    made = known.replace("msgbatch_", "batch_")
    if before in ("messages ended", "messages with results"):
        sums = Sums({"succeeded": 1, "rejected": 1}, 12_000, 30, 40)
        ended = {"status": BatchStatus.COMPLETED, "rows": 2, "shards": 1, "is_planned": True, "sums": sums}
        output = {"output_file_id": "file-1"} if before == "messages with results" else {}
        stamps = {"completed": now_ms()}
        Batches(world.database).change(made, lambda was: replace(was, output=output, stamps=stamps, **ended))
    if before == "messages with results":
        world.batches.links[made, "output"] = "https://bucket.example/results"
    return {"path": {"id": public_id(made)}} if before != "messages key used" else {}


def batch_of_messages_calls() -> list[Any]:
    """The same for batches of messages."""
    whole, one, lost = "/messages/batches", "/messages/batches/{id}", {"path": {"id": public_id(EXAMPLE_BATCH)}}
    asked = {"body": json.dumps(ASKED)}
    return [
        ("POST", whole, 200, None, asked),
        ("POST", whole, 200, "messages", asked | KEYED),
        ("POST", whole, 400, None, {"body": json.dumps({"requests": []})}),
        ("POST", whole, 400, None, {"body": json.dumps({"requests": ASKED["requests"] * 2})}),
        ("POST", whole, 409, "messages key held", asked | KEYED),
        ("POST", whole, 422, "messages key used", asked | KEYED),
        ("GET", whole, 200, "messages", {}),
        ("GET", whole, 200, "messages ended", {"query": {"limit": "1"}}),
        ("GET", whole, 400, None, {"query": {"limit": "0"}}),
        *(("GET", one, 200, before, {}) for before in ("messages", "messages ended", "messages with results")),
        ("GET", one, 404, None, lost),
        ("DELETE", one, 200, "messages ended", {}),
        ("DELETE", one, 404, None, lost),
        ("DELETE", one, 409, "messages", {}),
        ("POST", f"{one}/cancel", 200, "messages", {}),
        ("POST", f"{one}/cancel", 200, "messages ended", {}),
        ("POST", f"{one}/cancel", 404, None, lost),
        ("GET", f"{one}/results", 307, "messages with results", {}),
        ("GET", f"{one}/results", 404, "messages ended", {}),
        ("GET", f"{one}/results", 409, "messages", {}),
    ]


def anthropic_calls() -> list[Any]:
    """Method, route, status, what is there before, and what more is sent."""
    one, count, counted = "/messages/{id}", "/messages/count_tokens", json.dumps(COUNTED)
    bad, lost = json.dumps({"colour": "blue"}), {"path": {"id": "msg_0"}}
    return [
        *batch_of_messages_calls(),
        ("POST", count, 200, None, {"body": counted}),
        ("POST", count, 400, None, {"body": bad}),
        ("POST", count, 402, None, {"body": counted, "tenant": "poor"}),
        ("POST", count, 403, None, {"body": counted, "scopes": frozenset()}),
        ("POST", count, 413, None, {"body": json.dumps(COUNTED | {"system": "x" * 5_000_000})}),
        ("GET", one, 200, "message ended", {}),
        ("GET", one, 404, None, lost),
        ("GET", one, 404, "message erased", {}),
        ("GET", one, 413, "message too large", {}),
        ("GET", one, 504, "message queued", {"began": 0.0}),
        *(("GET", one, status, f"message failed {status}", {}) for status in (400, 409, 422, 502)),
        ("GET", "/models", 200, None, {"query": {"limit": "1"}} | VERSION),
        ("GET", "/models", 400, None, {"query": {"limit": "0"}} | VERSION),
        ("GET", "/models", 400, None, {"query": {"after_id": "none"}} | VERSION),
        ("GET", "/models/{id}", 200, None, {"path": {"id": "small"}} | VERSION),
        ("GET", "/models/{id}", 404, None, {"path": {"id": "none"}} | VERSION),
        ("GET", "/files/{id}", 404, None, {"path": {"id": "file-0"}} | VERSION),
    ]
