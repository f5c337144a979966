"""Circuit breakers: what opens them, the one probe, and what closes them again."""

from collections.abc import Sequence

import pytest
from broker import errors
from broker.consequences import SUCCEEDED, of_outcome
from broker.errors import BrokerError, CircuitOpen, Throttled, Unavailable
from broker.routing.board import KEEP_MS, PK, Board
from broker.routing.breakers import Breakers
from broker.routing.circuits import (
    FEWEST_CALLS,
    FIRST_COOLING_MS,
    HURRIED_MS,
    LONGEST_COOLING_MS,
    PROBED_MS,
    State,
    should_open,
)
from broker.routing.figures import EVERY, SLOT_MS, group_of

from tests.fakes.database import FakeDatabase
from tests.fakes.world import MINUTE, NOW, SECOND

START = NOW - NOW % SLOT_MS
LEASE = 90 * SECOND

TENANTS = ("acme", "globex")
"""Whose calls the tests make, in turn."""

ONLOOKER = "umbra"
"""Who makes none of them: what it sees holds for all."""

KINDS = [kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BrokerError)]
SILENT = sorted(kind for kind in KINDS if of_outcome(kind).circuit == "silent")
ANSWERED = sorted(kind for kind in KINDS if of_outcome(kind).circuit == "answered")


class Stage:
    """Processes around one table; a clock that only the test moves."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.now = START
        self.changes: list[tuple[str, str]] = []

    def process(self) -> Breakers:
        """One that writes each call that it makes."""
        changes = self.changes
        return Breakers(self.database, Board(self.database), lambda model, to: changes.append((model, to)), lambda: 0.0)

    def fail(
        self,
        times: int,
        outcome: str = Unavailable.__name__,
        process: Breakers | None = None,
        tenants: Sequence[str] = TENANTS,
    ) -> None:
        for number in range(times):
            (process or self.process()).record("m", tenants[number % len(tenants)], outcome, 100, self.now)

    def open(self) -> None:
        self.fail(10)
        assert self.phase == "open"

    @property
    def phase(self) -> str:
        """What a fresh process sees, for all."""
        return self.phase_for(ONLOOKER)

    def phase_for(self, tenant: str) -> str:
        state = self.process().states(self.now, tenant).get("m")
        return state.phase if state else "closed"

    def admits(self, process: Breakers | None = None, tenant: str = ONLOOKER) -> bool:
        try:
            (process or self.process()).admit("m", tenant, self.now, LEASE)
        except CircuitOpen:
            return False
        return True

    def probe(self) -> Breakers:
        process = self.process()
        assert self.admits(process)
        return process


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


def test_a_change_shows_everywhere_within_five_seconds(stage: Stage) -> None:
    other = stage.process()
    assert stage.admits(other)
    stage.open()
    stage.now += KEEP_MS - 1
    assert stage.admits(other)
    stage.now += 1
    assert not stage.admits(other)


def test_a_process_that_was_beaten_to_the_probe_goes_by_what_it_led_to(stage: Stage) -> None:
    stage.open()
    stage.now += FIRST_COOLING_MS
    slow = stage.process()
    assert slow.states(stage.now, ONLOOKER)["m"].phase == "half_open"
    stage.probe().record("m", ONLOOKER, SUCCEEDED, 100, stage.now)
    assert stage.admits(slow)  # closed meanwhile: no probe is needed


def test_an_old_row_that_was_deleted_is_a_closed_circuit(stage: Stage) -> None:
    stage.open()
    stage.database.delete("ledger", PK, "m")
    stage.now += MINUTE
    assert (stage.phase, stage.admits()) == ("closed", True)


# ------------------------------------------------------------ two tenants

FAILED = sorted(kind for kind in KINDS if of_outcome(kind).circuit in ("failed", "opens", "opens_longer"))


def test_every_kind_of_error_says_something_of_a_circuit_or_nothing() -> None:
    assert {*SILENT, *ANSWERED, *FAILED} == set(KINDS)
    assert FAILED == ["CredentialRejected", "ModelGone", "ModelTimedOut", "Throttled", "Unavailable"]


@pytest.mark.parametrize("outcome", FAILED)
def test_a_flood_of_one_tenants_failures_opens_its_own_circuit_alone(stage: Stage, outcome: str) -> None:
    for _ in range(5):
        stage.fail(20, outcome, tenants=["acme"])
        stage.now += 5 * SECOND
        assert (stage.phase_for("acme"), stage.admits(tenant="acme")) == ("open", False)
        assert (stage.phase_for("globex"), stage.admits(tenant="globex")) == ("closed", True)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if of_outcome(kind).circuit in ("silent", "answered")])
def test_a_flood_of_what_is_the_callers_or_nobodys_fault_opens_nothing(stage: Stage, kind: str) -> None:
    stage.fail(200, kind)
    assert (stage.phase_for("acme"), stage.phase) == ("closed", "closed")


def test_a_flood_beside_a_tenant_that_is_well_opens_nothing_for_it(stage: Stage) -> None:
    good = stage.process()
    for _ in range(8):
        good.record("m", "globex", SUCCEEDED, 100, stage.now)
        stage.fail(20, tenants=["acme"])
    good.record("m", "globex", Unavailable.__name__, 100, stage.now)  # once in a while, a call fails for anybody
    assert (stage.phase_for("acme"), stage.phase_for("globex"), stage.phase) == ("open", "closed", "closed")


def test_an_outage_that_a_second_tenant_meets_opens_it_for_all_at_its_first_failure(stage: Stage) -> None:
    stage.fail(FEWEST_CALLS, tenants=["acme"])
    assert stage.phase == "closed"
    stage.fail(1, tenants=["globex"])
    assert (stage.phase_for("globex"), stage.phase) == ("open", "open")


def test_an_outage_is_noticed_as_fast_by_many_tenants_as_by_two(stage: Stage) -> None:
    stage.fail(FEWEST_CALLS, tenants=[f"t{number}" for number in range(FEWEST_CALLS)])
    assert stage.phase == "open"


def test_tenants_that_are_counted_together_still_open_their_own(stage: Stage) -> None:
    alike = next(name for name in (f"tenant-{number}" for number in range(200)) if group_of(name) == group_of("acme"))
    stage.fail(FEWEST_CALLS, tenants=["acme"])
    stage.fail(1, tenants=[alike])
    assert stage.phase_for(alike) == "closed", "its one failure is not taken for one of the other's"
    stage.fail(FEWEST_CALLS - 1, tenants=[alike])
    assert (stage.phase_for(alike), stage.phase) == ("open", "closed")


def test_an_own_circuit_is_probed_by_its_tenant_alone_and_closed_by_an_answer(stage: Stage) -> None:
    stage.fail(FEWEST_CALLS, tenants=["acme"])
    stage.now += FIRST_COOLING_MS
    process = stage.process()
    assert stage.admits(process, "acme")
    assert (stage.admits(tenant="acme"), stage.admits(tenant="globex")) == (False, True)
    process.record("m", "acme", SUCCEEDED, 100, stage.now)
    assert stage.phase_for("acme") == "closed"


def test_a_probe_of_ones_own_is_given_back_where_the_circuit_of_all_keeps_the_call_back(stage: Stage) -> None:
    stage.fail(FEWEST_CALLS, tenants=["acme"])
    stage.now += FIRST_COOLING_MS - SECOND
    stage.fail(FEWEST_CALLS, tenants=["globex", "rival"])
    assert stage.phase == "open"
    stage.now += SECOND
    assert not stage.admits(tenant="acme")
    own_circuit = Board(stage.database).rows(stage.now, "acme")["m"]
    assert (own_circuit.state.phase, own_circuit.state.probing) == ("half_open", False)


def test_what_a_tenant_sees_of_two_circuits_is_the_one_that_keeps_it_longer(stage: Stage) -> None:
    stage.fail(1, "ModelGone", tenants=["acme"])
    stage.fail(FEWEST_CALLS, tenants=["globex", "rival"])
    seen = {tenant: stage.process().states(stage.now, tenant)["m"].until for tenant in ("acme", "globex")}
    assert seen == {"acme": stage.now + LONGEST_COOLING_MS, "globex": stage.now + FIRST_COOLING_MS}


def test_figures_hold_for_all_tenants(stage: Stage) -> None:
    stage.fail(1, tenants=["acme"])
    stage.process().record("m", "globex", SUCCEEDED, 100, stage.now + SLOT_MS)
    assert stage.process().figures(stage.now + SLOT_MS).keys() == {"m"}


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
