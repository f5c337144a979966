"""Functions run in few processes, and their logs are whole."""

import threading

import pytest

from local.emulator.processes import Processes
from tests.unit.emulator.conftest import Invoke


@pytest.mark.parametrize("lines", [0, 1, 3, 20_000])
def test_a_log_has_all_lines_of_its_invocation_and_no_other(invoke: Invoke, lines: int) -> None:
    for word in ("first", "second"):
        log = invoke({"lines": lines, "word": word})["log"]
        assert log.splitlines() == [f"{word} {number}" for number in range(lines)]


def test_a_log_that_is_closed_is_not_waited_for(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.emulator.processes.LOG_ENDS_WITHIN_S", float("inf"))
    closing = invoke({"lines": 1, "word": "last", "closes": True})
    assert (closing["log"], closing.get("error")) == ("last 0", None)
    after = invoke({})
    assert (after["log"], after["body"]) == ("", closing["body"] + 1)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # MiniStack lets go of the pipes of one that died
def test_after_a_process_that_died_comes_a_new_one(invoke: Invoke) -> None:
    invoke({})
    died = invoke({"dies": True})
    told = "RequestId: req-1 Error: Runtime exited without providing a reason"
    assert (died["error"], died["body"]) == (True, {"errorType": "Runtime.ExitError", "errorMessage": told})
    assert [invoke({})["body"] for _ in range(2)] == [1, 2]


def test_short_work_shares_a_process_and_long_work_gets_another() -> None:
    processes, release, inside = Processes(most=2, starts_in_s=0.01), threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        with processes.one():
            inside.release()
            release.wait(30)

    for _ in range(5):
        with processes.one():
            pass
    assert processes.started == 1
    threads = [threading.Thread(target=hold) for _ in range(3)]
    for each in threads:
        each.start()
    assert inside.acquire(timeout=30) and inside.acquire(timeout=30)
    assert not inside.acquire(timeout=0.1), "the third waits: two is the most"
    assert processes.started == 2
    release.set()
    for each in threads:
        each.join(30)
    assert inside.acquire(timeout=30)
    assert processes.started == 2
