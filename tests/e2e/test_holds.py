"""What is bounded for a tenant on the stack: waits, jobs that have not ended, budgets of keys; and what it used."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.client import Client
from tests.e2e.stack import Stack, chat


def registered(stack: Stack, **entry: Any) -> tuple[str, Client]:
    """A new tenant."""
    tenant = f"bounded-{uuid.uuid4().hex[:8]}"
    stack.register({"tenants": [{"id": tenant, **entry}]})
    return tenant, stack.as_tenant(tenant)


def test_jobs_waits_and_budgets_of_a_tenant_are_bounded_and_its_usage_is_told(stack: Stack) -> None:
    bounds = {"queued_jobs": 2, "waits_at_once": 1}
    rule = {"id": "keys", "usd": 0.01, "per": "key", "period": "day", "warn_at": [100]}
    tenant, hostile = registered(stack, limits=bounds, budgets=[rule], usage_by=["task", "tag:team"])
    _, other = registered(stack)
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: hostile.submit(chat(model="slow", metadata={"team": "red"})), range(8)))
        assert Counter(reply.status for reply in asked) == {202: 2, 429: 6}
        refused = next(reply for reply in asked if reply.status == 429)
        assert refused.body["error"]["code"] == "too_many_queued_jobs"
        assert refused.headers["ratelimit"] == '"queued_jobs";r=0'
        (row,) = hostile.call("GET", "/limits").body["data"]
        assert (row["name"], row["left"]) == ("queued_jobs", 0)

        first, second = (reply.body["id"] for reply in asked if reply.status == 202)
        polls = pool.map(lambda _: hostile.call("GET", f"/jobs/{first}?wait=20"), range(6))
        quiet = other.submit(chat(), prefer="wait=20")
        assert (quiet.status, quiet.body["status"]) == (200, "succeeded")
        looks = Counter((reply.body["status"], "retry-after" in reply.headers) for reply in polls)
        assert looks["succeeded", False] and sum(looks[each, True] for each in ("queued", "running")), looks
    assert hostile.finished(second)["status"] == "succeeded"
    assert hostile.submit(chat(model="answers")).status == 202, "their places are free again"

    dear = hostile.submit(chat(model="dear"))
    assert (dear.status, dear.body["error"]["budget_rule"]["id"]) == (402, "keys")
    assert stack.as_tenant(tenant).submit(chat(model="dear")).status == 402, "another key has as little"
    assert other.submit(chat(model="dear")).status == 202

    (used,) = [row for row in hostile.call("GET", "/usage?by=tag:team").body["data"] if row["value"] == "red"]
    assert (used["jobs"], used["calls"]) == (2, 2) and used["cost_usd"] > 0
    months = hostile.call("GET", "/usage").body["data"]
    assert {row["value"] for row in months} >= {"slow"} and all(row["jobs"] is None for row in months)
    assert other.call("GET", "/usage?by=tag:team").status == 400
