"""Bulk operations on the embedded cloud: what a filter finds is canceled or run again, and no one else's jobs are."""

from typing import Any

import pytest

from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat, until


@pytest.fixture(scope="module")
def mine(stack: Stack) -> BatchesOf:
    return BatchesOf(stack, "bulk-mine")


@pytest.fixture(scope="module")
def other(stack: Stack) -> BatchesOf:
    return BatchesOf(stack, "bulk-other")


def done(of: BatchesOf, action: str, *, dry_run: bool = False, **said: Any) -> dict[str, Any]:
    """Ask for something, and wait until it is over."""
    answer = of.api.call("POST", "/jobs/bulk", {"action": action, "filter": said, "dry_run": dry_run})
    assert answer.status == 202, answer.body

    def is_over() -> Any:
        shown = of.api.call("GET", f"/jobs/bulk/{answer.body['id']}").body
        return shown if shown["status"] == "completed" else None

    shown = until(is_over, 240)  # a page that something kept comes again after half a minute
    assert shown, answer.body
    return dict(shown)


def jobs(of: BatchesOf) -> list[dict[str, Any]]:
    found = of.api.call("GET", "/jobs?limit=100").body["data"]
    return [of.api.call("GET", f"/jobs/{job['id']}").body for job in found]


def counts(shown: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in shown["counts"].items() if count}


def test_failed_jobs_are_run_again_once_and_paid_as_their_dry_run_said(
    stack: Stack, mine: BatchesOf, other: BatchesOf
) -> None:
    for of in (mine, other):  # by a fault that opens no circuit, which would keep the retries
        for number in range(3):
            stack.run(chat(f"Fail {number}.", model="rejects", metadata={"run": str(number % 2)}), of.api)
    stack.run(chat(model="answers"), mine.api)
    tag = {"key": "run", "value": "0"}
    dry = done(mine, "retry", dry_run=True, status="failed", tag=tag)
    assert (counts(dry), dry["by_status"]) == ({"matched": 2, "done": 2}, {"failed": 2})
    assert dry["worst_cost_usd"] > 0
    assert len(jobs(mine)) == 4
    first = {job["id"]: job for job in jobs(mine)}
    assert counts(done(mine, "retry", status="failed", tag=tag)) == {"matched": 2, "done": 2}
    again = [job for job in jobs(mine) if job["id"] not in first]
    assert len(again) == 2
    assert {first[job["retry_of"]]["metadata"]["run"] for job in again} == {"0"}
    until(lambda: all(job["ended_at"] for job in jobs(mine)))
    assert {job["status"] for job in jobs(mine) if job["retry_of"]} == {"failed"}, "they ran, and asked the same model"
    assert counts(done(mine, "retry", status="failed", tag=tag, created_before=again[0]["created_at"])) == {
        "matched": 2,
        "repeated": 2,
    }
    assert len(jobs(other)) == 3, "nobody else's jobs were run again"


def test_open_rows_of_a_batch_are_canceled_and_the_batch_ends(mine: BatchesOf, other: BatchesOf) -> None:
    rows = [chat(f"Summarize: bulk {n}.", model="answers", custom_id=f"r{n}") for n in range(5)]
    batch_id = mine.submit(requests=rows)
    refused = other.api.call("POST", "/jobs/bulk", {"action": "cancel", "filter": {"batch": batch_id}})
    assert (refused.status, refused.body["error"]["param"]) == (400, "filter.batch")
    shown = done(mine, "cancel", batch=batch_id)
    ended = mine.ended(batch_id)
    assert ended["status"] == "completed"
    assert ended["counts"]["canceled"] == shown["counts"]["done"]
    assert ended["request_counts"]["completed"] == 5 - shown["counts"]["done"]


def test_a_bulk_is_no_ones_but_its_tenants(mine: BatchesOf, other: BatchesOf) -> None:
    shown = done(mine, "cancel", status="queued")
    answer = other.api.call("GET", f"/jobs/bulk/{shown['id']}")
    assert (answer.status, answer.body["error"]["code"]) == (404, "not_found")
