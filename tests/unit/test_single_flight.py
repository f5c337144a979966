"""One call for identical jobs: one leads at a time, nobody waits for ever, and a dead leader is replaced."""

import pytest
from broker.cache.single_flight import (
    CALM_MS,
    LINGER_MS,
    MOST_FAILURES,
    SLOWEST_POLL_S,
    TRIES,
    Alone,
    Flights,
    Leader,
    Member,
    Shared,
    Waiter,
)
from broker.errors import BadOutput, BrokerError, InvalidRequest, Refused, Rejected, Throttled, Truncated, Unavailable
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.database import Crash, FakeDatabase
from tests.fakes.world import MINUTE, NOW, SECOND

LEASE = 30 * SECOND
ANSWER = Shared("job_1", "OUTPUT#1.1", "small", {"input_tokens": 5, "output_tokens": 3}, 11, NOW + SECOND)
FAULT = Unavailable("The provider failed.")


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


def member(number: int, *, run: int = 1, accepted_at: int = NOW, patience: int = MINUTE) -> Member:
    return Member(f"job_{number}", run, accepted_at, NOW + patience)


def join(
    database: FakeDatabase, me: Member, now: int = NOW, *, tenant: str = "acme", key: str = "k"
) -> Leader | Waiter | Alone | Shared:
    return Flights(database).join(tenant, key, me, now, LEASE)


def lead(database: FakeDatabase, me: Member, now: int = NOW) -> Leader:
    role = join(database, me, now)
    assert isinstance(role, Leader)
    return role


def test_the_first_leads_and_the_others_wait(database: FakeDatabase) -> None:
    lead(database, member(1))
    for number in (2, 3):
        assert isinstance(join(database, member(number)), Waiter)


def test_other_questions_and_other_tenants_are_not_waited_for(database: FakeDatabase) -> None:
    lead(database, member(1))
    assert isinstance(join(database, member(2), key="k2"), Leader)
    assert isinstance(join(database, member(3), tenant="zeta"), Leader)


def test_all_that_were_there_take_the_answer(database: FakeDatabase) -> None:
    Flights(database).share(lead(database, member(1)), ANSWER)
    for now in (ANSWER.ended_at, ANSWER.ended_at + LINGER_MS - 1):
        assert join(database, member(2), now) == ANSWER
    late = member(3, accepted_at=ANSWER.ended_at)
    assert join(database, late, ANSWER.ended_at + 1) == ANSWER


def test_who_comes_after_the_call_makes_one_of_its_own(database: FakeDatabase) -> None:
    Flights(database).share(lead(database, member(1)), ANSWER)
    after = member(2, accepted_at=ANSWER.ended_at + 1)
    assert isinstance(join(database, after, ANSWER.ended_at + 1), Leader), "sharing is no cache"


def test_who_waited_in_a_queue_for_long_makes_a_call_of_its_own(database: FakeDatabase) -> None:
    Flights(database).share(lead(database, member(1)), ANSWER)
    assert isinstance(join(database, member(2), ANSWER.ended_at + LINGER_MS), Leader)


def test_of_two_that_would_lead_at_once_one_does(database: FakeDatabase) -> None:
    turns: list[object] = []
    database.meanwhile.append(lambda: turns.append(join(database, member(2))))
    turns.append(join(database, member(1)))
    assert sorted(type(role).__name__ for role in turns) == ["Leader", "Waiter"]


def test_of_two_that_would_take_over_at_once_one_does(database: FakeDatabase) -> None:
    lead(database, member(1))
    turns: list[object] = []
    database.meanwhile.append(lambda: turns.append(join(database, member(3), NOW + LEASE)))
    turns.append(join(database, member(2), NOW + LEASE))
    assert sorted(type(role).__name__ for role in turns) == ["Leader", "Waiter"]


def test_who_is_always_too_late_looks_again_soon(database: FakeDatabase) -> None:
    lead(database, member(1))
    (item,) = database._items.values()
    database.meanwhile.extend(lambda mark=f"other-{number}": item.update(mark=mark) for number in range(TRIES))
    assert join(database, member(2), NOW + LEASE) == Waiter(1)
    lead(database, member(2), NOW + LEASE)


def test_a_dead_leader_is_replaced_when_its_lease_is_over(database: FakeDatabase) -> None:
    dead = lead(database, member(1))
    assert isinstance(join(database, member(2), NOW + LEASE - 1), Waiter)
    heir = lead(database, member(2), NOW + LEASE)
    Flights(database).share(dead, ANSWER)
    assert isinstance(join(database, member(3), NOW + LEASE), Waiter), "one given up for dead hands out nothing"
    Flights(database).give_up(dead, FAULT, NOW + LEASE)
    Flights(database).share(heir, ANSWER)
    assert join(database, member(3), NOW + LEASE) == ANSWER


def test_a_leader_that_outlived_its_lease_may_still_share(database: FakeDatabase) -> None:
    slow = lead(database, member(1))
    late = Shared(**{**{name: getattr(ANSWER, name) for name in ANSWER.__slots__}, "ended_at": NOW + LEASE + 1})
    Flights(database).share(slow, late)
    assert join(database, member(2), NOW + LEASE + 2) == late


def test_a_leader_that_comes_again_leads_again(database: FakeDatabase) -> None:
    first = lead(database, member(1))
    again = lead(database, member(1), NOW + SECOND)
    assert again.token != first.token
    Flights(database).share(first, ANSWER)
    assert isinstance(join(database, member(2), NOW + SECOND), Waiter), "its first try speaks for nobody any more"


def test_a_crash_at_the_write_leaves_the_lead_free(database: FakeDatabase) -> None:
    database.crash_in = 0
    with pytest.raises(Crash):
        join(database, member(1))
    database.crash_in = None
    lead(database, member(2))


def test_when_a_call_fails_the_next_leads(database: FakeDatabase) -> None:
    Flights(database).give_up(lead(database, member(1)), FAULT, NOW)
    lead(database, member(2), NOW)
    assert isinstance(join(database, member(3), NOW), Waiter)


def test_after_some_failures_each_makes_its_own_call_and_later_they_share_again(database: FakeDatabase) -> None:
    for number in range(MOST_FAILURES):
        Flights(database).give_up(lead(database, member(number)), FAULT, NOW)
    for number in (7, 8):
        assert join(database, member(number), NOW) == Alone()
        assert join(database, member(number), NOW + CALM_MS - 1) == Alone()
    lead(database, member(9), NOW + CALM_MS)


def test_leaders_that_die_count_as_failures(database: FakeDatabase) -> None:
    now = NOW
    for number in range(MOST_FAILURES):
        lead(database, member(number), now)
        now += LEASE
    assert join(database, member(8), now) == Alone()
    lead(database, member(9), now + CALM_MS)


def test_a_success_ends_the_count(database: FakeDatabase) -> None:
    Flights(database).give_up(lead(database, member(1)), FAULT, NOW)
    Flights(database).share(lead(database, member(2)), ANSWER)
    after = ANSWER.ended_at + 1
    newer = member(3, accepted_at=after)
    Flights(database).give_up(lead(database, newer, after), FAULT, after)
    lead(database, member(4, accepted_at=after), after)


@pytest.mark.parametrize(
    "error",
    [
        Refused("No.", code="safety"),
        InvalidRequest("No such voice.", code="bad_voice"),
        Rejected("Not that hot.", code="unsupported_value", param="parameters.temperature"),
        Truncated("Nothing was said.", code="output_truncated"),
    ],
)
def test_a_failure_of_the_question_is_everyones(database: FakeDatabase, error: BrokerError) -> None:
    Flights(database).give_up(lead(database, member(1)), error, NOW)
    with pytest.raises(type(error)) as raised:
        join(database, member(2), NOW + SECOND)
    assert raised.value.facts() == error.facts()
    newer = member(3, accepted_at=NOW + 1)
    assert isinstance(join(database, newer, NOW + SECOND), Leader), "who was not there asks for itself"


@pytest.mark.parametrize("error", [Throttled("Wait."), BadOutput("No JSON."), Unavailable("Down.")])
def test_a_failure_of_the_call_is_the_leaders_own(database: FakeDatabase, error: BrokerError) -> None:
    Flights(database).give_up(lead(database, member(1)), error, NOW)
    lead(database, member(2), NOW)


def test_nobody_waits_longer_than_it_can_afford(database: FakeDatabase) -> None:
    lead(database, member(1))
    assert isinstance(join(database, member(2, patience=5 * SECOND), NOW + 5 * SECOND - 1), Waiter)
    assert join(database, member(2, patience=5 * SECOND), NOW + 5 * SECOND) == Alone()


@given(st.integers(0, LEASE - 1), st.integers(0, 600_000))
def test_a_pause_grows_with_the_wait_and_ends_with_lease_and_patience(passed: int, patience: int) -> None:
    database = FakeDatabase()
    lead(database, member(1))
    role = join(database, member(2, patience=patience), NOW + passed)
    if passed >= patience:
        assert role == Alone()
        return
    assert isinstance(role, Waiter)
    assert 1 <= role.seconds <= max(1, round(passed / 2000 * 1.25))
    assert role.seconds <= SLOWEST_POLL_S * 1.25
    left = min(LEASE, patience) - passed
    assert role.seconds * 1000 <= max(left, 1000) + 999


def test_those_that_wait_write_nothing(database: FakeDatabase) -> None:
    lead(database, member(1))
    database.crash_in = 0
    assert isinstance(join(database, member(2)), Waiter)
