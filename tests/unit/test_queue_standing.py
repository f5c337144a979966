"""Where a queued job stands: among its own tenant's jobs, by bounded reads, and nothing said that is not known."""

from dataclasses import replace
from typing import Any

import pytest
from broker.batches.ahead import MOST_SEEN as MOST_BATCHES
from broker.batches.batch import Batch, BatchStatus
from broker.batches.store import Batches
from broker.batches.viewing import ShowBatch
from broker.clock import new_id
from broker.contract.replies import Job, Queued
from broker.jobs.head import Head, Status
from broker.jobs.queueing import MOST_SEEN, standing
from broker.storage import Put, Unread

from tests.fakes.batches import a_batch
from tests.fakes.counting import CountingDatabase
from tests.fakes.database import FakeDatabase
from tests.fakes.world import BASE_URL, MINUTE, NOW, SECOND, a_head
from tests.unit.rest_door import BODY, Door


def given(database: FakeDatabase, at: int, **changes: Any) -> Head:
    """A job that was given so many seconds after `NOW`."""
    made = NOW + at * SECOND
    head = a_head(id=new_id("job_", made, f"{at}"), created_at=made, **changes)
    database.write(Put("jobs", head.to_item()))
    return head


def told(database: FakeDatabase, head: Head, now: int = NOW + 100 * SECOND) -> dict[str, Any]:
    found = standing(database, head, now)
    assert found is not None
    Queued.model_validate(found)
    return found


def test_its_place_counts_its_tenants_earlier_jobs_of_its_lane_that_wait() -> None:
    database = CountingDatabase()
    for at in range(5):
        given(database, at)
    given(database, 5, lane="bulk")
    given(database, 6, review={"state": "held", "since": NOW})
    given(database, 7, waits={"since": NOW, "times": 1})
    mine = given(database, 8)
    given(database, 9)
    shown = told(database, mine)
    assert (shown["lane"], shown["position"], shown["is_least"]) == ("interactive", 5, False)
    assert (shown["eta_seconds"], shown["basis"]) == (None, None), "none was started, so nobody knows"


def test_nothing_is_told_of_another_tenants_jobs() -> None:
    alone, beside = FakeDatabase(), FakeDatabase()
    shown = []
    for database in (alone, beside):
        for at in range(3):
            given(database, at, status=Status.SUCCEEDED, started_at=NOW + (at + 1) * 10_000)
        mine = given(database, 5)
        if database is beside:
            for at in range(150):
                given(
                    database, 10 + at, tenant="other", status=(Status.QUEUED, Status.SUCCEEDED)[at % 2], started_at=NOW
                )
        shown.append(told(database, mine))
    assert shown[0] == shown[1]


def test_when_it_begins_is_reckoned_from_how_the_ones_before_it_began() -> None:
    database = FakeDatabase()
    for at in range(4):
        given(database, at, status=Status.RUNNING, started_at=NOW + (20 + 20 * at) * SECOND)
    for at in range(4, 7):
        given(database, at)
    shown = told(database, given(database, 8))
    assert shown["basis"] == {"jobs_started": 4, "in_seconds": 80}
    assert (shown["position"], shown["eta_seconds"]) == (3, 80)


def test_what_began_long_ago_says_nothing_of_now() -> None:
    database = FakeDatabase()
    given(database, 0, status=Status.SUCCEEDED, started_at=NOW)
    assert told(database, given(database, 8), NOW + 11 * MINUTE)["eta_seconds"] is None


@pytest.mark.parametrize(("before", "is_least"), [(MOST_SEEN - 1, False), (MOST_SEEN + 5, True)])
def test_behind_many_it_says_that_there_may_be_more(before: int, is_least: bool) -> None:
    database = CountingDatabase()
    for at in range(before):
        given(database, at)
    mine = given(database, before)
    asked = database.reads
    shown = told(database, mine)
    assert (shown["position"], shown["is_least"]) == (min(before, MOST_SEEN), is_least)
    assert shown["eta_seconds"] is None
    assert database.reads - asked == 1, "beside the index, which is not counted here"


@pytest.mark.parametrize(("reason", "kept"), [("circuits", {}), ("rate", {"rate": 1}), ("capacity", {"capacity": 1})])
def test_one_that_waits_for_something_else_says_for_what_and_when_it_is_tried(
    reason: str, kept: dict[str, int]
) -> None:
    database = FakeDatabase()
    given(database, 0)
    mine = given(database, 8, waits={"since": NOW, "times": 2, **kept}, due_at=NOW + 130_500)
    shown = told(database, mine)
    assert (shown["position"], shown["eta_seconds"], shown["basis"]) == (None, 31, {"waits_for": reason})


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.QUEUED])
def test_one_that_is_not_queued_stands_nowhere(status: Status) -> None:
    assert standing(FakeDatabase(), a_head(status=status), NOW) is None


def test_one_that_a_person_holds_stands_nowhere() -> None:
    assert standing(FakeDatabase(), a_head(review={"state": "held", "since": NOW}), NOW) is None


def test_where_the_tables_are_busy_it_says_that_it_does_not_know() -> None:
    class Busy(FakeDatabase):
        def get_many(self, *asked: Any, **more: Any) -> Any:
            raise Unread("busy")

    database = Busy()
    given(database, 0)
    shown = told(database, given(database, 1))
    assert (shown["position"], shown["eta_seconds"]) == (None, None)


def batch_at(batches: Batches, at: int, **changes: Any) -> Batch:
    """A batch of 250 rows, of which 200 are open."""
    made = NOW + at * SECOND
    batch = replace(a_batch(250, released=2, open=(0, 1), **changes), id=new_id("batch_", made), created_at=made)
    batches.create(batch)
    return batch


def position(batches: Batches, batch: Batch) -> dict[str, Any]:
    found: dict[str, Any] = ShowBatch(batches, BASE_URL)(batch, NOW + MINUTE)["position"]
    return found


def test_before_a_batch_come_open_rows_of_its_tenants_earlier_ones_and_no_others_are_told() -> None:
    batches = Batches(FakeDatabase())
    batch_at(batches, 0)
    batch_at(batches, 1, status=BatchStatus.COMPLETED)
    batch_at(batches, 2, tenant="other")
    mine = batch_at(batches, 3)
    batch_at(batches, 4)
    assert position(batches, mine) == {"lane": "bulk", "jobs_ahead": 200}


def test_it_takes_two_reads_however_many_batches_are_open() -> None:
    database = CountingDatabase()
    batches = Batches(database)
    for at in range(MOST_BATCHES + 10):
        batch_at(batches, at)
    mine = batch_at(batches, 60)
    asked = database.reads
    assert position(batches, mine)["jobs_ahead"] == MOST_BATCHES * 200
    assert database.reads - asked == 2, "one of them of its own shards"


def test_it_is_told_to_who_asks_for_it_and_to_nobody_else() -> None:
    door = Door()
    ids = [door("POST", "/jobs", BODY).body["id"] for _ in range(2)]
    assert "queue" not in door("GET", "/jobs/{id}", job_id=ids[1]).body
    for include in ("queue", "queue,route"):
        shown = door("GET", "/jobs/{id}", job_id=ids[1], query={"include": include}).body
        assert shown["queue"]["lane"] == "interactive"
        Job.model_validate(shown)
    others = door.fails("GET", "/jobs/{id}", job_id=ids[1], query={"include": "queue"}, tenant="other")
    assert others.status == 404
