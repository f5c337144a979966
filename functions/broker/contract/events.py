"""The events that the broker puts on its bus."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, RootModel, create_model

from broker.contract.common import TYPES, Count, EventId, JobError, JobId, OneOf, Shown, Time, Url, Usage
from broker.delivery.events import DETAIL_TYPES, REVIEW_TYPES, THRESHOLD
from broker.endpoints.record import BY_FAILURE, BY_RECEIVER
from broker.envelope import CLOUD_EVENTS, SOURCE, VERSION
from broker.guardrails.policy import Stage
from broker.jobs.fields import Task
from broker.jobs.head import Status


class JobFacts(Shown):
    """The small facts of a job that events and webhooks carry; the answer is fetched with them."""

    job_id: JobId
    status: Status
    task: Task
    model: str | None
    """The model that answered."""
    error: JobError | None
    usage: Usage
    url: Url
    """Of the job, at the API."""


class ReviewFacts(Shown):
    """That guardrails held the job until somebody has looked, and where that is done."""

    stage: Stage
    rules: list[str]
    url: Url
    """Of the operators' route, at the API."""


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
    passed_over: Count = 0
    """Lines that were not begun, for their batch had stopped."""


BatchId = Annotated[str, Field(pattern="^batch_[0-9a-f]{32}$")]


class BatchBegun(Shown):
    """A batch whose rows begin."""

    batch_id: BatchId
    url: Url
    """Of the batch, at the API."""
    total: Count
    """Rows."""


class BatchProgress(BatchBegun):
    """How far a batch has come, told by twentieths of its rows, at most every minute; they count by hundreds."""

    ended: Count
    percent: Annotated[int, Field(ge=5, le=95, multiple_of=5)]
    counts: Counts


class BatchFacts(Shown):
    """A batch, or a file, of which every row has ended or was passed over."""

    batch_id: BatchId
    url: Url | None = None
    """Of the batch, at the API; a document's has none, and neither has that of a single request."""
    status: Annotated[str, OneOf(("completed", "expired", "cancelled"))] | None = None
    stop_reason: Annotated[str, OneOf(("cancelled", "expired", "capped"))] | None = None
    """Why not all of its rows were begun."""
    key: str | None
    """Of the file in the inbox, where it came from there."""
    result_key: str | None
    """Of the result in the outbox."""
    output_file_id: str | None = None
    """The file of the rows that succeeded, of others than the inbox's; null where there are none."""
    error_file_id: str | None = None
    """The file of all others."""
    total: Count
    """Rows, or lines that asked for work."""
    counts: Counts
    usage: Usage | None = None


class BatchFailure(BatchBegun):
    """A batch that could not be taken as a whole, or whose results could not be put together."""

    status: Annotated[str, OneOf(("failed",))]
    error: RejectionFacts


class Event(BaseModel):
    """An event of the broker as a rule's target gets it; EventBridge adds `id`, `account`, `time` and more."""

    source: Annotated[str, OneOf((SOURCE,))]


class ThresholdCrossed(Shown):
    """A budget of a tenant of which a threshold was reached, by what is held and spent."""

    budget: str
    """Its id, in the tenant's entry."""
    percent: Annotated[int, Field(ge=1, le=100)]
    period: str
    """The day or the month, by the clock of its place; `all` of a budget without one."""
    principal: str
    """Of the job."""
    job_id: JobId
    """The job that was accepted with it; it has ended."""


class EndpointDisabled(Shown):
    """A registered endpoint that is sent nothing any more, until its tenant enables it."""

    endpoint_id: Annotated[str, Field(pattern="^we_")]
    disabled_by: Annotated[str, OneOf((BY_RECEIVER, BY_FAILURE))]
    failing_since: Time | None
    """The first failure since the last success."""


class DeliveryExhausted(Shown):
    """A webhook that was given up: its schedule is over, or its receiver stopped it."""

    about: str
    """The job or the batch."""
    event: str
    webhook_id: EventId
    """Of the webhook (`webhook-id`)."""
    endpoint_id: Annotated[str, Field(pattern="^we_")] | None
    """The registered endpoint; null where the request gave the address."""
    attempts: Count
    last_status: int | None
    last_error: str | None


class CloudEvent(Shown):
    """The envelope for tenants that want CloudEvents (`cloud_events` of their entry): 1.0, in structured JSON."""

    specversion: Annotated[str, OneOf((CLOUD_EVENTS,))]
    id: EventId
    """Stable: an event that comes twice has the same."""
    source: Annotated[str, OneOf((SOURCE,))]
    type: str
    """The detail-type, after `inference.broker.`."""
    subject: str = ""
    """The job, the batch or the endpoint that it is about, where there is one."""
    time: Time
    datacontenttype: Annotated[str, OneOf(("application/json",))]
    version: Annotated[str, OneOf((VERSION,))]
    """Of `data`."""
    correlationid: str
    tenant: str = ""
    """Not there where the event belongs to none."""


def event_models() -> dict[str, type[BaseModel]]:
    """The event of each detail-type."""
    data: dict[str, type[BaseModel]] = {
        kind: create_model(
            f"{kind}Data", __base__=JobFacts, __doc__=JobFacts.__doc__, status=Annotated[str, OneOf((status.value,))]
        )
        for status, kind in DETAIL_TYPES.items()
    }
    data |= dict.fromkeys(REVIEW_TYPES, ReviewedFacts)
    data |= {"RequestRejected": Rejection, THRESHOLD: ThresholdCrossed}
    data |= {"BatchStarted": BatchBegun, "BatchProgressed": BatchProgress}
    data |= {"BatchCompleted": BatchFacts, "BatchFailed": BatchFailure}
    data |= {"WebhookEndpointDisabled": EndpointDisabled, "WebhookExhausted": DeliveryExhausted}
    return {kind: _event(kind, facts) for kind, facts in data.items()}


def _event(kind: str, facts: type[BaseModel]) -> type[BaseModel]:
    own = create_model(f"{kind}Detail", __base__=Detail, __doc__=Detail.__doc__, data=facts)
    named = Annotated[str, OneOf((f"{SOURCE}.{kind}",))]
    cloud = create_model(f"{kind}CloudEvent", __base__=CloudEvent, __doc__=CloudEvent.__doc__, type=named, data=facts)
    detail: Any = own | cloud
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
