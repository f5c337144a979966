"""What follows where more functions run at a time than the account or a function may (`LAMBDA_CONCURRENCY`).

MiniStack refuses them as AWS does (`TooManyRequestsException`), but takes the refusal for a failure of the function.
Here, as on AWS:

- Step Functions sees `Lambda.TooManyRequestsException`, which its states may repeat.
- A queue's batch is tried again until its messages' visibility is over; then they come back, received once more
  (Lambda Developer Guide, "Backoff strategy for failed invocations"). With its `MaximumConcurrency`, a source takes no
  more messages than it may have run.
- An asynchronous event is tried again until it is six hours old, and it does not count as an attempt. Events of
  EventBridge's rules are such ones, too; MiniStack runs the function once, whatever comes of it.
- A stream waits, as after any failure.
"""

from time import sleep, time
from typing import Any

from ministack.services import eventbridge, lambda_svc, stepfunctions

from local.emulator.limits.figures import ASYNCHRONOUS_PAUSES_S
from local.emulator.rewriting import rewrite

QUEUE_PAUSES_S = (0.1, 5.0)
"""Before a queue's batch that was throttled is tried again: first and longest. AWS does not say."""

REFUSED_TASK = """    if result.get("throttle"):
        raise _ExecutionError("Lambda.TooManyRequestsException", "Rate Exceeded. (Service: Lambda, Status Code: 429)")
"""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    failed = """    if result.get("error"):
        body = result.get("body", {})
"""
    rewrite(stepfunctions, "_call_lambda", (failed, REFUSED_TASK + failed))
    taken = "    result = _execute_function(func_rec, event)\n"
    rewrite(lambda_svc, "_run_sqs_batch", (taken, "    result = run_while_hidden(func_rec, event, batch)\n"))
    tried = "last_result = _execute_function(func, event)\n"
    rewrite(
        lambda_svc,
        "invoke_async_with_retry",
        (tried, "last_result = run_until(func, event, started + max_event_age)\n"),
    )
    once = """    threading.Thread(
        target=lambda_svc._execute_function_with_config_scope, args=(exec_record, event), daemon=True
    ).start()
"""
    rewrite(eventbridge, "_dispatch_to_lambda", (once, "    lambda_svc.invoke_async_with_retry(exec_record, event)\n"))
    lambda_svc.run_while_hidden = run_while_hidden
    lambda_svc.run_until = run_until


def run_while_hidden(function: Any, event: Any, batch: list[Any]) -> Any:
    """Run a queue's function, again while it is throttled and nobody else may take the messages."""
    return _run(function, event, min(message["visible_at"] for message in batch), *QUEUE_PAUSES_S)


def run_until(function: Any, event: Any, until: float) -> Any:
    """Run a function for an asynchronous event, again while it is throttled, until then (seconds since 1970)."""
    return _run(function, event, until, *ASYNCHRONOUS_PAUSES_S)


def _run(function: Any, event: Any, until: float, pause: float, longest: float) -> Any:
    while True:
        result = lambda_svc._execute_function(function, event)
        if not result.get("throttle") or time() + pause > until:
            return result
        sleep(pause)
        pause = min(2 * pause, longest)
