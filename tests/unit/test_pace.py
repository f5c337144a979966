"""The governor of the bulk lane in one process and in several: what it learns, whom it spares, what cannot stop it."""

from dataclasses import replace
from typing import Any

import pytest
from broker.jobs import rates
from broker.jobs.fair_share import FairShare
from broker.jobs.flows import AHEAD_MS
from broker.jobs.head import Head, Status
from broker.jobs.in_flight import PK, InFlight
from broker.jobs.pacing import Pace, own_name
from broker.providers.wire.rate_limits import rate_limits

from tests.fakes.metering import MeteredDatabase
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND, World, a_head

INF = float("inf")


class Lane:
    """Jobs that one process starts, and what becomes of their calls."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.pace = pace or Pace(chance=lambda: 0.5)
        self.number = 0
        self.open: list[tuple[Head, Any, int]] = []

    def start(self, number: int, now: int, tenant: str = "acme", hold: int = 0, **changes: Any) -> int:
        """How many of so many jobs are let through."""
        started = 0
        for _ in range(number):
            self.number += 1
            holds = {"tenant": hold} if hold else {}
            head = a_head(id=f"job_{self.number}", tenant=tenant, lane="bulk", run=1, holds=holds, **changes)
            if self.pace.admits(head, now, INF):
                self.open.append((head, self.pace.started(head, now), now))
                started += 1
        return started

    def end(self, now: int, outcome: str = "succeeded", model: str = "small", tokens: int = 1_000, **more: Any) -> None:
        """All that run end alike."""
        for head, charge, at in self.open:
            used = tokens if outcome == "succeeded" else 0
            call = {"m": model, "r": 1, "c": 0, "o": outcome, "i": used, "u": 0}
            item = head.to_item() | {"calls": {"1.1": call | more}}
            self.pace.learn(head.id, charge, at, item, now)
            self.pace.ended(charge, item, now)
        self.open.clear()
        self.pace.decide(now)

    def rate(self, now: int, name: str = "small") -> float:
        """Calls a second."""
        return self.pace.flows[name].decision.rate(now)

    def known(self, now: int = NOW, tenant: str = "acme") -> "Lane":
        """After one job, by which its kind's model is known."""
        assert self.start(1, now, tenant)
        self.end(now)
        return self


def refuse(lane: Lane, now: int, tenant: str = "acme", **more: Any) -> int:
    """Have what is let through refused, at once and after, until the lane knows."""
    started = lane.start(20, now, tenant)
    lane.end(now + SECOND, "Throttled", **more)
    while not lane.pace.flows["small"].decision.learnt:
        now += SECOND
        lane.start(20, now, tenant)
        lane.end(now, "Throttled", **more)
    return started


# ------------------------------------------------------------ rates


def test_a_model_nobody_has_heard_of_is_tried_and_its_calls_double() -> None:
    made = rates.first(NOW)
    assert made.calls(NOW) >= 20
    assert made.rate(NOW + 10 * SECOND) == pytest.approx(2 * made.rate(NOW))


@pytest.mark.parametrize("at_s", [0, 1, 20, 100, 1_000, 100_000])
def test_the_calls_that_may_be_made_are_the_rates_sum(at_s: int) -> None:
    for made in (rates.first(NOW), rates.lowered(rates.Decision(NOW, NOW, 9_000, 10_000), 10, 0.2, NOW)):
        now, step = NOW + at_s * SECOND, 100
        grown = made.calls(now + step) - made.calls(now)
        assert grown == pytest.approx((made.rate(now) + made.rate(now + step)) / 2 * step / 1000, rel=1e-3)


def test_a_rate_falls_by_what_was_refused_and_comes_back_without_anybodys_word() -> None:
    known = rates.Decision(NOW, NOW, 10_000, 10_000)
    made = rates.lowered(known, 10, 0.3, NOW)
    assert made.rate(NOW) == pytest.approx(7)
    assert 7 < made.rate(NOW + 20 * SECOND) < made.rate(NOW + 2 * MINUTE) < made.rate(NOW + HOUR)


def test_a_rate_is_never_nothing() -> None:
    made = rates.first(NOW)
    for _ in range(100):
        made = rates.lowered(made, made.rate(NOW), 1, NOW)
    assert made.rate(NOW) >= rates.LEAST
    assert made.calls(NOW + MINUTE) >= 1


# ------------------------------------------------------------ what is refused


def test_refusals_lower_a_models_rate_and_no_others() -> None:
    lane = Lane().known()
    assert refuse(lane, NOW + SECOND) >= 15
    assert lane.rate(NOW + 5 * SECOND) < 1
    lane.start(1, NOW + 6 * SECOND, task="embed")
    lane.end(NOW + 6 * SECOND, model="other")
    assert lane.start(10, NOW + 7 * SECOND, task="embed") == 10


def test_what_was_started_before_a_decision_lowers_it_no_further() -> None:
    lane = Lane().known()
    lane.start(15, NOW + SECOND)
    late = lane.open[8:]
    del lane.open[8:]
    lane.end(NOW + 2 * SECOND, "Throttled")
    made = lane.pace.flows["small"].decision
    lane.open = late
    lane.end(NOW + 3 * SECOND, "Throttled")
    assert lane.pace.flows["small"].decision == made


def test_one_tenants_refusals_are_its_own_where_others_get_through() -> None:
    """Rows that are larger than a minute's tokens are refused whatever the rate."""
    lane = Lane().known().known(tenant="hostile")
    now = NOW
    for _ in range(60):
        now += 3 * SECOND
        lane.start(4, now, "acme")
        lane.end(now + SECOND)
        lane.start(4, now, "hostile")
        lane.end(now + SECOND, "Throttled")
    assert lane.rate(now) >= 5, "whoever sends rows that are taken keeps the model's rate"
    assert lane.rate(now, own_name("small", "hostile")) < 1
    assert sum(lane.start(4, now + each * 100, "acme") for each in range(30, 80)) >= 15


def test_who_comes_after_a_tenant_that_was_refused_alone_is_not_held_up_for_long() -> None:
    lane = Lane().known(tenant="hostile")
    now = NOW
    for _ in range(20):
        now += 5 * SECOND
        refuse(lane, now, "hostile")
    started = 0
    for second in range(120):
        started += lane.start(4, now + second * SECOND, "acme")
        lane.end(now + second * SECOND + 500)
    assert started >= 60


def test_a_pause_that_a_provider_asks_for_is_kept_only_where_nothing_gets_through_and_never_for_long() -> None:
    lane = Lane().known()
    refuse(lane, NOW + SECOND, t=31_536_000)
    now = NOW + 2 * SECOND
    assert lane.start(20, now + 30 * SECOND) == 0
    assert sum(lane.start(20, now + (65 + each) * SECOND) for each in range(20)) >= 1


UNREADABLE = [["x"] * 9, [1], [NOW] * 10, [NOW + HOUR] * 9, [NOW, NOW, -5, 0, 0, 0, 0, 0, 0], [None] * 9]


@pytest.mark.parametrize("values", UNREADABLE)
def test_what_cannot_be_read_of_others_is_passed_over(values: list[Any]) -> None:
    lane = Lane().known()
    lane.pace.hear([(NOW, {"small": values, "other": values}), (NOW, None)], NOW)
    assert "other" not in lane.pace.flows
    assert lane.start(5, NOW + SECOND) == 5


def test_a_clock_that_jumps_back_stops_nobody() -> None:
    lane = Lane().known(NOW + HOUR)
    refuse(lane, NOW + HOUR + SECOND)
    assert lane.start(20, NOW) >= 1
    lane = Lane().known()
    refuse(lane, NOW + 20 * SECOND)
    assert sum(lane.start(20, NOW + each * SECOND) for each in range(10 * AHEAD_MS // 1000)) >= 1


def test_a_bogus_model_costs_others_nothing() -> None:
    lane = Lane().known()
    for each in range(3_000):
        lane.start(1, NOW + each, "hostile", asked=f"no-such-model-{each}")
    lane.open.clear()
    assert len(lane.pace.flows) <= 201
    assert lane.start(5, NOW + 4 * SECOND) == 5


# ------------------------------------------------------------ several processes


def test_processes_share_what_may_be_let_through_and_what_was_learnt() -> None:
    lanes = [Lane().known() for _ in range(3)]
    refuse(lanes[0], NOW + SECOND)
    now = NOW + 2 * SECOND
    started = [0, 0, 0]
    seconds = 60
    for second in range(seconds):
        told = [lane.pace.told(now + second * SECOND) for lane in lanes]
        for place, lane in enumerate(lanes):
            others = [(now, each) for other, each in enumerate(told) if other != place]
            lane.pace.hear(others, now + second * SECOND)
            started[place] += lane.start(20, now + second * SECOND)
    allowed = lanes[0].pace.flows["small"].decision.calls(now + seconds * SECOND)
    assert min(started) > 0
    assert allowed / 2 <= sum(started) <= 1.2 * allowed + 3


def test_what_a_process_that_is_gone_let_through_still_counts() -> None:
    gone, other = Lane().known(), Lane().known()
    refuse(gone, NOW + SECOND)
    other.pace.hear([(NOW, gone.pace.told(NOW + 2 * SECOND))], NOW + 2 * SECOND)
    used = gone.start(20, NOW + MINUTE)
    before = other.pace.flows["small"].decision.calls(NOW + MINUTE)
    other.pace.hear([(NOW + MINUTE, gone.pace.told(NOW + 2 * SECOND))], NOW + 10 * MINUTE)
    assert used and other.pace.flows["small"].others[0] >= min(used, before)


def test_a_quiet_lane_asks_nothing_more_and_tells_nothing() -> None:
    world = World()
    database = MeteredDatabase(world.database)
    asked = []
    for lane in ("interactive", "bulk"):
        process = InFlight(database, lane, 800, lambda: 800, lambda error: None, lambda: 0.5)  # type: ignore[arg-type]
        database.requests.clear()
        for number in range(100):
            head = a_head(id=f"job_{lane}_{number}", lane=lane)
            assert process.admits(head, NOW + number * 10 * SECOND)
            world.jobs.create(head)
            process.started(head, NOW + number * 10 * SECOND)
            world.jobs.change(head.id, lambda each: replace(each, rev=each.rev + 1, status=Status.SUCCEEDED))
        asked.append(dict(database.requests))
    assert asked[1] == asked[0]
    assert asked[0].pop("Query") == 1, "the first look of a process"
    assert asked[0].keys() <= {"BatchGetItem"}, "and nothing is written"
    assert not [item for item in world.database.query("ledger", PK) if "pace" in item]


# ------------------------------------------------------------ turns


def turns(shares: FairShare, sizes: dict[str, int], number: int, now: int = NOW) -> dict[str, int]:
    """Tokens that tenants get who all wait, of so many turns."""
    got = dict.fromkeys(sizes, 0)
    for tenant in sizes:
        shares.sees(tenant, sizes[tenant], now)
        shares.left("x", tenant, now)
    for _ in range(number):
        tenant = next(each for each in sizes if shares.is_next("x", each, now))
        shares.charge(tenant, sizes[tenant], now)
        got[tenant] += sizes[tenant]
    return got


def test_who_wants_more_than_there_is_shares_by_tokens() -> None:
    got = turns(FairShare(), {"light": 100, "heavy": 10_000}, 1_000)
    assert abs(got["light"] - got["heavy"]) <= 10_000


def test_a_weight_is_a_share() -> None:
    got = turns(FairShare(lambda tenant, now: 3 if tenant == "heavy" else 1), {"light": 100, "heavy": 100}, 1_000)
    assert got["heavy"] == pytest.approx(3 * got["light"], rel=0.02)


def test_a_tenant_alone_gets_everything_and_who_comes_later_no_arrears() -> None:
    shares = FairShare()
    assert turns(shares, {"first": 100}, 500) == {"first": 50_000}
    got = turns(shares, {"first": 100, "newcomer": 100}, 100, NOW + SECOND)
    assert abs(got["first"] - got["newcomer"]) <= 200


def test_who_does_not_come_again_keeps_nobody_back() -> None:
    shares = FairShare()
    turns(shares, {"first": 10_000, "gone": 100}, 1)
    shares.sees("first", 10_000, NOW + 6 * SECOND)
    assert shares.is_next("x", "first", NOW + 6 * SECOND)


def test_a_row_that_lies_about_its_size_is_charged_for_what_it_took() -> None:
    lane = Lane().known(tenant="liar").known(tenant="honest")
    for each in range(30):
        lane.start(1, NOW + each, "liar", hold=1_000)
        lane.end(NOW + each, tokens=50_000)
    assert lane.pace.kinds.expected(("liar", "chat", "auto"), 1_000) > 10_000
    before = lane.pace.fair._known["liar"].counter
    lane.start(1, NOW + SECOND, "liar", hold=1_000_000_000)
    lane.end(NOW + SECOND, tokens=100)
    assert lane.pace.fair._known["liar"].counter - before == pytest.approx(100, abs=1)


def test_a_refused_row_took_its_turn() -> None:
    lane = Lane().known()
    before = lane.pace.fair._known["acme"].counter
    lane.start(1, NOW + SECOND)
    lane.end(NOW + 2 * SECOND, "Throttled")
    assert lane.pace.fair._known["acme"].counter - before == 1_000


# ------------------------------------------------------------ headers

NAMED = {"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "599"}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "20000",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "8000",
    "anthropic-ratelimit-tokens-limit": "8000",
    "anthropic-ratelimit-tokens-remaining": "8000",
}


ABSURD = ("-1", "NaN", "soon", "", "0", "1e9", "9" * 40, "\u0663")


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        (NAMED, [600, 599, 0, 0]),
        (NAMED | {"x-ratelimit-limit-tokens": "90000"}, [600, 599, 90_000, 90_000]),
        (ANTHROPIC, [50, 49, 38_000, 28_000]),
        *(({"x-ratelimit-limit-requests": each}, None) for each in ABSURD),
        (NAMED | {"x-ratelimit-remaining-requests": "-7"}, [600, 600, 0, 0]),
        (NAMED | {"x-ratelimit-remaining-requests": "900"}, [600, 600, 0, 0]),
    ],
)
def test_limits_are_read_and_nonsense_is_none(headers: dict[str, str], found: list[int] | None) -> None:
    assert rate_limits(headers) == found
