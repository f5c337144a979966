"""What an update of a stack changes is as AWS has it."""

import pytest
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local.emulator.fidelity import MAPPING
from tests.unit.emulator.conftest import FUNCTION


def test_an_event_source_calls_what_an_update_has_it_call(patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    source: dict[str, object] = {"UUID": "m", "Qualifier": None}
    monkeypatch.setitem(lambda_svc._esms, "m", source)
    update = provisioners._RESOURCE_HANDLERS[MAPPING]["update"]
    for called in ("live", None, "live"):
        update("m", {}, {"FunctionName": f"{FUNCTION}:{called}" if called else FUNCTION}, "stack")
        assert source["Qualifier"] == called
