"""Where too many functions run at a time, each caller sees what it would see on AWS."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import eventbridge, lambda_svc, sqs, stepfunctions

from local.emulator.limits import concurrency
from tests.unit.emulator.conftest import FUNCTION, Invoke


class Account:
    """One of which one function may run at a time; another runs until `free` is called."""

    def __init__(self) -> None:
        self.function = lambda_svc._functions["patched"]
        self._other, _ = lambda_svc._acquire_execution_slot({}, {"FunctionName": "other"})
        self.waited: list[float] = []

    def free(self) -> None:
        lambda_svc._release_execution_slot(self._other)
        self._other = None

    def sleep(self, seconds: float) -> None:
        """Instead of sleep: the other function ends in the third pause."""
        self.waited.append(seconds)
        if len(self.waited) == 3:
            self.free()


@pytest.fixture
def full(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(lambda_svc, "_ACCOUNT_CONCURRENCY_CAP", 1)
    account = Account()
    monkeypatch.setattr(concurrency, "sleep", account.sleep)
    yield account
    account.free()


def test_a_workflow_sees_that_its_task_was_throttled(full: Account) -> None:
    with pytest.raises(stepfunctions._ExecutionError) as refused:
        stepfunctions._call_lambda(FUNCTION, {"replies": 1})
    assert refused.value.error == "Lambda.TooManyRequestsException"
    full.free()
    assert stepfunctions._call_lambda(FUNCTION, {"replies": 1}) == 1


def batch(full: Account, visible_for_s: float, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Have a queue's function work on a message; gives what is left in the queue."""
    message = {"id": "m", "receipt_handle": "r", "receive_count": 1, "visible_at": time.time() + visible_for_s}
    queue = {"messages": [message]}
    monkeypatch.setattr(sqs, "_get_q", lambda url: queue)
    lambda_svc._run_sqs_batch(
        {"UUID": "esm", "FunctionName": "patched"}, full.function, {"replies": {}}, [message], "url", "name"
    )
    return queue["messages"]


def test_a_queues_message_waits_for_its_turn(full: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    assert batch(full, 600, monkeypatch) == []
    assert full.waited == [0.1, 0.2, 0.4]


def test_a_queues_message_comes_back_when_its_visibility_is_over(
    full: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    (left,) = batch(full, 0, monkeypatch)
    assert (left["receive_count"], full.waited) == (1, [])


def test_an_asynchronous_event_waits_for_hours(full: Account) -> None:
    result = concurrency.run_until(full.function, {"replies": 1}, time.time() + 6 * 3600)
    assert (result["body"], full.waited) == (1, [1.0, 2.0, 4.0])
    longest = Account()
    full.waited.clear()
    full.waited.extend([0.0] * 3)
    late = concurrency.run_until(longest.function, {"replies": 1}, time.time() - 1)
    assert late["throttle"] is True
    longest.free()


def test_a_rules_event_is_not_lost(full: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(lambda_svc, "invoke_async_with_retry", lambda function, event: ran.append(event))
    eventbridge._dispatch_to_lambda(FUNCTION, '{"replies": 1}')
    assert ran == [{"replies": 1}]


def test_a_stream_reads_on_where_it_was_throttled(full: Account) -> None:
    result = lambda_svc._execute_function(full.function, {"Records": []})
    assert (result["error"], result["throttle"]) == (True, True), "so its position stays"
