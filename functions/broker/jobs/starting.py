"""What becomes of a message in a lane: its job's workflow is started, or the job is left until there is room for it."""

from typing import Any

from broker.jobs.dispatching import Workflows, dispatch, known_of, told_by
from broker.jobs.head import Head
from broker.jobs.in_flight import InFlight
from broker.jobs.leaving import LEFT, Left, waits_since
from broker.jobs.store import Jobs


def start(
    jobs: Jobs,
    workflows: Workflows,
    in_flight: InFlight,
    message: dict[str, Any],
    message_id: str,
    receives: int,
    now: int,
) -> Head | Left | None:
    """Start a job, if there is room for it.

    Args:
        jobs: the store.
        workflows: where it starts.
        in_flight: what this process knows of the jobs that run.
        message: its body.
        message_id: of the message.
        receives: how often it has been received.
        now: milliseconds.

    Returns:
        The running head; what is to be left; None where there was nothing to do, as `dispatch`.

    Raises:
        Exception: of the start; the message should come again.
    """
    told = told_by(message)
    if told and now < told.deadline_at and not in_flight.admits(told, now, was_left=LEFT in message):
        again_s, times = in_flight.again_s(told, now), in_flight.looks.times(told.tenant, now)
        return Left(message_id, message, told, receives, waits_since(told, message, now), again_s, times)

    def canceled() -> None:
        if told:
            in_flight.came_to_nothing(told, now)

    head = dispatch(jobs, workflows, message["job_id"], message_id, now, known_of(message, receives), canceled)
    if head is not None:
        in_flight.started(head, now)
    return head
