"""Calls of earlier runs that are kept as one: nothing that is counted of them is lost."""

from typing import Any

from broker.jobs.calls import settled, together
from broker.jobs.reading import view

from tests.fakes.world import BASE_URL, NOW, a_head

COUNTED = {
    **{"cost": 7, "input_tokens": 90, "output_tokens": 40, "reasoning_tokens": 30},
    **{"cached_tokens": 20, "cache_write_tokens": 10, "latency_ms": 50},
}
"""All numbers of a call that are more with each one."""


def a_call(number: int, **more: Any) -> dict[str, Any]:
    facts = {"model": "small", "reserved": 100, "outcome": "BadAnswer", "paid": "yes", "ended_at": NOW + number}
    return settled({}, facts | COUNTED | more)


def test_all_that_is_counted_of_calls_is_summed() -> None:
    (kept,) = together({f"{number}.{number}": a_call(number) for number in (1, 2, 3)}, 9).values()
    assert kept == a_call(3, **{name: 3 * count for name, count in COUNTED.items()}, times=3, first_ended_at=NOW + 1)


def test_what_only_some_of_them_thought_is_told_of_all() -> None:
    known = together({"1.1": a_call(1), "2.2": a_call(2, reasoning_tokens=None)}, 9)
    (attempt,) = view(a_head(calls=known), {}, None, BASE_URL)["attempts"]
    assert (attempt["times"], attempt["reasoning_tokens"]) == (2, COUNTED["reasoning_tokens"])
