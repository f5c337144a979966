"""What the functions of the workflow share: the run from the payload, and failures told as the table has them."""

import time
from collections.abc import Callable
from typing import Any

from broker.consequences import consequence
from broker.errors import BrokerError, Conflict
from broker.observability import invocation, log, tell
from broker.steps.context import Run

Step = Callable[[Run, dict[str, Any]], dict[str, Any]]


def step(work: Step, *, told: bool = True) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Make a handler of a step: its name is the function's. One that went well says so in the logs, where it is `told`.

    An error of the tree is an answer (`{"failure"}`, see `BrokerError.failure`), and ends the job. An exception it is
    only where the workflow has to act by itself: `Conflict`, the one name it knows, and what is worth a repeat.
    """
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
            if isinstance(error, Conflict) or consequence(type(error)).repeat != "no":
                raise type(error)(error.cause()) from None
            return {"failure": error.failure()}
        if told:
            tell(stage, run.id, run=run.fence.run, took_ms=round((time.monotonic() - began) * 1000))
        return result

    return handler
