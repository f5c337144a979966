"""Large files of one tenant are gone through a few at a time; those of others, and small ones, wait for none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from broker.batches.batch import LOOK_MS, BatchStatus
from broker.batches.flow import slots
from broker.batches.flow.slots import LEASE_MS, NEXT_S, Slots
from broker.batches.results import assembling
from broker.batches.rows import planning
from broker.batches.rows.planning import LARGE_WRITTEN_BYTES
from broker.errors import Unavailable

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import Rows, chat, jsonl
from tests.fakes.batches import a_batch
from tests.fakes.database import Crash
from tests.fakes.world import HOUR, NOW, SECOND

LARGE = jsonl(*[chat("x" * 800_000) for _ in range(11)])


class Planned:
    """Batches that are planned by workflows which come again as they are told to."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.rows.rows.piece = 1 << 20
        self.rows.world.tenant("other")

    def put(self, batch_id: str, data: bytes = LARGE, tenant: str = "acme", **changes: Any) -> None:
        self.rows.put(data, batch_id, tenant, **changes)

    def plan(self, batch_id: str, time_left: Callable[[], bool] = lambda: True) -> int:
        """Seconds after which it is to come again; 0 where it was gone through."""
        plan = planning.Plan(self.rows.batches, self.rows.rows, self.rows.most)
        facts = plan(batch_id, lambda: self.rows.now, time_left, may_wait=True)
        assert facts["more"] is ("wait_s" in facts)
        return int(facts.get("wait_s", 0))

    def hold(self, *batch_ids: str, tenant: str = "acme") -> None:
        """Have batches be gone through, and no end of it."""
        for batch_id in batch_ids:
            self.put(batch_id, tenant=tenant)
            assert Slots(self.rows.batches, "plan").claim(self.rows.batch(batch_id), self.rows.now) == 0


@pytest.fixture
def planned() -> Planned:
    return Planned()


def test_a_tenants_third_large_file_waits_and_all_others_do_not(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    planned.put("batch_3")
    planned.put("batch_4", jsonl(chat("small")))
    planned.put("batch_5", tenant="other")
    read = len(planned.rows.rows.read)
    assert planned.plan("batch_3") == NEXT_S
    assert len(planned.rows.rows.read) == read, "nothing of it is read"
    assert (planned.plan("batch_4"), planned.plan("batch_5")) == (0, 0)
    assert planned.rows.batch("batch_3").status is BatchStatus.VALIDATING


def test_who_is_done_lets_the_next_in(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    planned.put("batch_3")
    assert planned.plan("batch_3")
    assert planned.plan("batch_1") == 0, "who has a slot keeps it"
    assert planned.plan("batch_3") == 0
    assert planned.rows.batch("batch_3").rows == 11


def test_one_that_fails_gives_its_slot_back(planned: Planned) -> None:
    planned.hold("batch_1")
    for number in range(2, 5):
        planned.put(f"batch_{number}", (b" " * 999_999 + b"\n") * 9)
        assert planned.plan(f"batch_{number}") == 0
        assert (planned.rows.batch(f"batch_{number}").error or {})["code"] == "empty_file"


def test_after_a_crash_a_slot_runs_out(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    planned.put("batch_3")
    planned.rows.now += LEASE_MS - SECOND
    assert planned.plan("batch_3")
    planned.rows.now += SECOND
    assert planned.plan("batch_3") == 0


def test_a_step_that_is_repeated_has_its_slot_still(planned: Planned) -> None:
    planned.hold("batch_1")
    planned.put("batch_2")
    planned.rows.world.database.crash_in = 2
    with pytest.raises(Crash):
        planned.plan("batch_2")
    planned.rows.world.database.crash_in = None
    planned.put("batch_3")
    assert planned.plan("batch_3") > 0
    assert planned.plan("batch_2") == 0


def test_the_first_that_was_made_is_the_next(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    late, early = replace(a_batch(), id="batch_late"), replace(a_batch(), id="batch_early", created_at=NOW - HOUR)
    for batch in (late, early):
        planned.rows.batches.create(batch)
    turns = Slots(planned.rows.batches, "plan")
    assert turns.claim(late, NOW) == NEXT_S
    assert turns.claim(early, NOW) == NEXT_S, "it goes before"
    assert turns.claim(late, NOW) > NEXT_S
    turns.give_back(planned.rows.batch("batch_1"), NOW)
    assert turns.claim(late, NOW) > NEXT_S, "the free slot is kept for another"
    assert turns.claim(early, NOW) == 0


def test_one_that_was_next_and_never_came_keeps_nobody(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    late, gone = replace(a_batch(), id="batch_late"), replace(a_batch(), id="batch_gone", created_at=NOW - HOUR)
    for batch in (late, gone):
        planned.rows.batches.create(batch)
    turns = Slots(planned.rows.batches, "plan")
    turns.claim(gone, NOW)
    turns.give_back(planned.rows.batch("batch_1"), NOW)
    assert turns.claim(late, NOW)
    assert turns.claim(late, NOW + slots.LOST_MS) == 0


def test_of_two_that_claim_the_last_slot_at_once_one_waits(planned: Planned) -> None:
    planned.hold("batch_1")
    planned.put("batch_2")
    planned.put("batch_3")
    turns, there = Slots(planned.rows.batches, "plan"), planned.rows.batch
    planned.rows.world.database.meanwhile = [lambda: turns.claim(there("batch_3"), NOW)]
    assert turns.claim(there("batch_2"), NOW)
    assert turns.claim(there("batch_3"), NOW) == 0


def test_the_sweep_starts_no_second_workflow_for_one_that_waits_or_is_gone_through_for_long() -> None:
    flow = Flow()
    planned = Planned()
    planned.rows = flow
    flow.rows.piece = 1 << 20
    planned.hold("batch_1", "batch_2")
    planned.put("batch_3")
    for _ in range(40):
        wait_s = planned.plan("batch_3")
        Slots(flow.batches, "plan").claim(flow.batch("batch_1"), flow.now)
        Slots(flow.batches, "plan").claim(flow.batch("batch_2"), flow.now)
        flow.now += wait_s * SECOND
        for batch_id in ("batch_1", "batch_2", "batch_3"):
            assert flow.look(batch_id, flow.now) is False
    assert flow.now > NOW + 2 * LOOK_MS
    assert flow.workflows.started == []


def test_one_whose_workflow_died_is_looked_at_within_the_hour(planned: Planned) -> None:
    planned.hold("batch_1")
    assert (planned.rows.batch("batch_1").due_at or 0) <= NOW + HOUR


def test_a_small_csv_that_may_become_large_takes_a_slot_too(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    asked = {"input": {"form": "csv"}, "prompt": {"id": "p"}}
    planned.put("batch_3", b"n\n" + b"x\n" * LARGE_WRITTEN_BYTES, asked=asked)
    planned.put("batch_4", b"n\n" + b"x\n" * 50, asked=asked)
    assert planned.plan("batch_3") > 0
    assert planned.plan("batch_4") == 0


def test_a_retry_of_many_rows_takes_a_slot_and_one_of_few_does_not(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    for name, rows in (("batch_many", planning.LARGE_ROWS + 1), ("batch_few", 1)):
        planned.rows.batches.create(replace(a_batch(rows), id=name, shards=0))
        planned.put(f"{name}_again", b"", source={"kind": "retry", "batch": name})
    assert planned.plan("batch_many_again") > 0
    assert planned.plan("batch_few_again") == 0


def test_an_execution_that_began_with_an_older_definition_is_never_told_to_wait(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    planned.put("batch_3")
    assert "wait_s" not in planned.rows.plan("batch_3")
    assert planned.rows.batch("batch_3").is_planned


def test_results_of_large_batches_are_written_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow()
    flow.begin(jsonl(*map(chat, "abc")))
    flow.end_all()
    flow.publish()
    flow.tend_all()
    assemble = assembling.Assemble(flow.batches, flow.results, flow.files, flow.files, "outbox")
    held = Slots(flow.batches, "results")
    large = {"batch_8": "acme", "batch_9": "acme"}
    for batch_id, tenant in large.items():
        flow.put(b"", batch_id, tenant)
        held.claim(flow.batch(batch_id), flow.now)
    flow.batches.change("batch_1", lambda batch: replace(batch, rows=assembling.LARGE_ROWS + 1))
    assert assemble("batch_1", lambda: flow.now, may_wait=True) == {"written": False, "wait_s": NEXT_S}
    assert flow.batch().status is BatchStatus.FINALIZING
    held.give_back(flow.batch("batch_8"), flow.now)
    with pytest.raises(Unavailable):  # it has its slot; and not as many rows as it says
        assemble("batch_1", lambda: flow.now, may_wait=True)
    flow.batches.change("batch_1", lambda batch: replace(batch, rows=3))
    assert assemble("batch_1", lambda: flow.now, may_wait=True) == {"written": True}


@pytest.mark.parametrize("how", ["cancelled", "expired"])
def test_one_that_stops_while_it_waits_ends_at_once_and_is_not_read(how: str) -> None:
    flow, planned = Flow(), Planned()
    planned.rows = flow
    planned.hold("batch_1", "batch_2")
    planned.put("batch_3")
    assert planned.plan("batch_3") > 0
    if how == "cancelled":
        flow.stops.cancel(flow.batch("batch_3"), flow.now)
    else:
        flow.now = flow.batch("batch_3").ends_at
        for batch_id in ("batch_1", "batch_2"):
            Slots(flow.batches, "plan").claim(flow.batch(batch_id), flow.now)
    read = len(flow.rows.read)
    assert planned.plan("batch_3") == 0
    batch = flow.batch("batch_3")
    assert (batch.status, batch.rows, len(flow.rows.read)) == (how, 0, read)
    flow.tend({"batch_id": "batch_3", "shard": 0})
    assert flow.told("BatchCompleted")[-1]["status"] == how
    assert flow.batch("batch_3").due_at is None


def test_one_that_is_given_up_leaves_its_slot(planned: Planned) -> None:
    planned.hold("batch_1", "batch_2")
    planned.put("batch_3")
    assert planned.plan("batch_3") > 0
    planned.rows.give_up("batch_1")
    assert planned.rows.batch("batch_1").status is BatchStatus.FAILED
    assert planned.plan("batch_3") == 0
