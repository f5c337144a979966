"""Progress of slow rows is told while they run, also of a batch of one shard; and what that costs does not grow."""

import pytest
from broker.batches.viewing import ShowBatch

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.counting import CountingDatabase
from tests.fakes.world import BASE_URL, SECOND, World


def begun(rows: int) -> Flow:
    flow = Flow(World(CountingDatabase()))
    flow.begin(jsonl(*(chat(f"Row {row}") for row in range(rows))))
    return flow


def one_by_one(flow: Flow, every_s: int) -> None:
    """End rows in their order, one after so many seconds."""
    for head in flow.jobs():
        flow.now += every_s * SECOND
        flow.end(head)
        flow.publish()
        flow.tend_all()


@pytest.mark.parametrize(
    ("rows", "every_s", "percents"),
    [
        (100, 70, list(range(5, 100, 5))),
        (100, 13, list(range(5, 100, 5))),
        (40, 70, list(range(5, 100, 5))),
        (10, 70, list(range(10, 100, 10))),
        (3, 70, [30, 65]),
        (300, 70, list(range(5, 100, 5))),
        (1, 70, []),
    ],
)
def test_slow_rows_are_told_at_each_twentieth(rows: int, every_s: int, percents: list[int]) -> None:
    flow = begun(rows)
    one_by_one(flow, every_s)
    told = flow.told("BatchProgressed")
    assert [each["percent"] for each in told] == percents
    assert all(each["ended"] == each["counts"]["succeeded"] <= rows for each in told)


def test_no_more_than_one_a_minute_is_told() -> None:
    flow = begun(100)
    flow.now += 100 * SECOND
    one_by_one(flow, 1)
    assert [each["percent"] for each in flow.told("BatchProgressed")] == [5, 65]


def test_counts_are_live_while_the_first_shard_runs() -> None:
    flow = begun(100)
    one = flow.jobs()[0]
    flow.now += 70 * SECOND
    flow.end(one)
    flow.publish()
    shown = ShowBatch(flow.batches, BASE_URL)(flow.batch(), flow.now)
    assert shown["request_counts"] == {"total": 100, "completed": 1, "failed": 0}
    assert (shown["counts"]["open"], shown["eta_seconds"]) == (99, 99 * 70)


def test_telling_costs_a_large_batch_what_it_costs_one_of_two_thousand() -> None:
    asked = {}
    for rows in (2_000, 2_300):
        flow = begun(rows)
        sent = 0
        for head in flow.jobs():
            flow.now += 30 * SECOND
            flow.end(head)
            flow.publish()
            sent += len(flow.shards.sent)
            flow.tend_all()
        asked[rows] = sent - 2 * rows // 100
    assert asked[2_000] <= 20 * 20 and asked[2_300] == asked[2_000]
