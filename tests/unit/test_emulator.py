"""The patched emulator: it still fits, and what it is patched for is patched."""

import asyncio
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.emulator import calls, counted, operation_of
from local.emulator_patches import AS_SHIPPED, LayerOnce, patch

CODE = """
class Unavailable(Exception):
    pass

served = 0

def handler(event, context):
    global served
    served += 1
    if isinstance(event, dict) and event.get("fails"):
        raise Unavailable("why")
    if isinstance(event, dict) and "Records" in event:
        return {"batchItemFailures": [{"itemIdentifier": "1"}] if event["Records"][0].get("fails") else []}
    return served
"""
PATCHED = (
    (lambda_runtime, "_PYTHON_WORKER_SCRIPT"),
    (lambda_runtime, "zipfile"),
    (lambda_svc, "_execute_function_warm"),
)
Invoke = Callable[[Any], dict[str, Any]]


@pytest.fixture(scope="module")
def invoke() -> Iterator[Invoke]:
    """Runs one function on the patched emulator."""
    shipped = [(module, name, getattr(module, name)) for module, name in PATCHED]
    patch()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", CODE)
    config = {
        "FunctionName": "patched",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:patched",
        "Runtime": f"python3.{sys.version_info.minor}",
        "Handler": "f.handler",
        "Timeout": 30,
    }
    function = {"config": config, "code_zip": packed.getvalue()}
    yield lambda event: lambda_svc._execute_function_warm(function, event, "req-1")
    processes = [worker._proc for entries in lambda_runtime._workers.values() for worker in entries]
    lambda_runtime.reset()
    for pipe in (pipe for each in processes for pipe in (each.stdin, each.stdout, each.stderr) if pipe):
        pipe.close()
    for module, name, value in shipped:
        setattr(module, name, value)


def test_the_emulator_still_fits() -> None:
    assert lambda_runtime._PYTHON_WORKER_SCRIPT.count(AS_SHIPPED) == 1


def test_another_emulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_runtime, "_PYTHON_WORKER_SCRIPT", "another script")
    before = lambda_svc._execute_function_warm
    with pytest.raises(RuntimeError, match="does not fit"):
        patch()
    assert lambda_svc._execute_function_warm is before


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


def test_a_layer_is_unpacked_once(tmp_path: Path) -> None:
    workers = [tmp_path / f"worker-{number}" for number in range(3)]
    seen = []
    for number, worker in enumerate(workers):
        target = worker / "layer_0"
        target.mkdir(parents=True)
        path = worker / "layer_0.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("python/m.py"), "a = 1")
        with LayerOnce(str(path)) as layer:
            assert layer.namelist() == ([] if number else ["python/m.py"])
            layer.extractall(str(target))
        assert (target / "python" / "m.py").read_text() == "a = 1"
        seen.append(target.resolve())
    assert len(set(seen)) == 1
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".part")] == []


def test_another_layer_is_another(tmp_path: Path) -> None:
    for number in range(2):
        target = tmp_path / str(number) / "layer_0"
        target.mkdir(parents=True)
        path = target.with_suffix(".zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("m.py", str(number))
        with LayerOnce(str(path)) as layer:
            layer.extractall(str(target))
        assert (target / "m.py").read_text() == str(number)


def test_code_is_unpacked_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "code.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m.py", "")
    for name in ("a", "b"):
        with LayerOnce(str(path)) as code:
            assert code.namelist() == ["m.py"]
            code.extractall(tmp_path / name)
        assert not (tmp_path / name).is_symlink()


def scope(service: str | None, method: str = "POST", target: str = "", query: str = "", path: str = "/") -> Any:
    headers = []
    if service:
        signed = f"AWS4-HMAC-SHA256 Credential=test/20261118/us-east-1/{service}/aws4_request, SignedHeaders=host"
        headers.append((b"authorization", signed.encode()))
    if target:
        headers.append((b"x-amz-target", target.encode()))
    return {"type": "http", "method": method, "path": path, "headers": headers, "query_string": query.encode()}


@pytest.mark.parametrize(
    ("request_scope", "operation"),
    [
        (scope("dynamodb", target="DynamoDB_20120810.PutItem"), "dynamodb.PutItem"),
        (scope("sqs", target="AmazonSQS.SendMessage"), "sqs.SendMessage"),
        (scope("states", target="AWSStepFunctions.StartExecution"), "states.StartExecution"),
        (scope("events", target="AWSEvents.PutEvents"), "events.PutEvents"),
        (scope("s3", "GET", path="/bucket/key"), "s3.GET"),
        (scope("s3", "PUT", query="partNumber=1"), "s3.PUT"),
        (scope("sns", query="Action=Publish&Version=1"), "sns.Publish"),
        (scope("lambda", path="/2015-03-31/functions/f/invocations"), "lambda.POST"),
        (scope(None, "GET"), None),
        (scope(None, target="AmazonSQS.SendMessage"), None),
        ({"type": "http", "method": "GET", "path": "/", "headers": [(b"authorization", b"Bearer ib_x")]}, None),
    ],
    ids=range(11),
)
def test_what_a_request_asks_for(request_scope: Any, operation: str | None) -> None:
    assert operation_of(request_scope) == operation


def test_requests_are_counted_and_served() -> None:
    served: list[str] = []
    sent: list[dict[str, Any]] = []

    async def emulator(scope: dict[str, Any], receive: Any, send: Any) -> None:
        served.append(scope["type"])

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    def ask(given: Any) -> Any:
        sent.clear()
        asyncio.run(counted(emulator)(given, None, send))
        return json.loads(sent[1]["body"]) if sent else None

    calls.clear()
    for given in (scope("sqs", target="AmazonSQS.SendMessage"),) * 2 + (scope(None), {"type": "lifespan"}):
        assert ask(given) is None
    assert served == ["http", "http", "http", "lifespan"]
    assert ask(scope(None, "GET", path="/_broker/calls")) == {"sqs.SendMessage": 2}
    assert ask(scope(None, "DELETE", path="/_broker/calls")) == {"sqs.SendMessage": 2}
    assert ask(scope(None, "GET", path="/_broker/calls")) == {}
    assert len(served) == 4
