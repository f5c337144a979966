"""How often a tenant may call: one that polls without a pause is held, and no other is, and looks cost no writes."""

from contextlib import suppress

import pytest
from broker.errors import RateLimited
from broker.rest.http import error_reply
from broker.tenants.call_rates import FREE, MOST, CallRates

from tests.fakes.counting import CountingDatabase
from tests.fakes.world import NOW
from tests.unit.limits_case import Limited

RATE = 100


def process(database: CountingDatabase, said: int | None = None) -> CallRates:
    return CallRates(database, RATE, lambda tenant, now: said)


def calls(rates: list[CallRates], count: int, since: int, ms: int, tenant: str = "acme") -> int:
    """How many of so many calls are let through, spread over a time and over processes."""
    through = 0
    for number in range(count):
        with suppress(RateLimited):
            rates[number % len(rates)].check(tenant, since + number * ms // count)
            through += 1
    return through


def test_who_looks_now_and_then_costs_nothing() -> None:
    database = CountingDatabase()
    rates = process(database)
    assert calls([rates], 600, NOW, 600_000) == 600
    assert calls([rates], FREE - 1, NOW + 700_000, 10) == FREE - 1
    assert (database.reads, database.requests) == (0, 0)


def test_who_polls_without_a_pause_is_held_to_the_rate() -> None:
    database = CountingDatabase()
    rates = [process(database) for _ in range(8)]
    assert calls(rates, 10_000, NOW, 10_000) <= RATE * 10 + RATE + 8 * (FREE + 10)
    in_vain = 8 * 4 * 10
    assert database.requests <= RATE + in_vain + 8, "a tenth of a second's calls at once, for ten seconds"
    later = calls(rates, 10_000, NOW + 10_000, 10_000)
    assert RATE * 10 * 0.9 <= later <= RATE * 10 + 8 * 10 + 8


def test_a_careless_tenant_at_a_hundred_times_its_rate_costs_no_other_a_refusal() -> None:
    database = CountingDatabase()
    rates = [process(database) for _ in range(4)]
    for second in range(5):
        now = NOW + second * 1_000
        assert calls(rates, RATE * 100, now, 1_000, "careless") < RATE * 3
        assert calls(rates, RATE * 9 // 10, now, 1_000, "acme") == RATE * 9 // 10


def test_a_tenants_entry_decides_for_it() -> None:
    database = CountingDatabase()
    assert calls([process(database, said=5)], 1_000, NOW, 100) <= 5 + FREE + 1
    assert calls([process(database, said=5_000)], 3_000, NOW, 1_000, "large") == 3_000


def test_many_tenants_are_not_remembered_for_ever() -> None:
    rates = process(CountingDatabase())
    for number in range(3 * MOST):
        rates.check(f"t{number}", NOW)
    assert len(rates._used) <= MOST


def test_the_refusal_says_when_to_come_again() -> None:
    rates = process(CountingDatabase())
    with pytest.raises(RateLimited) as failure:
        for _ in range(1_000):
            rates.check("acme", NOW)
    reply = error_reply(failure.value, "r-1")
    assert reply.status == 429 and reply.headers["retry-after"] == "1" and reply.headers["x-should-retry"] == "true"
    assert (
        reply.body["error"]["limit"]["name"] == "calls_per_second"
        and "100 calls a second" in reply.body["error"]["message"]
    )


def test_a_refusal_says_of_nothing_that_it_is_left() -> None:
    database = CountingDatabase()
    rates, told = [process(database) for _ in range(7)], set[int]()
    for number in range(400):
        try:
            rates[number % 7].check("acme", NOW + number)
        except RateLimited as error:
            told.add(error.beside["limit"]["left"])
    assert told == {0}


def test_every_route_is_under_it() -> None:
    limited = Limited()
    limited.world.api = limited.world.api.__class__(
        **{
            **{name: getattr(limited.world.api, name) for name in limited.world.api.__slots__},
            "check_rate": CallRates(CountingDatabase(), 1, lambda tenant, now: None).check,
        }
    )
    looks = [limited("GET", "/jobs", None).status for _ in range(FREE + 30)]
    assert looks[:FREE] == [200] * FREE and 429 in looks
    assert limited("GET", "/jobs/{id}", None, path={"id": "job_0"}).status == 429
    assert limited().status == 429
    assert limited("GET", "/jobs", None, tenant="other").status == 200
