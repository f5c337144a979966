"""How many calls of a tenant wait at once: never more than may, and what a tenant holds takes nothing from another."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

from broker.tenants.waits import COUNTED, FULL_MS, GENERATION_MS, MOST_FREE_MS, Place, Room, UsualWaits, Waits
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.fakes.counting import CountingDatabase
from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW

PROCESSES = 64


def process(database: FakeDatabase, most: int, clock: Callable[[], int] = lambda: NOW) -> Waits:
    return Waits(database, lambda tenant, now: Room(most, 100), clock)


def test_who_races_for_places_gets_all_of_them_and_no_more() -> None:
    database, start = CountingDatabase(), Barrier(PROCESSES)

    def wait(number: int) -> int:
        mine = process(database, 100)
        start.wait()
        return sum(mine.claim("acme", NOW) is not None for _ in range(3))

    with ThreadPoolExecutor(PROCESSES) as pool:
        assert sum(pool.map(wait, range(PROCESSES))) == 100


def test_what_is_given_back_may_be_taken_by_another_process() -> None:
    database = FakeDatabase()
    one, other = process(database, 1), process(database, 1)
    place = one.claim("acme", NOW)
    assert place and other.claim("acme", NOW) is None
    one.give_back(place)
    one.give_back(place)
    assert other.claim("acme", NOW) is None, "it does not look again at once"
    assert other.claim("acme", NOW + FULL_MS) and one.claim("acme", NOW) is None


def test_a_hostile_tenant_takes_no_place_of_another() -> None:
    database = FakeDatabase()
    for number in range(500):
        process(database, 2).claim("hostile", NOW + number)
    assert all(process(database, 2).claim("acme", NOW + 500) for _ in range(2))


def test_a_wait_costs_nothing_until_it_has_lasted_and_then_a_read_and_two_writes() -> None:
    database, moment = CountingDatabase(), [0.0]
    waits = Waits(database, lambda tenant, now: Room(100, 100), lambda: NOW, lambda: moment[0])
    with waits.waiting("acme") as stay:
        assert stay()
        moment[0] = 0.99
        assert stay()
    assert (database.reads, database.requests) == (0, 0)
    with waits.waiting("acme") as stay:
        for moment[0] in (2.0, 5.0, 20.0):
            assert stay()
    assert (database.reads, database.requests, database.units) == (1, 2, 2)


def test_the_free_time_holds_no_more_functions_than_there_are_places() -> None:
    for most, rate in ((2, 100), (100, 100), (100, 5_000), (2_500, 1), (0, 100)):
        free_ms = Room(most, rate).free_ms
        assert rate * free_ms / 1000 <= most and free_ms <= MOST_FREE_MS


def test_who_has_no_place_is_told_so_and_not_asked_again() -> None:
    database, moment = CountingDatabase(), [0.0]
    waits = Waits(database, lambda tenant, now: Room(0, 100), lambda: NOW, lambda: moment[0])
    with waits.waiting("acme") as stay:
        assert not stay() and not stay() and not stay.had_place
    assert database.requests == 0


def test_a_tenth_of_what_may_run_waits_and_two_at_least() -> None:
    def usual(said: int = 0, reserved: int = 0, jobs: int = 0, told: int | None = None) -> int:
        return UsualWaits(said, reserved, jobs, 0.8, lambda: told).at(NOW)

    assert usual(told=8) == 2, "an account of ten"
    assert usual(told=800) == 100, "an account of a thousand"
    assert usual() == 2, "nobody has told it yet"
    assert (usual(jobs=400, told=800), usual(reserved=50, told=800), usual(said=7, reserved=50)) == (50, 5, 7)


def test_what_may_run_is_read_seldom() -> None:
    told: list[int | None] = [None, 800, 8]
    usual = UsualWaits(0, 0, 0, 0.8, lambda: told.pop(0))
    assert [usual.at(NOW + ms) for ms in (0, 5_000, 10_000, 600_000, 911_000)] == [2, 2, 100, 100, 2]


@dataclass
class Call:
    """One call that waits, in a process whose clock may differ."""

    place: Place
    ends_at: int


class WaitsMachine(RuleBasedStateMachine):
    """Calls that begin, end and die, in processes with clocks of their own and old knowledge."""

    @initialize(most=st.integers(1, 5))
    def begin(self, most: int) -> None:
        self.database, self.most, self.now = FakeDatabase(), most, NOW
        self.processes = [process(self.database, most) for _ in range(4)]
        self.calls: list[tuple[int, Call]] = []

    @rule(number=st.integers(0, 3), skew=st.sampled_from([-1_000, 0, 0, 1_000]), others=st.booleans())
    def claim(self, number: int, skew: int, others: bool) -> None:
        if others:
            self.database.meanwhile = [lambda: self.claim(3 - number, 0, others=False)]
        place = self.processes[number].claim("acme", self.now + skew)
        self.database.meanwhile = []
        if place:
            self.calls.append((number, Call(place, self.now + 27_000)))

    @rule(index=st.integers(0, 5), dies=st.booleans())
    def end(self, index: int, dies: bool) -> None:
        if index < len(self.calls):
            number, call = self.calls.pop(index)
            if not dies:
                self.processes[number].give_back(call.place)

    @rule(ms=st.sampled_from([300, 5_000, 20_000, GENERATION_MS]))
    def passes(self, ms: int) -> None:
        self.now += ms
        self.calls = [each for each in self.calls if each[1].ends_at > self.now]

    @invariant()
    def no_more_wait_than_may(self) -> None:
        assert len(self.calls) <= self.most

    def teardown(self) -> None:
        self.now += 3 * GENERATION_MS
        fresh = process(self.database, self.most)
        assert all(fresh.claim("acme", self.now) for _ in range(self.most)), "what the dead had is free again"
        (item,) = (each for each in self.database.items() if each["sk"] == "WAITS")
        assert all(item.get(name, 0) % COUNTED <= self.most for name in ("even", "odd"))


WaitsMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestWaitsMachine = WaitsMachine.TestCase
