"""The bodies of webhooks."""

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from broker.batches.batch import BatchStatus
from broker.batches.flow.telling import WEBHOOKS
from broker.contract.common import Count, EventId, JobId, OneOf, Shown, TerminalEvent, Time, Url
from broker.contract.events import BatchFacts, BatchFailure, BatchId, JobFacts
from broker.endpoints.bodies import RESPONSE_EVENTS
from broker.guardrails.policy import Stage
from broker.jobs.fields import Task
from broker.jobs.head import HELD_EVENT, Status

FAILED = WEBHOOKS[BatchStatus.FAILED]


Sequence = Annotated[
    Count | None, Field(description="Of two webhooks of one job, the later one has the larger number.")
]


class EndedFacts(JobFacts):
    """A job that ended; where its answer is too large for a reply, with a link to it, made for this attempt."""

    sequence: Sequence = None
    output: Any = None
    """The answer, for endpoints with the payload `full`; null where it would make the body too large."""
    output_url: str | None = None
    """Works for a quarter of an hour, without any credential."""
    output_bytes: Count | None = None
    output_media_type: str | None = None


class EndedWebhook(Shown):
    """A job ended."""

    type: TerminalEvent
    timestamp: Time
    """When it ended."""
    data: EndedFacts


class Hold(Shown):
    """Why guardrails hold a job, and how long somebody may take to look at it."""

    stage: Stage
    rules: list[str]
    until: Time
    """The job's deadline."""


class HeldFacts(Shown):
    """A job that is held; nothing is known of its end yet."""

    job_id: JobId
    status: Annotated[str, OneOf((Status.QUEUED.value,))]
    task: Task
    url: Url
    """Of the job, at the API."""
    review: Hold
    sequence: Sequence = None


class HeldWebhook(Shown):
    """A job is held for a review; what became of it since, the job tells."""

    type: Annotated[str, OneOf((HELD_EVENT,))]
    timestamp: Time
    """Since when it is held."""
    data: HeldFacts


class BatchHookFacts(BatchFacts):
    """The same, with the batch's id by the name that OpenAI's events have for it."""

    id: BatchId


class BatchWebhook(Shown):
    """A batch ended."""

    type: Annotated[str, OneOf(tuple(event for event in WEBHOOKS.values() if event != FAILED))]
    timestamp: Time
    """When it ended."""
    data: BatchHookFacts


class BatchFailureHookFacts(BatchFailure):
    """The same, with the batch's id by the name that OpenAI's events have for it."""

    id: BatchId


class BatchFailureWebhook(Shown):
    """A batch failed."""

    type: Annotated[str, OneOf((FAILED,))]
    timestamp: Time
    """When it failed."""
    data: BatchFailureHookFacts


class ResponseHookFacts(Shown):
    """Which response."""

    id: Annotated[str, Field(pattern="^resp_")]


class ResponseWebhook(Shown):
    """A response ended, as an endpoint of OpenAI's form is told."""

    id: EventId
    object: Literal["event"]
    created_at: Count
    """When, in epoch seconds."""
    type: Annotated[str, OneOf(RESPONSE_EVENTS)]
    data: ResponseHookFacts


class OpenaiBatchFacts(Shown):
    """Which batch."""

    id: BatchId


class OpenaiBatchWebhook(Shown):
    """A batch ended, as an endpoint of OpenAI's form is told."""

    id: EventId
    object: Literal["event"]
    created_at: Count
    """When, in epoch seconds."""
    type: Annotated[str, OneOf(tuple(WEBHOOKS.values()))]
    data: OpenaiBatchFacts


class OpenaiWebhookBody(RootModel[Annotated[ResponseWebhook | OpenaiBatchWebhook, Field(discriminator="type")]]):
    """The body of a webhook to an endpoint of OpenAI's form."""


AnyWebhook = EndedWebhook | HeldWebhook | BatchWebhook | BatchFailureWebhook


class WebhookBody(RootModel[Annotated[AnyWebhook, Field(discriminator="type")]]):
    """The body of a webhook, signed as Standard Webhooks has it."""
