"""Circuit breakers: what opens them, for how long, and what says nothing."""

import pytest
from broker.consequences import SUCCEEDED
from broker.errors import CircuitOpen
from broker.routing.board import KEEP_MS, PK
from broker.routing.circuits import FEWEST_CALLS, FIRST_COOLING_MS, PROBED_MS, State, should_open
from broker.routing.figures import EVERY, SLOT_MS

from tests.fakes.world import MINUTE, SECOND
from tests.unit.circuits_case import ANSWERED, FAILED, KINDS, LEASE, ONLOOKER, SILENT, START, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize(
    ("calls", "failures", "opens"),
    [(9, 9, False), (10, 4, False), (10, 5, True), (10, 10, True), (21, 10, False), (20, 10, True), (0, 0, False)],
)
def test_half_of_ten_or_more(calls: int, failures: int, opens: bool) -> None:
    assert should_open(calls, failures) is opens


@pytest.mark.parametrize("outcome", ["Throttled", "Unavailable", "ModelTimedOut"])
def test_ten_failures_of_different_processes_open_it_for_all(stage: Stage, outcome: str) -> None:
    stage.fail(9, outcome)
    assert (stage.phase, stage.admits()) == ("closed", True)
    stage.fail(1, outcome)
    assert (stage.phase, stage.admits(), stage.changes) == ("open", False, [("m", "opened")])


@pytest.mark.parametrize(("outcome", "cooling"), [("CredentialRejected", 30_000), ("ModelGone", 300_000)])
def test_what_only_an_operator_can_mend_opens_it_at_once(stage: Stage, outcome: str, cooling: int) -> None:
    stage.fail(1, outcome)
    assert (stage.phase_for("acme"), stage.phase) == ("open", "closed")
    stage.fail(1, outcome, tenants=["globex"])
    assert stage.phase == "open"
    assert stage.process().states(stage.now, ONLOOKER)["m"].until == stage.now + cooling


@pytest.mark.parametrize("outcome", ANSWERED)
def test_an_answer_that_is_no_use_is_still_an_answer(stage: Stage, outcome: str) -> None:
    stage.fail(30, outcome)
    assert stage.phase == "closed"


@pytest.mark.parametrize("outcome", SILENT)
def test_what_was_not_sent_says_nothing(stage: Stage, outcome: str) -> None:
    stage.fail(30, outcome)
    assert stage.database.query("ledger", PK) == []
    assert stage.database.query("ledger", "FIGURES#m") == []


def test_more_successes_than_failures_keep_it_closed(stage: Stage) -> None:
    stage.process().record("m", "acme", SUCCEEDED, 100, stage.now)  # one of the sample stands for twenty
    stage.fail(EVERY - 1)
    assert stage.phase == "closed"
    stage.fail(1)
    assert stage.phase == "open"


def test_a_model_that_was_well_until_just_now_is_not_given_half_a_minute(stage: Stage) -> None:
    well = stage.process()
    for _ in range(40):
        well.record("m", ONLOOKER, SUCCEEDED, 100, stage.now)  # each stands for twenty
    stage.now += SLOT_MS
    stage.fail(FEWEST_CALLS)
    assert stage.phase == "open"


def test_failures_spread_over_more_than_a_minute_keep_it_closed(stage: Stage) -> None:
    for _ in range(30):
        stage.now += 7 * SECOND
        stage.fail(1)
    assert stage.phase == "closed"


def test_other_models_are_not_touched(stage: Stage) -> None:
    stage.open()
    stage.process().admit("other", ONLOOKER, stage.now, LEASE)
    assert stage.process().states(stage.now, ONLOOKER).keys() == {"m"}


def test_an_open_circuit_says_when_to_ask_again(stage: Stage) -> None:
    stage.open()
    stage.now += 12 * SECOND
    with pytest.raises(CircuitOpen) as failure:
        stage.process().admit("m", ONLOOKER, stage.now, LEASE)
    assert (failure.value.code, failure.value.retry_after) == ("circuit_open", (FIRST_COOLING_MS - 12_000) / 1_000)
    assert stage.process().states(stage.now, ONLOOKER)["m"].until == START + FIRST_COOLING_MS


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (State("open", START + 250_000), 250),
        (State("half_open", START + 50_000), 50),
        (State("half_open", START + 250_000), PROBED_MS / 1_000),
        (State("half_open"), 1),
        (State("open", START + 1), 1),
    ],
    ids=["cooling", "a probe's lease", "a long lease of a probe", "nobody probes", "at once"],
)
def test_a_state_says_when_to_ask_again(state: State, seconds: float) -> None:
    assert state.retry_after(START) == seconds


def test_an_open_circuit_stays_open_whatever_comes_late(stage: Stage) -> None:
    late = stage.process()
    assert stage.admits(late)
    stage.open()
    late.record("m", ONLOOKER, SUCCEEDED, 100, stage.now)
    stage.fail(5)
    assert stage.phase == "open"
    stage.now += FIRST_COOLING_MS
    assert stage.phase == "half_open"


def test_a_change_shows_everywhere_within_five_seconds(stage: Stage) -> None:
    other = stage.process()
    assert stage.admits(other)
    stage.open()
    stage.now += KEEP_MS - 1
    assert stage.admits(other)
    stage.now += 1
    assert not stage.admits(other)


def test_where_the_board_cannot_be_read_what_was_read_last_holds(stage: Stage) -> None:
    stage.open()
    knows = stage.process()
    assert not stage.admits(knows)
    stage.database.refused = (PK,)
    fresh = stage.process()
    assert (stage.admits(fresh), fresh.states(stage.now, ONLOOKER), fresh.figures(stage.now)) == (True, {}, {})
    stage.now += KEEP_MS
    assert not stage.admits(knows)
    assert len(stage.unread) == 2, "each has tried once, and waits before it tries again"
    stage.database.refused = ()
    stage.now += KEEP_MS
    assert not stage.admits(fresh)


def test_an_old_row_that_was_deleted_is_a_closed_circuit(stage: Stage) -> None:
    stage.open()
    stage.database.delete("ledger", PK, "m")
    stage.now += MINUTE
    assert (stage.phase, stage.admits()) == ("closed", True)


def test_every_kind_of_error_says_something_of_a_circuit_or_nothing() -> None:
    assert {*SILENT, *ANSWERED, *FAILED} == set(KINDS)
    assert FAILED == ["CredentialRejected", "ModelGone", "ModelTimedOut", "Throttled", "Unavailable"]
