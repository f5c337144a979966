"""Calls of the bulk lane that a rate limit refuses: what is kept of them, whom they harm, and that their jobs wait."""

import pytest
from broker.errors import Throttled, Unavailable
from broker.jobs.head import Head, Status
from broker.jobs.reading import view
from broker.providers.wire.sending import replied, sending
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.tenants.registry import Tenants
from broker.tenants.weights import Weights

from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import BASE_URL, JOB_ID, MINUTE, NOW, World
from tests.unit.settling_case import failure, settle

LIMITS = {"x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "0"}


def refused(stage: Stage, **facts: object) -> Throttled:
    """Have a call refused, with the headers that providers send."""

    def headers() -> None:
        sending()
        replied(LIMITS)

    stage.provider.during = headers
    error = stage.fails(failing(Throttled, **facts))
    assert isinstance(error, Throttled)
    return error


def test_a_call_of_the_bulk_lane_keeps_what_its_governor_goes_by_and_says_it_to_nobody() -> None:
    stage = Stage(lane="bulk")
    refused(stage, retry_after=7.2)
    (call,) = stage.head.calls.values()
    assert (call["t"], call["x"]) == (8, [600, 0, 0, 0])
    assert {"retry_after", "rate_limits"}.isdisjoint(view(stage.head, {}, None, BASE_URL)["attempts"][0])


def test_a_call_that_somebody_waits_for_is_kept_as_it_was() -> None:
    stage = Stage()
    refused(stage, retry_after=7.2)
    (call,) = stage.head.calls.values()
    assert {"t", "x"}.isdisjoint(call)


@pytest.mark.parametrize(("lane", "told"), [("interactive", "Throttled"), ("bulk", "InvalidRequest")])
def test_refusals_of_a_batch_open_no_circuit(lane: str, told: str) -> None:
    stage = Stage(lane=lane)
    refused(stage)
    assert [outcome for _, outcome, _ in stage.circuits.recorded] == [told]


def test_other_failures_of_a_batch_are_told_to_circuits() -> None:
    stage = Stage(lane="bulk")
    stage.fails(failing(Unavailable))
    assert [outcome for _, outcome, _ in stage.circuits.recorded] == ["Unavailable"]


def test_a_refused_job_of_the_bulk_lane_pauses_also_where_no_pause_was_named() -> None:
    assert refused(Stage(lane="bulk")).retry_after is not None
    assert refused(Stage()).retry_after is None


def put_back(stage: Stage, number: int, now: int) -> Head:
    """One run that is refused."""
    if number:
        stage.run = stage.world.start(JOB_ID, f"exec-{number}", now)
    return settle(stage, failure(refused(stage)), stage.run, now)


def test_a_refused_job_of_the_bulk_lane_waits_however_often_it_is() -> None:
    stage, now = Stage(lane="bulk"), NOW
    for number in range(12):
        head = put_back(stage, number, now)
        assert (head.status, head.waits_for, head.spent) == (Status.QUEUED, "rate", 0)
        assert NOW < (head.due_at or 0) < head.deadline_at
        now += MINUTE


def test_a_job_that_somebody_waits_for_fails_as_it_did() -> None:
    assert put_back(Stage(), 0, NOW).status is Status.FAILED


def test_a_refused_job_comes_back_no_sooner_than_its_provider_asks_for() -> None:
    stage = Stage(lane="bulk")
    error = refused(stage, retry_after=900)
    assert error.retry_after is None, "so long no run waits"
    head = settle(stage, failure(error))
    assert (head.due_at or 0) >= NOW + 900_000


def test_a_weight_is_registered_with_the_tenant_and_read_seldom() -> None:
    world = World()
    apply(world.registry(), parse_registry({"tenants": [{"id": "heavy", "weight": 3}]}), by="tests", now=NOW)
    unread: list[Exception] = []
    weights = Weights(Tenants(world.database), unread.append)
    assert (weights("heavy", NOW), weights("unknown", NOW)) == (3, 1)
    apply(world.registry(), parse_registry({"tenants": [{"id": "heavy", "weight": 5}]}), by="tests", now=NOW + 1)
    assert (weights("heavy", NOW + 1), weights("heavy", NOW + MINUTE)) == (3, 5)
    assert not unread


def test_a_weight_that_cannot_be_read_is_one_and_is_not_asked_for_each_time() -> None:
    class Away:
        def get(self, tenant: str, now: int) -> None:
            raise KeyError("the registry is away")

    unread: list[Exception] = []
    weights = Weights(Away(), unread.append)  # type: ignore[arg-type]
    assert [weights("acme", NOW + each) for each in range(100)] == [1] * 100
    assert len(unread) == 1


@pytest.mark.parametrize("weight", [0, -1, 1.5, "much", 1001])
def test_a_weight_that_is_none_is_refused_by_name(weight: object) -> None:
    with pytest.raises(Exception, match="weight"):
        parse_registry({"tenants": [{"id": "heavy", "weight": weight}]})
