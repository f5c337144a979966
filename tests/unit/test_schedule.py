"""The schedule of a webhook, and what a reply means for it."""

from itertools import pairwise

import pytest
from broker.delivery.schedule import JITTER, LONGEST_S, PAUSES_S, next_attempt, verdict
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.world import HOUR, MINUTE, NOW, SECOND

SEVERAL = st.integers(0, len(PAUSES_S) - 1)


def test_the_pauses_are_the_published_ones() -> None:
    waited = [next_attempt(made, NOW, None, 0) for made in range(10)]
    assert [at - NOW for at in waited if at] == [
        0,
        5 * SECOND,
        5 * MINUTE,
        30 * MINUTE,
        *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24)),
    ]


@pytest.mark.parametrize("made", [10, 11, 1000])
def test_the_schedule_ends(made: int) -> None:
    assert next_attempt(made, NOW, None, 0) is None
    assert next_attempt(made, NOW, 5, 1) is None


@given(SEVERAL, st.floats(0, 1))
def test_jitter_is_a_tenth_at_most_and_never_early(made: int, jitter: float) -> None:
    at = next_attempt(made, NOW, None, jitter)
    assert at is not None
    assert PAUSES_S[made] * SECOND <= at - NOW <= PAUSES_S[made] * SECOND * (1 + JITTER)


def test_jitter_spreads() -> None:
    assert len({next_attempt(2, NOW, None, part / 10) for part in range(11)}) == 11


@pytest.mark.parametrize(
    ("made", "asked", "pause"),
    [(1, 60, 60), (1, 5.5, 5.5), (1, 2, 5), (1, 0, 5), (9, 3600, 86_400), (1, 10**9, LONGEST_S),
     (1, float("inf"), LONGEST_S)],
)  # fmt: skip
def test_a_receiver_may_ask_for_more_time_but_not_for_less(made: int, asked: float, pause: float) -> None:
    assert next_attempt(made, NOW, asked, 0) == NOW + pause * SECOND


@given(SEVERAL, st.floats(0, 1e12), st.floats(0, 1))
def test_an_attempt_is_never_put_off_for_ever(made: int, asked: float, jitter: float) -> None:
    at = next_attempt(made, NOW, asked, jitter)
    assert at is not None and NOW <= at <= NOW + LONGEST_S * SECOND * (1 + JITTER)


def test_each_pause_is_longer_than_the_last() -> None:
    assert all(first < second for first, second in pairwise(PAUSES_S))


@pytest.mark.parametrize(
    ("status", "meaning"),
    [(status, "delivered") for status in (200, 201, 202, 204, 299)]
    + [(status, "retry") for status in (100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 409, 411, 429, 500, 503, 599)]
    + [(410, "disable")],
)
def test_what_a_status_means(status: int, meaning: str) -> None:
    assert verdict(status) == meaning
