"""What makes the emulator quick leaves what it answers as it was."""

import json
import threading
from types import ModuleType
from typing import Any

import jsonata
import pytest
from ministack.core import iam_evaluator
from ministack.services import stepfunctions

from local.emulator.rewriting import DoesNotFit, rewrite
from local.emulator.speed import Processes, Streams
from tests.unit.emulator.conftest import Invoke


@pytest.mark.parametrize("lines", [0, 1, 3, 20_000])
def test_a_log_has_all_lines_of_its_invocation_and_no_other(invoke: Invoke, lines: int) -> None:
    for word in ("first", "second"):
        log = invoke({"lines": lines, "word": word})["log"]
        assert log.splitlines() == [f"{word} {number}" for number in range(lines)]


def test_a_log_that_is_closed_is_not_waited_for(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.emulator.speed.LOG_ENDS_WITHIN_S", float("inf"))
    closing = invoke({"lines": 1, "word": "last", "closes": True})
    assert (closing["log"], closing.get("error")) == ("last 0", None)
    after = invoke({})
    assert (after["log"], after["body"]) == ("", closing["body"] + 1)


def policy(action: str) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def test_a_changed_policy_counts(patched: None) -> None:
    assert [iam_evaluator.parse_policy_document(policy(each))[0].actions for each in ("a:B", "c:D", "a:B")] == [
        ["a:B"],
        ["c:D"],
        ["a:B"],
    ]


def test_a_policy_that_is_no_text_is_read_anew(patched: None) -> None:
    document: dict[str, Any] = {"Statement": {"Effect": "Allow", "Action": "a:B", "Resource": "*"}}
    first = iam_evaluator.parse_policy_document(document)
    document["Statement"]["Action"] = "c:D"
    assert [first[0].actions, iam_evaluator.parse_policy_document(document)[0].actions] == [["a:B"], ["c:D"]]


def test_an_expression_that_is_kept_gives_each_input_its_own_value(patched: None) -> None:
    text = "$sum(items.($f := function($x) { $x * 2 }; $f(n))) & '/' & $states.name"
    values = []
    for numbers in ([1, 2], [5], [7, 8, 9]):
        expression = jsonata.Jsonata(text)
        frame = expression.create_frame()
        frame.bind("states", {"name": str(len(numbers))})
        values.append(expression.evaluate({"items": [{"n": each} for each in numbers]}, frame))
    assert values == ["6/2", "10/1", "48/3"]


def test_an_execution_begins_without_a_sleep(patched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(stepfunctions.time, "sleep", slept.append)
    execution = {"stateMachineArn": "gone", "status": "RUNNING", "events": [], "input": "{}", "name": "n"}
    execution |= {"executionArn": "a", "startDate": "", "sync": True}
    monkeypatch.setitem(stepfunctions._executions._data, stepfunctions._executions._scoped("a"), execution)
    stepfunctions._run_execution("a")
    assert (slept, execution["status"]) == ([], "FAILED")


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


def test_a_slow_stream_holds_up_no_queue() -> None:
    polled, go_on = threading.Event(), threading.Event()

    def poll() -> bool:
        polled.set()
        go_on.wait(30)
        return False

    streams = Streams(poll)
    assert streams.wake() is False
    assert polled.wait(30)
    assert streams.wake() is False, "the thread that polls the queues came back at once"
    go_on.set()


def test_a_function_that_changed_is_not_rewritten() -> None:
    module = ModuleType("m")
    module.__dict__["f"] = lambda: 1
    with pytest.raises(DoesNotFit, match="has no function g"):
        rewrite(module, "g", ("a", "b"))
    with pytest.raises(DoesNotFit, match="not as the patch knows it"):
        rewrite(stepfunctions, "_run_execution", ("time.sleep(99)", "pass"))
