"""What becomes of a message in a lane: its job is started, or left until there is room for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from broker.jobs.dispatching import known_of
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head, Status
from broker.jobs.in_flight import InFlight
from broker.jobs.leaving import FIRST_S, LAST_S, LONGEST_S, Left, Looks, leave, pause_s
from broker.jobs.reconciling import reconcile
from broker.jobs.starting import start

from tests.fakes.counting import CountingDatabase
from tests.fakes.world import HOUR, JOB_ID, MINUTE, NOW, SECOND, World, a_head


@dataclass
class Lanes:
    """See `leaving.Lanes`."""

    sent: list[tuple[str, dict[str, Any], str, int]] = field(default_factory=list)
    refuses: Sequence[int] = ()

    def send_later(self, lane: str, messages: Sequence[tuple[dict[str, Any], str, int]]) -> list[int]:
        """See `Lanes.send_later`."""
        assert 0 < len(messages) <= 10
        self.sent += [(lane, *each) for place, each in enumerate(messages) if place not in self.refuses]
        return list(self.refuses)


def in_flight(world: World, limit: int) -> InFlight:
    def raises(error: Exception) -> None:
        raise error

    return InFlight(world.database, "a", limit, lambda: limit, raises, chance=lambda: 0.0)


def message(head: Head, **more: Any) -> dict[str, Any]:
    return {"job_id": head.id, "head": head.to_item(), **more}


@dataclass
class Full:
    """There is room for one job, which runs."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.process = in_flight(self.world, 1)
        self.started("job_other", NOW)

    def started(self, job_id: str, now: int, **changes: Any) -> Any:
        head = self.world.put(a_head(id=job_id, **changes))
        return self.of(message(head), now)

    def of(self, body: dict[str, Any], now: int, receives: int = 1) -> Any:
        use = self.world.jobs, self.world.workflows, self.process
        return start(*use, body, "m", receives, now)


def test_a_job_that_there_is_no_room_for_is_left_as_it_is() -> None:
    full = Full()
    found = full.started(JOB_ID, NOW + SECOND)
    assert isinstance(found, Left)
    assert [each[0] for each in full.world.workflows.started] == ["job_other"]
    assert full.world.jobs.get(JOB_ID) == found.head == a_head()


def test_it_costs_the_tables_nothing_to_leave_a_job() -> None:
    database = CountingDatabase()
    full = Full(World(database))
    full.started(JOB_ID, NOW + SECOND)
    database.reads = database.writes = 0
    body = message(a_head(), left=NOW)
    assert isinstance(full.of(body, NOW + SECOND + 1), Left)
    assert (database.reads, database.writes) == (0, 0)


def test_a_job_that_was_left_is_started_when_another_has_ended() -> None:
    full = Full()
    found = full.started(JOB_ID, NOW + SECOND)
    cancel_job(full.world.jobs, "job_other", "acme", NOW + 2 * SECOND)
    head = full.of(found.again(), NOW + 10 * SECOND)
    assert isinstance(head, Head)
    assert full.world.workflows.started[-1] == (JOB_ID, 1, "express")
    assert full.world.jobs.get(JOB_ID).rev == 1, "as cheaply as a job that never waited"


ENDED: dict[str, Callable[[World], object]] = {
    "canceled": lambda world: cancel_job(world.jobs, JOB_ID, "acme", NOW + SECOND),
    "erased with its record": lambda world: world.database.delete("jobs", f"JOB#{JOB_ID}", "HEAD"),
}


@pytest.mark.parametrize("how", ENDED)
def test_a_job_that_ended_while_it_was_left_is_not_started(how: str) -> None:
    full = Full()
    found = full.started(JOB_ID, NOW + MINUTE + SECOND)
    ENDED[how](full.world)
    cancel_job(full.world.jobs, "job_other", "acme", NOW + SECOND)
    assert full.of(found.again(), NOW + 2 * MINUTE) is None
    assert full.process.admits(a_head(id="job_next"), NOW + 2 * MINUTE + SECOND), "and takes no place"


def test_a_job_past_its_deadline_is_neither_started_nor_left() -> None:
    full = Full()
    full.world.put(a_head())
    assert full.of(message(a_head()), NOW + HOUR) is None
    assert len(full.world.workflows.started) == 1


def test_a_message_that_tells_no_head_is_never_left() -> None:
    full = Full()
    full.world.put(a_head())
    assert isinstance(full.of({"job_id": JOB_ID}, NOW + SECOND), Head)


# ------------------------------------------------------------ leaving


def a_left(head: Head, receives: int = 1, **more: Any) -> Left:
    return Left(f"m-{head.id}", message(head, **more), head, receives, head.created_at)


def test_what_is_left_comes_back_as_a_new_message_of_the_same_job_and_tenant() -> None:
    lanes, head = Lanes(), a_head(lane="bulk", tenant="beta")
    assert leave(lanes, [a_left(head)], NOW, 1.0) == []
    ((lane, body, tenant, delay_s),) = lanes.sent
    assert (lane, tenant, delay_s) == ("bulk", "beta", FIRST_S)
    assert known_of(body, 1) == head, "it has never been received, so it burns none of its receives"
    assert body["left"] == NOW


@pytest.mark.parametrize("left", [a_left(a_head(), 2), a_left(a_head(), came_before=True)])
def test_what_may_have_started_its_job_before_still_says_so(left: Left) -> None:
    lanes = Lanes()
    leave(lanes, [left], NOW, 0.5)
    ((_, body, _, _),) = lanes.sent
    assert known_of(body, 1) is None, "its job is claimed before it is started again"


def test_messages_that_came_together_come_back_together() -> None:
    lanes = Lanes()
    leave(lanes, [a_left(a_head(id=f"job_{number}")) for number in range(10)], NOW, 0.3)
    assert len({delay_s for *_, delay_s in lanes.sent}) == 1, "ten in a batch cost what one does"


@pytest.mark.parametrize(
    ("waited_ms", "chance", "seconds"),
    [(0, 1, FIRST_S), (0, 0, 2), (40 * SECOND, 1, 10), (HOUR, 1, LAST_S), (HOUR, 0, LAST_S // 2)],
)
def test_who_has_waited_for_longer_is_looked_at_less_often(waited_ms: int, chance: float, seconds: int) -> None:
    assert pause_s(NOW, NOW + waited_ms, chance) == seconds
    assert 0 < pause_s(NOW, NOW + waited_ms, chance) <= 900


def test_the_jobs_of_a_flood_are_left_for_longer_and_those_of_others_are_not() -> None:
    """Else its messages take the functions that jobs wait for."""
    looks = Looks()
    for number in range(2_000):
        times = looks.times("hostile", NOW + number * 10)
    assert times > 5
    assert looks.times("quiet", NOW + 20_000) == 1
    assert pause_s(NOW, NOW + MINUTE, 1.0, times) == LONGEST_S
    assert looks.times("hostile", NOW + 10 * MINUTE) == 1, "once there are few"


def test_what_a_job_waited_for_before_is_no_wait_for_room() -> None:
    full = Full()
    assert full.started(JOB_ID, NOW + 30 * SECOND).since == NOW, "this one has waited since it came"
    back = {"created_at": NOW - HOUR, "due_at": NOW + HOUR, "run": 1, "waits": {"since": NOW - HOUR, "times": 9}}
    found = full.started("job_back", NOW + MINUTE, **back)
    assert found.since == NOW + MINUTE, "its circuit was open"
    again = full.of(found.again(), NOW + 80 * SECOND)
    assert again.since == NOW + MINUTE, "however often it is looked at"


def test_a_job_that_is_due_is_left_to_the_sweep_so_that_it_has_one_message() -> None:
    world, lanes = World(), Lanes()
    queued = world.put(a_head())
    assert leave(lanes, [a_left(queued)], NOW + MINUTE, 0.5) == []
    assert lanes.sent == []
    again = world.jobs.change(JOB_ID, lambda head: reconcile(head, now=NOW + MINUTE))
    assert (again.status, again.due_at) == (Status.QUEUED, NOW + HOUR), "the sweep sends this"
    leave(lanes, [a_left(again)], NOW + 2 * MINUTE, 0.5)
    assert len(lanes.sent) == 1


def test_a_job_that_no_sweep_sends_is_left_in_its_lane() -> None:
    lanes = Lanes()
    leave(lanes, [a_left(replace(a_head(), due_at=None))], NOW + MINUTE, 0.5)
    assert len(lanes.sent) == 1


def test_what_could_not_be_sent_comes_again_by_itself() -> None:
    lanes = Lanes(refuses=(1,))
    some = [a_left(a_head(id="job_0", due_at=NOW)), *(a_left(a_head(id=f"job_{number}")) for number in (1, 2, 3))]
    assert leave(lanes, some, NOW, 0.5) == ["m-job_2"]
