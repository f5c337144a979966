"""The patched emulator in this process, for the tests of its patches."""

import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from jsonata.parser import Parser
from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.services import apigateway_v1, dynamodb, eventbridge, lambda_svc, s3, sqs, stepfunctions
from ministack.services.cloudformation import provisioners

from local.emulator import callbacks, fidelity, limits, processes, speed, stored, versions

PATCHED = (
    Parser, processes.AsShipped, apigateway_v1, app, dynamodb, eventbridge, iam_actions, iam_evaluator, lambda_runtime,
    lambda_svc, provisioners, s3, sqs, stepfunctions,
)  # fmt: skip

MEMORY_MB = 192

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:patched"

CODE = """
import json, os, resource, sys, time

class Unavailable(Exception):
    pass

served = 0

def handler(event, context):
    global served
    served += 1
    if isinstance(event, dict) and event.get("httpMethod"):
        event = json.loads(event["body"])
    while isinstance(event, dict) and "waits" in event and not os.path.exists(event["waits"]):
        time.sleep(0.01)
    if isinstance(event, dict) and "letters" in event:
        return event["letters"] * event["many"]
    if isinstance(event, dict) and "takes_mb" in event:
        taken = b"x" * (event["takes_mb"] << 20)
        time.sleep(event.get("holds_s", 0))
        if event.get("fails"):
            raise Unavailable("why")
        return len(taken) >> 20
    if isinstance(event, dict) and "replies" in event:
        return event["replies"]
    if isinstance(event, dict) and event.get("fails"):
        raise Unavailable("why")
    if isinstance(event, dict) and "lines" in event:
        for number in range(event["lines"]):
            print(f"{event['word']} {number}")
    if isinstance(event, dict) and event.get("dies"):
        os._exit(1)
    if isinstance(event, dict) and event.get("size"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    if isinstance(event, dict) and event.get("process"):
        return os.getpid()
    if isinstance(event, dict) and event.get("closes"):
        sys.stderr.flush()
        os.close(2)
    if isinstance(event, dict) and event.get("traced"):
        return os.environ.get("_X_AMZN_TRACE_ID")
    if isinstance(event, dict) and "Records" in event:
        return {"batchItemFailures": [{"itemIdentifier": "1"}] if event["Records"][0].get("fails") else []}
    return served
"""

Invoke = Callable[[Any], dict[str, Any]]


@contextmanager
def restored() -> Iterator[None]:
    """Put back at the end what was patched meanwhile."""
    before = [(each, dict(vars(each))) for each in PATCHED]
    try:
        yield
    finally:
        for each, names in before:
            for name, value in names.items():
                if vars(each).get(name) is not value:
                    setattr(each, name, value)


@contextmanager
def as_it_runs() -> Iterator[None]:
    """The emulator with all patches, for a time."""
    with restored():
        fidelity.patch()
        callbacks.patch()
        limits.patch()
        speed.patch()
        processes.patch()
        stored.patch()
        versions.patch()
        yield


@pytest.fixture(scope="module")
def patched() -> Iterator[None]:
    """The emulator as it runs."""
    with as_it_runs():
        yield


@pytest.fixture(scope="module")
def invoke() -> Iterator[Invoke]:
    """Runs one function on the patched emulator."""
    with one_function() as run:
        yield run


@contextmanager
def one_function() -> Iterator[Invoke]:
    """The same, for a time; other services of the emulator know it by its ARN."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", CODE)
    config = {
        "FunctionName": "patched",
        "FunctionArn": FUNCTION,
        "Runtime": f"python3.{sys.version_info.minor}",
        "Handler": "f.handler",
        "Timeout": 30,
        "MemorySize": MEMORY_MB,
        "TracingConfig": {"Mode": "Active"},
    }
    function = {"config": config, "code_zip": packed.getvalue()}
    with as_it_runs():
        lambda_svc._functions["patched"] = function
        try:
            yield lambda event: lambda_svc._execute_function_warm(function, event, "req-1")
        finally:
            lambda_svc._functions.pop("patched")
            workers = (worker for entries in lambda_runtime._workers.values() for worker in entries)
            started = [each._proc for each in workers if each._proc]
            lambda_runtime.reset()
            processes.zygotes.stop()
            for pipe in (pipe for each in started for pipe in (each.stdin, each.stdout, each.stderr) if pipe):
                pipe.close()
