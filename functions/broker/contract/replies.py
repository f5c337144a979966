"""The replies of the REST API."""

from typing import Annotated, Any, Literal

from pydantic import Field

from broker.consequences import SUCCEEDED
from broker.contract.common import (
    TREE,
    TYPES,
    Count,
    EventId,
    JobError,
    JobId,
    OneOf,
    Shown,
    Time,
    Url,
    Usage,
    Usd,
)
from broker.contract.errors import ErrorFacts
from broker.contract.queued import Queued
from broker.endpoints.bodies import RESPONSE_EVENTS
from broker.guardrails.policy import Stage
from broker.jobs.calls import UNKNOWN
from broker.jobs.fields import WEBHOOK_EVENTS, Task
from broker.jobs.head import Status
from broker.reviews.record import STATES


class AttemptError(Shown):
    """Why a call of a model gave no answer."""

    type: Annotated[str, OneOf(TYPES)]
    code: str
    message: str
    param: str | None = None
    """The request's field at fault, where the provider names one."""


class Attempt(Shown):
    """One call of one model."""

    id: Annotated[str, Field(pattern=r"^\d+\.\d+$")]
    """Run and number of the call."""
    model: str
    outcome: Annotated[str, OneOf(tuple(sorted({SUCCEEDED, UNKNOWN, *(kind.__name__ for kind in TREE)})))]
    """`succeeded`, the name of the error, or `unknown` where nobody lived to tell."""
    error: AttemptError | None
    latency_ms: Count | None
    cost_usd: Usd
    """What the call cost; its worst case while that is not known."""
    reasoning_tokens: Count
    """What the model thought before it answered."""
    cached_tokens: Count
    """Of the prompt, what the provider's prompt cache had."""
    cache_write_tokens: Count
    """What it put there."""
    paid: Literal["yes", "no", "unknown"]
    """`unknown` where the provider may have charged for a call without an answer."""
    model_version: Count | None
    """Of the registry's record of the model."""
    operation: Literal["answer", "embed", "guard", "summarize"]
    """`embed`, `summarize` and `guard` are auxiliary calls: for a similar question, for older turns, for a check."""
    prompt: str | None = None
    """Of a judge, the registered prompt by which it was asked, with its version: `tone@3`."""
    credential: str | None
    """The key that it was made with, by its name, where the model has several."""
    request_id: str | None = None
    """What the provider calls the request: by this its support finds it, and its bill is checked."""
    dropped: list[str]
    """Fields of the request that the model does not take, and that it was asked without."""
    times: Count = 1
    """Calls of earlier runs that failed alike are told as one; its time, tokens and cost are theirs together."""


class JobUsage(Usage):
    """The same, with what was thought, and what the provider's prompt cache had to do with."""

    reasoning_tokens: Count
    """Of the tokens out, what the model thought before it answered."""
    cached_tokens: Count
    """Of the tokens in, what it had."""
    cache_write_tokens: Count
    """Of the tokens in, what was put there."""


class Candidate(Shown):
    """One registered model, and why it was taken or left out."""

    model: str
    taken: bool
    why: str


class Finding(Shown):
    """What a guardrail's check found, never the text itself."""

    stage: Literal["input", "output"]
    rule: str
    """The check: `secrets`, `card_numbers`, `personal_data`, …"""
    kind: str
    """Of what it found: `github_token`, `visa`, `email`, …; `check_failed` where the check itself failed."""
    action: Literal["flag", "mask", "hash", "redact", "remove", "review", "block", "error"]
    """What followed: `flag` is a note and no more; `error` is a check that failed."""
    count: Annotated[int, Field(ge=1)]
    place: str
    """The first text that it was found in."""
    score: Annotated[float, Field(ge=0, le=1)]
    """How sure the check is, at its surest."""
    policy: str
    """Whose rule it is, with its version: `strict@3`."""
    version: str
    """The check's own."""
    hidden: str
    """The encoding that hid it (`base64`, `rot13`, …); empty for none."""
    reasons: list[str]
    """What made the score, where it is made of several things (features of the injection detector)."""
    shadow: bool
    """True where the policy is only tried out: nothing followed."""


class JobReview(Shown):
    """That guardrails held the job until somebody looks at it, and what became of that."""

    state: Annotated[str, OneOf(STATES)]
    stage: Stage
    """The request was held, or the answer."""
    rules: list[str]
    """The checks that held it."""
    since: Time
    until: Time | None
    """While it is held: its deadline, when it expires."""


class DeliveryAttempt(Shown):
    """One POST of a webhook."""

    at: Time
    status: int | None
    """The receiver's HTTP status; null where there was no reply."""
    error: str | None
    """The code of the error that kept it from a reply."""
    latency_ms: Count


class PromptUsed(Shown):
    """The version of a stored prompt that the job was filled from."""

    id: str
    version: Count
    label: str | None
    """Where a label chose it."""


class ContextFitted(Shown):
    """What was done to keep within the model's window."""

    strategy: Literal["truncate_oldest", "truncate_middle", "summarize"]
    dropped_turns: Count
    """Messages that were left out, or that the summary stands for."""
    tokens_before: Count
    """With all of these messages."""
    tokens_after: Count
    model: str
    summary: Literal["made", "kept"] | None
    """`made` is an attempt of this job; `kept` was paid for by an earlier job of the conversation."""


class CacheUsed(Shown):
    """What the cache, or a shared call, did for the job."""

    hit: bool
    """True where the answer was not asked of a model for this job: it cost nothing."""
    kind: Literal["exact", "semantic", "coalesced"] | None
    age_seconds: Count | None
    similarity: float | None
    """Of the question whose answer it is; only where the kind is `semantic`."""
    saved_usd: Usd | None
    """What the call cost that the answer came from."""


class Delivery(Shown):
    """One webhook of the job."""

    id: EventId
    """The same in every attempt (`webhook-id`)."""
    event: Annotated[str, OneOf((*WEBHOOK_EVENTS, *RESPONSE_EVENTS))]
    endpoint_id: str | None
    """The registered endpoint that it goes to; null where the request gave the address."""
    state: Literal["pending", "delivered", "failed", "disabled"]
    """`failed` when the schedule is over or the receiver stopped it, `disabled` when the receiver answered 410 or its
    endpoint is disabled."""
    next_at: Time | None
    attempts: list[DeliveryAttempt]


class Urls(Shown):
    """The job's own routes, as whoever reads this reaches the API."""

    get: Url
    cancel: Url
    events: Url


class JobFacts(Shown):
    """What every list says of a job."""

    id: JobId
    object: Literal["job"]
    status: Status
    task: Task
    model: str
    """The model that answered; before that, what the request named."""
    application: str | None
    """The tenant's application that asked for it; null where its credential belongs to none."""
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    error: JobError | None
    usage: JobUsage


class JobSummary(JobFacts):
    """A job as it stands in a list."""

    urls: Urls


class Job(JobSummary):
    """A job with all that is known of it."""

    output: dict[str, Any] | None
    """The answer; null before there is one, when it is not kept any more, and where it is too large (`output_url`). It
    has placeholders where guardrails took something out; callers with the scope `pii:read` get the values in their
    place."""
    output_url: str | None
    """Where an answer of more than about 4 MB is, for a quarter of an hour: a `GET` without any credential gives it as
    `output` would have it. Null for all others."""
    output_bytes: Count | None
    """How large it is."""
    output_media_type: str | None
    """What it is: `application/json`."""
    attempts: list[Attempt]
    route: list[Candidate]
    """The models that the last run took, and why; where it took none, every registered model and why not.
    `?include=route` always tells of every one."""
    guardrails: list[Finding]
    review: JobReview | None
    """Null where nobody has or had to look at it."""
    cache: CacheUsed | None
    """Null for a job that asked for no cache and shared no call, and when the answer is not kept any more."""
    delivery: list[Delivery]
    prompt: PromptUsed | None
    context: ContextFitted | None
    """Null where nothing had to be done."""
    conversation_id: str | None
    retry_of: JobId | None
    """The job whose request this one is once more (`POST /v1/jobs/bulk`)."""
    batch_id: str | None
    """The batch that it is a row of."""
    metadata: dict[str, str]
    queue: Queued | None = None
    """With `?include=queue`: where it stands. Null where it is not queued, or somebody has to look at it."""
    erased: bool
    """True after `DELETE`: prompt, answer and metadata are gone; and where the answer is, by its `ttl_seconds`."""


class JobList(Shown):
    """A page of jobs, newest first."""

    object: Literal["list"]
    data: list[JobSummary]
    next_cursor: str | None
    """For the next page; null on the last."""


class Redelivery(Shown):
    """The webhooks that are sent once more."""

    object: Literal["redelivery"]
    ids: list[EventId]


class GoneJob(Job):
    """A job that succeeded and whose answer is not kept any more: what is known of it, and why there is no answer."""

    error: ErrorFacts  # type: ignore[assignment]  # in place of the job's own, which it has none of
    """`erased` after `DELETE`, `payload_expired` after its `ttl_seconds`."""
