"""The events that the broker puts on its bus, and the bodies of its webhooks."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, RootModel, create_model

from broker.contract.common import TYPES, Count, EventId, JobError, JobId, OneOf, Shown, TerminalEvent, Time, Usage
from broker.delivery.events import DETAIL_TYPES, REVIEW_TYPES
from broker.envelope import SOURCE, VERSION
from broker.guardrails.policy import Stage
from broker.jobs.fields import Task
from broker.jobs.head import HELD_EVENT, Status


class JobFacts(Shown):
    """The small facts of a job that events and webhooks carry; the answer is fetched with them."""

    job_id: JobId
    status: Status
    task: Task
    model: str | None
    """The model that answered."""
    error: JobError | None
    usage: Usage
    url: str
    """Path of the job, from the host of the API."""


class ReviewFacts(Shown):
    """That guardrails held the job until somebody has looked, and where that is done."""

    stage: Stage
    rules: list[str]
    url: str
    """Path of the operators' route, from the host of the API."""


class ReviewedFacts(JobFacts):
    """A job that is held, or that was released."""

    status: Annotated[str, OneOf((Status.QUEUED.value,))]  # type: ignore[assignment]  # no other
    review: ReviewFacts


class Metadata(Shown):
    """About the event itself."""

    version: Annotated[str, OneOf((VERSION,))]
    event_id: EventId
    """Stable: an event that comes twice has the same."""
    correlation_id: str
    """Of the request that the event goes back to: its id at the API, or the id of the event that asked."""
    tenant: str | None
    """Null where the event belongs to none."""
    created_at: Time


class Detail(Shown):
    """The envelope."""

    metadata: Metadata


class RejectionFacts(Shown):
    """Why an event or a file could not become a job."""

    type: Annotated[str, OneOf(TYPES)]
    code: str
    message: str
    param: str | None


class Rejection(Shown):
    """An `InferenceRequested` that could not become a job, or a file of which nothing could."""

    source: str | None
    """Of the event that asked; null where it could not be read."""
    key: str | None
    """Of the file, where one came into the inbox; null where an event asked."""
    error: RejectionFacts


class Counts(Shown):
    """How many lines of a batch ended how."""

    succeeded: Count
    failed: Count
    blocked: Count
    canceled: Count
    expired: Count
    rejected: Count
    """Lines that did not become jobs."""


class BatchFacts(Shown):
    """A file of which every line has ended."""

    batch_id: Annotated[str, Field(pattern="^batch_[0-9a-f]{32}$")]
    key: str
    """Of the file in the inbox."""
    result_key: str
    """Of the result in the outbox."""
    total: Count
    """Lines that asked for work."""
    counts: Counts


class Event(BaseModel):
    """An event of the broker as a rule's target gets it; EventBridge adds `id`, `account`, `time` and more."""

    source: Annotated[str, OneOf((SOURCE,))]


class EndedFacts(JobFacts):
    """A job that ended; where its answer is too large for a reply, with a link to it, made for this attempt."""

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
    url: str
    """Path of the job, from the host of the API."""
    review: Hold


class HeldWebhook(Shown):
    """A job is held for a review; what became of it since, the job tells."""

    type: Annotated[str, OneOf((HELD_EVENT,))]
    timestamp: Time
    """Since when it is held."""
    data: HeldFacts


class WebhookBody(RootModel[Annotated[EndedWebhook | HeldWebhook, Field(discriminator="type")]]):
    """The body of a webhook, signed as Standard Webhooks has it."""


def event_models() -> dict[str, type[BaseModel]]:
    """The event of each detail-type."""
    data: dict[str, type[BaseModel]] = {
        kind: create_model(
            f"{kind}Data", __base__=JobFacts, __doc__=JobFacts.__doc__, status=Annotated[str, OneOf((status.value,))]
        )
        for status, kind in DETAIL_TYPES.items()
    }
    data |= dict.fromkeys(REVIEW_TYPES, ReviewedFacts)
    data["RequestRejected"] = Rejection
    data["BatchCompleted"] = BatchFacts
    return {kind: _event(kind, facts) for kind, facts in data.items()}


def _event(kind: str, facts: type[BaseModel]) -> type[BaseModel]:
    detail = create_model(f"{kind}Detail", __base__=Detail, __doc__=Detail.__doc__, data=facts)
    return create_model(
        kind,
        __base__=Event,
        __doc__=Event.__doc__,
        detail_type=(Annotated[str, OneOf((kind,))], Field(alias="detail-type")),
        detail=detail,
    )


def any_event() -> type[RootModel[Any]]:
    """All events that the broker sends, told apart by `detail-type`."""
    union: Any = None
    for model in event_models().values():
        union = model if union is None else union | model
    return RootModel[Annotated[union, Field(discriminator="detail_type")]]
