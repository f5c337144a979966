"""What the functions of the workflow share: the run from the payload, and errors with names and facts."""

import time
from collections.abc import Callable
from typing import Any

from broker.errors import BrokerError
from broker.observability import invocation, log, tell
from broker.steps.context import Run

Step = Callable[[Run, dict[str, Any]], dict[str, Any]]


def step(work: Step) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Make a handler of a step: its name is the function's, its errors are the tree's with `BrokerError.cause`."""
    stage = work.__name__.removeprefix("_")

    @invocation
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        run = Run.of(event)
        facts = {"job_id": run.id, "tenant": run.tenant, "run": run.fence.run}
        began = time.monotonic()
        try:
            result = work(run, event)
        except BrokerError as error:
            log(stage, **facts, error=type(error).__name__, code=error.code)
            raise type(error)(error.cause()) from None
        tell(stage, **facts, took_ms=round((time.monotonic() - began) * 1000))
        return result

    return handler
