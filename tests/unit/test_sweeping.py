"""The sweep: with it, a job ends whatever crashed on its way."""

from dataclasses import dataclass, field, replace

import pytest
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head, Status, due_partition
from broker.jobs.sweeping import PER_SHARD, Sweep, Swept
from broker.jobs.transitions import start_call
from broker.storage import Item, Put

from tests.fakes.queue import Down, FakeDeadLetters
from tests.fakes.world import HOUR, JOB_ID, MINUTE, NOW, World, a_head

OTHER = "job_0193a000000070008000000000000002"


@dataclass
class Sweeping:
    """A sweep and all it touches."""

    world: World = field(default_factory=World)
    dead: FakeDeadLetters = field(default_factory=FakeDeadLetters)
    resent: list[str] = field(default_factory=list)

    def __call__(self, now: int) -> Swept:
        return Sweep(self.world.jobs, self.world.payloads, self.world.queue, self.dead, self.resend)(now)

    def resend(self, item: Item, now: int) -> bool:
        self.resent.append(item["sk"])
        return True


@pytest.fixture
def sweep() -> Sweeping:
    return Sweeping()


def test_nothing_is_due(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    assert sweep(NOW + MINUTE - 1) == Swept()
    assert sweep.world.jobs.get(JOB_ID) == a_head()


def test_a_job_that_was_never_sent_is_sent_until_it_is_claimed(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    for minute in range(1, 59):
        sweep(NOW + minute * MINUTE)
    assert [head.id for head in sweep.world.queue.sent] == [JOB_ID] * 2
    sweep.world.start(JOB_ID, now=NOW + 58 * MINUTE)
    assert sweep(NOW + 59 * MINUTE).requeued == 0


def test_a_job_expires_at_its_deadline(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    assert sweep(NOW + HOUR).expired == 1
    assert sweep.world.jobs.get(JOB_ID).status is Status.EXPIRED
    assert sweep(NOW + HOUR) == Swept()


def test_a_dead_run_is_started_twice_more_and_then_failed(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    now = NOW
    for run in (1, 2, 3):
        sweep.world.start(JOB_ID, f"exec-{run}", now)
        now += 2 * MINUTE
        swept = sweep(now)
        assert (swept.requeued, swept.failed) == ((1, 0) if run < 3 else (0, 1))
    head = sweep.world.jobs.get(JOB_ID)
    assert (head.status, head.run, (head.error or {})["code"]) == (Status.FAILED, 3, "runs_exhausted")
    assert [sent.id for sent in sweep.world.queue.sent] == [JOB_ID] * 2


def test_a_run_under_its_lease_waits(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    sweep.world.start(JOB_ID)
    assert sweep(NOW + MINUTE) == Swept(waiting=1)
    assert sweep(NOW + MINUTE) == Swept()
    assert sweep.world.jobs.get(JOB_ID).status is Status.RUNNING


def test_a_lost_requeue_is_sent_by_the_next_sweep(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    sweep.world.start(JOB_ID)
    sweep.world.queue.down = True
    assert sweep(NOW + 2 * MINUTE).errors == ["Down"]
    sweep.world.queue.down = False
    assert sweep(NOW + 3 * MINUTE).requeued == 1
    assert [sent.id for sent in sweep.world.queue.sent] == [JOB_ID]


def test_calls_of_an_ended_job_are_reckoned(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    run = sweep.world.start(JOB_ID)

    def call(head: Head) -> Head:
        return start_call(head, run.fence, model="small", reserve=7, now=NOW, lease_ms=5 * MINUTE)[0]

    sweep.world.jobs.change(JOB_ID, call)
    cancel_job(sweep.world.jobs, JOB_ID, "acme", NOW)
    assert sweep(NOW + 5 * MINUTE - 1) == Swept()
    assert sweep(NOW + 5 * MINUTE) == Swept(reckoned=1)
    assert sweep(NOW + HOUR) == Swept()
    assert sweep.world.spent()["unknown_nusd"] == 7


def test_due_deliveries_are_sent_again(sweep: Sweeping) -> None:
    note = {"pk": f"JOB#{JOB_ID}", "sk": "NOTE#DELIVERY#job.failed", "due": due_partition(JOB_ID), "due_at": NOW}
    sweep.world.database.write(Put("jobs", note))
    assert sweep(NOW).deliveries == 1
    assert sweep.resent == ["NOTE#DELIVERY#job.failed"]


def test_dead_letters_fail_their_jobs_and_go(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    sweep.world.put(a_head(id=OTHER))
    sweep.world.start(OTHER)
    sweep.dead.job_ids = [JOB_ID, OTHER, "job_gone"]
    assert sweep(NOW) == Swept(failed=1, dead_letters=3)
    assert sweep.dead.job_ids == []
    assert [sweep.world.jobs.get(each).status for each in (JOB_ID, OTHER)] == [Status.FAILED, Status.RUNNING]


def test_one_bad_job_does_not_keep_the_others_waiting(sweep: Sweeping) -> None:
    sweep.world.database.write(Put("jobs", {"pk": "JOB#bad", "sk": "HEAD", "due": due_partition(OTHER), "due_at": 1}))
    sweep.world.put(a_head(id=OTHER))
    swept = sweep(NOW + HOUR)
    assert (swept.expired, swept.errors) == (1, ["KeyError"])


def test_two_sweeps_at_once_do_it_once(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    sweep.world.database.meanwhile.append(lambda: sweep(NOW + MINUTE))
    sweep(NOW + MINUTE)
    head = sweep.world.jobs.get(JOB_ID)
    assert (len(sweep.world.queue.sent), head.nudges, head.rev) == (1, 1, 2)


def test_a_job_claimed_meanwhile_is_left_alone(sweep: Sweeping) -> None:
    sweep.world.put(a_head(due_at=NOW))
    sweep.world.database.meanwhile.append(
        lambda: sweep.world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, due_at=NOW + HOUR))
    )
    assert sweep(NOW) == Swept()
    assert sweep.world.queue.sent == []


def test_it_stops_when_its_time_is_over_and_goes_on_the_next_time(sweep: Sweeping) -> None:
    ids = [f"job_{number:03}" for number in range(PER_SHARD // 10)]
    for job_id in ids:
        sweep.world.put(a_head(id=job_id))
    left = iter([True] * 10)
    world = sweep.world
    first = Sweep(world.jobs, world.payloads, world.queue, sweep.dead, sweep.resend)(
        NOW + HOUR, time_left=lambda: next(left, False)
    )
    assert first.expired == 10
    assert sweep(NOW + HOUR).expired == len(ids) - 10


def test_a_down_queue_is_not_an_end(sweep: Sweeping) -> None:
    sweep.world.queue.down = True
    sweep.world.put(a_head())
    assert sweep(NOW + MINUTE).errors == [Down.__name__]
    assert sweep(NOW + HOUR).expired == 1
