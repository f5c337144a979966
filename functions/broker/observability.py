"""Logs, metrics and traces: the only import of Powertools.

Logs are one line for a stage, with ids and counts and never a payload. Metrics are EMF on that same line: they cost no
call, and nothing is written twice. A metric is what an alarm or the dashboard needs; all else is counted from lines, by
queries. What all jobs write is short, for a gigabyte of logs costs half a dollar: no level
where nothing is wrong, no request id where there is a job's, no unit that a metric's name says, and no metrics that are
zero. Powertools' Tracer loads the X-Ray SDK, which more than doubles a start: Lambda's
active tracing already shows each function, so the SDK is loaded only when an invocation is sampled, for what it alone
can say.
"""

import json
import logging
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any, TypeVar

from aws_lambda_powertools.logging import Logger

from broker.clock import now_ms

NAMESPACE, SERVICE = "InferenceBroker", "inference-broker"

STACK = "stack"
"""The dimension of every metric, so that no stack's trouble is told of another in the account."""

_measured: set[str] = set()
"""The jobs that lines to count told of in the invocation that is under way."""

Handler = TypeVar("Handler", bound=Callable[..., Any])


@cache
def logger() -> Logger:
    """The process's logger; level by `POWERTOOLS_LOG_LEVEL`."""
    # Without the place of the call, which would always be `log` or `warn` below.
    return Logger(service=SERVICE, utc=True, location=None)


def log(event: str, **facts: Any) -> None:
    """One structured line. `facts` are ids, names and numbers, never a payload or a secret."""
    logger().info(event, extra=facts)


def warn(event: str, **facts: Any) -> None:
    """One line that an operator may want to look at."""
    logger().warning(event, extra=facts)


def tell(stage: str, job_id: str, **facts: Any) -> None:
    """One line for a stage of a job that went well, as short as can be: there are several for each job.

    The job's id finds it; whose it is stands on the lines of its calls and of its end. How long a stage takes is also
    Lambda's own `Duration`, for free. There is no line where one to count has told of the job in this invocation.
    """
    if logger().log_level <= logging.INFO and job_id not in _measured:
        _print({"message": stage, "job_id": job_id, **facts})


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line, separators=(",", ":")) + "\n", end="")  # in one piece, for threads print side by side


def place_of(error: BaseException) -> str:
    """Where an error came from, as `file:line`: what a log may say of it, for its text may hold a payload."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"


def say(line: dict[str, Any]) -> None:
    """A line that queries count: a `message`, and facts as for `log`, flat. It is written whatever the level is."""
    # What is said of a job is found by the job's id.
    place = {} if "job_id" in line else {"request_id": logger().get_current_keys().get("request_id")}
    if "job_id" in line:
        _measured.add(line["job_id"])
    _print({**line, **place})


def metric(dimensions: dict[str, str], line: dict[str, Any] | None = None, /, **values: float) -> None:
    """EMF metrics of this stack, with further dimensions of bounded variety; names end in their unit, or are counts.

    The form is CloudWatch's "Specification: Embedded metric format", of which Powertools' classes make twice the work;
    a unit is optional there.

    `line` makes it a line to count as well, as for `say`.

    Each metric with each set of values is paid for. So a tenant, a model or a version of a prompt is never a dimension:
    their number has no bound. They are found in the lines, and spend in the ledger.
    """
    names = [{"Name": name} for name in values]
    named = {STACK: os.environ.get("STACK_NAME", SERVICE), **dimensions}
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(named)], "Metrics": names}
    measured = {**named, **values, "_aws": {"Timestamp": now_ms(), "CloudWatchMetrics": [directive]}}
    if line is None:
        _print(measured)
    else:
        say({**line, **measured})


def _sampled() -> bool:
    return "Sampled=1" in os.environ.get("_X_AMZN_TRACE_ID", "") and "AWS_LAMBDA_FUNCTION_NAME" in os.environ


@cache
def _tracer() -> Any:
    from aws_lambda_powertools.tracing import Tracer

    return Tracer(service=SERVICE, auto_patch=False)


@contextmanager
def span(name: str, **annotations: str) -> Iterator[None]:
    """A subsegment with annotations to search traces by; nothing where the invocation is not sampled."""
    if not _sampled():
        yield
        return
    with _tracer().provider.in_subsegment(name) as subsegment:
        for key, value in annotations.items():
            subsegment.put_annotation(key=key, value=value)
        yield


def invocation(handler: Handler) -> Handler:
    """Wrap a Lambda handler: its request id is on every line."""

    @wraps(handler)
    def run(event: Any, context: Any) -> Any:
        _measured.clear()
        logger().append_keys(request_id=getattr(context, "aws_request_id", None))
        return handler(event, context)

    return run  # type: ignore[return-value]  # same signature; a ParamSpec would hide it from Lambda's typing
