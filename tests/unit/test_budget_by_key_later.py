"""Budgets by API key hold for what a key asks for and others do later: rows of batches, retries of bulk operations."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from broker.batches.batch import Batch, BatchStatus
from broker.batches.shard import Sums
from broker.bulk.request import parse_bulk
from broker.jobs.accepting import Caller
from broker.jobs.head import Status
from broker.registry.document import parse_registry
from broker.rest.http import Reply, Request

from tests.fakes.batch_rows import Rows, chat
from tests.fakes.world import BASE_URL, World
from tests.unit.bulk_case import BulkWorld
from tests.unit.rest_door import Door

BATCH = {"requests": [chat("One."), chat("Two."), chat("Three.")]}


def limit(world: World, jobs: float) -> None:
    """Give each key a budget for so many of its jobs."""
    budgets = [{"id": "keys", "usd": jobs * 4_022 / 1e9, "per": "key"}]
    (entry,) = parse_registry({"tenants": [{"id": "acme", "budgets": budgets, "usage_by": ["key"]}]}).tenants
    world.register(entry.item())


def call(door: Door, key: str, resource: str, body: Any = None, **path: str) -> Reply:
    text = None if body is None else json.dumps(body)
    who = "acme", "ci", frozenset({"*"}), "req-1", BASE_URL, time.monotonic()
    return door.api(Request("POST", resource, path, {}, {}, text, *who, key=key))


def run(door: Door, batch_id: str) -> Rows:
    rows = Rows(door.world, door.batches.rows)
    limit(door.world, 2.5)  # `Rows` registers its own tenant
    rows.plan(batch_id)
    rows.run(batch_id)
    rows.tend_all()
    return rows


def held(rows: Rows, batch_id: str) -> list[bool]:
    return [any("keys" in name for name in head.holds) for head in rows.jobs(batch_id)]


def test_rows_hold_of_the_budget_of_the_key_that_asked_for_their_batch() -> None:
    door = Door()
    first, other = (call(door, key, "/batches", BATCH).body["id"] for key in ("k-1", "k-2"))
    for batch_id in (first, other):
        rows = run(door, batch_id)
        assert held(rows, batch_id) and all(held(rows, batch_id))
        assert len(rows.jobs(batch_id)) < 3, "the budget covers no three of them"
        assert {head.groups["key"] for head in rows.jobs(batch_id)} == {"k-1" if batch_id == first else "k-2"}


@pytest.mark.parametrize("key", ["k-2", ""])
def test_a_batch_that_is_tried_again_is_of_who_asks_for_that(key: str) -> None:
    door = Door()
    submit = door.batches.submit()
    first = call(door, "k-1", "/batches", BATCH).body["id"]

    def over(now: Batch) -> Batch:
        failed = Sums(counts={"failed": 3})
        return replace(now, status=BatchStatus.COMPLETED, is_planned=True, sums=failed, rev=now.rev + 1)

    _, ended = submit.batches.change(first, over)
    again = call(door, key, "/batches/{id}/retry", id=ended.id).body["id"]
    assert (ended.asked["by_key"], submit.batches.get(again).asked.get("by_key", "")) == ("k-1", key)


def test_retries_of_a_bulk_operation_are_of_the_key_that_asked_for_it() -> None:
    world = BulkWorld()
    failed = [world.job(Status.FAILED) for _ in range(2)]
    limit(world.world, 9)
    body = {"action": "retry", "filter": {"status": "failed"}}
    world.now += 60_000
    world.ask(parse_bulk(body), Caller("acme", "ci", "rest", "req-1", key="k-1"), world.now)
    while world.shards.later:
        world.work()
    retries = world.retries(*failed)
    assert [head.groups for head in retries] == [{"key": "k-1"}] * 2
    assert all(any("keys" in name for name in head.holds) for head in retries)
