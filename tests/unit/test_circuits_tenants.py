"""Circuit breakers: one tenant's own and the one of all."""

import pytest
from broker.consequences import SUCCEEDED, of_outcome
from broker.errors import Unavailable
from broker.routing.board import Board
from broker.routing.circuits import FEWEST_CALLS, FIRST_COOLING_MS, LONGEST_COOLING_MS
from broker.routing.figures import SLOT_MS, group_of

from tests.fakes.world import SECOND
from tests.unit.circuits_case import FAILED, KINDS, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


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
