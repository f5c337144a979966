"""What is shown of batches: how they stand, and what they would cost."""

from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from broker.batches.asking.parts import Hours
from broker.batches.batch import BatchStatus, Stop
from broker.batches.flow.telling import WEBHOOKS
from broker.batches.shard import ENDINGS
from broker.batches.viewing import STAMPS
from broker.contract.common import Count, JobId, OneOf, Shown, Time, Url, Usage, Usd
from broker.contract.replies import Delivery
from broker.jobs.head import Status

EXAMPLE_BATCH = "batch_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c"

BatchId = Annotated[str, Field(pattern="^batch_[0-9a-f]{32}$", json_schema_extra={"examples": [EXAMPLE_BATCH]})]


class RequestCounts(Shown):
    """Rows, as OpenAI counts them."""

    total: Count
    """As far as they have been counted: all of them from `in_progress` on."""
    completed: Count
    failed: Count
    """Every row that has ended and did not succeed."""


_ENDINGS: dict[str, Any] = {name: (Count, ...) for name in ENDINGS}

Counts = create_model(
    "Counts",
    __base__=Shown,
    __doc__="Rows by how they stand: `waiting` for their turn, `open` as jobs, or ended in one of these ways.",
    waiting=(Count, ...),
    open=(Count, ...),
    **_ENDINGS,
)


class EtaBasis(Shown):
    """What `eta_seconds` is reckoned from: rows go on as they went."""

    rows_ended: Count
    in_seconds: Count


class Position(Shown):
    """Where the rows that wait stand."""

    lane: Literal["bulk"]
    jobs_ahead: Count
    """Open rows of the tenant's own earlier batches, about, of twenty of them at most."""


class BatchError(Shown):
    """Why a batch failed as a whole."""

    code: str | None
    message: str
    param: str | None
    line: int | None


class BatchErrors(Shown):
    """The errors of a batch; those of rows stand in its results."""

    object: Literal["list"]
    data: list[BatchError]


class PromptOfRows(Shown):
    """The stored prompt that rows are variables of."""

    id: str
    version: Count | None = None
    label: str | None = None


class BatchUrls(Shown):
    """The batch's own routes, as whoever reads this reaches the API."""

    get: Url
    cancel: Url
    pause: Url
    resume: Url
    retry: Url
    results: Url


EpochSeconds = Annotated[int, Field(ge=0, json_schema_extra={"examples": [1_762_000_000]})]

Moment = Time | EpochSeconds
"""Epoch seconds of a batch with an `endpoint`, as OpenAI's clients read them."""

_STAMPS: dict[str, Any] = {f"{name}_at": (Moment | None, ...) for name in STAMPS}

Stamps = create_model("Stamps", __base__=Shown, __doc__="When it came to each status.", **_STAMPS)


class CachedTokens(Shown):
    """Of the input."""

    cached_tokens: Count


class ReasoningTokens(Shown):
    """Of the output."""

    reasoning_tokens: Count


class BatchUsage(Usage):
    """Tokens of all answers that were taken, and what all calls cost."""

    input_tokens_details: CachedTokens
    output_tokens_details: ReasoningTokens
    total_tokens: Count


class RecipeUsed(Shown):
    """The version of a recipe that a document goes by."""

    id: str
    version: Count


class DocumentStage(Shown):
    """Jobs of a document that run side by side."""

    name: str
    """`scans`, `parts`, `merge-1`, `step-2`."""
    total: Count
    ended: Count
    succeeded: Count
    cost_usd: Usd


class DocumentChild(Shown):
    """One job of a document."""

    job_id: JobId
    stage: str
    status: Status
    cost_usd: Usd
    attempts: Count


class DocumentProgress(Shown):
    """How far a document has come."""

    key: str
    """Of the inbox."""
    recipe: RecipeUsed
    stages: list[DocumentStage]
    """In order; later ones are not known before earlier ones have ended."""
    children: list[DocumentChild] | None
    """Null where there are more than a hundred; the result names them all."""


class BatchDelivery(Delivery):
    """A webhook of a batch, with every attempt."""

    event: Annotated[str, OneOf(tuple(WEBHOOKS.values()))]


class Batch(Stamps):  # type: ignore[misc, valid-type]  # made of the table of statuses
    """A batch as of now. While it runs, numbers may be some rows behind, and never ahead."""

    id: BatchId
    object: Literal["batch"]
    status: BatchStatus
    endpoint: str | None
    """Of rows that are requests to this route of OpenAI's API; null of those that are requests of jobs."""
    input_file_id: str | None
    """The file of its rows, where that is a stored one."""
    completion_window: str | None
    """How long its rows may take, such as `24h`."""
    model: str | None
    """Of rows with an `endpoint`: the model, where all of them name the same."""
    created_at: Moment
    expires_at: Moment
    """When the time for its rows is over; those that have not ended then expire."""
    not_before: Time | None
    off_peak: Hours | None
    request_counts: RequestCounts
    counts: Counts  # type: ignore[valid-type]
    duplicates: Count
    """Rows that took the answer of an identical one, and cost nothing."""
    usage: BatchUsage
    eta_seconds: Count | None
    """When its rows will have ended, as far as that can be told."""
    eta_basis: EtaBasis | None
    position: Position | None
    paused: bool
    stop_reason: Stop | None
    """Why it begins no more rows, where it was stopped: `capped` for `max_cost_usd`."""
    delivery: list[BatchDelivery]
    """Of its webhook; not told in lists."""
    errors: BatchErrors | None
    output_file_id: str | None
    """The rows that succeeded, once the batch has ended."""
    error_file_id: str | None
    """All others, each with its error."""
    result_key: str | None
    """Of the outbox, where results go there."""
    max_cost_usd: Usd | None
    dedupe: bool
    prompt: PromptOfRows | None
    metadata: dict[str, str]
    retry_of: BatchId | None
    document: DocumentProgress | None
    """Of a document that is worked on by a recipe; null of rows, and once it is erased."""
    erased: bool
    urls: BatchUrls


class BatchList(Shown):
    """A page of batches, newest first."""

    object: Literal["list"]
    data: list[Batch]
    first_id: BatchId | None
    last_id: BatchId | None
    """For `after`, where there are more."""
    has_more: bool
    next_cursor: str | None
    """For the next page; null on the last."""


class SampleError(Shown):
    """A row of the sample that would be rejected."""

    line: int | None
    """Null where the file is so large that it was read in parts."""
    type: str
    code: str
    message: str
    param: str | None


class SampleOfRows(Shown):
    """The rows that were looked at, spread over all there are."""

    rows: Count
    rejected: Count
    errors: list[SampleError]
    """The first few."""


class RowsOfModel(Shown):
    """Rows that a model would be asked first."""

    model: str
    rows: Count


class SecondsBasis(Shown):
    """What `seconds` is reckoned from."""

    mean_latency_ms: Count
    """Of the models, of late."""
    jobs_at_once: Count
    """Of one tenant alone."""


class BatchEstimate(Shown):
    """What a batch would come to, reckoned from a sample of its rows. Nothing was run, kept or held."""

    object: Literal["batch_estimate"]
    rows: Count
    rows_exact: bool
    """False where the number is reckoned from the length of the rows that were read."""
    sample: SampleOfRows
    input_tokens: Count
    max_output_tokens: Count
    expected_cost_usd: Usd
    """With answers of usual length, at the models' ordinary prices: that is what rows are served at."""
    worst_cost_usd: Usd
    """With the longest answers, every candidate paid once, and the dearest twice."""
    provider_batch_cost_usd: Usd | None
    """What the providers' own batch prices would make of `expected_cost_usd`, for comparison; this broker does not
    charge by them. Null unless the registry has such a price of every model that would be asked."""
    models: list[RowsOfModel]
    max_cost_usd: Usd | None
    may_be_capped: bool
    """True where `worst_cost_usd` is above `max_cost_usd`."""
    begins_at: Time
    seconds: Count | None
    seconds_basis: SecondsBasis | None
