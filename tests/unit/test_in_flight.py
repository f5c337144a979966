"""How many jobs run at once: what processes of dispatch know of it, and what it costs them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from broker.jobs.head import Head, Status, job_pk
from broker.jobs.in_flight import AGAIN_MS, LIMIT_MS, LOOK_MS, PK, STALE_MS, InFlight
from broker.jobs.transitions import START_LEASE_MS

from tests.fakes.database import FakeDatabase
from tests.fakes.metering import MeteredDatabase
from tests.fakes.queue import Down
from tests.fakes.world import MINUTE, NOW, SECOND, World, a_head


class Account:
    """An account, its jobs, and processes of dispatch."""

    def __init__(self, limit: int = 800, fixed: int | None = None) -> None:
        self.world = World()
        self.database = MeteredDatabase(self.world.database)
        self.limit, self.fixed = limit, fixed
        self.asked = 0
        self.failures: list[Exception] = []
        self.jobs = 0

    def process(self, name: str = "a", database: Any = None) -> InFlight:
        return InFlight(
            *(database or self.database, name, self.fixed, self.read, self.failures.append), chance=lambda: 0.5
        )

    def read(self) -> int:
        self.asked += 1
        return self.limit

    def job(self, tenant: str = "acme", lane: str = "interactive") -> Head:
        """One that has come; it is in the tables when it is started."""
        return a_head(id=f"job_{self.jobs + 1}", tenant=tenant, lane=lane)

    def start(self, process: InFlight, number: int, now: int, tenant: str = "acme", lane: str = "interactive") -> int:
        """How many of some jobs are started."""
        started = 0
        for _ in range(number):
            head = self.job(tenant, lane)
            if process.admits(head, now):
                self.jobs += 1
                self.world.jobs.create(head)
                process.started(head, now)
                started += 1
        process.batch_is_over(now)
        return started

    def change(self, number: int, **changes: Any) -> None:
        self.world.jobs.change(f"job_{number}", lambda head: replace(head, rev=head.rev + 1, **changes))

    def requests(self) -> dict[str, int]:
        found, self.database.requests = dict(self.database.requests), Counter()
        return found


def filled(account: Account, process: InFlight, now: int = NOW) -> int:
    """Start what there is room for, a look after the other; gives how many."""
    return sum(account.start(process, 50, now + LOOK_MS * step) for step in range(30))


# ------------------------------------------------------------ what it costs


def test_an_idle_system_asks_nothing_but_once_for_each_process() -> None:
    account = Account()
    process = account.process()
    assert process.admits(account.job(), NOW)
    assert account.requests() == {"Query": 1, "write": 1}, "and the account's limit is kept, for all"
    for minute in range(100):
        assert account.start(process, 3, NOW + minute * MINUTE) == 3
    assert account.requests() == {}
    other = account.process("b")
    assert other.admits(account.job(), NOW + MINUTE)
    assert account.requests() == {"Query": 1}
    assert account.asked == 1


@pytest.mark.parametrize(
    ("limit", "every_s", "most"), [(800, 1, 0.06), (800, 20, 0), (8, 1, 1), (8, 120, 1), (1, 1, 1)]
)
def test_jobs_one_after_the_other_cost_next_to_nothing(limit: int, every_s: int, most: float) -> None:
    account = Account(limit)
    process = account.process()
    account.start(process, 1, NOW)
    account.requests()
    account.change(1, status=Status.SUCCEEDED)
    for number in range(2, 402):
        now = NOW + number * every_s * SECOND
        assert account.start(process, 1, now) == 1
        account.change(number, status=Status.SUCCEEDED)
    found = account.requests()
    assert found.keys() <= {"BatchGetItem"}, "nothing is written"
    assert found.get("BatchGetItem", 0) / 400 <= most
    assert account.database.reads / 400 <= 1


@pytest.mark.parametrize("limit", [4, 8, 800])
def test_no_job_is_left_while_each_has_ended_before_the_next(limit: int) -> None:
    account = Account(limit)
    process = account.process()
    for number in range(1, 301):
        assert account.start(process, 1, NOW + number * 100) == 1
        account.change(number, status=Status.SUCCEEDED)


def test_a_process_looks_once_a_second_however_many_come() -> None:
    account = Account(8)
    process = account.process()
    filled(account, process)
    account.requests()
    now = NOW + MINUTE
    assert account.start(process, 500, now) == 0
    assert account.requests() == {"BatchGetItem": 1, "Query": 1, "write": 1}
    assert account.start(process, 500, now + LOOK_MS - 1) == 0
    assert account.requests() == {}


def test_no_item_is_written_by_two() -> None:
    account = Account(100)
    writers: dict[str, set[str]] = {}
    for name in "abc":
        process = account.process(name)
        before = {item["sk"]: item for item in account.world.database.query("ledger", PK)}
        filled(account, process, NOW + ord(name) * MINUTE // 6)
        after = {item["sk"]: item for item in account.world.database.query("ledger", PK)}
        for sk in after:
            if before.get(sk) != after[sk] and sk != "LIMIT":
                writers.setdefault(sk, set()).add(name)
    assert all(len(names) <= 2 for names in writers.values()), "one of the two took over what was left"
    assert {"a", "b", "c"} <= writers.keys()


# ------------------------------------------------------------ how many


@pytest.mark.parametrize(("limit", "most"), [(8, 6), (80, 61), (800, 608)])
def test_a_tenant_alone_gets_three_quarters_and_another_one_finds_room(limit: int, most: int) -> None:
    account = Account(limit)
    process = account.process()
    got = filled(account, process)
    assert most - 1 <= got <= most + 1
    assert account.start(process, 1, NOW + MINUTE, "other") == 1


def test_what_other_processes_started_counts() -> None:
    account = Account(80)
    some = [account.process(name) for name in "abcdefgh"]
    started: Counter[str] = Counter()
    for step in range(60):
        for place, process in enumerate(some):
            started[f"t-{place}"] += account.start(process, 10, NOW + step * LOOK_MS, f"t-{place}")
    assert 70 <= started.total() <= 100, "the bound is soft, and Lambda's is 100"
    assert min(started.values()) >= 5


def test_what_a_process_is_about_to_start_is_left_to_it_until_it_has_told_what_it_did_start() -> None:
    """Without that, all who look within the same batch's time take the room that each of them sees."""
    account = Account(8)
    first, second = account.process("a"), account.process("b")
    account.start(first, 2, NOW)
    now = NOW + MINUTE
    assert first.admits(account.job(), now), "its batch goes on"
    told = {item["sk"]: item for item in account.world.database.query("ledger", PK)}
    assert told["a"]["reserved"] >= 5
    assert account.start(second, 20, now) <= 1, "but for the one that it starts without a look"
    first.batch_is_over(now + SECOND)
    told = {item["sk"]: item for item in account.world.database.query("ledger", PK)}
    assert "reserved" not in told["a"]


def test_what_a_process_that_is_gone_had_reserved_is_free_again() -> None:
    account = Account(8)
    gone, other = account.process("gone"), account.process("b")
    account.start(gone, 2, NOW)
    assert gone.admits(account.job(), NOW + MINUTE)
    assert filled(account, other, NOW + MINUTE + 10 * SECOND) >= 4


def test_a_tenant_at_its_bound_has_nothing_reserved_and_nothing_written() -> None:
    account = Account(8)
    process = account.process()
    filled(account, process)
    account.requests()
    for second in range(10):
        assert account.start(process, 10, NOW + MINUTE + second * LOOK_MS) == 0
    assert account.requests().get("write", 0) <= 3, "that it is still there"


def test_two_tenants_who_want_all_leave_some_for_a_third() -> None:
    account = Account(80)
    process = account.process()
    assert filled(account, process) >= 55
    for number in range(1, account.jobs + 1, 2):
        account.change(number, status=Status.SUCCEEDED)
    now = NOW + MINUTE
    for step in range(30):
        for tenant in "ab":
            account.start(process, 5, now + step * LOOK_MS, tenant)
    assert account.start(process, 3, now + MINUTE, "c") >= 1


def test_bulk_work_leaves_room_for_who_waits_and_does_not_use_up_its_tenants_share() -> None:
    account = Account(80)
    process = account.process()
    for step in range(30):
        for tenant in "abcdefgh":
            account.start(process, 10, NOW + step * LOOK_MS, tenant, "bulk")
    now = NOW + MINUTE
    assert account.start(process, 1, now, "a", "bulk") == 0
    assert account.start(process, 4, now + LOOK_MS, "a", "interactive") == 4
    assert account.start(process, 4, now + 2 * LOOK_MS, "z", "interactive") == 4


ENDS: dict[str, Callable[[Account, int], None]] = {
    "it has ended": lambda account, number: account.change(number, status=Status.FAILED),
    "it was put back": lambda account, number: account.change(number, run=1, waits={"since": NOW, "times": 1}),
    "its provider goes on by itself": lambda account, number: account.change(
        number, status=Status.RUNNING, run=1, calls={"1.1": {"m": "x", "r": 1, "h": {"id": "op"}}}
    ),
    "it is gone": lambda account, number: account.world.database.delete("jobs", job_pk(f"job_{number}"), "HEAD"),
}


@pytest.mark.parametrize("how", ENDS)
def test_what_no_longer_takes_functions_makes_room(how: str) -> None:
    account = Account(8)
    process = account.process()
    got = filled(account, process)
    now = NOW + MINUTE
    assert account.start(process, 1, now) == 0
    for number in range(1, account.jobs + 1):
        ENDS[how](account, number)
    assert account.start(process, 2, now + LOOK_MS) >= 1
    assert filled(account, process, now + 2 * LOOK_MS) >= got - 2


def test_who_cancels_jobs_does_not_get_the_places_of_functions_that_still_wait_for_a_model() -> None:
    account = Account(8)
    process = account.process()
    got = filled(account, process)
    now = NOW + MINUTE
    call = {"1.1": {"m": "slow", "r": 1}}
    for number in range(1, got + 1):
        account.change(number, status=Status.CANCELED, run=1, calls=call, due_at=now + MINUTE)
    assert account.start(process, 5, now + LOOK_MS) == 0
    assert account.start(process, 1, now + 2 * LOOK_MS, "other") == 1
    for number in range(1, got + 1):
        account.change(number, calls={"1.1": call["1.1"] | {"c": 1, "o": "succeeded", "p": "yes"}}, due_at=None)
    assert account.start(process, 2, now + 3 * LOOK_MS) == 2


def test_a_call_that_nobody_settles_holds_its_place_until_its_lease_is_over() -> None:
    account = Account(8)
    process = account.process()
    now = NOW + MINUTE
    for number in range(1, filled(account, process) + 1):
        account.change(number, status=Status.EXPIRED, run=1, calls={"1.1": {"m": "x", "r": 1}}, due_at=now + MINUTE)
    assert account.start(process, 1, now + MINUTE - 1) == 0
    assert account.start(process, 1, now + MINUTE + LOOK_MS) == 1


def test_a_job_that_runs_for_long_keeps_its_place_and_one_that_never_began_does_not() -> None:
    account = Account(8)
    process = account.process()
    got = filled(account, process)
    runs, began = 0, [f"job_{number}" for number in range(1, account.jobs + 1)]
    for number, _ in enumerate(began[: got // 2], 1):
        account.change(number, status=Status.RUNNING, run=1)
        runs += 1
    later = NOW + MINUTE // 2 + START_LEASE_MS
    assert process.admits(account.job(), later), "half of them never made their first call"
    assert filled(account, process, later + LOOK_MS) < got


# ------------------------------------------------------------ processes come and go


def test_what_a_process_that_is_gone_had_started_is_taken_over_once() -> None:
    account = Account(80)
    got = filled(account, account.process("gone"))
    now = NOW + MINUTE
    for number in range(1, account.jobs + 1):
        account.change(number, status=Status.RUNNING, run=1)
    others = [account.process(name) for name in "ab"]
    for step in range(20):
        for process in others:
            account.start(process, 50, now + STALE_MS + step * LOOK_MS)
    told = account.world.database.query("ledger", PK)
    ids = [each for item in told if "jobs" in item for some in item["jobs"].values() for each in some]
    assert len(ids) == len(set(ids))
    assert got - 1 <= len(ids) <= got + 8, "they count as before"


def test_a_process_that_was_only_away_forgets_what_another_has_taken_over() -> None:
    account = Account(8)
    away, other = account.process("away"), account.process("other")
    filled(account, away)
    now = NOW + MINUTE
    for number in range(1, account.jobs + 1):
        account.change(number, status=Status.RUNNING, run=1)
    assert account.start(other, 1, now + STALE_MS) == 0
    assert account.start(away, 1, now + STALE_MS + SECOND) == 0
    for number in range(1, account.jobs + 1):
        account.change(number, status=Status.SUCCEEDED)
    assert account.start(other, 1, now + STALE_MS + 2 * SECOND) == 1
    told = {item["sk"]: item for item in account.world.database.query("ledger", PK)}
    assert not told["away"]["jobs"]


def test_two_that_find_the_same_process_gone_do_not_both_take_over() -> None:
    account = Account(80)
    filled(account, account.process("gone"))
    now = NOW + MINUTE + STALE_MS
    for number in range(1, account.jobs + 1):
        account.change(number, status=Status.RUNNING, run=1)
    first, second = account.process("first"), account.process("second")
    # The second one reads, and before it takes over the first has done so.
    account.world.database.meanwhile.append(lambda: first.admits(account.job(), now))
    second.admits(account.job(), now)
    told = account.world.database.query("ledger", PK)
    ids = [each for item in told if "jobs" in item for some in item["jobs"].values() for each in some]
    assert len(ids) == len(set(ids)) > 0


def test_a_lost_reply_is_noticed() -> None:
    account = Account(8)
    process = account.process()
    account.world.database.lose_reply_of = "a"
    got = filled(account, process)
    assert 4 <= got <= 7
    assert account.start(process, 5, NOW + MINUTE) == 0


# ------------------------------------------------------------ what cannot be read bounds nothing for long


class Refusing:
    """Tables that are throttled."""

    def __init__(self, tables: Any) -> None:
        self.tables, self.down = tables, True

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise Down
        return getattr(self.tables, name)


def test_jobs_are_started_while_nothing_can_be_read() -> None:
    account = Account(8)
    process = account.process(database=Refusing(account.database))
    assert account.start(process, 30, NOW) == 30
    assert [type(each) for each in account.failures] == [Down]


def test_a_process_that_cannot_look_any_more_goes_on_slowly() -> None:
    account = Account(80)
    tables = Refusing(account.database)
    tables.down = False
    process = account.process(database=tables)
    account.start(process, 20, NOW)
    tables.down = True
    some = [account.start(process, 20, NOW + MINUTE + step * LOOK_MS) for step in range(10)]
    assert all(1 <= each <= 20 for each in some)
    assert sum(some) <= 80


def test_the_accounts_limit_is_read_now_and_then_and_may_change() -> None:
    account = Account(8)
    process = account.process()
    assert filled(account, process) <= 7
    account.limit = 80
    assert account.start(process, 1, NOW + MINUTE) == 0
    now = NOW + LIMIT_MS + MINUTE
    for number in range(1, account.jobs + 1):
        account.change(number, status=Status.RUNNING, run=1)
    assert filled(account, process, now) > 40
    assert account.asked == 2


def test_a_limit_that_cannot_be_read_is_none_and_is_asked_for_again() -> None:
    account = Account(8)
    limit, account.read = account.read, lambda: (_ for _ in ()).throw(Down())  # type: ignore[method-assign]
    process = account.process()
    assert account.start(process, 20, NOW) == 20
    assert account.start(process, 20, NOW + LOOK_MS) == 20
    assert len(account.failures) == 1, "it is not asked at each look"
    process.read_limit = limit
    assert account.start(process, 1, NOW + AGAIN_MS + LOOK_MS) == 0


def test_an_operators_word_stands_for_the_accounts_limit() -> None:
    account = Account(800, fixed=4)
    assert 2 <= filled(account, account.process()) <= 4
    assert account.asked == 0


def test_a_job_that_was_left_has_a_process_look_before_it_starts_any() -> None:
    account = Account(8)
    first, second = account.process("a"), account.process("b")
    assert account.start(second, 1, NOW) == 1
    account.change(1, status=Status.SUCCEEDED)
    filled(account, first)
    now = NOW + MINUTE
    assert not second.admits(account.job(), now, was_left=True)
    assert not second.admits(account.job(), now + 2 * SECOND), "nor while it is known that there is no room"


def test_of_jobs_the_heads_alone_are_read() -> None:
    asked: list[tuple[str, str]] = []

    class Watching(FakeDatabase):
        def get_many(self, table: Any, keys: Any) -> Any:
            asked.extend(keys)
            return super().get_many(table, keys)

    account = Account(8)
    watching = Watching()
    filled(account, account.process(database=watching))
    assert asked
    assert {sk for _, sk in asked} == {"HEAD"}
