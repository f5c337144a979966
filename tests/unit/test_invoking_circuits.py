"""Invoke Model: circuits are asked and told, and harm nothing where they cannot be."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from broker.consequences import of_outcome
from broker.errors import BrokerError, BudgetExceeded, CircuitOpen, Conflict, Rejected, Unavailable
from broker.jobs.reading import view
from broker.providers.wire.sending import sending
from broker.routing.circuits import State

from tests.fakes.circuits import FakeCircuits
from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import BASE_URL, JOB_ID, NOW
from tests.unit.invoking_case import ENDINGS


@pytest.fixture
def invoke() -> Stage:
    return Stage()


@pytest.mark.parametrize("end", ENDINGS, ids=["canceled", "claimed anew"])
@pytest.mark.parametrize(("error", "outcome"), [(None, "succeeded"), (failing(Unavailable), "Unavailable")])
def test_a_circuit_is_told_of_each_call_whatever_became_of_its_job(
    invoke: Stage, end: Callable[[Stage], Any], error: BrokerError | None, outcome: str
) -> None:
    invoke.provider.during = lambda: end(invoke)
    invoke.provider.script.extend([error] if error else [])
    with suppress(Conflict):
        invoke()
    assert [(model, what) for model, what, _ in invoke.circuits.recorded] == [("small", outcome)]
    assert len(invoke.circuits.admitted) == 1


def test_a_circuit_that_can_be_neither_read_nor_told_changes_nothing(invoke: Stage) -> None:
    class Broken(FakeCircuits):
        def admit(self, model_id: str, tenant: str, now: int, lease_ms: int, *, hurried: bool = False) -> None:
            raise KeyError("the ledger is away")

        def record(self, model_id: str, tenant: str, outcome: str, latency_ms: int, now: int) -> None:
            raise KeyError("the ledger is away")

    invoke.circuits = Broken()
    assert invoke()["facts"]["outcome"] == "succeeded"
    assert invoke.noticed == [("a circuit could not be read", JOB_ID), ("a circuit could not be told", JOB_ID)]


def test_a_call_is_admitted_by_its_circuit_and_tells_it_what_became_of_it(invoke: Stage) -> None:
    invoke.fails(failing(Unavailable))
    invoke("large")
    assert [model for model, _ in invoke.circuits.admitted] == ["small", "large"]
    assert [(model, outcome) for model, outcome, _ in invoke.circuits.recorded] == [
        ("small", "Unavailable"),
        ("large", "succeeded"),
    ]


@pytest.mark.parametrize(("sent", "circuit"), [(True, "answered"), (False, "silent")])
def test_what_was_kept_back_says_nothing_of_the_model(invoke: Stage, sent: bool, circuit: str) -> None:
    """Else a picture for a model that sees none would close a circuit that waits for its probe."""
    invoke.provider.during = sending if sent else lambda: None
    invoke.fails(failing(Rejected))
    (outcome,) = (outcome for _, outcome, _ in invoke.circuits.recorded)
    assert of_outcome(outcome).circuit == circuit
    assert (invoke.head.calls["1.1"]["o"], invoke.observed[0]["outcome"]) == ("Rejected", "Rejected")


def test_a_model_that_is_left_alone_is_not_called(invoke: Stage) -> None:
    invoke.circuits.known["small"] = State("open", NOW + 1_000)
    with pytest.raises(CircuitOpen):
        invoke()
    assert (invoke.provider.calls, invoke.head.calls, invoke.circuits.recorded) == ([], {}, [])
    invoke.world.jobs.note(invoke.run, "ROUTE#1", {"route": [{"model": "small", "taken": True, "why": "rank 1"}]})
    (row,) = view(invoke.head, invoke.world.jobs.notes(JOB_ID), None, BASE_URL)["route"]
    assert row["why"].startswith("rank 1; passed over: ")


def test_a_probe_that_is_not_sent_is_given_back() -> None:
    stage = Stage(hold=100)
    with pytest.raises(BudgetExceeded):
        stage()
    assert set(stage.circuits.recorded) == {("small", "BudgetExceeded", 0)}
