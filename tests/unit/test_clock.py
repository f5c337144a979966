"""Time, ids and money."""

import email.utils
import re
import time
import uuid

import pytest
from broker.clock import iso, new_job_id, now_ms, retry_after, usd, uuid7_hex
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.world import NOW

MOMENTS = st.integers(0, 2**48 - 1)


@given(MOMENTS)
def test_an_id_is_a_uuid_of_version_7(ms: int) -> None:
    made = uuid.UUID(hex=uuid7_hex(ms))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == ms


@given(MOMENTS, MOMENTS)
def test_ids_sort_by_time(first: int, second: int) -> None:
    if first != second:
        assert (uuid7_hex(first) < uuid7_hex(second)) == (first < second)


def test_ids_of_one_moment_differ_in_every_random_bit() -> None:
    made = [int(uuid7_hex(NOW), 16) for _ in range(200)]
    assert len(set(made)) == 200
    changing = 0
    for each in made:
        changing |= each ^ made[0]
    assert changing == (0xFFF << 64) | (1 << 62) - 1


def test_a_jobs_id() -> None:
    assert re.fullmatch("job_[0-9a-f]{32}", new_job_id(now_ms()))


def test_now_is_now() -> None:
    assert abs(now_ms() - time.time() * 1000) < 60_000


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00.000Z"),
        (1_762_000_000_007, "2025-11-01T12:26:40.007Z"),
        (1_762_000_000_999, "2025-11-01T12:26:40.999Z"),
    ],
)
def test_times_are_rfc_3339(ms: int | None, text: str | None) -> None:
    assert iso(ms) == text


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("1.5", 1.5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


def test_retry_after_may_be_a_date() -> None:
    header = email.utils.formatdate(time.time() + 100, usegmt=True)
    wait = retry_after(header)
    assert wait is not None and 30 < wait <= 100


def test_money_is_shown_in_dollars() -> None:
    assert (usd(0), usd(1_500_000_000), usd(7)) == (0, 1.5, 7e-9)
