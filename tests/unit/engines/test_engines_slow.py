"""Engines that take their time: the step that asks them ends before it is ended, by what their rules say."""

import time
from typing import Any

import pytest
from broker.errors import Unavailable
from broker.jobs.head import Status
from broker.providers.wire.base import Call
from broker.steps.asking import MOST_S

from tests.fakes.flow import Flow
from tests.fakes.judging import Judging
from tests.fakes.world import a_model
from tests.unit.engines.engines_case import BAD, CHAT, findings, guards, rule, said

LONG = {"model": "small", "timeout_seconds": 3600}


class Hanging(Judging):
    """Engines that let each call wait for all its time; the clock goes by them alone."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.waited: list[tuple[str, float]] = []
        self.quick = {"small-1"}

    def invoke(self, call: Call) -> Any:
        """See `Provider.invoke`."""
        if call.model in self.quick:
            return super().invoke(call)
        self.waited.append((call.model, call.timeout))
        self.now += call.timeout
        raise Unavailable("It is late.", code="timeout")


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    hanging = Hanging()
    monkeypatch.setattr(time, "monotonic", lambda: hanging.now)
    return hanging


@pytest.fixture(autouse=True)
def _slow(flow: Flow) -> None:
    flow.world.register(*(a_model(name, name=name, timeout_s=290) for name in ("judge", "judge-2", "judge-3")))


@pytest.mark.parametrize(("facts", "status"), [({}, "blocked"), ({"fail_open": True}, "succeeded")])
def test_a_cascade_of_engines_that_hang_ends_in_time_by_what_its_rule_says(
    flow: Flow, judging: Hanging, facts: dict[str, Any], status: str
) -> None:
    flow.hold(rule("judge", "judge-2", "judge-3", stages=["input"], combine="cascade", **facts))
    head = flow(CHAT | LONG)
    assert [model for model, _ in judging.waited] == ["judge", "judge-2", "judge-3"]
    assert all(seconds >= MOST_S / 3 - 1 for _, seconds in judging.waited)
    assert sum(seconds for _, seconds in judging.waited) <= MOST_S
    assert head.status.value == status
    assert {kind for _, kind, _, _ in findings(flow, head)} == {"engine_failed"}


def test_what_the_first_one_leaves_is_the_seconds(flow: Flow, judging: Hanging) -> None:
    flow.hold(rule("shield", "judge", stages=["input"], combine="cascade"))
    judging.quick.add("shield")
    flow(said("perhaps a bomb") | LONG)
    assert judging.waited == [("judge", MOST_S)]


def test_engines_that_were_cut_short_have_not_failed(flow: Flow, judging: Hanging) -> None:
    flow.hold(rule("judge", "judge-2", stages=["input"], combine="cascade"))
    flow(CHAT | LONG)
    told = {(model, outcome) for model, outcome, _ in flow.stage.circuits.recorded}
    assert told == {("judge", "CutShort"), ("judge-2", "CutShort")}


def test_a_call_that_could_not_begin_in_time_is_not_sent_and_costs_nothing(
    flow: Flow, judging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.steps.calling.MOST_AT_ONCE", 1)
    flow.hold(rule("judge", "judge-2", stages=["input"]))
    flow.tenant("acme", monthly_budget=10**12)
    head = flow(CHAT | LONG)
    assert (head.status, guards(head)) == (Status.BLOCKED, ["judge", "judge-2"])
    assert judging.waited == [("judge", MOST_S)]
    assert [(call["p"], call["c"]) for call in head.calls.values()][1] == ("no", 0)


def test_a_run_keeps_its_lease_while_calls_wait_for_others(
    flow: Flow, judging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.steps.calling.MOST_AT_ONCE", 1)
    judging.quick |= {"judge", "judge-2"}
    leases: list[int] = []
    flow.hold(rule("judge", "judge-2", stages=["input"]))
    head = flow.submit(CHAT | LONG)
    judging.during = lambda: leases.append((flow.world.jobs.get(head.id).lease_until or 0) - flow.now)
    flow.run(head)
    assert leases[0] >= 2 * MOST_S * 1000


def test_a_cascade_that_is_settled_takes_no_time_from_another(flow: Flow, judging: Hanging) -> None:
    judging.quick |= {"shield"}
    settled = rule("shield", "judge", "judge-2", "judge-3", stages=["input"], combine="cascade")
    names = {"check": "injection", "action": "flag", "stages": ["input"], "combine": "cascade"}
    flow.hold(settled, names | {"engines": ["judge-3", "judge"]})
    flow(said(BAD) | LONG)
    assert judging.waited[-1] == ("judge", pytest.approx(MOST_S - judging.waited[0][1]))
