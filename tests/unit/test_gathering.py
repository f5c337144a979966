"""Pictures of several exchanges: nothing that came is lost, and nothing that may be paid for is forgotten."""

from collections.abc import Callable

import pytest
from broker.errors import BadOutput, BrokerError, Refused, Throttled, Unavailable
from broker.providers.wire import gathering
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.gathering import Part, gather

from tests.fakes.own_time import own_time

LAMP = Blob(b"\x89PNG", "image/png")
MORE = Throttled("Slow down.", code="http_429")


def call(count: int, timeout: float = 20) -> Call:
    return Call("generate_image", "m", {"text": "A lamp", "count": count}, {}, timeout)


def by_turns(*turns: Part | BrokerError) -> Callable[[list[int], float], Part]:
    left = list(turns)

    def paint(places: list[int], seconds: float) -> Part:
        turn = left.pop(0)
        if isinstance(turn, BrokerError):
            raise turn
        return turn

    return paint


def two() -> Part:
    return Part([LAMP, LAMP], input_tokens=10, output_tokens=100, facts={"request_id": "r"})


def test_all_of_them() -> None:
    asked: list[list[int]] = []

    def paint(places: list[int], seconds: float) -> Part:
        asked.append(places)
        return Part([LAMP] * len(places), 0, 10, 100, {"request_id": "r"}, ["brass"] * len(places))

    answer = gather(call(5), 2, paint)
    assert asked == [[0, 1], [2, 3], [4]]
    assert answer == Answer(
        {"count": 5, "revised_prompts": ["brass"] * 5},
        30,
        300,
        facts={"request_id": "r"},
        units={"images": 5},
        files=(LAMP,) * 5,
    )


def test_what_came_before_a_failure_is_the_answer() -> None:
    answer = gather(call(6), 2, by_turns(two(), two(), MORE))
    assert answer.output == {"count": 4, "missing": 2}
    assert (answer.units, answer.output_tokens) == ({"images": 4}, 200)


def test_what_may_have_been_made_is_paid_for() -> None:
    lost = Unavailable("Gone.", code="timeout", maybe_paid=True)
    answer = gather(call(8), 2, by_turns(two(), two(), lost))
    assert answer.output == {"count": 4, "missing": 4}
    assert (answer.units, answer.input_tokens, answer.output_tokens) == ({"images": 6}, 30, 300)


@pytest.mark.parametrize("paid", [True, False])
def test_the_first_failure_is_one(paid: bool) -> None:
    with pytest.raises(Throttled) as failure:
        gather(call(4), 2, by_turns(Throttled("Slow down.", code="http_429", maybe_paid=paid)))
    assert failure.value.maybe_paid is paid


def test_a_failure_after_what_was_held_back_may_be_paid_for() -> None:
    with pytest.raises(Throttled) as failure:
        gather(call(4), 2, by_turns(Part((), 2), Throttled("Slow down.", code="http_429")))
    assert failure.value.maybe_paid


def test_what_is_held_back_is_told() -> None:
    assert gather(call(4), 2, by_turns(two(), Part([LAMP], 1))).output == {"count": 3, "filtered": 1}
    with pytest.raises(Refused):
        gather(call(4), 2, by_turns(Part((), 2), Part((), 2)))
    with pytest.raises(BadOutput):
        gather(call(1), 2, by_turns(Part(())))


def test_it_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, left = [0.0], []
    own_time(monkeypatch, gathering.__name__, monotonic=lambda: now[0])

    def slow(places: list[int], seconds: float) -> Part:
        left.append(seconds)
        now[0] += 6
        return two()

    assert gather(call(6, timeout=10), 2, slow).output == {"count": 4, "missing": 2}
    assert left == [10, 4]
