"""A process that takes more memory than its function has is killed, while it runs; one that takes less is not."""

import sys

import pytest

from local.emulator.limits.ends import RUNTIME_MB
from tests.unit.emulator.conftest import MEMORY_MB, Invoke

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody looks at the memory"),
    # MiniStack lets go of the pipes of one that died.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]

KILLED = {
    "errorType": "Runtime.ExitError",
    "errorMessage": "RequestId: req-1 Error: Runtime exited with error: signal: killed",
}

LONGER_THAN_IT_MAY_S = 3600
"""Beyond the function's timeout, which would be told otherwise."""


@pytest.mark.parametrize("more", [{}, {"fails": True}], ids=["and replies", "and fails"])
def test_what_took_too_much_is_killed_before_it_replies(invoke: Invoke, more: dict[str, bool]) -> None:
    assert invoke({"takes_mb": 40})["body"] == 40
    process = invoke({"process": True})["body"]
    killed = invoke({"takes_mb": MEMORY_MB, **more})
    assert (killed["error"], killed["body"]) == (True, KILLED)
    assert invoke({"process": True})["body"] != process


def test_what_has_too_much_is_killed_in_the_midst_of_its_work(invoke: Invoke) -> None:
    killed = invoke({"takes_mb": MEMORY_MB, "holds_s": LONGER_THAN_IT_MAY_S})
    assert (killed["error"], killed["body"]) == (True, KILLED)
    assert invoke({"takes_mb": 1})["body"] == 1, "a new process serves the next"


def test_what_has_almost_its_size_lives_and_serves_on(invoke: Invoke) -> None:
    invoke({"dies": True})
    rest = MEMORY_MB - RUNTIME_MB - invoke({"size": True})["body"]
    process = invoke({"process": True})["body"]
    for _ in range(3):
        assert invoke({"takes_mb": rest - 8, "holds_s": 0.2})["body"] == rest - 8
    assert invoke({"process": True})["body"] == process
    assert invoke({"takes_mb": rest + 8, "holds_s": LONGER_THAN_IT_MAY_S})["body"] == KILLED
