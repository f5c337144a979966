"""Which receivers are slow, and whose turn it is: what processes know of each other, and how little it costs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
from broker.delivery.receivers import (
    KEPT,
    KEPT_OF_TENANT,
    LONG_MS,
    LOOK_MS,
    MANY,
    MOST,
    MOST_OF_RECEIVER,
    MOST_OF_TENANT,
    QUICK_FOR_MS,
    SLOT_MS,
    SLOW_FOR_MS,
    SLOW_MS,
    Receivers,
)

from tests.fakes.counting import CountingDatabase
from tests.fakes.queue import Down
from tests.fakes.world import HOUR, NOW
from tests.unit.receivers_case import INVOCATIONS


class Broken(CountingDatabase):
    """Refuses."""

    def get(self, *_: object, **__: object) -> None:
        raise Down


@dataclass
class Processes:
    """Several functions that deliver."""

    database: CountingDatabase = field(default_factory=CountingDatabase)
    now: int = NOW
    failures: list[Exception] = field(default_factory=list)

    def one(self) -> Receivers:
        """A fresh process."""
        return Receivers(self.database, self.failures.append, lambda: self.now)

    @contextmanager
    def attempting(
        self, process: Receivers, url: str = "https://slow.example/", tenant: str = "acme"
    ) -> Iterator[bool]:
        """An attempt that is under way; False where it has no slot."""
        with process.slot(tenant, url) as slot:
            yield slot is not None

    def may(self, process: Receivers, url: str = "https://slow.example/", tenant: str = "acme") -> bool:
        """True where it could attempt now."""
        with self.attempting(process, url, tenant) as may:
            return may

    def attempt(self, process: Receivers, url: str, took_ms: int, tenant: str = "acme") -> None:
        """An attempt, which takes a while."""

        def takes() -> None:
            self.now += took_ms

        with process.slot(tenant, url) as slot:
            assert slot
            slot.timed(takes)

    def slow(self, url: str = "https://slow.example/", tenant: str = "acme") -> None:
        """Some process found a receiver to be slow."""
        self.attempt(self.one(), url, SLOW_MS, tenant)


@pytest.fixture
def all_() -> Processes:
    return Processes()


def held(all_: Processes, stack: ExitStack, url: Callable[[int], str], tenant: Callable[[int], str], tries: int) -> int:
    """How many processes may attempt at the same time."""
    return sum(stack.enter_context(all_.attempting(all_.one(), url(n), tenant(n))) for n in range(tries))


def test_a_quick_receiver_costs_one_read_and_then_none(all_: Processes) -> None:
    process = all_.one()
    for _ in range(20):
        all_.attempt(process, "https://quick.example/a", 100)
    assert (all_.database.reads, all_.database.writes) == (1, 0)
    all_.now += QUICK_FOR_MS
    all_.attempt(process, "https://quick.example/b", 100)
    assert (all_.database.reads, all_.database.writes) == (2, 0)


def test_all_strangers_together_cost_one_read_in_a_while(all_: Processes) -> None:
    process = all_.one()
    for number in range(20):
        assert all_.may(process, f"https://{number}.example/")
    assert all_.database.reads == 1
    all_.now += LOOK_MS
    assert all_.may(process, "https://20.example/")
    assert all_.database.reads == 2


def test_a_slow_receiver_has_its_slots_and_no_more(all_: Processes) -> None:
    all_.slow()
    with ExitStack() as stack:
        assert held(all_, stack, lambda n: "https://slow.example/", lambda n: "acme", 10) == MOST_OF_RECEIVER
        assert all_.may(all_.one(), "https://other.example/"), "another of the tenant's"
    with ExitStack() as stack:
        assert held(all_, stack, lambda n: "https://SLOW.example.:443/x", lambda n: "acme", 10) == MOST_OF_RECEIVER, (
            "slots that were given back can be had again, however the name is written"
        )


def test_a_process_that_knew_it_as_quick_learns_it(all_: Processes) -> None:
    late = all_.one()
    all_.attempt(late, "https://slow.example/", 100)
    all_.slow()
    with ExitStack() as stack:
        held(all_, stack, lambda n: "https://slow.example/", lambda n: "acme", 10)
        assert all_.may(late), "it goes by what it saw"
        all_.now += QUICK_FOR_MS
        assert not all_.may(late)


def test_attempts_of_one_batch_share_a_slot(all_: Processes) -> None:
    all_.slow()
    process = all_.one()
    with ExitStack() as stack:
        assert all(stack.enter_context(all_.attempting(process)) for _ in range(9))
        writes = all_.database.writes
        assert held(all_, stack, lambda n: "https://slow.example/", lambda n: "acme", 10) == MOST_OF_RECEIVER - 1
        assert all_.database.writes == writes + MOST_OF_RECEIVER - 1
    with ExitStack() as stack:
        assert held(all_, stack, lambda n: "https://slow.example/", lambda n: "acme", 10) == MOST_OF_RECEIVER


def test_the_slot_of_a_process_that_died_is_free_after_a_while(all_: Processes) -> None:
    all_.slow()
    with ExitStack() as died:
        held(all_, died, lambda n: "https://slow.example/", lambda n: "acme", MOST_OF_RECEIVER)
        assert not all_.may(all_.one())
        all_.now += SLOT_MS
        assert all_.may(all_.one())


def test_a_tenant_has_its_slots_however_many_slow_receivers(all_: Processes) -> None:
    for number in range(8):
        all_.slow(f"https://{number}.example/")
    with ExitStack() as stack:
        assert held(all_, stack, lambda n: f"https://{n}.example/", lambda n: "acme", 8) == MOST_OF_TENANT


def test_all_tenants_together_leave_the_rest_to_who_is_quick(all_: Processes) -> None:
    for number in range(9):
        all_.slow(f"https://{number}.example/", f"tenant-{number}")
    with ExitStack() as stack:
        assert held(all_, stack, lambda n: f"https://{n}.example/", lambda n: f"tenant-{n}", 9) == MOST
    assert INVOCATIONS - MOST >= 4


def test_what_one_tenant_has_a_host_do_is_no_others_matter(all_: Processes) -> None:
    all_.slow("https://shared.example/slow", "hostile")
    with ExitStack() as stack:
        held(all_, stack, lambda n: "https://shared.example/slow", lambda n: "hostile", 10)
        assert all(all_.may(all_.one(), "https://shared.example/hook", "good") for _ in range(9))


def test_unknown_names_of_a_tenant_with_many_slow_ones_count_as_slow(all_: Processes) -> None:
    process = all_.one()
    all_.attempt(process, "https://good.example/", 100)
    for number in range(MANY):
        with ExitStack() as stack:
            assert held(all_, stack, lambda n: f"https://new-{n}.example/", lambda n: "acme", 10) == 10
        all_.slow(f"https://{number}.slow.example/")
    with ExitStack() as stack:
        assert held(all_, stack, lambda n: f"https://new-{n}.example/", lambda n: "acme", 10) == MOST_OF_TENANT
        assert all_.may(process, "https://good.example/"), "which is known to be quick"
        assert all_.may(all_.one(), "https://new.example/", "other")


def test_who_answers_quickly_in_between_is_not_forgotten(all_: Processes) -> None:
    all_.slow()
    process = all_.one()
    all_.attempt(process, "https://slow.example/", 100)
    with ExitStack() as stack:
        held(all_, stack, lambda n: "https://slow.example/", lambda n: "acme", MOST_OF_RECEIVER)
        assert not all_.may(process)
    all_.now += SLOW_FOR_MS
    with ExitStack() as stack:
        assert held(all_, stack, lambda n: "https://slow.example/", lambda n: "acme", 10) == 10, "but some day it is"


def test_a_receiver_that_stays_slow_is_noted_once_a_minute(all_: Processes) -> None:
    process = all_.one()
    all_.attempt(process, "https://slow.example/", SLOW_MS)
    assert all_.database.writes == 1
    for _ in range(5):
        all_.attempt(process, "https://slow.example/", SLOW_MS)
    assert all_.database.writes == 1 + 2 * 5, "each takes a slot, and gives it back"


def test_a_tenant_that_holds_a_process_for_most_of_its_time_has_slots_as_well(all_: Processes) -> None:
    often, seldom, quick = all_.one(), all_.one(), all_.one()
    for _ in range(20):
        all_.attempt(seldom, "https://seldom.example/", LONG_MS, "other")
        all_.now += 2 * LONG_MS
        for _ in range(100):
            all_.attempt(quick, "https://quick.example/", LONG_MS // 2, "third")
    assert all_.database.writes == 0
    for number in range(MANY * 12):
        all_.attempt(often, f"https://{number}.example/", LONG_MS)
    with ExitStack() as stack:
        assert held(all_, stack, lambda n: f"https://new-{n}.example/", lambda n: "acme", 10) == MOST_OF_TENANT
        assert all_.may(all_.one(), "https://seldom.example/", "other")
        assert all_.may(all_.one(), "https://quick.example/", "third")


def test_attempts_at_the_same_time_hold_a_process_once(all_: Processes) -> None:
    process = all_.one()
    for _ in range(9):
        with ExitStack() as stack:
            slots = [stack.enter_context(process.slot("acme", "https://h.example/")) for _ in range(10)]
            began = all_.now
            for slot in slots:
                assert slot
                all_.now = began
                slot.timed(lambda: setattr(all_, "now", all_.now + LONG_MS))
        all_.now += LONG_MS
    assert all_.database.writes == 0, "half of the time is its own"


def test_any_number_of_names_pushes_nobody_elses_out(all_: Processes) -> None:
    all_.slow("https://slow.example/", "other")
    for number in range(3 * KEPT_OF_TENANT):
        all_.slow(f"https://{number}.example/", "hostile")
    kept = all_.database.get("ledger", "RECEIVERS", "SLOW")
    assert kept is not None
    assert sorted(each.partition("/")[0] for each in kept["is"]) == ["hostile"] * KEPT_OF_TENANT + ["other"]
    for number in range(2 * KEPT):
        all_.slow("https://slow.example/", f"tenant-{number}")
    kept = all_.database.get("ledger", "RECEIVERS", "SLOW")
    assert kept is not None
    assert len(kept["is"]) <= KEPT
    assert kept["expires_at"] * 1000 < all_.now + HOUR


def test_two_processes_that_take_the_last_slot_at_once_do_not_both_have_it(all_: Processes) -> None:
    all_.slow()
    with ExitStack() as stack:
        held(all_, stack, lambda n: "https://slow.example/", lambda n: "acme", MOST_OF_RECEIVER - 1)
        first: list[bool] = []
        all_.database.meanwhile.append(lambda: first.append(stack.enter_context(all_.attempting(all_.one()))))
        assert (all_.may(all_.one()), first) == (False, [True])


def test_where_the_ledger_refuses_webhooks_go_out_all_the_same() -> None:
    all_ = Processes(Broken())
    process = all_.one()
    all_.attempt(process, "https://slow.example/", SLOW_MS)
    assert all(all_.may(process) for _ in range(9))
    assert {type(each) for each in all_.failures} == {Down}


def test_an_address_that_is_none_is_left_to_the_guard(all_: Processes) -> None:
    assert all_.may(all_.one(), "https://[::bad/")
