"""The sweep: with it, a job ends whatever crashed on its way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from threading import Event, Semaphore

import pytest
from broker.jobs.call_transitions import start_call
from broker.jobs.dispatching import dispatch
from broker.jobs.ending import cancel_job
from broker.jobs.head import SHARDS, Head, Status, due_partition
from broker.jobs.store import Jobs
from broker.jobs.sweeping import PAGE, Sweep, Swept
from broker.side_by_side import Work, side_by_side
from broker.steps.context import Run
from broker.storage import Item, Page, Put

from tests.fakes.queue import Down, FakeDeadLetters
from tests.fakes.world import HOUR, JOB_ID, MINUTE, NOW, SECOND, World, a_head

OTHER = "job_0193a000000070008000000000000002"


@dataclass
class Sweeping:
    """A sweep and all it touches."""

    world: World = field(default_factory=World)
    dead: FakeDeadLetters = field(default_factory=FakeDeadLetters)
    resent: list[str] = field(default_factory=list)

    @property
    def sweep(self) -> Sweep:
        return Sweep(self.world.jobs, self.world.payloads, self.world.queue, self.dead, self.resend)

    def __call__(self, now: int) -> Swept:
        return self.sweep(now)

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


def test_a_job_that_was_never_sent_is_sent_and_then_known_to_be(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    for minute in range(1, 59):
        sweep(NOW + minute * MINUTE)
    assert [head.id for head in sweep.world.queue.sent] == [JOB_ID]
    sweep.world.start(JOB_ID, now=NOW + 58 * MINUTE)
    assert sweep(NOW + 59 * MINUTE).requeued == 0


def test_a_job_expires_at_its_deadline(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    assert sweep(NOW + HOUR).expired == 1
    assert sweep.world.jobs.get(JOB_ID).status is Status.EXPIRED
    assert sweep(NOW + HOUR) == Swept()


def call(sweep: Sweeping, run: Run, now: int) -> None:
    """A run's first call, which it then dies of."""

    def begin(head: Head) -> Head:
        return start_call(head, run.fence, model="small", reserve=7, now=now, lease_ms=0)[0]

    sweep.world.jobs.change(JOB_ID, begin)


def test_a_dead_run_is_started_twice_more_and_then_failed(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    now = NOW
    for run in (1, 2, 3):
        call(sweep, sweep.world.start(JOB_ID, f"exec-{run}", now), now)
        now += 2 * MINUTE
        swept = sweep(now)
        assert (swept.requeued, swept.failed) == ((1, 0) if run < 3 else (0, 1))
    head = sweep.world.jobs.get(JOB_ID)
    assert (head.status, head.run, (head.error or {})["code"]) == (Status.FAILED, 3, "runs_exhausted")
    assert [sent.id for sent in sweep.world.queue.sent] == [JOB_ID] * 2


def test_a_job_that_no_step_could_be_started_for_is_started_until_its_deadline(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    now = NOW
    while sweep.world.jobs.get(JOB_ID).status is Status.QUEUED:
        sweep.world.start(JOB_ID, f"exec-{now}", now)  # claimed; Lambda throttles, so no step ever runs
        for _ in range(2):
            now += MINUTE
            sweep(now)
    head = sweep.world.jobs.get(JOB_ID)
    assert (head.status, now, (head.error or {})["code"]) == (Status.EXPIRED, NOW + HOUR, "deadline_passed")
    assert (head.run, head.lease_expirations, head.calls) == (30, 0, {}), "every other minute, and at no cost"


def test_runs_that_could_not_begin_do_not_count_with_those_that_died(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    now = NOW
    for number in range(5):
        run = sweep.world.start(JOB_ID, f"exec-{number}", now)
        if number % 2:
            call(sweep, run, now)
        now += 2 * MINUTE
        sweep(now)
    head = sweep.world.jobs.get(JOB_ID)
    assert (head.status, head.run, head.lease_expirations) == (Status.QUEUED, 5, 2)


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
    swept = sweep(NOW + 2 * MINUTE)
    assert (swept.errors, swept.oldest_due_at) == (["Down"], NOW + MINUTE)
    sweep.world.queue.down = False
    assert sweep(NOW + 3 * MINUTE).requeued == 1
    assert sweep(NOW + 20 * MINUTE).requeued == 0
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


def test_a_job_whose_message_died_is_sent_again_within_a_minute(sweep: Sweeping) -> None:
    sweep.world.put(a_head(due_at=NOW + HOUR))
    sweep.world.put(a_head(id=OTHER))
    sweep.world.start(OTHER)
    sweep.dead.job_ids = [JOB_ID, OTHER, "job_gone"]
    assert sweep(NOW) == Swept(dead_letters=3)
    assert (sweep.dead.job_ids, sweep.world.queue.sent) == ([], [])
    assert [sweep.world.jobs.get(each).status for each in (JOB_ID, OTHER)] == [Status.QUEUED, Status.RUNNING]
    assert sweep(NOW + MINUTE).requeued == 1
    assert [head.id for head in sweep.world.queue.sent] == [JOB_ID]


def test_a_job_whose_messages_die_is_sent_until_its_deadline_at_pauses_that_grow(sweep: Sweeping) -> None:
    sweep.world.put(a_head(deadline_at=NOW + 24 * HOUR))
    now, sends = NOW, []
    while sweep.world.jobs.get(JOB_ID).status is Status.QUEUED:
        now += MINUTE
        if sweep(now).requeued:
            sends.append(now)
            sweep.dead.job_ids = [JOB_ID]  # dispatch fails with it, each time
    pauses = [(after - before) // MINUTE for before, after in pairwise(sends)]
    assert pauses[:7] == [3, 5, 9, 17, 33, 61, 61], "a minute until it is found, and the pause"
    assert (sweep.world.jobs.get(JOB_ID).status, now) == (Status.EXPIRED, NOW + 24 * HOUR)


def test_while_no_workflow_can_be_started_a_job_is_sent_less_and_less_often(sweep: Sweeping) -> None:
    world = sweep.world
    world.put(a_head(deadline_at=NOW + 6 * HOUR))
    world.workflows.down = True
    sends = []
    for now in range(NOW + MINUTE, NOW + 6 * HOUR, MINUTE):
        if sweep(now).requeued:
            sends.append(now)
            with pytest.raises(Down):
                dispatch(world.jobs, world.workflows, JOB_ID, f"m-{now}", now)
    pauses = [(after - before) // MINUTE for before, after in pairwise(sends)]
    assert pauses[:6] == [3, 6, 12, 24, 48, 60]
    world.workflows.down = False
    assert dispatch(world.jobs, world.workflows, JOB_ID, "the first message", NOW + 6 * HOUR - 1) is not None


def test_a_dead_letter_fails_its_job_only_where_no_workflow_can_be_started_for_it(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    sweep.world.put(a_head(id=OTHER))
    sweep.dead.job_ids = [JOB_ID, OTHER]
    world = sweep.world
    swept = Sweep(
        *(world.jobs, world.payloads, world.queue, sweep.dead, sweep.resend), can_start=lambda head: head.id != JOB_ID
    )(NOW)
    assert (swept.dead_letters, swept.failed, sweep.dead.job_ids) == (2, 1, [])
    failed, other = world.jobs.get(JOB_ID), world.jobs.get(OTHER)
    assert (failed.status, (failed.error or {})["code"]) == (Status.FAILED, "cannot_be_started")
    assert other.status is Status.QUEUED


def test_one_dead_message_does_not_fail_a_job_that_has_time_left(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    sweep.dead.job_ids = [JOB_ID]
    sweep(NOW + MINUTE)
    assert sweep.world.jobs.get(JOB_ID).status is Status.QUEUED
    sweep.world.start(JOB_ID, now=NOW + MINUTE)
    assert sweep.world.jobs.get(JOB_ID).status is Status.RUNNING, "the message that was under way finds it"


def test_a_dead_message_does_not_bring_forward_what_waits_for_a_circuit(sweep: Sweeping) -> None:
    sweep.world.put(a_head(waits={"since": NOW, "times": 1}, due_at=NOW + 5 * MINUTE))
    sweep.dead.job_ids = [JOB_ID]
    sweep(NOW)
    assert sweep.world.jobs.get(JOB_ID).due_at == NOW + 5 * MINUTE
    assert sweep.dead.job_ids == []


def test_one_bad_job_does_not_keep_the_others_waiting(sweep: Sweeping) -> None:
    sweep.world.database.write(Put("jobs", {"pk": "JOB#bad", "sk": "HEAD", "due": due_partition(OTHER), "due_at": 1}))
    sweep.world.put(a_head(id=OTHER))
    swept = sweep(NOW + HOUR)
    assert (swept.expired, swept.errors, swept.oldest_due_at) == (1, ["KeyError"], 1)


@pytest.mark.parametrize("noted", [True, False])
def test_what_the_sweep_sends_is_claimed_whether_that_is_noted_yet_or_not(sweep: Sweeping, noted: bool) -> None:
    world = sweep.world
    world.put(a_head())
    if not noted:
        world.database.meanwhile.append(lambda: dispatch_told(world))
    sweep(NOW + MINUTE)
    (told,) = world.queue.sent
    assert (told.rev, told.due_at) == (1, NOW + HOUR), "who looks at the message sees how long it is good for"
    dispatch_told(world)
    head = world.jobs.get(JOB_ID)
    assert (head.status, head.run, head.due_at) == (Status.RUNNING, 1, NOW + 150 * SECOND)
    assert len(world.workflows.started) == 1, "no message of the sweep's starts a job that it has not claimed"


def dispatch_told(world: World) -> None:
    dispatch(world.jobs, world.workflows, JOB_ID, "m", NOW + MINUTE, world.queue.sent[0])


def test_two_sweeps_at_once_do_it_once(sweep: Sweeping) -> None:
    sweep.world.put(a_head())
    sweep.world.put(a_head(id=OTHER, deadline_at=NOW + MINUTE))
    sweep.world.database.meanwhile.append(lambda: sweep(NOW + MINUTE))
    sweep(NOW + MINUTE)
    ended = [new["status"] for _, new in sweep.world.database.stream if new["id"] == OTHER]
    assert ended == ["queued", "expired"]
    for _ in range(2):  # each sent a message; a second one starts nothing
        dispatch(sweep.world.jobs, sweep.world.workflows, JOB_ID, "m", NOW + MINUTE)
    assert len(sweep.world.workflows.started) == 1


def test_a_job_that_changed_while_it_was_sent_is_left_alone(sweep: Sweeping) -> None:
    sweep.world.put(a_head(due_at=NOW))
    sweep.world.database.meanwhile.append(
        lambda: sweep.world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, due_at=NOW + HOUR))
    )
    assert sweep(NOW) == Swept(requeued=1)
    assert sweep.world.jobs.get(JOB_ID) == a_head(rev=2, due_at=NOW + HOUR)


def test_it_stops_when_its_time_is_over_and_goes_on_the_next_time(sweep: Sweeping) -> None:
    ids = [f"job_{number:03}" for number in range(25)]
    for job_id in ids:
        sweep.world.put(a_head(id=job_id))
    left = iter([True] * 10)
    world = sweep.world
    first = Sweep(world.jobs, world.payloads, world.queue, sweep.dead, sweep.resend)(
        NOW + HOUR, time_left=lambda: next(left, False)
    )
    assert (first.expired, first.oldest_due_at) == (10, NOW + MINUTE)
    assert sweep(NOW + HOUR) == Swept(expired=len(ids) - 10)


def test_a_down_queue_is_not_an_end(sweep: Sweeping) -> None:
    sweep.world.queue.down = True
    sweep.world.put(a_head())
    assert sweep(NOW + MINUTE).errors == [Down.__name__]
    assert sweep(NOW + HOUR).expired == 1


def flood(sweep: Sweeping, count: int) -> None:
    """More jobs of a careless tenant than a sweep has time for, all due."""
    for number in range(count):
        sweep.world.jobs.create(a_head(id=f"job_{number:032d}", tenant="careless", deadline_at=NOW + 24 * HOUR))


def test_a_sweep_goes_on_while_it_has_time(sweep: Sweeping) -> None:
    flood(sweep, SHARDS * 2 * PAGE)
    assert sweep(NOW + MINUTE).requeued == SHARDS * 2 * PAGE


def test_a_shard_that_is_done_alone_is_another_each_minute(sweep: Sweeping) -> None:
    flood(sweep, SHARDS * PAGE)
    for minute in range(SHARDS):
        left = iter(range(20))
        sweep.sweep(NOW + (1 + minute) * MINUTE, time_left=lambda left=left: next(left, None) is not None)
    assert len({due_partition(head.id) for head in sweep.world.queue.sent}) == SHARDS


def test_an_item_that_hangs_keeps_no_other_shard_and_no_dead_letter(sweep: Sweeping) -> None:
    flood(sweep, SHARDS * 10)
    bad = next(
        each for each in (f"job_{number:032d}" for number in range(SHARDS * 10)) if due_partition(each) == "DUE#3"
    )
    sweep.dead.job_ids = ["job_dead"]
    release, ended, over = Event(), Semaphore(0), list[bool]()

    class Hanging(Jobs):
        def get(self, job_id: str) -> Head:
            if job_id == bad:
                release.wait()
            return super().get(job_id)

    def all_but_one(works: Sequence[Work]) -> None:
        def counted(work: Work) -> None:
            work()
            ended.release()

        def no_time_is_left_when_the_others_have_ended() -> float:
            for _ in range(0 if over else len(works) - 1):
                ended.acquire()
            over.append(True)
            return 0.0

        side_by_side([partial(counted, work) for work in works], no_time_is_left_when_the_others_have_ended)

    world = sweep.world
    hanging = Sweep(Hanging(world.database, ()), world.payloads, world.queue, sweep.dead, sweep.resend)
    swept = hanging(NOW + 2 * MINUTE, together=all_but_one)
    release.set()
    assert (swept.errors, swept.oldest_due_at) == (["Stuck"], NOW + MINUTE), "what it hangs in is still due"
    assert sweep.dead.job_ids == []
    assert {due_partition(head.id) for head in world.queue.sent} >= {f"DUE#{n}" for n in range(SHARDS) if n != 3}


def test_a_shard_that_cannot_be_read_does_not_keep_the_others(sweep: Sweeping) -> None:
    class Shaky(Jobs):
        def due(self, shard: int, now: int, limit: int, cursor: Item | None = None) -> Page:
            if shard == 3:
                raise Down
            return super().due(shard, now, limit, cursor)

    flood(sweep, SHARDS * 4)
    world = sweep.world
    swept = Sweep(Shaky(world.database, ()), world.payloads, world.queue, sweep.dead, sweep.resend)(NOW + MINUTE)
    assert (swept.errors, swept.unread) == (["Down"], 1), "nobody knows since when something has been due there"
    assert len({due_partition(head.id) for head in world.queue.sent}) == SHARDS - 1


def test_what_hangs_before_it_has_read_anything_was_not_read(sweep: Sweeping) -> None:
    world = sweep.world
    swept = Sweep(world.jobs, world.payloads, world.queue, sweep.dead, sweep.resend)(NOW, together=lambda works: None)
    assert (swept.unread, set(swept.errors)) == (SHARDS + 1, {"Stuck"})


def test_dead_letters_that_cannot_be_read_are_told_of(sweep: Sweeping) -> None:
    class Refused(FakeDeadLetters):
        def take(self) -> Iterator[tuple[str, Callable[[], None]]]:
            raise Down

    world = sweep.world
    assert Sweep(world.jobs, world.payloads, world.queue, Refused(), sweep.resend)(NOW).unread == 1
