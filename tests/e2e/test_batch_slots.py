"""Bounds of what a tenant has under way, on the embedded cloud: its large files wait for one another alone."""

import json
import time

from broker.batches.flow.slots import Slots
from broker.batches.store import Batches
from broker.clock import now_ms

from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat, until

LARGE = "\n".join(json.dumps(chat("x" * 3_000_000, model="no-such")) for _ in range(3)).encode()
"""More than eight megabytes; its rows are refused when they run."""


def test_a_tenants_third_large_file_waits_in_its_workflow_and_anothers_is_read_at_once(stack: Stack) -> None:
    mine, others = BatchesOf(stack, "large-a"), BatchesOf(stack, "large-b")
    address = mine.put(LARGE)
    slots = Slots(Batches(stack.database), "plan")
    held = [mine.submit(requests=[chat("x", model="no-such")]) for _ in range(2)]
    for batch_id in held:
        assert slots.claim(mine.record(batch_id), now_ms()) == 0
    waits, goes = mine.submit(s3=address), others.submit(s3=others.put(LARGE))
    small = mine.submit(requests=[chat("x", model="no-such")])
    for tenant, batch_id in ((others, goes), (mine, small)):
        assert tenant.ended(batch_id)["status"] == "completed"
    time.sleep(2)
    assert mine.shown(waits)["status"] == "validating"
    slots.give_back(mine.record(held[0]), now_ms())
    ended = mine.ended(waits)
    assert (ended["status"], ended["request_counts"]["failed"]) == ("completed", 3)


def test_a_tenant_has_no_more_batches_under_way_than_its_entry_says(stack: Stack) -> None:
    mine, others = BatchesOf(stack, "few-a"), BatchesOf(stack, "few-b")
    stack.register({"tenants": [{"id": "few-a", "monthly_budget_usd": 1000, "max_batches": 1}]})
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    body = {"requests": [chat("x", model="no-such")], "not_before": later}

    def refused() -> bool:
        return mine.api.call("POST", "/batches", body).status == 429

    first = mine.submit(**body)
    assert until(refused, 40), "an entry takes half a minute to show"
    answer = mine.api.call("POST", "/batches", body)
    assert (answer.status, answer.body["error"]["code"]) == (429, "too_many_batches")
    assert int(answer.headers["retry-after"]) > 0
    others.submit(**body)
    open_ones = [each["id"] for each in mine.api.call("GET", "/batches?limit=100").body["data"]]
    for batch_id in open_ones:
        mine.api.call("POST", f"/batches/{batch_id}/cancel")
    assert mine.ended(first)["status"] == "cancelled"
    for batch_id in open_ones:
        mine.ended(batch_id)
    mine.submit(requests=[chat("x", model="no-such")])
