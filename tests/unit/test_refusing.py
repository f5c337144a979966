"""Refusing: what was kept of a request goes with the refusal, unless somebody else may have its id."""

import pytest
from broker.errors import BudgetExceeded
from broker.jobs.idempotency import Reservation, free, reserve
from broker.storage import Update

from tests.fakes.database import Crash
from tests.fakes.world import CHAT, MINUTE, NOW, World, a_model

OTHER = {"input": {"text": "Something else."}}
HOOK = {"url": "https://example.com/hook", "events": ["job.failed"]}


@pytest.fixture
def world() -> World:
    made = World()
    made.register(a_model("small"))
    made.tenant()
    made.tenant("rich", monthly_budget=10**9)
    made.tenant("poor", monthly_budget=1)
    return made


def more_for_the_poor(world: World) -> None:
    world.database.write(Update("ledger", "BUDGET#poor", "2026-11", add={"available": 10**6}))


@pytest.mark.parametrize("key", [None, "k"])
def test_a_request_beyond_the_budget_leaves_nothing_of_itself(world: World, key: str | None) -> None:
    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            world.accept({**CHAT, "metadata": {"order": "seventeen"}, "webhook": HOOK}, tenant="poor", key=key)
    assert world.payloads.owners() == set()
    assert "seventeen" not in repr(world.database) and "example.com" not in repr(world.database)
    world.accept({**CHAT, "metadata": {"order": "seventeen"}}, tenant="rich")
    assert "seventeen" in repr(world.database), "there it is looked for"


def test_what_was_refused_is_accepted_whole_when_there_is_more(world: World) -> None:
    with pytest.raises(BudgetExceeded):
        world.accept(tenant="poor", key="k")
    more_for_the_poor(world)
    head = world.accept(tenant="poor", key="k", now=NOW + 1).head
    assert world.prompt(head.id) == CHAT["input"]
    assert world.accept(tenant="poor", key="k", now=NOW + 2).head == head


def test_a_refusal_takes_nothing_from_a_repeat_that_is_accepted_meanwhile(world: World) -> None:
    """The first try takes so long that a repeat takes its key over, and with it the job's id."""
    with pytest.raises(BudgetExceeded):
        world.accept(OTHER, tenant="poor")

    def repeat() -> None:
        more_for_the_poor(world)
        world.accept(tenant="poor", key="k", now=NOW + MINUTE)

    # The key is held, the job is refused; and then, before the key is let go:
    world.database.meanwhile += [lambda: None, lambda: None, repeat]
    with pytest.raises(BudgetExceeded):
        world.accept(tenant="poor", key="k")
    (job_id,) = world.payloads.owners()
    assert world.jobs.find(job_id) is not None
    assert world.prompt(job_id) == CHAT["input"]
    assert world.accept(tenant="poor", key="k", now=NOW + 2 * MINUTE).head.id == job_id


def test_what_a_crash_left_is_not_dropped_by_the_repeat_that_is_refused(world: World) -> None:
    """The first try may still be under way: it has the same id, and may yet be accepted."""
    world.database.crash_in = 2
    with pytest.raises(Crash):
        world.accept(tenant="poor", key="k")
    world.database.crash_in = None
    (job_id,) = world.payloads.owners()
    with pytest.raises(BudgetExceeded):
        world.accept(tenant="poor", key="k", now=NOW + MINUTE)
    assert world.payloads.owners() == {job_id}
    more_for_the_poor(world)
    assert world.accept(tenant="poor", key="k", now=NOW + MINUTE + 1).head.id == job_id


def test_an_id_is_let_go_by_who_made_it_and_nobody_else(world: World) -> None:
    def reserved(job_id: str, now: int) -> Reservation:
        return reserve(world.database, "acme", "k", "body", job_id, now)

    slow = reserved("job_1", NOW)
    repeat = reserved("job_2", NOW + MINUTE)
    assert repeat.job_id == "job_1"
    assert not free(world.database, slow, "job_1"), "the repeat has it"
    assert not free(world.database, repeat, "job_2"), "it may be that of the slow one"
    again = reserved("job_3", NOW + MINUTE)
    assert again.job_id == "job_1"
    fresh = reserve(world.database, "acme", "other", "body", "job_4", NOW)
    assert free(world.database, fresh, "job_4")
    assert reserve(world.database, "acme", "other", "body", "job_5", NOW).job_id == "job_5"
