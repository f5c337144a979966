"""Closing circuits by hand: what is seen of them, that a closed one is used, and that old failures are forgotten."""

import pytest
from broker.errors import NotFound
from broker.routing.board import KEEP_MS
from broker.routing.closing import close, not_closed
from broker.routing.figures import SLOT_MS

from tests.unit.circuits_case import LEASE, ONLOOKER, Stage


def test_an_open_circuit_is_listed_closed_and_then_used() -> None:
    stage = Stage()
    stage.open()
    (told,) = not_closed(stage.database, stage.now)
    assert (told["model"], told["tenant"], told["state"], told["cooling_seconds"]) == ("m", None, "open", 30)
    assert told["until"] is not None
    stage.now += SLOT_MS
    close(stage.database, "m", None, stage.now)
    assert not_closed(stage.database, stage.now) == []
    stage.now += KEEP_MS
    process = stage.process()
    assert process.states(stage.now, ONLOOKER) == {}
    process.admit("m", ONLOOKER, stage.now, LEASE)
    process.record("m", ONLOOKER, "ModelTimedOut", 10, stage.now)
    assert not_closed(stage.database, stage.now) == [], "what failed before counts no more"


def test_a_circuit_that_is_closed_or_unknown_is_not_closed_again() -> None:
    stage = Stage()
    for model in ("m", "none", "m#acme"):
        with pytest.raises(NotFound, match="No circuit"):
            close(stage.database, model, None, stage.now)
    assert stage.database.query("ledger", "HEALTH") == []


def test_a_tenants_own_circuit_is_told_apart() -> None:
    stage = Stage()
    stage.fail(20, tenants=("acme",))
    (told,) = not_closed(stage.database, stage.now)
    assert (told["model"], told["tenant"]) == ("m", "acme")
    with pytest.raises(NotFound):
        close(stage.database, "m", "globex", stage.now)
    close(stage.database, "m", "acme", stage.now)
    assert not_closed(stage.database, stage.now) == []
