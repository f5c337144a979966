"""Batches that are canceled, paused, out of time or of money, or tried again, with another tenant's batch beside.

However a batch ends, each of its rows is in one file, what was paid for is there, and the other's goes on.
"""

from typing import Any

import pytest

from tests.e2e.batches import BatchesOf
from tests.e2e.stack import Stack, chat, until
from tests.unit.provider_server import ProviderServer, Script

QUICK, HELD = 5, 7
"""Rows of a mix that the lane which is held does not hold, and those that it does."""

MIXED = QUICK + HELD


@pytest.fixture(scope="module")
def mine(stack: Stack) -> BatchesOf:
    return BatchesOf(stack, "stopping")


@pytest.fixture(scope="module")
def beside(stack: Stack) -> BatchesOf:
    return BatchesOf(stack, "going-on")


def row(name: str, **more: Any) -> dict[str, Any]:
    return chat(f"Summarize: {name}.", custom_id=name, **{"model": "answers", **more})


def mixed(name: str) -> list[dict[str, Any]]:
    """Rows of which some may run while the lane for work that can wait is held."""
    priorities = ["interactive"] * QUICK + ["bulk"] * HELD
    return [row(f"{name}-{number}", priority=priority) for number, priority in enumerate(priorities)]


class Whole:
    """The files of an ended batch: each row in one of them, once, in order; costs as its record and its jobs say."""

    def __init__(self, batches: BatchesOf, batch_id: str, rows: int) -> None:
        self.shown = batches.shown(batch_id)
        self.output, self.errors = batches.lines(batch_id), batches.lines(batch_id, "errors")
        assert sorted(each["line"] for each in self.output + self.errors) == list(range(1, rows + 1))
        for found in (self.output, self.errors):
            assert [each["line"] for each in found] == sorted(each["line"] for each in found)
        counts = {"total": rows, "completed": len(self.output), "failed": len(self.errors)}
        assert self.shown["request_counts"] == counts
        jobs = [each["job"] for each in self.output + self.errors if "job" in each]
        self.paid = sum(round(job["usage"]["cost_usd"] * 1e9) for job in jobs)
        assert self.paid == round(self.shown["usage"]["cost_usd"] * 1e9)

    @property
    def codes(self) -> set[str]:
        """What is said of the rows that did not succeed."""
        return {each["error"]["code"] if "error" in each else each["job"]["status"] for each in self.errors}


def quick_ones_done(batches: BatchesOf, batch_id: str) -> bool:
    return bool(until(lambda: batches.shown(batch_id)["counts"]["succeeded"] == QUICK))


def test_a_canceled_batch_keeps_what_was_paid_and_stops_no_other(
    stack: Stack, mine: BatchesOf, beside: BatchesOf
) -> None:
    before = mine.spent()
    with stack.bulk_held():
        canceled, other = mine.submit(requests=mixed("c")), beside.submit(requests=mixed("o"))
        assert quick_ones_done(mine, canceled)
        assert mine.api.call("POST", f"/batches/{canceled}/cancel").status == 200
        assert mine.api.call("POST", f"/batches/{canceled}/cancel").status == 200, "twice is as once"
        assert mine.ended(canceled)["status"] == "cancelled"
    found = Whole(mine, canceled, MIXED)
    assert ([each["custom_id"] for each in found.output], found.codes) == (
        [f"c-{number}" for number in range(QUICK)],
        {"canceled"},
    )
    assert mine.spent() - before == found.paid > 0
    assert beside.ended(other)["request_counts"]["completed"] == MIXED
    Whole(beside, other, MIXED)


def test_a_paused_batch_begins_no_row_until_it_is_resumed(stack: Stack, mine: BatchesOf, beside: BatchesOf) -> None:
    with stack.disabled("BatchRowsFunction"):
        paused = mine.submit(requests=mixed("p"))
        assert mine.api.call("POST", f"/batches/{paused}/pause").body["paused"]
    other = beside.submit(requests=mixed("o"))
    assert beside.ended(other)["request_counts"]["completed"] == MIXED
    shown = mine.shown(paused)
    assert (shown["status"], shown["paused"], shown["usage"]["cost_usd"]) == ("in_progress", True, 0)
    assert (shown["counts"]["waiting"], shown["counts"]["open"]) == (MIXED, 0)
    assert not mine.api.call("POST", f"/batches/{paused}/resume").body["paused"]
    assert mine.ended(paused)["request_counts"]["completed"] == MIXED
    Whole(mine, paused, MIXED)


def test_a_batch_whose_time_is_over_has_what_was_done(stack: Stack, mine: BatchesOf, beside: BatchesOf) -> None:
    before = mine.spent()
    with stack.bulk_held():
        short = mine.submit(requests=mixed("e"), completion_window="60s")
        paused = mine.submit(requests=mixed("f"), completion_window=60)
        mine.api.call("POST", f"/batches/{paused}/pause")
        other = beside.submit(requests=mixed("o"))
        assert quick_ones_done(mine, short)
        assert mine.ended(short, 150)["status"] == "expired"
        assert mine.ended(paused, 60)["status"] == "expired", "a pause stops no clock"
    found, of_paused = Whole(mine, short, MIXED), Whole(mine, paused, MIXED)
    assert [each["custom_id"] for each in found.output] == [f"e-{number}" for number in range(QUICK)]
    assert found.codes <= {"canceled", "expired"}
    assert of_paused.codes <= {"batch_expired", "canceled", "expired"}
    assert mine.spent() - before == found.paid + of_paused.paid > 0
    assert beside.ended(other)["request_counts"]["completed"] == MIXED


def test_a_batch_at_its_cap_says_so_and_the_others_money_is_its_own(mine: BatchesOf, beside: BatchesOf) -> None:
    rows = [row(f"m-{number}") for number in range(MIXED)]
    one = mine.api.call("POST", "/batches/estimate", {"requests": rows[:1]}).body["worst_cost_usd"]
    cap = one * 1.001  # what the first row has cost in the end, the next one lacks
    before = mine.spent()
    capped, other = mine.submit(requests=rows, max_cost_usd=cap), beside.submit(requests=mixed("o"))
    ended = mine.ended(capped, 240)
    assert (ended["status"], ended["stop_reason"]) == ("completed", "capped")
    found = Whole(mine, capped, MIXED)
    assert found.output and found.codes == {"batch_capped"}
    assert mine.spent() - before == found.paid <= cap * 1e9
    assert beside.ended(other)["request_counts"]["completed"] == MIXED


def test_only_what_failed_is_tried_again_and_paid(mine: BatchesOf, beside: BatchesOf, shaky: ProviderServer) -> None:
    rows = [row("r-0"), row("r-1", model="shaky"), row("r-2"), row("r-3", model="shaky")]
    shaky.answer(Script({"error": {"message": "No.", "type": "invalid_request_error"}}, 400))
    first = mine.submit(requests=rows)
    assert mine.ended(first)["request_counts"] == {"total": 4, "completed": 2, "failed": 2}
    before = mine.spent()
    said = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "At dusk."}}]}
    shaky.answer(Script(said | {"usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}))
    assert beside.api.call("POST", f"/batches/{first}/retry").status == 404
    again = mine.api.call("POST", f"/batches/{first}/retry").body["id"]
    assert mine.ended(again)["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    lines = mine.lines(again)
    assert [(each["line"], each["custom_id"]) for each in lines] == [(2, "r-1"), (4, "r-3")]
    paid = sum(round(each["job"]["usage"]["cost_usd"] * 1e9) for each in lines)
    assert mine.spent() - before == paid > 0
    refused = mine.api.call("POST", f"/batches/{again}/retry")
    assert refused.body["error"]["code"] == "nothing_to_retry"
