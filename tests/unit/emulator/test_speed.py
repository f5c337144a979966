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
from local.emulator.speed import Streams
from tests.fakes.own_time import own_time


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
    own_time(monkeypatch, stepfunctions.__name__, sleep=slept.append)
    execution = {"stateMachineArn": "gone", "status": "RUNNING", "events": [], "input": "{}", "name": "n"}
    execution |= {"executionArn": "a", "startDate": "", "sync": True}
    monkeypatch.setitem(stepfunctions._executions._data, stepfunctions._executions._scoped("a"), execution)
    stepfunctions._run_execution("a")
    assert (slept, execution["status"]) == ([], "FAILED")


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
