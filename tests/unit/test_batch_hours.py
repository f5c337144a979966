"""Off-peak hours: through midnight, over days of the week, and through days of 23 and 25 hours."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from broker.batches.asking.hours import DAYS, OffPeak, is_zone
from hypothesis import given
from hypothesis import strategies as st

BERLIN = ZoneInfo("Europe/Berlin")

NIGHT = OffPeak("22:00", "06:00", "Europe/Berlin")


def ms(text: str, zone: ZoneInfo | None = None) -> int:
    """A moment; a local one where a zone is named."""
    moment = datetime.fromisoformat(text)
    return round((moment.replace(tzinfo=zone) if zone else moment).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-12-01T12:00:00+01:00", "2026-12-01T22:00:00+01:00"),
        ("2026-12-01T22:00:00+01:00", "2026-12-01T22:00:00+01:00"),
        ("2026-12-01T23:59:59+01:00", "2026-12-01T23:59:59+01:00"),
        ("2026-12-02T05:59:59+01:00", "2026-12-02T05:59:59+01:00"),
        ("2026-12-02T06:00:00+01:00", "2026-12-02T22:00:00+01:00"),
        ("2026-07-01T21:30:00+02:00", "2026-07-01T22:00:00+02:00"),  # in summer by the summer's clock
    ],
)
def test_hours_reach_over_midnight(now: str, opens: str) -> None:
    assert NIGHT.opens_at(ms(now)) == ms(opens)


def test_hours_of_some_days_are_those_that_start_on_them() -> None:
    weekend = OffPeak("22:00", "06:00", "Europe/Berlin", ("fri", "sat"))
    assert weekend.opens_at(ms("2026-12-07T12:00", BERLIN)) == ms("2026-12-11T22:00", BERLIN)  # from Monday
    assert weekend.opens_at(ms("2026-12-13T05:00", BERLIN)) == ms("2026-12-13T05:00", BERLIN)  # Saturday's reach there
    assert weekend.opens_at(ms("2026-12-13T06:00", BERLIN)) == ms("2026-12-18T22:00", BERLIN)
    one = OffPeak("01:00", "02:00", "UTC", ("mon",))
    assert one.opens_at(ms("2026-12-07T02:00:00+00:00")) == ms("2026-12-14T01:00:00+00:00")  # a week and no less


def test_a_night_in_which_the_clock_goes_forward_has_an_hour_less() -> None:
    # 2026-03-29, 02:00 becomes 03:00.
    now = ms("2026-03-28T22:00:00+01:00")
    assert NIGHT.closes_at(now) - now == 7 * 3_600_000
    skipped = OffPeak("02:15", "02:45", "Europe/Berlin")
    assert skipped.opens_at(ms("2026-03-29T00:30", BERLIN)) == ms("2026-03-30T02:15", BERLIN)
    once = OffPeak("02:15", "02:45", "Europe/Berlin", ("sun",))
    assert once.opens_at(ms("2026-03-22T02:45:00+01:00")) == ms("2026-04-05T02:15", BERLIN)
    begins = OffPeak("02:30", "05:00", "Europe/Berlin")
    assert begins.opens_at(ms("2026-03-29T00:30", BERLIN)) == ms("2026-03-29T03:00:00+02:00")
    ends = OffPeak("01:00", "02:30", "Europe/Berlin")
    assert ends.closes_at(ms("2026-03-29T01:30:00+01:00")) == ms("2026-03-29T03:00:00+02:00")


def test_a_night_in_which_the_clock_goes_back_has_an_hour_more() -> None:
    # 2026-10-25, 03:00 becomes 02:00.
    now = ms("2026-10-24T22:00:00+02:00")
    assert NIGHT.closes_at(now) - now == 9 * 3_600_000
    twice = OffPeak("02:00", "02:30", "Europe/Berlin")
    assert twice.opens_at(ms("2026-10-25T00:00:00+02:00")) == ms("2026-10-25T02:00:00+02:00")
    assert twice.closes_at(ms("2026-10-25T00:00:00+02:00")) == ms("2026-10-25T02:30:00+01:00")


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "America/St_Johns", "Asia/Kathmandu"])
def test_zones_of_the_database_are_known(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize("name", ["", "Berlin", "../../etc/passwd", "/etc/passwd", "Europe", "UTC\0", "Ü/ß", "+02:00"])
def test_others_are_not(name: str) -> None:
    assert not is_zone(name)


TIMES = st.builds(lambda h, m: f"{h:02}:{m:02}", st.integers(0, 23), st.integers(0, 59))


@given(
    TIMES,
    TIMES,
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
    st.integers(1_767_000_000_000, 1_830_000_000_000),
)
def test_hours_always_open_within_eight_days_and_close_after(
    start: str, end: str, zone: str, days: list[str], now: int
) -> None:
    if start == end:
        return
    hours = OffPeak(start, end, zone, days)  # type: ignore[arg-type]
    opens = hours.opens_at(now)
    assert now <= opens < now + 15 * 86_400_000
    assert hours.closes_at(opens) > opens
    assert hours.opens_at(opens) == opens, "what is open is open"
    assert hours.opens_at(hours.closes_at(opens)) >= hours.closes_at(opens)
