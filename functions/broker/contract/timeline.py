"""What happened to a job, as `GET /v1/jobs/{id}/events` shows it."""

from typing import Annotated, Literal

from pydantic import Field

from broker.contract.common import (
    Count,
    EventId,
    Shown,
    TerminalEvent,
    Time,
)
from broker.guardrails.policy import Stage
from broker.jobs.searching import Door


class Accepted(Shown):
    """The job was accepted."""

    at: Time
    event: Literal["job.accepted"]
    door: Door


class Started(Shown):
    """The job was started first."""

    at: Time
    event: Literal["job.started"]
    runs: Count
    """How often it has been started since."""


class Waiting(Shown):
    """The job went back to its queue, and will be tried again."""

    at: Time
    """For the first time."""
    event: Literal["job.waiting"]
    times: Count
    """How often it has been put back."""
    until: Time | None
    """When it will be sent again; null once it was."""
    reason: Literal["circuits", "capacity", "moderation", "rate"]
    """The last time: circuits kept all its models away, there was no function to run in, none could check the answer
    that is kept, or, of a job of the bulk lane, its models refused it for their rate limits."""


class Held(Shown):
    """Guardrails held the job until somebody has looked at it."""

    at: Time
    event: Literal["job.held"]
    stage: Stage
    rules: list[str]


class Reviewed(Shown):
    """Somebody took the review of the held job, or decided it."""

    at: Time
    event: Literal["job.claimed", "job.released", "job.rejected"]
    stage: Stage


class Read(Shown):
    """An operator looked at what it was asked and answered."""

    at: Time
    event: Literal["job.read"]


class AttemptEnded(Shown):
    """A call of a model ended."""

    at: Time
    event: Literal["attempt.ended"]
    model: str
    outcome: str
    latency_ms: Count | None
    times: Count = 1
    """Of calls of earlier runs that failed alike: how many, together as long as `latency_ms`."""
    since: Time | None = None
    """When the first of several ended; `at` is the last."""


class DeliveryAttempted(Shown):
    """A webhook was attempted."""

    at: Time
    event: Literal["delivery.attempted"]
    event_id: EventId
    status: int | None


class Ended(Shown):
    """The job ended."""

    at: Time
    event: TerminalEvent
    event_id: EventId


class Timeline(Shown):
    """What happened to the job, in order."""

    object: Literal["list"]
    data: list[
        Annotated[
            Accepted | Started | Waiting | Held | Reviewed | Read | AttemptEnded | DeliveryAttempted | Ended,
            Field(discriminator="event"),
        ]
    ]
