"""Logs, metrics and traces: lines of JSON with ids and counts, and nothing loaded that is not needed."""

import json
import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from broker.clock import now_ms
from broker.errors import Conflict, Throttled
from broker.metrics import fault_noticed
from broker.observability import NAMESPACE, invocation, log, logger, metric, say, span, warn
from broker.steps.context import Run
from handlers.step import step

from tests.fakes.world import JOB_ID, a_head

EVENT = {
    "job_id": "job_1",
    "tenant": "acme",
    "run": 1,
    "execution": "exec-1",
    "expires_at": 1,
    "until": 2,
    "input": {"text": "the prompt"},
}


class Stdout:
    """Wherever standard output goes by now."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """What was written since, as JSON."""
    kept = [(handler, handler.stream) for handler in logger()._logger.handlers if hasattr(handler, "stream")]
    for handler, _ in kept:
        handler.stream = Stdout()
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for handler, stream in kept:
        handler.stream = stream


def test_a_line_is_json_with_its_facts(lines: Any) -> None:
    log("accepted", job_id="job_1", count=3)
    warn("odd", reason="x")
    first, second = lines()
    assert (first["level"], first["message"], first["job_id"], first["count"]) == ("INFO", "accepted", "job_1", 3)
    assert (second["level"], second["message"], second["reason"]) == ("WARNING", "odd", "x")
    assert first["service"] == "inference-broker"
    assert first["timestamp"].endswith("+0000")


def test_what_went_wrong_with_a_job_says_whose_it_is_and_not_what_it_holds(lines: Any) -> None:
    fault_noticed("a circuit could not be read", a_head(), KeyError("my secret prompt"))
    (line,) = lines()
    assert (line["level"], line["job_id"], line["tenant"]) == ("WARNING", JOB_ID, "acme")
    assert "secret" not in str(line)


def test_what_is_below_the_level_is_not_written(lines: Any) -> None:
    logger().setLevel(logging.WARNING)
    try:
        log("accepted")
        warn("odd")
    finally:
        logger().setLevel(logging.INFO)
    assert [line["message"] for line in lines()] == ["odd"]


def test_a_metric_is_a_line_of_emf(lines: Any) -> None:
    metric({"service": "states"}, CallsThrottled=1, WaitedMs=12.5)
    (line,) = lines()
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    assert [row["Name"] for row in directive["Metrics"]] == ["CallsThrottled", "WaitedMs"]
    (dimensions,) = directive["Dimensions"]
    assert sorted(dimensions) == ["service", "stack"]
    assert (line["service"], line["CallsThrottled"], line["WaitedMs"]) == ("states", 1, 12.5)
    assert abs(line["_aws"]["Timestamp"] - now_ms()) < 60_000


def test_metrics_do_not_mix(lines: Any) -> None:
    metric({"door": "rest"}, A=1)
    metric({}, B=2)
    first, second = lines()
    assert (first["A"], second["B"]) == (1, 2)
    assert second["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stack"]]
    assert "door" not in second and "A" not in second


def test_a_metric_is_of_its_stack(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("test", "production"):
        monkeypatch.setenv("STACK_NAME", name)
        metric({}, DeadLetters=1)
    assert [line["stack"] for line in lines()] == ["test", "production"], "one stack's trouble would ring the other's"


@pytest.mark.parametrize("value", ["Sampled=0", "", None, "Root=1-2;Parent=3"])
def test_without_sampling_nothing_is_traced(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    if value is not None:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", value)
    before = "aws_xray_sdk" in sys.modules
    with span("stage", model="small"):
        pass
    assert ("aws_xray_sdk" in sys.modules) is before


def test_outside_lambda_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2;Sampled=1")
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    before = "aws_xray_sdk" in sys.modules
    with pytest.raises(ZeroDivisionError), span("stage"):
        raise ZeroDivisionError
    assert ("aws_xray_sdk" in sys.modules) is before


def test_every_line_of_an_invocation_has_its_id(lines: Any) -> None:
    @invocation
    def handler(event: Any, context: Any) -> Any:
        log("seen")
        return event

    assert handler({"a": 1}, SimpleNamespace(aws_request_id="req-1")) == {"a": 1}
    handler({}, SimpleNamespace(aws_request_id="req-2"))
    assert handler.__name__ == "handler"
    assert [line["request_id"] for line in lines()] == ["req-1", "req-2"]


def test_a_step_says_what_it_did_and_not_on_what(lines: Any) -> None:
    def _check_input(run: Run, event: dict[str, Any]) -> dict[str, Any]:
        return {"answer": "the answer", "job": run.id}

    assert step(_check_input)(EVENT, None) == {"answer": "the answer", "job": "job_1"}
    written = lines()
    fields = {name: value for line in written for name, value in line.items()}
    assert (fields["message"], fields["job_id"], fields["run"]) == ("check_input", "job_1", 1)
    assert len(written) == 1 and fields["took_ms"] >= 0
    assert "the prompt" not in str(written) and "the answer" not in str(written)


def test_a_step_that_went_well_says_nothing_below_the_level(lines: Any) -> None:
    def _check_input(run: Run, event: dict[str, Any]) -> dict[str, Any]:
        return {}

    logger().setLevel(logging.WARNING)
    try:
        step(_check_input)(EVENT, None)
    finally:
        logger().setLevel(logging.INFO)
    assert lines() == []


def test_a_step_of_which_another_line_tells_says_nothing_where_it_went_well(lines: Any) -> None:
    def _settle_job(run: Run, event: dict[str, Any]) -> dict[str, Any]:
        if event.get("stale"):
            raise Conflict("The run is stale.")
        return {}

    handler = step(_settle_job, told=False)
    assert handler(EVENT, None) == {} and lines() == []
    with pytest.raises(Conflict):
        handler({**EVENT, "stale": True}, None)
    assert [(line["message"], line["error"]) for line in lines()] == [("settle_job", "Conflict")]


def test_a_step_that_measured_its_job_says_no_more(lines: Any) -> None:
    def _invoke_model(run: Run, event: dict[str, Any]) -> dict[str, Any]:
        if event["asked"]:
            say({"message": "provider called", "job_id": run.id})
        return {}

    for asked in (True, False):
        step(_invoke_model)({**EVENT, "asked": asked}, None)
    assert [line["message"] for line in lines()] == ["provider called", "invoke_model"]


def test_a_line_to_count_is_written_at_each_level(lines: Any) -> None:
    logger().setLevel(logging.ERROR)
    try:
        say({"message": "provider called", "job_id": "job_1"})
    finally:
        logger().setLevel(logging.INFO)
    assert [line["message"] for line in lines()] == ["provider called"], "queries would count too few"


def test_a_line_to_count_is_found_by_its_job_or_else_by_its_request(lines: Any) -> None:
    @invocation
    def handler(event: Any, context: Any) -> None:
        say({"message": "refused"})
        metric({}, {"message": "accepted", "job_id": "job_1"}, JobsFailed=0)

    handler({}, SimpleNamespace(aws_request_id="req-1"))
    refused, accepted = lines()
    assert (refused["request_id"], accepted["job_id"]) == ("req-1", "job_1")
    assert "request_id" not in accepted


def test_a_step_that_fails_hands_over_its_cause(lines: Any) -> None:
    def _invoke(run: Run, event: dict[str, Any]) -> dict[str, Any]:
        raise Throttled("Asks for a pause.", code="http_429", retry_after=3)

    with pytest.raises(Throttled) as failure:
        step(_invoke)(EVENT, None)
    assert json.loads(str(failure.value)) == {
        "error": "Throttled",
        "facts": {"type": "throttled", "code": "http_429", "message": "Asks for a pause."},
        "retry_after": 3,
    }
    (line,) = lines()
    assert (line["error"], line["code"]) == ("Throttled", "http_429")
