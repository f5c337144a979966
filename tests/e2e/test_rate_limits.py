"""Limits on the stack: of two tenants and a key, under a crowd, with what a caller is told."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from broker.tenants.call_rates import FREE

from local.client import Client, HttpReply
from tests.e2e.stack import Stack, chat


def registered(stack: Stack, **limits: int) -> tuple[str, Client]:
    """A new tenant with these limits."""
    tenant = f"limited-{uuid.uuid4().hex[:8]}"
    entry = {"id": tenant, **({"limits": limits} if limits else {})}
    stack.register({"tenants": [entry]})
    return tenant, stack.as_tenant(tenant)


def submitted(client: Client, count: int, at_once: int = 16, **more: Any) -> list[HttpReply]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda _: client.submit(chat(**more)), range(count)))


def test_a_crowd_of_one_tenant_gets_its_limit_and_another_is_not_touched(stack: Stack) -> None:
    _, careless = registered(stack, requests_per_day=10)
    _, other = registered(stack, requests_per_minute=30)
    with ThreadPoolExecutor(2) as pool:
        crowd, quiet = pool.submit(submitted, careless, 64), pool.submit(submitted, other, 8, 1)
    assert Counter(reply.status for reply in crowd.result()) == {202: 10, 429: 54}
    assert {reply.status for reply in quiet.result()} == {202}
    refused = next(reply for reply in crowd.result() if reply.status == 429)
    assert refused.body["error"]["limit"]["name"] == "requests_per_day"
    assert (
        refused.headers["ratelimit"].startswith('"requests_per_day";r=0') and int(refused.headers["retry-after"]) <= 120
    )
    assert quiet.result()[0].headers["ratelimit-policy"] == '"requests_per_minute";q=30;w=60'


def test_a_key_has_a_limit_of_its_own(stack: Stack) -> None:
    tenant, free = registered(stack)
    held = stack.as_tenant(tenant, limits={"tokens_per_day": 2_000})
    replies = submitted(held, 6, 1, parameters={"max_output_tokens": 900})
    assert [reply.status for reply in replies] == [202, 202, 429, 429, 429, 429]
    assert replies[2].body["error"]["limit"]["scope"] == "key"
    assert free.submit(chat()).status == 202
    (row,) = held.call("GET", "/limits").body["data"]
    assert (row["scope"], row["amount"]) == ("key", 2_000) and row["left"] == replies[2].body["error"]["limit"]["left"]
    assert free.call("GET", "/limits").body["data"] == []
    known = held.submit(chat(parameters={"max_output_tokens": 1}), idempotency_key="one").body["id"]
    assert held.submit(chat(parameters={"max_output_tokens": 1}), idempotency_key="one").body["id"] == known


def test_who_polls_without_a_pause_is_told_to_wait_and_no_other_is(stack: Stack) -> None:
    _, polling = registered(stack, calls_per_second=1)
    _, other = registered(stack)
    with ThreadPoolExecutor(16) as pool:
        looks = list(pool.map(lambda _: polling.call("GET", "/jobs?limit=1").status, range(16 * (FREE + 20))))
    assert set(looks) == {200, 429}
    refused = next(reply for reply in (polling.call("GET", "/jobs?limit=1") for _ in range(999)) if reply.status == 429)
    assert refused.body["error"]["limit"]["name"] == "calls_per_second" and refused.headers["retry-after"] == "1"
    assert {other.call("GET", "/jobs?limit=1").status for _ in range(10)} == {200}
