"""Looks in vain, results that are lost, and ends that nobody told: the sweep brings each batch to its end."""

from contextlib import suppress

import pytest
from broker.errors import Unavailable

from tests.fakes.batch_flow import Flow
from tests.fakes.world import HOUR, MINUTE, NOW
from tests.unit.test_batch_stopping import begun, texts


def test_a_look_before_its_time_or_at_nothing_does_nothing() -> None:
    flow = begun()
    before = flow.batch()
    assert not flow.look("batch_1", (before.due_at or 0) - 1)
    assert not flow.look("batch_none", flow.now)
    assert flow.batch() == before


def test_each_look_in_vain_is_followed_by_a_longer_pause() -> None:
    flow = begun()
    flow.shards.sent.clear()
    pauses = []
    for _ in range(8):
        flow.now = flow.batch().due_at or 0
        assert flow.look("batch_1", flow.now)
        pauses.append(((flow.batch().due_at or 0) - flow.now) // MINUTE)
    assert pauses == [10, 20, 40, 60, 60, 60, 60, 60]


def test_a_batch_of_which_only_the_results_are_missing_has_its_workflow_started_anew() -> None:
    flow = begun(100)
    flow.workflows.waiting.clear()
    flow.end_all()
    flow.publish()
    flow.tend_all()
    assert flow.batch().is_done
    flow.now = flow.batch().due_at or 0
    assert flow.look("batch_1", flow.now)
    (started,) = flow.workflows.started
    flow.now = flow.batch().due_at or 0
    flow.look("batch_1", flow.now)
    assert len(set(flow.workflows.started)) == 2, "each start has a name of its own"
    assert started[0] == "batch_1"


@pytest.mark.parametrize("canceled", [False, True])
def test_results_that_are_lost_are_collected_anew_and_counted_once(canceled: bool) -> None:
    flow = Flow()
    flow.begin(texts(250), asked={"max_cost": 10_000_000_000})
    if canceled:
        flow.end(flow.jobs()[0])
        flow.publish()
        flow.stops.cancel(flow.batch(), flow.now)
        flow.tend_all()
    flow.end_all()
    flow.publish()
    flow.tend_all()
    before = flow.batch()
    del flow.results.kept["batch_1", 1, "errors" if canceled else "output"]
    looked = 0
    while not flow.batch().status.terminal:
        with suppress(Unavailable):
            flow.assemble()
        flow.now = flow.batch().due_at or 0
        flow.look("batch_1", flow.now)
        flow.tend_all()
        looked += 1
    assert looked < 12
    after = flow.batch()
    assert (after.sums, after.reserved, after.settled) == (before.sums, before.reserved, before.settled)
    lines = [line["line"] for kind in ("output", "errors") for line in flow.lines(kind)]
    assert sorted(lines) == list(range(1, 251))


@pytest.mark.parametrize("canceled", [False, True])
def test_results_that_cannot_be_put_together_for_half_a_day_end_it_with_an_error(canceled: bool) -> None:
    flow = begun(100)
    if canceled:
        flow.stops.cancel(flow.batch(), flow.now)
    flow.end_all()
    flow.publish()
    flow.tend_all()
    flow.results.kept.clear()
    with pytest.raises(Unavailable, match="results of a kind there were 0"):
        flow.assemble()
    looked = 0
    while not flow.batch().status.terminal:
        flow.now = flow.batch().due_at or 0
        flow.look("batch_1", flow.now)
        flow.tend_all()
        flow.results.kept.clear()  # and again what is collected anew
        looked += 1
    assert looked == 9 + 17
    assert flow.now - NOW > 15 * HOUR
    flow.tend_all()
    assert (flow.batch().error or {})["code"] == "results_failed"
    assert flow.bus.kinds[-1] == "BatchFailed"
    flow.results.kept["batch_1", 0, "output"] = b"paid for"
    flow.assemble()
    assert flow.results.kept, "what was collected stays as long as the record"


def test_a_batch_whose_end_is_untold_is_told_by_the_sweeps_look() -> None:
    flow = Flow()
    flow.begin(texts(3))
    flow.end_all()
    flow.publish()
    flow.tend_all()
    flow.assemble()
    flow.now = flow.batch().due_at or 0
    flow.look("batch_1", flow.now)
    flow.tend_all()
    assert flow.bus.kinds[-1] == "BatchCompleted"
    assert flow.batch().due_at is None
