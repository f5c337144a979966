"""Accepting under an idempotency key: one key, one body, one job, whatever crashes."""

import pytest
from broker.errors import InvalidRequest, KeyInFlight, KeyReused
from broker.jobs.head import Status

from tests.fakes.database import Crash
from tests.fakes.world import CHAT, HOUR, MINUTE, NOW, SECOND, World, a_model
from tests.unit.accepting_case import accepting_world, heads, sweep

OTHER = {"input": {"text": "Something else."}}


@pytest.fixture
def world() -> World:
    return accepting_world()


def test_without_a_key_each_request_is_a_job(world: World) -> None:
    assert world.accept().head.id != world.accept().head.id


def test_the_same_key_and_body_give_the_same_job(world: World) -> None:
    first = world.accept(key="k")
    again = world.accept(key="k", now=NOW + HOUR)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.head == first.head
    assert len(world.queue.sent) == 1
    assert heads(world) == [first.head.id]


def test_a_repeat_gives_the_job_as_it_stands(world: World) -> None:
    first = world.accept(key="k").head
    world.start(first.id)
    assert world.accept(key="k").head.status is Status.RUNNING


def test_a_repeat_may_write_defaults_out(world: World) -> None:
    first = world.accept({**CHAT, "task": "chat", "priority": "interactive", "metadata": {}}, key="k").head
    assert world.accept(key="k").head == first


def test_another_body_under_the_same_key_is_refused(world: World) -> None:
    world.accept(key="k")
    with pytest.raises(KeyReused) as failure:
        world.accept(OTHER, key="k")
    assert (failure.value.status, failure.value.param) == (422, "Idempotency-Key")
    assert len(heads(world)) == 1


def test_keys_of_tenants_never_meet(world: World) -> None:
    assert world.accept(key="k").head.id != world.accept(OTHER, key="k", tenant="rich").head.id


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(world: World, key: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        world.accept(key=key)
    assert failure.value.param == "Idempotency-Key"
    world.accept(key="x" * 255)


def test_a_key_may_be_used_anew_after_a_day(world: World) -> None:
    first = world.accept(key="k").head
    assert world.accept(key="k", now=NOW + 24 * HOUR - SECOND).head == first
    fresh = world.accept(OTHER, key="k", now=NOW + 24 * HOUR).head
    assert fresh.id != first.id
    assert world.accept(OTHER, key="k", now=NOW + 25 * HOUR).head == fresh


def test_two_that_reuse_an_old_key_at_once_get_one_job(world: World) -> None:
    world.accept(key="k")
    later = NOW + 24 * HOUR
    # The other request runs between the failed reservation of this one and its second try.
    world.database.meanwhile += [lambda: None, lambda: world.accept(key="k", now=later)]
    with pytest.raises(KeyInFlight):
        world.accept(key="k", now=later)
    assert len(heads(world)) == 2


@pytest.mark.parametrize("writes", range(6))
def test_a_crash_at_any_write_leaves_one_job_for_the_repeat(world: World, writes: int) -> None:
    world.register(a_model("small"))
    body = {**CHAT, "metadata": {"a": "b"}}
    world.database.crash_in = writes
    crashed = False
    try:
        world.accept(body, key="k", tenant="rich")
    except Crash:
        crashed = True
    world.database.crash_in = None
    if crashed and writes > 0:
        with pytest.raises(KeyInFlight) as failure:
            world.accept(body, key="k", tenant="rich", now=NOW + 29_999)
        assert (failure.value.status, failure.value.retry_after) == (409, 1)
    again = world.accept(body, key="k", tenant="rich", now=NOW + 30_000)
    assert heads(world) == [again.head.id]
    assert world.available("rich") == 10**9 - again.head.limit
    assert world.accept(body, key="k", tenant="rich", now=NOW + MINUTE).repeated
    sweep(world, NOW + 2 * MINUTE)
    assert again.head.id in [head.id for head in world.queue.sent]


def test_only_one_takes_over_what_a_crash_left(world: World) -> None:
    world.database.crash_in = 1
    with pytest.raises(Crash):
        world.accept(key="k")
    world.database.crash_in = None
    # This one loses the reservation, and the other comes between its reading and its taking over.
    world.database.meanwhile += [lambda: None, lambda: world.accept(key="k", now=NOW + MINUTE)]
    with pytest.raises(KeyInFlight):
        world.accept(key="k", now=NOW + MINUTE)
    assert len(heads(world)) == 1


def test_a_refused_request_frees_its_key(world: World) -> None:
    body = {**CHAT, "model": "later"}
    with pytest.raises(InvalidRequest):
        world.accept(body, key="k")
    world.register(a_model("later"))
    assert world.accept(body, key="k", now=NOW + 1).head.asked == "later"


def gone(world: World, job_id: str) -> None:
    """What the table's TTL does."""
    for sk in ("HEAD", "INPUT", "NOTE#ASKED"):
        world.database.delete("jobs", f"JOB#{job_id}", sk)


SHORT = {**CHAT, "ttl_seconds": 60, "deadline_seconds": 60}


def test_a_key_whose_job_is_gone_is_a_new_job(world: World) -> None:
    first = world.accept(SHORT, key="k").head
    theirs = world.accept(SHORT, key="k", tenant="rich").head
    gone(world, first.id)
    again = world.accept(SHORT, key="k", now=NOW + HOUR)
    assert (again.repeated, again.head.status, again.head.id != first.id) == (False, Status.QUEUED, True)
    assert world.accept(SHORT, key="k", now=NOW + HOUR + SECOND).head.id == again.head.id, "and stands for that one now"
    assert world.accept(SHORT, key="k", now=NOW + HOUR, tenant="rich").head.id == theirs.id
    with pytest.raises(KeyReused):
        world.accept(CHAT, key="k", now=NOW + HOUR)


def test_of_two_repeats_after_the_job_is_gone_one_makes_the_new_one(world: World) -> None:
    first = world.accept(SHORT, key="k").head
    gone(world, first.id)
    world.database.meanwhile += [lambda: None, lambda: world.accept(SHORT, key="k", now=NOW + HOUR)]
    with pytest.raises(KeyInFlight):
        world.accept(SHORT, key="k", now=NOW + HOUR)
    assert len(heads(world)) == 2


def test_a_crash_while_a_gone_job_is_made_anew_is_repaired(world: World) -> None:
    for crash_in in range(8):
        first = world.accept(SHORT, key=f"k{crash_in}").head
        gone(world, first.id)
        world.database.crash_in = crash_in
        try:
            world.accept(SHORT, key=f"k{crash_in}", now=NOW + HOUR)
        except Crash:
            pass
        world.database.crash_in = None
        again = world.accept(SHORT, key=f"k{crash_in}", now=NOW + HOUR + MINUTE).head
        assert world.jobs.find(again.id) == again
        assert world.accept(SHORT, key=f"k{crash_in}", now=NOW + HOUR + MINUTE).head.id == again.id
