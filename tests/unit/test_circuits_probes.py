"""Circuit breakers: the one probe, and what closes them again."""

import pytest
from broker.consequences import SUCCEEDED
from broker.errors import CircuitOpen, Throttled, Unavailable
from broker.routing.board import KEEP_MS, PK
from broker.routing.circuits import FIRST_COOLING_MS, HURRIED_MS, LONGEST_COOLING_MS
from broker.routing.figures import SLOT_MS

from tests.fakes.world import SECOND
from tests.unit.circuits_case import ANSWERED, LEASE, ONLOOKER, SILENT, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_half_open_lets_one_probe_through_and_its_success_closes(stage: Stage) -> None:
    stage.open()
    stage.now += FIRST_COOLING_MS - 1
    assert not stage.admits()
    stage.now += 1
    process = stage.probe()
    assert not any(stage.admits() for _ in range(5))
    assert stage.process().states(stage.now, ONLOOKER)["m"].probing
    process.record("m", ONLOOKER, SUCCEEDED, 100, stage.now)
    assert (stage.phase, stage.admits()) == ("closed", True)
    assert [to for _, to in stage.changes] == ["opened", "probed", "closed"]


@pytest.mark.parametrize("outcome", ANSWERED)
def test_a_probe_that_was_answered_closes_whatever_the_answer(stage: Stage, outcome: str) -> None:
    stage.open()
    stage.now += FIRST_COOLING_MS
    stage.probe().record("m", ONLOOKER, outcome, 100, stage.now)
    assert stage.phase == "closed"


def test_each_failed_probe_doubles_the_cooling_time_up_to_five_minutes(stage: Stage) -> None:
    stage.open()
    cooling = FIRST_COOLING_MS
    seen = []
    for _ in range(6):
        stage.now += cooling
        stage.probe().record("m", ONLOOKER, Throttled.__name__, 100, stage.now)
        until = stage.process().states(stage.now, ONLOOKER)["m"].until
        assert until is not None
        cooling = until - stage.now
        seen.append(cooling // SECOND)
        assert not stage.admits()
    assert seen == [60, 120, 240, 300, 300, 300]
    assert LONGEST_COOLING_MS == 300 * SECOND


def test_a_probe_whose_process_died_is_given_up_after_its_lease(stage: Stage) -> None:
    stage.open()
    stage.now += FIRST_COOLING_MS
    dead = stage.probe()
    stage.now += LEASE - 1
    assert not stage.admits()
    stage.now += 1
    alive = stage.probe()
    dead.record("m", ONLOOKER, SUCCEEDED, 100, stage.now)  # it was only slow: the circuit is another's to close by now
    assert stage.phase == "half_open"
    alive.record("m", ONLOOKER, Unavailable.__name__, 100, stage.now)
    assert stage.phase == "open"


@pytest.mark.parametrize("outcome", SILENT)
def test_a_probe_that_was_not_sent_is_given_back(stage: Stage, outcome: str) -> None:
    stage.open()
    stage.now += FIRST_COOLING_MS
    stage.probe().record("m", ONLOOKER, outcome, 0, stage.now)
    assert stage.phase == "half_open"
    stage.probe().record("m", ONLOOKER, SUCCEEDED, 100, stage.now)
    assert stage.phase == "closed"


def test_what_failed_before_it_closed_does_not_open_it_again(stage: Stage) -> None:
    stage.fail(40)
    stage.now += FIRST_COOLING_MS + 1
    stage.probe().record("m", ONLOOKER, SUCCEEDED, 100, stage.now)
    stage.now += SLOT_MS
    stage.fail(9)
    assert stage.phase == "closed"
    stage.fail(1)
    assert stage.phase == "open"


def test_a_process_that_missed_the_closing_does_not_open_it_by_what_it_remembers(stage: Stage) -> None:
    stage.fail(9)
    old = stage.process()
    assert stage.admits(old)  # it remembers the board as it is now
    stage.fail(1)
    database = stage.database
    row = database.query("ledger", PK)[0]
    assert row["state"] == "open"
    later = Stage()
    later.database, later.now = database, stage.now + FIRST_COOLING_MS
    later.probe().record("m", ONLOOKER, SUCCEEDED, 100, later.now)
    # A clock that lags, or a slow process.
    old.record("m", ONLOOKER, Unavailable.__name__, 100, stage.now + KEEP_MS - 1)
    assert later.phase == "closed"


def test_a_process_that_was_beaten_to_the_probe_goes_by_what_it_led_to(stage: Stage) -> None:
    stage.open()
    stage.now += FIRST_COOLING_MS
    slow = stage.process()
    assert slow.states(stage.now, ONLOOKER)["m"].phase == "half_open"
    stage.probe().record("m", ONLOOKER, SUCCEEDED, 100, stage.now)
    assert stage.admits(slow)  # closed meanwhile: no probe is needed


def test_a_call_in_a_hurry_is_no_probe_unless_nobody_else_comes(stage: Stage) -> None:
    stage.open()
    stage.now += FIRST_COOLING_MS
    for _ in range(3):
        with pytest.raises(CircuitOpen):
            stage.process().admit("m", "acme", stage.now, LEASE, hurried=True)
    patient = stage.probe()
    patient.record("m", ONLOOKER, "CutShort", 100, stage.now)  # it found nothing out
    assert stage.phase == "half_open"
    stage.now += HURRIED_MS
    stage.process().admit("m", "acme", stage.now, LEASE, hurried=True)
    assert not stage.admits(), "that one is the probe"


def test_a_probe_that_ended_frees_the_circuit_though_it_cannot_be_counted(stage: Stage) -> None:
    stage.open()
    stage.now += FIRST_COOLING_MS
    process = stage.probe()
    stage.database.refused = ("FIGURES#",)
    with pytest.raises(OSError, match="throttled"):
        process.record("m", ONLOOKER, SUCCEEDED, 100, stage.now)
    assert stage.phase == "closed"
