"""Batch Step: the steps of a batch's workflow."""

from collections.abc import Callable
from typing import Any

from broker.bootstrap import batch_results, batching
from broker.clock import now_ms
from broker.observability import invocation, log

MARGIN_MS = 60_000
"""Begin nothing more so long before the timeout: what is left of a plan goes on in another invocation."""

TimeLeft = Callable[[], bool]


def _plan(event: dict[str, Any], time_left: TimeLeft) -> dict[str, Any]:
    return batching.plan_batch()(event["batch_id"], now_ms, time_left, may_wait=event.get("may_wait", False))


def _run(event: dict[str, Any], time_left: TimeLeft) -> dict[str, Any]:
    return batching.run()(event["batch_id"], event["token"], now_ms())


def _expire(event: dict[str, Any], time_left: TimeLeft) -> dict[str, Any]:
    return batching.expire()(event["batch_id"], now_ms())


def _results(event: dict[str, Any], time_left: TimeLeft) -> dict[str, Any]:
    return batch_results.assemble()(event["batch_id"], now_ms, time_left, may_wait=event.get("may_wait", False))


def _tell(event: dict[str, Any], time_left: TimeLeft) -> dict[str, Any]:
    batch_results.tell_soon()(event["batch_id"])
    return {}


def _give_up(event: dict[str, Any], time_left: TimeLeft) -> dict[str, Any]:
    return batching.give_up()(event["batch_id"], now_ms())


STEPS: dict[str, Callable[[dict[str, Any], TimeLeft], dict[str, Any]]] = {
    "plan": _plan,
    "run": _run,
    "expire": _expire,
    "results": _results,
    "tell": _tell,
    "give_up": _give_up,
}
"""By their names in the workflow."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do a step; gives what the workflow has to know, which is small.

    Raises:
        Exception: the step should be repeated.
    """

    def time_left() -> bool:
        return bool(context.get_remaining_time_in_millis() > MARGIN_MS)

    result = STEPS[event["step"]](event, time_left)
    log(f"batch {event['step']}", batch_id=event["batch_id"])
    return result
