"""Results that take longer to write than an invocation has time: the next goes on, whatever became of the last."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.batches.batch import LOOK_MS, Batch, BatchStatus
from broker.batches.results.assembling import Assemble
from broker.jobs.head import Status

from tests.fakes.batch_flow import Flow
from tests.fakes.world import MINUTE
from tests.unit.test_batch_stopping import texts

ROWS = 250
OUTBOX = {"output": {"kind": "outbox", "key": "acme/rows"}}


def written_up_to(asked: dict[str, Any] | None = None) -> Flow:
    """A batch whose rows have all ended, half of them well."""
    flow = Flow()
    flow.begin(texts(ROWS), asked=asked or {})
    for job in flow.jobs()[::2]:
        flow.end(job, Status.FAILED)
    flow.end_all()
    flow.publish()
    flow.tend_all()
    assert flow.batch().is_done
    flow.files.piece_bytes = 2_000
    return flow


def for_pieces(count: int) -> Callable[[], bool]:
    """Time for so many pieces; it is asked once before each file, too."""
    left: Iterator[bool] = iter([True] * count)
    return lambda: next(left, False)


def ended_after(pieces: int) -> Callable[[], bool]:
    """The function is ended after so many."""
    left = iter([True] * pieces)

    def time_left() -> bool:
        try:
            return next(left)
        except StopIteration:
            raise ConnectionError("the function was ended") from None

    return time_left


def step(flow: Flow, pieces: int = 5, *, may_wait: bool = True) -> dict[str, Any]:
    """One invocation."""
    assemble = Assemble(flow.batches, flow.results, flow.files, flow.files, "outbox")
    return assemble("batch_1", lambda: flow.now, for_pieces(pieces), may_wait=may_wait)


def rows_of(flow: Flow) -> list[int]:
    """The rows of all files, in their order within each."""
    if "result_key" in flow.batch().output:
        data = flow.files.objects["outbox", flow.batch().output["result_key"]]
        return [json.loads(line)["line"] for line in data.splitlines()]
    kinds = [[line["line"] for line in flow.lines(kind)] for kind in ("output", "errors")]
    assert all(lines == sorted(lines) for lines in kinds)
    return sorted(kinds[0] + kinds[1])


def loops(flow: Flow, **how: Any) -> int:
    """As the workflow comes again; how often."""
    for number in range(1, 1_000):
        if (told := step(flow, **how)) == {"written": True}:
            return number
        assert told == {"written": False, "wait_s": 1}
    raise AssertionError("it never ends")


@pytest.mark.parametrize("asked", [{}, OUTBOX], ids=["files", "outbox"])
def test_each_row_is_in_one_file_once_and_no_piece_is_written_twice(asked: dict[str, Any]) -> None:
    at_once = written_up_to(asked)
    assert loops(at_once, pieces=100_000) == 1
    flow = written_up_to(asked)
    assert loops(flow) > 3
    assert rows_of(flow) == list(range(1, ROWS + 1))
    assert flow.files.objects == at_once.files.objects
    assert flow.files.sent == at_once.files.sent
    assert flow.batch().status is BatchStatus.COMPLETED
    assert not flow.batch().writing
    assert not flow.results.kept


def test_its_record_stays_small_and_the_sweep_leaves_it_alone_meanwhile() -> None:
    flow = written_up_to()
    step(flow)
    assert len(json.dumps(flow.batch().writing)) < 1_000
    assert flow.batch().due_at is not None
    assert not flow.look("batch_1", flow.now + 2 * LOOK_MS)
    assert flow.batch().status is BatchStatus.FINALIZING


def test_one_that_is_ended_midway_goes_on_from_the_last_that_was_kept() -> None:
    flow = written_up_to()
    step(flow, 6)
    kept = flow.batch().writing
    assemble = Assemble(flow.batches, flow.results, flow.files, flow.files, "outbox")
    with pytest.raises(ConnectionError):
        assemble("batch_1", lambda: flow.now, ended_after(4), may_wait=True)
    assert flow.batch().writing == kept
    loops(flow)
    assert rows_of(flow) == list(range(1, ROWS + 1))


def test_two_that_write_at_the_same_time_leave_the_same_and_the_further_one_counts() -> None:
    flow = written_up_to()
    step(flow, 3)
    before = flow.batch()
    step(flow, 9)
    further = flow.batch().writing
    behind = Assemble(Stale(flow.batches, before), flow.results, flow.files, flow.files, "outbox")  # type: ignore[arg-type]
    behind("batch_1", lambda: flow.now, for_pieces(3), may_wait=True)
    assert flow.batch().writing == further
    loops(flow)
    assert rows_of(flow) == list(range(1, ROWS + 1))
    assert step(flow) == {"written": True}, "delivered once more"


class Stale:
    """Batches as one sees them that read the record before another wrote it."""

    def __init__(self, batches: Any, before: Batch) -> None:
        self._batches, self._before = batches, before

    def get(self, batch_id: str) -> Batch:
        return self._before

    def change(self, batch_id: str, decide: Any) -> tuple[Batch, Batch]:
        if decide(self._before) == self._before:
            return self._before, self._before
        found: tuple[Batch, Batch] = self._batches.change(batch_id, decide)
        return found


def test_an_execution_that_began_with_an_older_definition_is_never_told_to_come_again() -> None:
    flow = written_up_to()
    assert step(flow, 2, may_wait=False) == {"written": True}
    assert rows_of(flow) == list(range(1, ROWS + 1))


def test_results_that_are_collected_anew_are_written_anew() -> None:
    flow = written_up_to()
    step(flow, 4)
    flow.batches.change("batch_1", lambda batch: batch.collecting_anew())
    assert not flow.batch().writing
    flow.batches.change("batch_1", lambda batch: batch.release(flow.now))
    flow.shards.send("batch_1", "acme", range(flow.batch().shards))
    flow.tend_all()
    loops(flow)
    assert rows_of(flow) == list(range(1, ROWS + 1))


def test_progress_puts_off_the_end_of_those_that_cannot_be_put_together() -> None:
    flow = written_up_to()
    flow.batches.change("batch_1", lambda batch: replace(batch, looks=15))
    step(flow, 4)
    assert flow.batch().looks == 0
    assert (flow.batch().due_at or 0) > flow.now + 15 * MINUTE
