"""The local model server takes so many calls a second on order, and says so."""

import pytest

from local.model_server.exchange import Problem
from local.model_server.rates import SAVED_S, Rates
from tests.unit.model_server.conftest import Client, Format


class Clock:
    """Seconds that pass when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(rates: Rates, name: str, number: int, rate: float = 3) -> int:
    """How many of so many calls at once are let through."""
    passed = 0
    for _ in range(number):
        try:
            rates.take(name, rate)
            passed += 1
        except Problem as problem:
            assert problem.kind == "throttled" and 0 < (problem.retry_after or 0) <= 60
    return passed


def test_a_rate_is_kept_to_by_name_and_something_is_saved_up() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert taken(rates, "small!rate=3", 100) == 3 * SAVED_S
    assert taken(rates, "other!rate=3", 5) == 5
    clock.now += 2
    assert taken(rates, "small!rate=3", 100) == 6
    clock.now += 1_000
    assert taken(rates, "small!rate=3", 100) == 3 * SAVED_S
    assert taken(rates, "none!rate=0", 3, 0) == 0


def test_replies_tell_of_the_limit_and_refusals_how_long_to_wait(client: Client) -> None:
    path, body, headers = Format("openai").request("hi", "small!rate=0.1")
    status, told, _ = client.call(path, body, headers)
    assert (status, told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == (200, "6", "0")
    status, told, _ = client.call(path, body, headers)
    assert status == 429 and 1 <= int(told["retry-after"]) <= 10


def test_a_rate_that_is_none_is_refused(client: Client) -> None:
    path, body, headers = Format("openai").request("hi", "small!rate=quick")
    assert client.call(path, body, headers)[0] == 400


@pytest.mark.parametrize("number", [3_000])
def test_names_are_forgotten(number: int) -> None:
    rates = Rates(Clock())
    for each in range(number):
        rates.take(f"small!rate={each + 1}", each + 1)
    assert len(rates._levels) <= 1_000
