"""One call for each documented reply of the routes of registered endpoints, and what is there before it."""

import json
from typing import Any

from broker.clock import iso, now_ms
from broker.jobs.head import Status

from tests.contract.world import World

NATIVE = {"url": "https://example.com/hook", "events": ["*"], "description": "The shop's"}
OPENAI = {"url": "https://example.com/hook", "event_types": ["response.completed"], "name": "The shop's"}
OWN, THEIRS = "/webhooks/{id}", "/webhook_endpoints/{id}"
KEYED = {"headers": {"idempotency-key": "k"}}


def endpoint_before(world: World, resource: str, before: str) -> dict[str, Any]:
    """Make it, and name it as a call does."""
    ours = resource.startswith("/webhooks")
    first = ("POST", "/webhooks", NATIVE) if ours else ("POST", "/webhook_endpoints", OPENAI)
    keyed = KEYED if before == "endpoint of a key" else {}
    made = world.call(*first[:2], body=json.dumps(first[2]), **keyed)
    path = {"id": made.body["id"]}
    if before in ("endpoint told", "endpoint busy"):
        head = world.ended(Status.SUCCEEDED)
        world.deliver(head.id, f"DELIVERY#job.succeeded#{path['id']}", now_ms(), "https://api.example.com/v1")
        listed = world.call("GET", "/webhooks/{id}/deliveries", path=path)
        path["delivery_id"] = listed.body["data"][0]["id"]
        if before == "endpoint busy":
            (note,) = world.jobs.notes(head.id, f"DELIVERY#job.succeeded#{path['id']}").values()
            world.jobs.note(head, note["sk"].removeprefix("NOTE#"), note | {"busy_until": now_ms() + 60_000})
    return {} if before == "endpoint of a key" else {"path": path}


def endpoint_calls() -> list[Any]:
    """One call for each."""
    native, openai = {"body": json.dumps(NATIVE)}, {"body": json.dumps(OPENAI)}
    inside = {"body": json.dumps(NATIVE | {"url": "https://127.0.0.1/"})}
    bad, lost = {"body": '{"colour": "blue"}'}, {"path": {"id": "we_0", "delivery_id": "dlv_0"}}
    some = "endpoint"
    since = {"body": json.dumps({"since": iso(now_ms() - 60_000)})}
    return [
        ("POST", "/webhooks", 201, None, native),
        ("POST", "/webhooks", 201, None, native | {"headers": {"x-stainless-retry-count": "1"}}),
        ("POST", "/webhooks", 400, None, inside),
        ("POST", "/webhooks", 400, None, bad),
        ("POST", "/webhooks", 422, "endpoint of a key", {"body": json.dumps(NATIVE | {"events": ["job.*"]}), **KEYED}),
        ("GET", "/webhooks", 200, some, {}),
        ("GET", OWN, 200, some, {}),
        ("GET", OWN, 200, "endpoint told", {}),
        ("GET", OWN, 404, None, lost),
        ("PATCH", OWN, 200, some, {"body": '{"events": ["batch.*"], "description": ""}'}),
        ("PATCH", OWN, 400, some, bad),
        ("PATCH", OWN, 404, None, lost | {"body": "{}"}),
        ("DELETE", OWN, 204, some, {}),
        ("DELETE", OWN, 404, None, lost),
        ("POST", f"{OWN}/rotate", 200, some, {}),
        ("POST", f"{OWN}/rotate", 200, some, {"body": '{"keep_old_for_24_hours": false}'}),
        ("POST", f"{OWN}/rotate", 400, some, bad),
        ("POST", f"{OWN}/rotate", 404, None, lost),
        ("POST", f"{OWN}/enable", 200, some, {}),
        ("POST", f"{OWN}/enable", 404, None, lost),
        ("POST", f"{OWN}/disable", 200, some, {}),
        ("POST", f"{OWN}/disable", 404, None, lost),
        ("POST", f"{OWN}/test", 200, some, {}),
        ("POST", f"{OWN}/test", 200, some, {"body": '{"event": "batch.failed"}'}),
        ("POST", f"{OWN}/test", 400, some, {"body": '{"event": "cake"}'}),
        ("POST", f"{OWN}/test", 404, None, lost),
        ("GET", f"{OWN}/deliveries", 200, "endpoint told", {}),
        ("GET", f"{OWN}/deliveries", 400, some, {"query": {"limit": "0"}}),
        ("GET", f"{OWN}/deliveries", 400, some, {"query": {"after": "x"}}),
        ("GET", f"{OWN}/deliveries", 404, None, lost),
        ("GET", f"{OWN}/deliveries/{{delivery_id}}", 200, "endpoint told", {}),
        ("GET", f"{OWN}/deliveries/{{delivery_id}}", 404, None, lost),
        ("POST", f"{OWN}/deliveries/{{delivery_id}}/redeliver", 202, "endpoint told", {}),
        ("POST", f"{OWN}/deliveries/{{delivery_id}}/redeliver", 404, None, lost),
        ("POST", f"{OWN}/deliveries/{{delivery_id}}/redeliver", 409, "endpoint busy", {}),
        ("POST", f"{OWN}/recover", 202, "endpoint told", since),
        ("POST", f"{OWN}/recover", 400, some, {"body": '{"since": "yesterday"}'}),
        ("POST", f"{OWN}/recover", 404, None, lost | since),
        ("POST", "/webhook_endpoints", 200, None, openai),
        ("POST", "/webhook_endpoints", 400, None, {"body": json.dumps(OPENAI | {"event_types": ["job.failed"]})}),
        ("POST", "/webhook_endpoints", 422, "endpoint of a key", {"body": json.dumps(OPENAI | {"name": "x"}), **KEYED}),
        ("GET", "/webhook_endpoints", 200, some, {}),
        ("GET", "/webhook_endpoints", 400, None, {"query": {"limit": "101"}}),
        ("GET", THEIRS, 200, some, {}),
        ("GET", THEIRS, 404, None, lost),
        ("POST", THEIRS, 200, some, {"body": '{"name": "Another"}'}),
        ("POST", THEIRS, 400, some, bad),
        ("POST", THEIRS, 404, None, lost | {"body": "{}"}),
        ("DELETE", THEIRS, 200, some, {}),
        ("DELETE", THEIRS, 404, None, lost),
        ("POST", f"{THEIRS}/rotate_secret", 200, some, {}),
        ("POST", f"{THEIRS}/rotate_secret", 400, some, bad),
        ("POST", f"{THEIRS}/rotate_secret", 404, None, lost),
        ("POST", f"{THEIRS}/test", 200, some, {"body": '{"event_type": "response.completed"}'}),
        ("POST", f"{THEIRS}/test", 400, some, {"body": '{"event_type": "response.failed"}'}),
        ("POST", f"{THEIRS}/test", 404, None, lost | {"body": '{"event_type": "response.failed"}'}),
        ("GET", "/webhook_event_types", 200, None, {}),
    ]
