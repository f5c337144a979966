"""The replies of the routes of Anthropic's clients, and their bodies as far as a schema says them.

What each field means, Anthropic's own reference says. A body's field that is not named here is refused by its name.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from broker.batches.asking.request import MOST_INLINE
from broker.contract.common import Count, OneOf, Shown, Time, Url
from broker.contract.errors import Budget, ReachedLimit
from broker.doors.anthropic import KINDS
from broker.jobs.fields import Strict

Object = dict[str, Any]


class AnthropicErrorDetails(Shown):
    """What programs go by."""

    error_code: str
    """The broker's own `code`, which is finer than the type."""
    param: str | None
    """The field, header or parameter at fault, dotted (`messages.0.role`)."""
    budget: Budget | None = None
    """Only of a `billing_error`, where it is the tenant's own budget that does not cover the job."""
    limit: ReachedLimit | None = None
    """Only of a `rate_limit_error`, where a limit of the tenant's, or of its key, is reached."""


class AnthropicErrorFacts(Shown):
    """What went wrong."""

    type: Annotated[str, OneOf(tuple(sorted({*KINDS.values(), "api_error"})))]
    message: str
    details: AnthropicErrorDetails


class AnthropicError(Shown):
    """The body of an error, as Anthropic's clients read it; of what API Gateway answers itself it is `Error`."""

    type: Literal["error"]
    error: AnthropicErrorFacts
    request_id: str


class MessageUsage(Shown):
    """Tokens of the answer."""

    input_tokens: Count
    """What was read anew."""
    output_tokens: Count
    output_tokens_details: dict[str, Count]
    cache_creation_input_tokens: Count
    """What was read anew and put into the provider's prompt cache."""
    cache_read_input_tokens: Count
    """What was there."""
    service_tier: Literal["standard"]


class AnthropicMessage(Shown):
    """The answer of a job of the task `chat`."""

    id: Annotated[str, Field(pattern="^msg_")]
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[Object]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use", "refusal"]
    stop_sequence: None
    usage: MessageUsage


class MessageTokens(Shown):
    """An estimate of the tokens that a model reads."""

    input_tokens: Count


class CountedMessage(Strict):
    """The body of `POST /v1/messages/count_tokens`."""

    model: str
    messages: list[Object]
    max_tokens: int | None = None
    system: str | list[Object] | None = None
    tools: list[Object] | None = None
    tool_choice: Object | None = None
    """With `disable_parallel_tool_use`, one call of a tool at most is given."""
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None
    metadata: Object | None = None
    """Its `user_id` is kept with the job, as `anthropic.user_id`."""
    output_config: Object | None = None
    """Its `format`."""
    inference_geo: str | None = None
    """The data region that the model has to keep to; `global` for any."""
    cache_control: Object | None = None
    """The prompt is to be kept in the provider's cache, up to what has it; here, up to the end."""
    thinking: Object | None = None
    """`{"type": "disabled"}` alone."""
    service_tier: Literal["auto", "standard_only"] | None = None
    speed: Literal["standard"] | None = None
    stream: bool | None = None


class MessageRequest(CountedMessage):
    """The body of `POST /v1/messages`."""

    max_tokens: int


class AnthropicModel(Shown):
    """A model that the tenant may use, as Anthropic's clients know it."""

    id: str
    type: Literal["model"]
    display_name: str
    """The id once more."""
    created_at: str
    """When it was registered as it is; 1970 where that is not known."""
    lifecycle: Literal["active", "deprecated", "retired"]
    deprecated_at: None
    retires_at: str | None
    """From when it is used no more."""
    line: None
    max_input_tokens: Annotated[int, Field(ge=1)]
    """Its context window."""
    max_tokens: Annotated[int, Field(ge=1)]
    """Of an answer."""
    capabilities: None


class AnthropicFile(Shown):
    """A stored file."""

    id: Annotated[str, Field(pattern="^file-")]
    type: Literal["file"]
    filename: str
    mime_type: str
    """By the ending of its name."""
    size_bytes: Count
    created_at: Time
    expires_at: Time
    downloadable: bool
    """False while its bytes are awaited."""


class AnthropicFileList(Shown):
    """A page of files, the newest first."""

    data: list[AnthropicFile]
    has_more: bool
    """In the direction that was asked for."""
    first_id: str | None
    """For `before_id`."""
    last_id: str | None
    """For `after_id`."""
    next_page: str | None
    """For `page`."""


class AnthropicFileDeleted(Shown):
    """A file that was deleted."""

    id: Annotated[str, Field(pattern="^file-")]
    type: Literal["file_deleted"]


class AnthropicModelList(Shown):
    """A page of models."""

    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


class MessageBatchRow(Strict):
    """One request of a batch."""

    custom_id: Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")]
    """Of its own in the batch."""
    params: Object
    """A body of `POST /v1/messages`; what it asks is looked at when it is run."""


class MessageBatchRequest(Strict):
    """The body of `POST /v1/messages/batches`."""

    requests: Annotated[list[MessageBatchRow], Field(min_length=1, max_length=MOST_INLINE)]


class MessageBatchCounts(Shown):
    """Requests by how they ended; all are `processing` until the last has."""

    processing: Count
    succeeded: Count
    errored: Count
    canceled: Count
    expired: Count


class MessageBatch(Shown):
    """A batch of messages."""

    id: Annotated[str, Field(pattern="^msgbatch_")]
    type: Literal["message_batch"]
    processing_status: Literal["in_progress", "canceling", "ended"]
    request_counts: MessageBatchCounts
    created_at: Time
    expires_at: Time
    cancel_initiated_at: Time | None
    ended_at: Time | None
    archived_at: None
    results_url: Url | None
    """Where its results are: a line of `{"custom_id", "result"}` for each request, in their order."""


class MessageBatchList(Shown):
    """A page of batches of messages."""

    data: list[MessageBatch]
    has_more: bool
    first_id: str | None
    last_id: str | None


class DeletedMessageBatch(Shown):
    """That a batch is erased."""

    id: str
    type: Literal["message_batch_deleted"]
