"""Accepting tries that a client counts: one call, one job, whatever is cut, comes late or is refused."""

import random
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from broker.clock import NANO
from broker.errors import BudgetExceeded
from broker.jobs.accepting import Acceptance, Caller
from broker.jobs.head import Status
from broker.jobs.repeats import KEEP_MS, LATE_MS, PAGE, Attempt, fingerprint
from broker.jobs.request import parse_request
from broker.jobs.store import REQUEST
from broker.storage import Contended

from tests.fakes.counting import CountingDatabase
from tests.fakes.database import Crash
from tests.fakes.world import CHAT, NOW, SECOND, World, a_model
from tests.unit.accepting_case import accepting_world, heads

OTHER = {"input": {"text": "Something else."}}


@pytest.fixture
def world() -> World:
    return accepting_world()


def tried(
    world: World,
    number: int,
    *,
    now: int = NOW,
    tenant: str = "acme",
    of: str = "a body",
    waited_ms: int = 0,
    body: Any = CHAT,
) -> Acceptance:
    """One try of a call; those with the same `of` are equal."""
    attempt = Attempt(of, number, waited_ms)
    return world.accepting()(parse_request(body), Caller(tenant, "key:1", "rest", "corr-1"), now, attempt=attempt)


def marked(world: World) -> list[str]:
    """The ids that marks of calls have."""
    return [item["job_id"] for item in world.database.items() if item["pk"].startswith("CALL#")]


def test_a_repeat_gets_the_job_of_the_first_as_it_stands(world: World) -> None:
    first = tried(world, 0)
    world.start(first.head.id)
    again = tried(world, 1, now=NOW + SECOND)
    assert (first.repeated, again.repeated) == (False, True)
    assert (again.head.id, again.head.status) == (first.head.id, Status.RUNNING)
    assert tried(world, 2, now=NOW + 2 * SECOND).head.id == first.head.id
    assert len(world.queue.sent) == 1


def test_two_equal_calls_that_were_both_wanted_stay_two_also_when_both_are_repeated(world: World) -> None:
    wanted = {tried(world, 0).head.id for _ in range(2)}
    assert len(wanted) == 2
    for number in (1, 2):
        assert {tried(world, number).head.id for _ in range(2)} == wanted
    assert len(heads(world)) == 2


def test_a_repeat_whose_first_try_never_came_is_a_job_and_its_own_repeat_finds_it(world: World) -> None:
    first = tried(world, 1)
    assert not first.repeated
    assert tried(world, 2).head.id == first.head.id


def test_a_first_try_that_comes_after_its_repeat_finds_the_job(world: World) -> None:
    repeat = tried(world, 1)
    assert tried(world, 0, now=NOW + SECOND, waited_ms=5 * SECOND).head.id == repeat.head.id
    # A call of its own that waited as long is one more.
    assert tried(world, 0, now=NOW + SECOND, waited_ms=LATE_MS).head.id != repeat.head.id


def test_a_second_repeat_may_come_before_the_first(world: World) -> None:
    first = tried(world, 0).head.id
    assert {tried(world, 2).head.id, tried(world, 1).head.id} == {first}


def test_a_repeat_is_of_the_newest_call(world: World) -> None:
    tried(world, 0)
    second = tried(world, 0, now=NOW + 60 * SECOND)
    assert tried(world, 1, now=NOW + 61 * SECOND).head.id == second.head.id


def test_after_ten_minutes_a_repeat_is_a_call_of_its_own(world: World) -> None:
    first = tried(world, 0)
    assert tried(world, 1, now=NOW + KEEP_MS).head.id == first.head.id
    assert tried(world, 2, now=NOW + KEEP_MS + 1).head.id != first.head.id


def test_nobody_else_finds_a_call_by_a_forged_count(world: World) -> None:
    mine = tried(world, 0)
    theirs = tried(world, 1, tenant="rich")
    assert (theirs.repeated, theirs.head.tenant) == (False, "rich")
    assert theirs.head.id != mine.head.id
    assert not tried(world, 1, of="another body").repeated


def test_equal_requests_are_those_of_one_caller_on_one_path_with_the_same_bytes() -> None:
    one = fingerprint("key:1", "POST /jobs", b"{}")
    assert one == fingerprint("key:1", "POST /jobs", b"{}")
    others = [("key:2", "POST /jobs", b"{}"), ("key:1", "POST /responses", b"{}"), ("key:1", "POST /jobs", b"{ }")]
    # Nothing of one part can be moved to another.
    others += [("key:1P", "OST /jobs", b"{}"), ("key:1", "POST /jobs{}", b"")]
    assert len({one, *(fingerprint(*each) for each in others)}) == 1 + len(others)


def test_many_equal_calls_are_found_beyond_the_newest_that_are_taken(world: World) -> None:
    wanted = {tried(world, 0, now=NOW + each).head.id for each in range(2 * PAGE + 1)}
    later = NOW + SECOND
    assert {tried(world, 1, now=later).head.id for _ in wanted} == wanted
    assert len(heads(world)) == len(wanted)


def test_a_repeat_of_a_try_that_died_before_its_job_was_written_makes_it(world: World) -> None:
    world.database.crash_in = 1  # the mark is written, the job is not
    with pytest.raises(Crash):
        tried(world, 0)
    world.database.crash_in = None
    assert heads(world) == []
    again = tried(world, 1)
    assert tried(world, 2).head.id == again.head.id
    assert len(heads(world)) == 1


def test_a_repeat_that_comes_while_the_first_is_being_accepted_gets_its_job(world: World) -> None:
    # The repeat runs between the mark of the first and its job.
    found: list[Acceptance] = []
    world.database.meanwhile += [lambda: None, lambda: found.append(tried(world, 1))]
    first = tried(world, 0)
    assert [each.head.id for each in found] == [first.head.id]
    assert len(heads(world)) == 1


def test_of_two_repeats_at_once_each_gets_a_call_of_its_own(world: World) -> None:
    wanted = {tried(world, 0).head.id for _ in range(2)}
    # The other one takes the newest mark between this one's look and its claim.
    found: list[Acceptance] = []
    world.database.meanwhile.append(lambda: found.append(tried(world, 1)))
    assert {tried(world, 1).head.id, found[0].head.id} == wanted


def test_a_claim_whose_reply_is_lost_is_not_taken_for_anothers(world: World) -> None:
    first = tried(world, 0)
    (mark,) = [item["sk"] for item in world.database.items() if item["pk"].startswith("CALL#")]
    world.database.lose_reply_of = mark
    assert tried(world, 1).head.id == first.head.id
    assert len(heads(world)) == 1


def test_what_is_refused_for_its_budget_leaves_nothing_and_may_be_repeated(world: World) -> None:
    world.tenant("poor", monthly_budget=0)
    with pytest.raises(BudgetExceeded):
        tried(world, 0, tenant="poor")
    assert heads(world) == []
    assert world.payloads.load(next(iter(marked(world))), REQUEST) is None
    world.tenant("poor", monthly_budget=NANO)
    again = tried(world, 1, tenant="poor")
    assert world.prompt(again.head.id) == CHAT["input"]
    assert tried(world, 2, tenant="poor").head.id == again.head.id


def test_a_refused_try_does_not_take_the_prompt_of_its_repeat(world: World) -> None:
    # The repeat is accepted while the first, which the budget will not cover then, is under way.
    world.tenant("poor", monthly_budget=NANO)
    found: list[Acceptance] = []
    world.database.meanwhile += [lambda: None, lambda: found.append(tried(world, 1, tenant="poor"))]
    first = tried(world, 0, tenant="poor")
    assert first.head.id == found[0].head.id
    assert world.prompt(first.head.id) == CHAT["input"]


def test_a_try_that_others_kept_from_the_budget_is_found_by_its_repeat_and_not_by_others(world: World) -> None:
    world.tenant("poor", monthly_budget=NANO)
    kept = tried(world, 0, tenant="poor")
    period_pks = {item["pk"] for item in world.database.items() if item["pk"].startswith("BUDGET#")}
    for pk in period_pks:
        world.database.held[pk] = 1000
    with pytest.raises(Contended):
        tried(world, 0, tenant="poor", now=NOW + SECOND)
    world.database.held.clear()
    again = tried(world, 1, tenant="poor", now=NOW + 2 * SECOND)
    assert again.head.id != kept.head.id, "both calls were wanted"
    assert len(heads(world)) == 2


def test_a_first_try_costs_one_write_unit_more_and_a_request_without_a_count_nothing() -> None:
    world = World(database=CountingDatabase())
    world.register(a_model("small"))
    world.tenant()
    accept, asked = world.accepting(), parse_request(CHAT)

    def taken(attempt: Attempt | None) -> tuple[int, int, int]:
        database = world.database
        assert isinstance(database, CountingDatabase)
        before = database.reads, database.requests, database.units
        accept(asked, Caller("acme", "key:1", "rest", "corr-1"), NOW, attempt=attempt)
        reads, requests, units = database.reads, database.requests, database.units
        return reads - before[0], requests - before[1], units - before[2]

    taken(None)  # this process knows its tenants and models from now on
    plain = taken(None)
    first = taken(Attempt("a body", 0))
    assert (first[0] - plain[0], first[1] - plain[1], first[2] - plain[2]) == (0, 1, 1)
    # A repeat asks for the marks, takes one, and looks at its job.
    assert taken(Attempt("a body", 1)) == (2, 1, 1)


class Clients:
    """A thousand calls, of which each try is answered, answered in vain, cut, or handled after its repeat."""

    def __init__(self, bodies: int, least_writes: int) -> None:
        self.chance = random.Random(14)
        self.world = World()
        self.world.register(a_model("small"))
        self.world.tenant()
        self.now = count(NOW, 7)
        self.bodies = bodies
        self.least_writes = least_writes
        """What a try that dies has written by then, at least: its mark is the first, its job the second."""
        self.late: list[tuple[str, int]] = []
        self.told: list[str] = []

    def run(self) -> None:
        for number in range(1000):
            self.call(f"body {number % self.bodies}")
        while self.late:
            self.handle_late()

    def call(self, of: str) -> None:
        for number in range(3):
            if self.late and self.chance.random() < 0.3:
                self.handle_late()
            match self.chance.choice(["answered", "in vain", "dies", "late"]) if number < 2 else "answered":
                case "late":
                    self.late.append((of, number))
                case "dies":
                    self.world.database.crash_in = self.chance.randrange(self.least_writes, 3)
                    with suppress(Crash):
                        tried(self.world, number, of=of, now=next(self.now))
                    self.world.database.crash_in = None
                case fate:
                    job = tried(self.world, number, of=of, now=next(self.now)).head.id
                    if fate == "answered":
                        self.told.append(job)
                        return

    def handle_late(self) -> None:
        of, number = self.late.pop(self.chance.randrange(len(self.late)))
        tried(self.world, number, of=of, now=next(self.now), waited_ms=29 * SECOND)


def test_a_thousand_calls_that_are_cut_and_answered_late_are_a_thousand_jobs_each_told_to_its_client() -> None:
    clients = Clients(bodies=1000, least_writes=0)
    clients.run()
    assert len(set(clients.told)) == len(clients.told) == len(heads(clients.world)) == 1000


def test_so_are_a_thousand_of_which_many_are_equal() -> None:
    clients = Clients(bodies=10, least_writes=2)
    clients.run()
    assert len(clients.told) == len(heads(clients.world)) == 1000
    assert set(clients.told) <= set(heads(clients.world))
