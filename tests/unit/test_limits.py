"""Limits by time: no more than they say, and hardly less; whatever meets, crashes, or has another clock."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from broker.errors import RateLimited
from broker.jobs.accepting import Caller
from broker.jobs.request import parse_request
from broker.tenants.limiting import MOST_IDLE, MOST_KNOWN, Limits, Taken
from broker.tenants.limits import Limit, limits_of

from tests.fakes.counting import CountingDatabase
from tests.fakes.database import FakeDatabase
from tests.fakes.world import CHAT, NOW, World, a_model

DAY = 86_400_000
MIDNIGHT = (NOW // DAY + 1) * DAY
DECEMBER = round(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)


def of_tenant(tenant: str = "acme", **said: int) -> tuple[Limit, ...]:
    return limits_of("tenant", tenant, said)


def of_key(key: str = "k1", **said: int) -> tuple[Limit, ...]:
    return limits_of("key", key, said)


@dataclass
class Asking:
    """Processes that take from limits of one tenant."""

    database: FakeDatabase = field(default_factory=FakeDatabase)
    processes: list[Limits] = field(init=False)

    def __post_init__(self) -> None:
        self.processes = [Limits(self.database) for _ in range(4)]

    def take(self, limits: tuple[Limit, ...], now: int, tokens: int = 0, process: int = 0) -> Taken | None:
        try:
            return self.processes[process].take("acme", limits, tokens, now)
        except RateLimited:
            return None

    def many(self, limits: tuple[Limit, ...], now: int, count: int, tokens: int = 0) -> int:
        """How many of so many requests are allowed, each by the next process."""
        return sum(self.take(limits, now, tokens, number % 4) is not None for number in range(count))


@pytest.mark.parametrize(
    "name", ["requests_per_second", "requests_per_minute", "requests_per_day", "requests_per_month"]
)
@pytest.mark.parametrize("amount", [1, 7, 60, 499])
def test_a_full_limit_gives_its_amount_to_one(name: str, amount: int) -> None:
    assert Asking().many(of_tenant(**{name: amount}), NOW, amount + 9) == amount


def test_a_bucket_refills_all_the_time() -> None:
    asking, limits = Asking(), of_tenant(requests_per_minute=60)
    assert asking.many(limits, NOW, 100) == 60
    assert asking.many(limits, NOW + 999, 5) == 0
    assert asking.many(limits, NOW + 2_010, 5) == 2
    assert asking.many(limits, NOW + 600_000, 100) == 60, "and never has more than its amount"


def test_a_count_begins_anew_with_the_day_and_the_month() -> None:
    asking, limits = Asking(), of_tenant(tokens_per_day=1_000, tokens_per_month=1_500)
    assert asking.many(limits, MIDNIGHT - 2_000, 20, tokens=100) == 10
    assert asking.many(limits, MIDNIGHT - 1, 20, tokens=100) == 0
    assert asking.many(limits, MIDNIGHT, 20, tokens=100) == 5, "the month has 1,500"
    assert asking.many(limits, DECEMBER, 20, tokens=100) == 10


def test_all_limits_allow_it_or_none_is_taken_from() -> None:
    asking = Asking()
    limits = of_tenant(requests_per_minute=10) + of_key(requests_per_minute=3)
    assert asking.many(limits, NOW, 20) == 3
    others = of_tenant(requests_per_minute=10) + of_key("k2", tokens_per_minute=100)
    assert asking.many(others, NOW, 20, tokens=1) == 7, "what the first key was refused, its tenant did not pay for"


def test_keys_of_a_tenant_without_limits_do_not_meet() -> None:
    asking = Asking()
    assert asking.many(of_key("k1", requests_per_minute=2), NOW, 5) == 2
    assert asking.many(of_key("k2", requests_per_minute=2), NOW, 5) == 2
    assert len({item["sk"] for item in asking.database.items()}) == 2


def test_no_tenant_takes_from_anothers() -> None:
    database, limits = FakeDatabase(), of_tenant(requests_per_minute=5)
    careless = Limits(database)
    for number in range(500):
        with suppress(RateLimited):
            careless.take("careless", of_tenant("careless", requests_per_minute=5), 0, NOW + number)
    for number in range(5):
        Limits(database).take("acme", limits, 0, NOW + number)


@pytest.mark.parametrize("said", [{"requests_per_minute": 30}, {"tokens_per_minute": 6_000}, {"tokens_per_day": 3_000}])
def test_who_comes_when_the_error_says_is_let_in(said: dict[str, int]) -> None:
    asking, limits = Asking(), of_tenant(**said)
    now, refused = NOW, 0
    for _ in range(80):
        try:
            asking.processes[0].take("acme", limits, 100, now)
        except RateLimited as error:
            told = error.beside["limit"]
            assert told["asked"] > told["left"] and told["name"] == next(iter(said))
            assert error.retry_after is not None
            assert asking.take(limits, now + int(error.retry_after * 1000) - 1, 100, process=1) is None, "nor before"
            now += round(error.retry_after * 1000)
            refused += 1
            assert asking.take(limits, now, 100, process=2) is not None
    assert refused > 10 or "tokens_per_day" in said


def test_what_is_larger_than_a_limit_is_told_that_no_pause_helps() -> None:
    with pytest.raises(RateLimited) as failure:
        Limits(FakeDatabase()).take("acme", of_tenant(tokens_per_minute=1_000), 1_001, NOW)
    assert failure.value.retry_after is None and failure.value.beside["limit"]["free_at"] is None
    assert "No pause helps" in failure.value.message


def test_a_request_costs_one_write_and_a_refused_one_none() -> None:
    database = CountingDatabase()
    limits = of_tenant(requests_per_minute=50, tokens_per_day=10**6) + of_key(requests_per_day=60)
    process = Limits(database)
    process.take("acme", limits, 10, NOW)
    database.reads = database.requests = database.units = 0
    for number in range(49):
        process.take("acme", limits, 10, NOW + number)
    assert (database.reads, database.requests, database.units) == (0, 49, 49)
    for number in range(1_000):
        with pytest.raises(RateLimited):
            process.take("acme", limits, 10, NOW + 50 + number // 10)
    assert (database.reads, database.requests) == (0, 49), "it knows by what it wrote itself"
    with pytest.raises(RateLimited):
        process.take("acme", limits, 10, NOW + 1_100)
    assert (database.reads, database.requests) == (1, 49), "a look each second, for others may have given back"


def test_a_process_does_not_remember_all_tenants_for_ever() -> None:
    process = Limits(FakeDatabase())
    for number in range(2 * MOST_KNOWN + 5):
        process.take(f"t{number}", of_tenant(f"t{number}", requests_per_minute=20_000), 0, NOW)
    assert len(process._known) <= MOST_KNOWN and len(process._allowances) <= MOST_KNOWN


def test_without_limits_nothing_is_asked() -> None:
    database = CountingDatabase()
    process = Limits(database)
    process.give_back(process.take("acme", (), 10, NOW))
    assert (database.reads, database.requests) == (0, 0)


@pytest.mark.parametrize("said", [{"requests_per_minute": 5}, {"requests_per_day": 5}])
def test_what_is_given_back_may_be_taken_again(said: dict[str, int]) -> None:
    asking, limits = Asking(), of_tenant(**said)
    taken = [asking.processes[0].take("acme", limits, 0, NOW) for _ in range(5)]
    assert asking.take(limits, NOW) is None
    asking.processes[0].give_back(taken[0])
    assert asking.many(limits, NOW + 2_000, 3) == 1


def test_what_came_back_by_itself_is_not_given_back_once_more() -> None:
    asking, limits = Asking(), of_tenant(requests_per_minute=60)
    old = asking.processes[0].take("acme", limits, 0, NOW)
    asking.many(limits, NOW + 30_000, 60)
    asking.processes[0].give_back(old)
    assert asking.take(limits, NOW + 30_100, process=1) is None


def test_what_came_back_by_itself_is_not_given_back_though_others_gave_back_meanwhile() -> None:
    asking, limits = Asking(), of_tenant(requests_per_minute=60)
    taken = [asking.processes[0].take("acme", limits, 0, NOW) for _ in range(60)]
    for each in taken[1:]:
        asking.processes[0].give_back(each)
    assert asking.many(limits, NOW + 2_000, 99) == 60, "the first has come back in a second"
    asking.processes[0].give_back(taken[0])
    assert asking.take(limits, NOW + 2_300, process=1) is None


def test_who_knows_nothing_of_what_others_gave_back_counts_all_the_same() -> None:
    asking, limits = Asking(), of_tenant(requests_per_minute=60)
    taken = [asking.processes[0].take("acme", limits, 0, NOW) for _ in range(60)]
    for each in taken[1:]:
        asking.processes[1].give_back(each)
    first = sum(asking.take(limits, NOW + 2_000) is not None for _ in range(2))
    assert first + sum(asking.take(limits, NOW + 2_000, process=2) is not None for _ in range(99)) == 60


def test_yesterdays_is_not_given_back_today() -> None:
    asking, limits = Asking(), of_tenant(requests_per_day=5)
    old = asking.processes[0].take("acme", limits, 0, MIDNIGHT - 5)
    assert asking.many(limits, MIDNIGHT + 5, 9) == 5
    asking.processes[0].give_back(old)
    assert asking.take(limits, MIDNIGHT + 2_000, process=1) is None


@pytest.mark.parametrize("said", [{"requests_per_day": 10}, {"requests_per_minute": 10}])
def test_clocks_that_differ_by_a_second_let_in_no_more_than_it_refills(said: dict[str, int]) -> None:
    asking, limits = Asking(), of_tenant(**said)
    for number in range(40):
        asking.take(limits, MIDNIGHT - 500 + number % 2 * 1_000, process=number % 2)
    after = sum(item[limits[0].attribute] for item in asking.database.items())
    if limits[0].refills:
        assert after <= (MIDNIGHT + 500) * 1_000_000 + limits[0].unit * 10
    assert asking.many(limits, MIDNIGHT + 600, 20) <= 10


def test_a_day_that_another_process_has_begun_is_counted_once() -> None:
    asking, limits = Asking(), of_tenant(requests_per_day=10)
    ahead = sum(asking.take(limits, MIDNIGHT + 1) is not None for _ in range(6))
    behind = sum(asking.take(limits, MIDNIGHT - 900, process=1) is not None for _ in range(10))
    assert (ahead, behind) == (6, 4)


def test_a_changed_limit_holds_at_once() -> None:
    asking = Asking()
    assert asking.many(of_tenant(requests_per_day=10), NOW, 20) == 10
    assert asking.many(of_tenant(requests_per_day=15), NOW, 20) == 5
    assert asking.many(of_tenant(requests_per_day=3), NOW, 20) == 0


def test_numbers_of_keys_that_say_nothing_are_taken_out() -> None:
    asking = Asking()
    keys = [of_tenant(requests_per_minute=1_000) + of_key(f"{n:016x}", requests_per_minute=5) for n in range(99)]
    for each in keys:
        assert asking.take(each, NOW)
    kept = of_tenant(requests_per_minute=1_000) + of_key("used", requests_per_day=2)
    assert asking.take(kept, NOW) and asking.take(kept, NOW + 3_600_000)
    assert Limits(asking.database).take("acme", kept[:1], 0, NOW + 3_600_000)
    (item,) = asking.database.items()
    assert sum("#" in name for name in item) == 1 and len(keys) > MOST_IDLE
    assert asking.take(kept, NOW + 3_600_000, process=2) is None, "what still says something stays"


def test_an_item_is_not_deleted_while_it_says_something() -> None:
    asking = Asking()
    asking.many(of_tenant(requests_per_month=5), NOW, 5)
    asking.many(of_tenant(requests_per_minute=5), NOW, 5)
    asking.database.age(DECEMBER - 1 if NOW < DECEMBER else NOW + 86_400_000)
    assert asking.take(of_tenant(requests_per_month=5), NOW + 10, process=3) is None


def test_a_changed_bucket_keeps_the_part_that_it_is_filled_to() -> None:
    asking = Asking()
    assert asking.many(of_tenant(requests_per_minute=10), NOW, 5) == 5
    assert asking.many(of_tenant(requests_per_minute=1_000), NOW + 1, 2_000) == 500


def test_a_submission_costs_one_small_write_more_and_without_limits_nothing() -> None:
    world = World(CountingDatabase())
    world.register(a_model("small"))
    world.tenant()
    accept, counted = world.accepting(), world.database
    assert isinstance(counted, CountingDatabase)

    def cost(*limits: Limit) -> tuple[int, int, int]:
        caller = Caller("acme", "key:1", "rest", "corr-1", limits=lambda: limits)
        before = counted.reads, counted.requests, counted.units
        accept(parse_request(CHAT), caller, NOW)
        return counted.reads - before[0], counted.requests - before[1], counted.units - before[2]

    limits = of_tenant(requests_per_minute=60, tokens_per_minute=10**6, tokens_per_day=10**7) + of_key(
        requests_per_day=10, requests_per_month=100
    )
    cost(*limits)
    reads, requests, units = cost()
    assert cost(*limits) == (reads, requests + 1, units + 1)
