"""Where the emulator is made more like AWS: it still fits, and what it is patched for is patched."""

from collections.abc import Callable
from types import ModuleType

import pytest
from ministack.core import iam_actions, lambda_runtime
from ministack.services import apigateway_v1, eventbridge, lambda_svc, stepfunctions
from ministack.services.cloudformation import provisioners

from local.emulator import fidelity, limits, processes
from local.emulator.limits import concurrency, rest_api
from local.emulator.rewriting import DoesNotFit
from tests.fakes.own_time import own_time
from tests.unit.emulator.conftest import Invoke, restored


@pytest.mark.parametrize("patch", [fidelity.patch, limits.patch, processes.patch])
def test_another_emulator_is_refused(patch: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", "another script")
    before = lambda_svc._execute_function_warm
    with restored():
        with pytest.raises(DoesNotFit, match="not as the patch knows it"):
            patch()
        assert lambda_svc._execute_function_warm is before


@pytest.mark.parametrize(
    ("service", "name", "patch"),
    [
        (stepfunctions, "_call_lambda", concurrency.patch),
        (lambda_svc, "invoke_async_with_retry", concurrency.patch),
        (lambda_svc, "_run_sqs_batch", concurrency.patch),
        (eventbridge, "_dispatch_to_lambda", concurrency.patch),
        (apigateway_v1, "_invoke_lambda_proxy_v1", rest_api.patch),
        (apigateway_v1, "_import_operation", rest_api.patch),
        (provisioners, "_lambda_esm_update", fidelity.patch),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_service_that_works_otherwise_is_refused(
    monkeypatch: pytest.MonkeyPatch, service: ModuleType, name: str, patch: Callable[[], None]
) -> None:
    with restored():
        monkeypatch.setattr(service, name, lambda: None)
        with pytest.raises(DoesNotFit, match=f"{name} is not as the patch knows it"):
            patch()


def test_traces_are_sampled_as_by_the_default_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    own_time(monkeypatch, fidelity.__name__, monotonic=lambda: now[0])
    sampling = fidelity.Sampling(lambda traced: "Root=1-0-0;Parent=0;Sampled=1" if traced else None)
    assert sampling.trace_id(False) is None
    for _ in range(3):
        made = [sampling.trace_id(True) for _ in range(2_000)]
        now[0] += 1
        assert made[0] == "Root=1-0-0;Parent=0;Sampled=1"
        sampled = sum("Sampled=1" in (each or "") for each in made[1:])
        assert 40 <= sampled <= 170  # one in twenty is 100; less than one run in a billion is outside


def test_an_exception_has_its_class_and_leaves_the_process(invoke: Invoke) -> None:
    first = invoke({})["body"]
    failed = invoke({"fails": True})
    assert failed["error"] is True
    assert failed["body"] == {"errorType": "Unavailable", "errorMessage": "why"}
    assert "f.Unavailable: why" in failed["log"]
    again = invoke({})
    assert (again["body"], again.get("error")) == (first + 2, None)


@pytest.mark.parametrize(
    ("source", "fails", "error"),
    [("aws:dynamodb", True, True), ("aws:dynamodb", False, None), ("aws:sqs", True, None), ("aws:sqs", False, None)],
)
def test_a_streams_batch_that_failed_is_an_error(invoke: Invoke, source: str, fails: bool, error: bool | None) -> None:
    result = invoke({"Records": [{"eventSource": source, "fails": fails}]})
    assert result.get("error") is error
    assert ("errorType" in result["body"]) is bool(error)


@pytest.mark.usefixtures("invoke")
def test_a_policy_may_ask_for_the_context_of_what_is_encrypted() -> None:
    body = b'{"KeyId": "k", "EncryptionContext": {"Purpose": "webhook"}}'
    found = iam_actions.request_tag_context("kms", "kms:Encrypt", body, {})
    assert found == {"kms:encryptioncontext:purpose": "webhook"}
    assert iam_actions.request_tag_context("kms", "kms:Encrypt", b'{"KeyId": "k"}', {}) == {}
