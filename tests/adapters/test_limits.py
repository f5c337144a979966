"""Limits on DynamoDB as they are on the tables in memory: names, expressions and conditions that it takes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import pytest
from broker.cloud.database import DynamoDatabase
from broker.errors import RateLimited
from broker.storage import Database
from broker.tenants.limiting import MOST_IDLE, Limits
from broker.tenants.limits import Limit, limits_of

from tests.adapters.conftest import TABLES, with_tables
from tests.fakes.world import NOW

ALL = (
    *limits_of("tenant", "acme", {"requests_per_second": 4, "requests_per_minute": 5, "tokens_per_day": 1_000}),
    *limits_of("key", "0123456789abcdef", {"requests_per_month": 6, "tokens_per_minute": 10**9}),
)


def allowed(database: Database, limits: tuple[Limit, ...], count: int, now: int, tokens: int = 10) -> int:
    found = 0
    for number in range(count):
        with suppress(RateLimited):
            Limits(database).take("acme", limits, tokens, now + number // 100)
            found += 1
    return found


def test_all_limits_of_a_request_are_taken_from_by_one_write(database: Database) -> None:
    assert allowed(database, ALL, 8, NOW) == 4
    assert allowed(database, ALL, 8, NOW + 1_000) == 1, "the minute has five"
    assert allowed(database, ALL, 8, NOW + 60_000) == 1, "the month has six"
    item = database.get("ledger", "LIMITS#acme", "TENANT") or {}
    assert sum(name.startswith(("requests", "tokens")) and not name.endswith("@") for name in item) == 5


def test_what_is_given_back_is_there_again(database: Database) -> None:
    process = Limits(database)
    taken = [process.take("acme", ALL, 10, NOW) for _ in range(4)]
    process.give_back(taken[0])
    assert allowed(database, ALL, 3, NOW) == 1


def test_numbers_that_say_nothing_are_taken_out(database: Database) -> None:
    of_all = limits_of("tenant", "acme", {"requests_per_minute": 1_000})
    for number in range(MOST_IDLE + 2):
        key = limits_of("key", f"{number:016x}", {"requests_per_minute": 5})
        Limits(database).take("acme", of_all + key, 0, NOW)
    Limits(database).take("acme", of_all, 0, NOW + 3_600_000)
    item = database.get("ledger", "LIMITS#acme", "TENANT") or {}
    assert not any("#" in name for name in item) and "requests_per_minute" in item


@pytest.mark.parametrize("said", [{"requests_per_second": 40}, {"requests_per_day": 40}, {"tokens_per_minute": 409}])
def test_sixty_four_at_once_get_what_there_is_and_no_more(lean: Any, said: dict[str, int]) -> None:
    database = DynamoDatabase(with_tables(lean("dynamodb")), TABLES)  # type: ignore[arg-type]
    limits, start = limits_of("tenant", "acme", said), Barrier(64)

    def one(_: int) -> int:
        start.wait()
        return allowed(database, limits, 2, NOW)

    with ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(one, range(64))) == 40
