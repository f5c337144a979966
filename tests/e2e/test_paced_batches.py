"""Two tenants' batches at a model with a rate limit: all rows succeed, few calls are refused, and neither starves."""

from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat

RATE, SAVED_S = 4, 10
"""Of the model `paced`, whose bucket holds ten seconds' worth (`local.model_server.rates`)."""

FIRST, SECOND = 110, 40
"""Rows."""


def test_a_batch_at_a_rate_limit_succeeds_with_few_refused_calls_and_leaves_others_their_share(stack: Stack) -> None:
    first, second = BatchesOf(stack, "paced-a"), BatchesOf(stack, "paced-b")
    large = first.submit(requests=[chat(f"row {number}", model="paced") for number in range(FIRST)])
    small = second.submit(requests=[chat(f"row {number}", model="paced") for number in range(SECOND)])
    ended = second.ended(small)
    left = first.shown(large)
    assert ended["request_counts"] == {"total": SECOND, "completed": SECOND, "failed": 0}
    assert left["request_counts"]["completed"] < FIRST, "who came later with less was done before who came first"
    assert first.ended(large)["request_counts"] == {"total": FIRST, "completed": FIRST, "failed": 0}
    calls = [call for each in (first, second) for call in calls_of(each, stack)]
    refused = [call for call in calls if call.get("o") == "Throttled"]
    assert len(calls) - len(refused) == FIRST + SECOND, "no row was asked about twice"
    assert len(refused) <= (FIRST + SECOND) / 5, "without a governor, rows would be refused again and again"


def calls_of(batches: BatchesOf, stack: Stack) -> list[dict[str, object]]:
    """The calls of a tenant's jobs, as their heads have them."""
    jobs = batches.api.call("GET", "/jobs?limit=100")
    found = list(jobs.body["data"])
    while cursor := jobs.body.get("next_cursor"):
        jobs = batches.api.call("GET", f"/jobs?limit=100&cursor={cursor}")
        found += jobs.body["data"]
    heads = stack.database.get_many("jobs", [(f"JOB#{each['id']}", "HEAD") for each in found])
    return [call for head in heads for call in head["calls"].values()]
