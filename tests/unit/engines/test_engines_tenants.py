"""Engines that tenants share: what one makes of them, another does not pay for, wait for, or go unguarded by."""

from collections.abc import Mapping

import pytest
from broker.errors import BrokerError, BudgetExceeded, ModelTimedOut, Unavailable
from broker.jobs.head import Head, Status
from broker.routing.board import Board
from broker.routing.breakers import Breakers
from broker.routing.circuits import FEWEST_CALLS, State
from broker.routing.figures import Figures

from tests.fakes.flow import Flow
from tests.fakes.judging import REFUSED, Judging
from tests.unit.engines.engines_case import BAD, CHAT, findings, guards, rule, said

HOSTILE = "a sabotage, word by word"


class OnTheFlowsClock:
    """Circuits as they are, whose calls end when they began: the flow's clock is none that runs."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._database = flow.world.database

    def _process(self) -> Breakers:
        return Breakers(self._database, Board(self._database), chance=lambda: 0.0)

    def states(self, now: int, tenant: str) -> Mapping[str, State]:
        """See `Circuits.states`."""
        return self._process().states(self._flow.now, tenant)

    def figures(self, now: int) -> Mapping[str, Figures]:
        """See `Health.figures`."""
        return {}

    def admit(self, model_id: str, tenant: str, now: int, lease_ms: int, *, hurried: bool = False) -> None:
        """See `Circuits.admit`."""
        self._process().admit(model_id, tenant, self._flow.now, lease_ms, hurried=hurried)

    def record(self, model_id: str, tenant: str, outcome: str, latency_ms: int, now: int) -> None:
        """See `Circuits.record`."""
        self._process().record(model_id, tenant, outcome, latency_ms, self._flow.now)


@pytest.fixture
def circuits(flow: Flow) -> OnTheFlowsClock:
    circuits = OnTheFlowsClock(flow)
    flow.stage.circuits = circuits  # type: ignore[assignment]
    return circuits


def phase(flow: Flow, circuits: OnTheFlowsClock, tenant: str) -> str:
    state = circuits.states(flow.now, tenant).get("judge")
    return state.phase if state else "closed"


def flood(flow: Flow, judging: Judging, error: BrokerError) -> list[Head]:
    judging.fails_at["sabotage"] = error
    return [flow(said(HOSTILE), "acme") for _ in range(2 * FEWEST_CALLS)]


@pytest.mark.parametrize("open_", [False, True])
@pytest.mark.parametrize(
    "error",
    [Unavailable("It broke off.", code="down"), ModelTimedOut("It is late.", code="timeout")],
    ids=["breaks", "hangs"],
)
def test_texts_that_make_an_engine_fail_close_it_to_nobody_else(
    flow: Flow, judging: Judging, circuits: OnTheFlowsClock, error: BrokerError, open_: bool
) -> None:
    flow.hold(rule("judge", stages=["input"], fail_open=open_))
    made = flood(flow, judging, error)
    assert {head.status.value for head in made} == {"succeeded" if open_ else "blocked"}
    assert (phase(flow, circuits, "acme"), phase(flow, circuits, "other")) == ("open", "closed")
    judged = flow(CHAT, "other")
    assert (judged.status, guards(judged), findings(flow, judged, "other")) == (Status.SUCCEEDED, ["judge"], [])
    caught = flow(said(BAD), "other")
    assert (caught.status, guards(caught)) == (Status.BLOCKED, ["judge"]), "it is not unguarded, however open its rule"
    assert findings(flow, caught, "other") == [("input", "crime", "block", "judge")]


def test_a_tenant_that_closed_an_engine_to_itself_gets_what_its_rule_says(
    flow: Flow, judging: Judging, circuits: OnTheFlowsClock
) -> None:
    flow.hold(rule("judge", stages=["input"]))
    flood(flow, judging, Unavailable("It broke off.", code="down"))
    asked = len(judging.calls)
    head = flow(CHAT, "acme")
    assert (head.status, findings(flow, head)) == (
        Status.BLOCKED,
        [("input", "engine_failed", "error", "judge")],
    )
    assert (len(judging.calls), guards(head)) == (asked, []), "and nothing is paid for what was not asked"


@pytest.mark.parametrize("what", ["refuses", "talks"])
def test_texts_that_an_engine_refuses_or_that_talk_it_out_of_a_verdict_open_no_circuit(
    flow: Flow, judging: Judging, circuits: OnTheFlowsClock, what: str
) -> None:
    flow.hold(rule("judge", stages=["input"]))
    judging.verdict = "Fine!" if what == "talks" else None
    if what == "refuses":
        judging.fails_at["sabotage"] = REFUSED
    made = [flow(said(HOSTILE), "acme") for _ in range(2 * FEWEST_CALLS)]
    assert {head.status for head in made} == {Status.BLOCKED}
    assert (phase(flow, circuits, "acme"), phase(flow, circuits, "other")) == ("closed", "closed")


def test_whoever_is_judged_pays_for_it_and_nobody_else(flow: Flow) -> None:
    flow.hold(rule("judge"))
    flow.tenant("acme", monthly_budget=10**9)
    flow.tenant("other", monthly_budget=10**9)
    head = flow(CHAT, "acme")
    assert guards(head) == ["judge", "judge"]
    paid = sum(call["c"] for call in head.calls.values())
    assert (flow.world.available("acme", flow.now), flow.world.spent("other")) == (10**9 - paid, {})
    assert head.spent == paid


def test_a_tenant_without_the_money_for_its_engines_is_told_at_the_door(flow: Flow) -> None:
    flow.hold(rule("judge"))
    flow.world.tenant("unjudged", monthly_budget=10**9)
    plain = flow.submit(CHAT, "unjudged").limit
    flow.tenant("acme", monthly_budget=plain)
    flow.tenant("other", monthly_budget=10**9)
    with pytest.raises(BudgetExceeded):
        flow.submit(CHAT, "acme")
    assert flow(CHAT, "other").status is Status.SUCCEEDED


def test_a_tenants_models_do_not_bound_the_operators_engines(flow: Flow) -> None:
    flow.hold(rule("judge", stages=["input"]))
    flow.tenant("acme", models=["small"])
    assert guards(flow(CHAT)) == ["judge"]
