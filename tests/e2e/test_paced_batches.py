"""Two tenants' batches at a model with a rate limit: all rows succeed, few calls are refused, and neither starves."""

from typing import Any

from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat

RATE, SAVED_S = 4, 10
"""Of the model `paced`, whose bucket holds ten seconds' worth (`local.model_server.rates`)."""

FIRST, SECOND = 120, 25
"""Rows."""


def test_a_batch_at_a_rate_limit_succeeds_with_few_refused_calls_and_leaves_others_their_share(stack: Stack) -> None:
    first, second = BatchesOf(stack, "paced-a"), BatchesOf(stack, "paced-b")
    large = first.submit(requests=[chat(f"row {number}", model="paced") for number in range(FIRST)])
    small = second.submit(requests=[chat(f"row {number}", model="paced") for number in range(SECOND)])
    assert second.ended(small, 300)["request_counts"] == {"total": SECOND, "completed": SECOND, "failed": 0}
    assert first.ended(large, 300)["request_counts"] == {"total": FIRST, "completed": FIRST, "failed": 0}
    firsts, seconds = heads_of(first, stack), heads_of(second, stack)
    times = [sorted(int(head["ended_at"]) for head in heads) for heads in (firsts, seconds)]
    # A row that was refused waits by itself, so the last few say nothing of shares.
    assert times[1][SECOND * 4 // 5] < times[0][-1], "who came first with more was done before who came later with less"
    calls = [call for head in firsts + seconds for call in head["calls"].values()]
    refused = [call for call in calls if call.get("o") == "Throttled"]
    assert len(calls) - len(refused) == FIRST + SECOND, "no row was asked about twice"
    assert len(refused) <= (FIRST + SECOND) / 5, "without a governor, rows would be refused again and again"


def heads_of(batches: BatchesOf, stack: Stack) -> list[dict[str, Any]]:
    """The heads of a tenant's jobs."""
    jobs = batches.api.call("GET", "/jobs?limit=100")
    found = list(jobs.body["data"])
    while cursor := jobs.body.get("next_cursor"):
        jobs = batches.api.call("GET", f"/jobs?limit=100&cursor={cursor}")
        found += jobs.body["data"]
    return stack.database.get_many("jobs", [(f"JOB#{each['id']}", "HEAD") for each in found])
