"""How the governor finds limits of all kinds: by the second, by the minute, and those that it was told."""

import pytest
from broker.jobs import rates
from broker.jobs.flows import HOLD_MS, Flow
from broker.jobs.met import Met

from tests.fakes.world import HOUR, MINUTE, NOW, SECOND
from tests.unit.test_pace import Lane


def test_a_model_that_takes_fewer_at_once_is_asked_for_fewer_and_then_for_ever_more() -> None:
    """A limit by the second refuses some of twenty calls at once, and says nothing of how many it takes in a minute."""
    lane = Lane().known()
    lane.start(20, NOW + SECOND)
    late = lane.open[10:]
    del lane.open[10:]
    lane.end(NOW + 2 * SECOND)
    lane.open = late
    lane.end(NOW + 2 * SECOND, "Throttled")
    assert lane.rate(NOW + 2 * SECOND) == 2
    assert lane.start(20, NOW + 3 * SECOND) <= 5
    assert lane.rate(NOW + 22 * SECOND) == pytest.approx(8, rel=0.01)


def test_a_named_limit_is_kept_to_without_a_refusal() -> None:
    lane = Lane()
    lane.start(1, NOW)
    lane.end(NOW, x=[600, 5, 0, 0])
    lane.start(1, NOW)
    lane.end(NOW, x=[600, 5, 0, 0])
    assert lane.rate(NOW + MINUTE) == pytest.approx(600 / 60 * rates.MARGIN)
    assert lane.rate(NOW + HOUR) == pytest.approx(600 / 60 * rates.MARGIN)


def test_what_became_of_calls_is_kept_for_a_minute_and_no_longer() -> None:
    lane = Lane().known()
    for second in range(300):
        lane.start(5, NOW + second * SECOND)
        lane.end(NOW + second * SECOND + 500)
    assert 0 < len(lane.pace.flows["small"].met) <= 5 * 61


def test_a_model_that_takes_nothing_is_asked_seldom_and_goes_on_with_what_a_minute_took() -> None:
    """A window of a minute, of 600 calls: they go in half of it, and nothing gets through until the next."""
    lane, now, taken, refused = Lane().known(), NOW, 0, 0
    for tick in range(1, 600):
        now = NOW + tick * 200
        started = lane.start(20, now)
        left = 600 * (1 + tick // 300) - taken
        through = lane.open[:left]
        late = lane.open[left:]
        lane.open = through
        lane.end(now + 100)
        lane.open = late
        lane.end(now + 100, "Throttled")
        taken, refused = taken + min(started, left), refused + max(0, started - left)
        if tick == 450:
            assert lane.rate(now) == pytest.approx(10, rel=0.3)
    assert taken >= 900 and refused <= 100


@pytest.mark.parametrize(("through", "least", "most"), [(0, 6, 12), (3, 12, 18), (6, 18, 24)])
def test_of_few_calls_that_were_refused_a_rate_is_guessed_and_soon_more_is_tried(
    through: int, least: float, most: float
) -> None:
    """Six calls say little: where none of them got through, the model may take ten of 24 a second all the same."""
    flow, first, decided = Flow(rates.first(NOW)), NOW + 20 * SECOND, NOW + 21 * SECOND
    flow._first = first, 24.0
    flow.decide(rates.lowered(flow.decision, 24, rates.FIRST_CUT, decided))
    flow._measured_for = flow.of
    now = decided + HOLD_MS
    flow.judge([Met(first + each * 100, "acme", each >= through) for each in range(6)], now)
    assert least <= flow.decision.rate(now) <= most
    assert flow.decision.top >= 1.25 * flow.decision.base
