"""Starting workflows: one start for each claim."""

from dataclasses import replace

import pytest
from broker.cloud.workflows import facts_of
from broker.errors import Conflict
from broker.jobs.call_transitions import start_call
from broker.jobs.dispatching import EXPRESS_BUDGET_S, dispatch, known_of
from broker.jobs.ending import cancel_job, settle_job
from broker.jobs.head import Head, Status
from broker.jobs.reconciling import reconcile
from broker.jobs.sweeping import Sweep
from broker.jobs.transitions import START_LEASE_MS, Fence, Outcome
from broker.steps.context import Run, enter

from tests.fakes.counting import CountingDatabase
from tests.fakes.queue import Down, FakeDeadLetters
from tests.fakes.world import HOUR, JOB_ID, MINUTE, NOW, SECOND, World, a_head


def test_a_message_starts_the_workflow_under_a_lease() -> None:
    world = World()
    world.put(a_head())
    head = dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW)
    assert head == world.jobs.get(JOB_ID)
    assert (head.status, head.run, head.lease_until) == (Status.RUNNING, 1, NOW + START_LEASE_MS)
    assert world.workflows.started == [(JOB_ID, 1, "express")]


@pytest.mark.parametrize("message", ["m1", "m2"])
def test_a_second_message_starts_nothing(message: str) -> None:
    world = World()
    world.put(a_head())
    dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW)
    assert dispatch(world.jobs, world.workflows, JOB_ID, message, NOW + SECOND) is None
    assert len(world.workflows.started) == 1


def test_two_messages_at_once_start_one_workflow() -> None:
    world = World()
    world.put(a_head())
    world.database.meanwhile.append(lambda: dispatch(world.jobs, world.workflows, JOB_ID, "m2", NOW))
    assert dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW) is None
    assert world.workflows.started == [(JOB_ID, 1, "express")]
    assert world.jobs.get(JOB_ID).claimed_by == "m2"


def test_a_message_of_a_job_that_ended_or_is_gone_starts_nothing() -> None:
    world = World()
    world.put(a_head())
    cancel_job(world.jobs, JOB_ID, "acme", NOW)
    assert dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW) is None
    assert dispatch(world.jobs, world.workflows, "job_gone", "m1", NOW) is None
    assert world.workflows.started == []


def test_a_failed_start_gives_the_claim_back_and_the_message_comes_again() -> None:
    world = World()
    world.put(a_head())
    world.workflows.down = True
    with pytest.raises(Down):
        dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW)
    assert world.jobs.get(JOB_ID).status is Status.QUEUED
    world.workflows.down = False
    dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW + SECOND)
    assert world.workflows.started == [(JOB_ID, 2, "express")]


def test_a_start_whose_reply_was_lost_does_not_run_twice() -> None:
    world = World()
    world.put(a_head())
    world.workflows.down = True
    with pytest.raises(Down):
        dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW)
    world.workflows.down = False
    second = world.start(JOB_ID, "exec-2")
    with pytest.raises(Conflict):  # the first run began after all, and is stale
        enter(world.jobs, Run(JOB_ID, "acme", Fence(1, "exec-1"), 0, 0))
    assert enter(world.jobs, second).run == 2


@pytest.mark.parametrize(("timeout", "size"), [(EXPRESS_BUDGET_S, "express"), (EXPRESS_BUDGET_S + 1, "standard")])
def test_the_time_budget_decides_the_size(timeout: int, size: str) -> None:
    world = World()
    world.put(a_head(timeout_s=timeout))
    dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW)
    assert world.workflows.started == [(JOB_ID, 1, size)]


def test_a_job_is_not_started_after_its_deadline() -> None:
    world = World()
    world.put(a_head())
    assert dispatch(world.jobs, world.workflows, JOB_ID, "m", NOW + HOUR) is None
    assert world.workflows.started == [], "its provider would be asked, and paid, for nobody"
    assert world.jobs.get(JOB_ID).status is Status.QUEUED, "the sweep says that it expired"


def test_the_first_message_of_a_job_starts_it_and_leaves_the_claim_to_its_first_call() -> None:
    database = CountingDatabase()
    world = World(database)
    queued = world.put(a_head())
    database.reads = database.writes = 0
    head = dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW, queued)
    assert (database.reads, database.writes) == (0, 0)
    assert head and (head.status, head.run, head.claimed_by) == (Status.RUNNING, 1, "m1")
    assert world.workflows.started == [(JOB_ID, 1, "express")]
    assert world.jobs.get(JOB_ID) == queued


@pytest.mark.parametrize(("receives", "runs"), [(1, 0), (2, 1)])
def test_a_message_that_was_there_before_claims_its_job_first(receives: int, runs: int) -> None:
    world = World()
    known = known_of({"job_id": JOB_ID, "head": world.put(a_head()).to_item()}, receives)
    dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW, known)
    assert (world.jobs.get(JOB_ID).run, len(world.workflows.started)) == (runs, 1)


def test_a_run_that_was_only_started_claims_its_job_with_its_first_write() -> None:
    world = World()
    first, second = (world.start_first(head, name) for head in [world.put(a_head())] for name in ("exec-1", "exec-2"))
    called = world.jobs.change(JOB_ID, lambda head: call(head, second))
    assert (called.status, called.run, called.execution) == (Status.RUNNING, 1, "exec-2")
    assert (called.claimed_at, called.started_at, called.claimed_by) == (NOW + SECOND, NOW, "message-exec-2")
    with pytest.raises(Conflict):
        world.jobs.change(JOB_ID, lambda head: call(head, first))
    assert [new["status"] for _, new in world.database.stream if "news" in new] == ["queued", "running"]


def test_a_run_that_was_only_started_and_died_is_started_again_within_minutes() -> None:
    world = World()
    died = world.start_first(world.put(a_head()))
    sweep = Sweep(world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: False)
    sweep(NOW + MINUTE)
    (sent,) = world.queue.sent
    head = dispatch(world.jobs, world.workflows, JOB_ID, "m2", NOW + MINUTE, sent)
    assert head == world.jobs.get(JOB_ID), "one that was sent again is claimed before it is started"
    run = Run.of(facts_of(head, head) | {"execution": "exec-2"})
    world.jobs.change(JOB_ID, lambda head: call(head, run))
    with pytest.raises(Conflict):
        enter(world.jobs, died)


@pytest.mark.parametrize("status", [Status.FAILED, Status.BLOCKED])
def test_a_job_that_calls_nobody_is_claimed_by_its_end(status: Status) -> None:
    world = World()
    run = world.start_first(world.put(a_head()))
    ended = settle_job(world.jobs, world.jobs.get(JOB_ID), run.fence, Outcome(status), NOW + SECOND)
    assert (ended.status, ended.run, ended.started_at) == (status, 1, NOW)
    assert [new["status"] for _, new in world.database.stream if "news" in new] == ["queued", status.value]


def test_a_job_that_was_canceled_since_it_was_started_is_left_alone() -> None:
    world = World()
    run = world.start_first(world.put(a_head()))
    cancel_job(world.jobs, JOB_ID, "acme", NOW)
    for work in (lambda: enter(world.jobs, run), lambda: world.jobs.change(JOB_ID, lambda head: call(head, run))):
        with pytest.raises(Conflict):
            work()
    assert (world.jobs.get(JOB_ID).status, world.jobs.get(JOB_ID).run) == (Status.CANCELED, 0)


def test_a_message_that_waited_while_its_job_was_sent_again_starts_it_all_the_same() -> None:
    world = World()
    queued = world.put(a_head())
    world.jobs.change(JOB_ID, lambda head: reconcile(head, now=NOW + MINUTE))
    head = dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW + MINUTE, queued)
    assert (head and head.status, head and head.rev) == (Status.RUNNING, 3)
    assert dispatch(world.jobs, world.workflows, JOB_ID, "m2", NOW + MINUTE, replace(queued, rev=2)) is None
    assert len(world.workflows.started) == 1


def test_a_job_that_was_canceled_while_its_message_waited_is_not_started() -> None:
    world = World()
    queued = world.put(a_head())
    cancel_job(world.jobs, JOB_ID, "acme", NOW)
    assert dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW + MINUTE, queued) is None
    assert (world.workflows.started, world.jobs.get(JOB_ID).status) == ([], Status.CANCELED)


def test_a_start_that_failed_leaves_an_untouched_job_as_it_was() -> None:
    world = World()
    queued = world.put(a_head())
    world.workflows.down = True
    with pytest.raises(Down):
        dispatch(world.jobs, world.workflows, JOB_ID, "m1", NOW, queued)
    assert world.jobs.get(JOB_ID) == queued, "its message comes again"


@pytest.mark.parametrize(("calls", "status"), [(False, Status.QUEUED), (True, Status.FAILED)])
def test_a_lost_lease_is_a_loss_only_where_the_run_got_as_far_as_a_call(calls: bool, status: Status) -> None:
    world = World()
    world.put(a_head())
    sweep = Sweep(world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: False)
    now = NOW
    for number in range(3):
        run = world.start(JOB_ID, f"exec-{number}", now)
        enter(world.jobs, run)
        if calls:
            world.jobs.change(JOB_ID, lambda head, run=run: call(head, run))  # type: ignore[misc]
        now += 2 * MINUTE
        assert not sweep(now).errors
    head = world.jobs.get(JOB_ID)
    assert (head.status, head.lease_expirations) == (status, 2 if calls else 0)
    assert head.run == 3


def call(head: Head, run: Run) -> Head:
    return start_call(head, run.fence, model="small", reserve=1, now=NOW + SECOND, lease_ms=MINUTE)[0]
