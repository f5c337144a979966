"""A batch's cap: it is never spent above, whatever rows cost, whoever dies, and it stops only when it has to."""

from typing import Any

import pytest
from broker.batches.batch import BatchStatus

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.database import Crash
from tests.fakes.world import SECOND


def rows(count: int) -> bytes:
    return jsonl(*(chat(f"Row {number:03}", custom_id=f"r{number}") for number in range(count)))


def worst_of_a_row() -> int:
    """What each of these rows may cost at most."""
    flow = Flow()
    begin(flow, rows(1), 10**12)
    (head,) = flow.jobs()
    assert head.limit > 0
    return head.limit


def begin(flow: Flow, data: bytes, cap: int, **asked: Any) -> None:
    """Have a capped batch run as far as its first messages bring it."""
    flow.put(data, asked={"max_cost": cap, **asked})
    flow.plan()
    flow.run()
    sent(flow)


def sent(flow: Flow) -> None:
    """Tend what was sent, but not what waits."""
    while flow.shards.sent:
        batch_id, shard = flow.shards.sent.pop(0)
        flow.tend({"batch_id": batch_id, "shard": shard})


def wait(flow: Flow) -> None:
    """Tend what waited."""
    later, flow.shards.later = flow.shards.later, []
    for message, delay_s in later:
        flow.now += delay_s * SECOND
        flow.tend(message)
    sent(flow)


def check(flow: Flow, cap: int) -> int:
    """Hold what jobs have cost and may cost against the cap and the record; gives what they have cost."""
    jobs = flow.jobs()
    paid = sum(head.spent for head in jobs if head.status.terminal)
    may = paid + sum(head.limit for head in jobs if not head.status.terminal)
    batch = flow.batch()
    assert may <= batch.reserved <= cap, (may, batch.reserved, cap)
    assert batch.settled <= paid
    return paid


def finish(flow: Flow, cap: int, cost: int) -> int:
    """End jobs at this cost, again and again, until nothing is left; gives what all have cost."""
    for _ in range(2_000):
        for head in [head for head in flow.jobs() if not head.status.terminal]:
            flow.end(head, cost=cost)
            check(flow, cap)
        flow.publish()
        sent(flow)
        wait(flow)
        check(flow, cap)
        if flow.batch().is_done:
            break
    else:
        raise AssertionError(f"the batch stands still: {flow.batch()}")
    flow.close()
    return check(flow, cap)


def test_rows_begin_only_as_far_as_their_worst_cases_fit() -> None:
    worst = worst_of_a_row()
    flow = Flow()
    begin(flow, rows(250), 10 * worst + worst // 2)
    assert len(flow.jobs()) == 10
    assert flow.batch().reserved == 10 * worst
    assert flow.batch().stop is None, "rows are outstanding, which may cost less"


def test_what_rows_cost_less_than_they_might_is_there_for_others() -> None:
    worst = worst_of_a_row()
    cap = 12 * worst
    flow = Flow()
    begin(flow, rows(250), cap)
    assert finish(flow, cap, cost=worst // 100) == 250 * (worst // 100)
    batch = flow.batch()
    assert (batch.status, batch.stop) == (BatchStatus.COMPLETED, None)
    assert batch.sums.counts == {"succeeded": 250}
    assert batch.reserved == batch.settled == batch.sums.cost


def test_a_batch_stops_at_its_cap_with_what_it_has_and_says_so() -> None:
    worst = worst_of_a_row()
    cap = 30 * worst
    flow = Flow()
    begin(flow, rows(250), cap)
    paid = finish(flow, cap, cost=worst)
    batch = flow.batch()
    assert (batch.status, batch.stop) == (BatchStatus.COMPLETED, "capped")
    assert batch.sums.counts == {"succeeded": 30, "passed_over": 220}
    assert paid == cap
    assert [line["line"] for line in flow.lines()] == list(range(1, 31)), "the rows begin in order"
    errors = flow.lines("errors")
    assert len(errors) == 220
    assert "error" in errors[0]


def test_a_row_dearer_than_all_the_money_stops_the_batch_at_once() -> None:
    worst = worst_of_a_row()
    flow = Flow()
    begin(flow, rows(3), worst - 1)
    assert flow.jobs() == []
    assert finish(flow, worst - 1, cost=1) == 0
    assert flow.batch().sums.counts == {"passed_over": 3}


def test_each_row_has_its_worst_case_for_a_limit() -> None:
    worst = worst_of_a_row()
    flow = Flow()
    begin(flow, rows(2), 10 * worst)
    assert [head.limit for head in flow.jobs()] == [worst, worst]


def test_a_row_that_is_rejected_costs_nothing() -> None:
    worst = worst_of_a_row()
    flow = Flow()
    begin(flow, jsonl(chat("a"), {"task": "paint"}, "{broken", chat("b")), 10 * worst)
    cap = 10 * worst
    assert finish(flow, cap, cost=worst // 2) == 2 * (worst // 2)
    assert flow.batch().sums.counts == {"succeeded": 2, "rejected": 2}


@pytest.mark.parametrize("at", range(40))
def test_whoever_dies_wherever_the_cap_holds_and_the_batch_ends(at: int) -> None:
    worst = worst_of_a_row()
    cap = 7 * worst
    flow = Flow()
    flow.put(rows(20), asked={"max_cost": cap})
    flow.plan()
    flow.run()
    flow.world.database.crash_in = at
    try:
        sent(flow)
    except Crash:
        flow.world.database.crash_in = None
        flow.now += 300 * SECOND  # the lease is over, and the message comes again
        flow.shards.send("batch_1", "acme", [0])
    flow.world.database.crash_in = None
    sent(flow)
    finish(flow, cap, cost=worst // 3)
    batch = flow.batch()
    assert sum(batch.sums.counts.values()) == 20
    assert len({head.row for head in flow.jobs()}) == len(flow.jobs())


def test_the_batch_is_written_some_times_a_shard_and_not_for_each_row() -> None:
    worst = worst_of_a_row()
    flow = Flow()
    flow.put(rows(100), asked={"max_cost": 1_000 * worst})
    flow.plan()
    flow.run()
    before = flow.batch().rev
    sent(flow)
    assert len(flow.jobs()) == 100
    assert flow.batch().rev - before <= 2


def test_identical_rows_are_reserved_for_once() -> None:
    worst = worst_of_a_row()
    flow = Flow()
    begin(flow, jsonl(*(chat("Row 000") for _ in range(50))), 2 * worst, dedupe=True)
    assert len(flow.jobs()) == 1
    cap = 2 * worst
    assert finish(flow, cap, cost=worst // 2) == worst // 2
    assert flow.batch().sums.counts == {"succeeded": 50}


def test_rows_that_wait_for_money_come_soon_and_then_ever_later_until_one_begins() -> None:
    flow, one = Flow(), worst_of_a_row()
    begin(flow, rows(4), 2 * one)

    def waits() -> int:
        (_, delay_s), *none = flow.shards.later
        assert not none
        return delay_s

    seen = [waits()]
    for _ in range(5):
        wait(flow)
        seen.append(waits())
    assert seen == [2, 2 * 2, 8, 16, 20, 20], "nobody else has ended"
    for head in flow.jobs():
        flow.end(head, cost=0)
    flow.publish()
    wait(flow)
    assert len(flow.jobs()) == 4, "all of them have begun"
    flow.finish()
    assert len(flow.lines()) == 4
