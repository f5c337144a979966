"""The replies of the routes of OpenAI's clients, and their bodies as far as a schema says them.

What each field means, OpenAI's own reference says. A body's field that is not named here is refused by its name.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from broker.contract.common import Count, Shown
from broker.jobs.fields import Strict
from broker.json_text import MAX_BODY_BYTES

Object = dict[str, Any]


class ResponseTokens(Shown):
    """An estimate of the tokens that a model reads."""

    object: Literal["response.input_tokens"]
    input_tokens: Count


class ResponseError(Shown):
    """Why there is no answer."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str
    type: str
    """The type of the job's error."""
    param: str | None


class ResponseUsage(Shown):
    """Tokens of the answer."""

    input_tokens: Count
    input_tokens_details: dict[str, Count]
    output_tokens: Count
    output_tokens_details: dict[str, Count]
    total_tokens: Count


class PromptTokensDetails(Shown):
    """Of the prompt, what the provider's prompt cache had and what was put there."""

    cached_tokens: Count
    cache_write_tokens: Count


class Told(Shown):
    """What is only told back."""

    metadata: dict[str, str]
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class Response(Told):
    """A job of the task `chat`, as OpenAI's clients know it."""

    id: Annotated[str, Field(pattern="^resp_")]
    object: Literal["response"]
    created_at: Count
    completed_at: Count | None
    status: Literal["queued", "in_progress", "completed", "failed", "cancelled", "incomplete"]
    error: ResponseError | None
    incomplete_details: dict[str, str] | None
    model: str
    output: list[Object]
    usage: ResponseUsage | None
    tools: list[Object]
    tool_choice: str | Object
    parallel_tool_calls: bool
    text: Object
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    truncation: Literal["auto", "disabled"]
    conversation: dict[str, str] | None
    previous_response_id: Annotated[str, Field(pattern="^resp_")] | None
    reasoning: dict[str, str | None]
    store: bool
    """`false`: no response goes on from it, and it is kept for ten minutes."""
    service_tier: Literal["default", "flex"]
    prompt_cache_retention: Literal["in_memory", "24h"] | None


class ItemList(Shown):
    """A page of items: messages, calls of functions, and what these gave."""

    object: Literal["list"]
    data: list[Object]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedAnswer(Shown):
    """That prompt and answer are erased."""

    id: str
    object: Literal["response", "chat.completion.deleted"]
    deleted: Literal[True]


class CompletionUsage(Shown):
    """Tokens of the answer."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    completion_tokens_details: dict[str, Count]
    prompt_tokens_details: PromptTokensDetails


class ChatCompletion(Told):
    """The answer of a job of the task `chat`."""

    id: Annotated[str, Field(pattern="^chatcmpl-")]
    object: Literal["chat.completion"]
    created: Count
    model: str
    choices: list[Object]
    usage: CompletionUsage
    service_tier: Literal["default", "flex"]


class EmbeddingUsage(Shown):
    """Tokens of the texts."""

    prompt_tokens: Count
    total_tokens: Count


class Embedding(Shown):
    """The numbers of one text."""

    object: Literal["embedding"]
    index: Count
    embedding: list[float] | str
    """In base64, 32-bit floats with the lowest byte first."""


class EmbeddingList(Shown):
    """The answer of a job of the task `embed`, in the order of the texts."""

    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class ModerationResult(Shown):
    """What a service thinks of a text, or of a picture."""

    flagged: bool
    categories: dict[str, bool]
    """OpenAI's, and what else the service judges: those that made it flagged."""
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[Literal["text", "image"]]]
    """Of what each was looked for in; of a category that the service does not judge, in nothing."""


class Moderation(Shown):
    """The answer of a job of the task `moderate`, in the order of the texts."""

    id: Annotated[str, Field(pattern="^modr-")]
    model: str
    results: list[ModerationResult]


Metadata = Annotated[dict[str, str], Field(max_length=16)]
Tier = Literal["auto", "default", "flex"]


class Said(Strict):
    """What is kept with a job and told back."""

    metadata: Metadata | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None


class ResponseRequest(Said):
    """The body of `POST /v1/responses`."""

    model: str | None = None
    input: str | list[Object] | None = None
    instructions: str | None = None
    prompt: Object | None = None
    """A stored prompt: its `id`, a `version` (a number, or a label), and `variables`."""
    conversation: str | Object | None = None
    previous_response_id: str | None = None
    """What was asked and answered up to that response comes first, but for its instructions."""
    background: bool | None = None
    text: Object | None = None
    tools: list[Object] | None = None
    tool_choice: str | Object | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    truncation: Literal["auto", "disabled"] | None = None
    service_tier: Tier | None = None
    store: bool | None = None
    """`false`: kept for ten minutes, and no response goes on from it."""
    stream: bool | None = None
    """Not with `background`."""
    stream_options: Object | None = None
    parallel_tool_calls: bool | None = None
    """`false`: one call of a tool at most is given."""
    reasoning: Object | None = None
    """How much the model thinks: its `effort`, `max_tokens` for it, and whether a `summary` is wanted."""
    include: list[Literal["reasoning.encrypted_content", "message.input_image.image_url"]] | None = None
    top_logprobs: Literal[0] | None = None


class CompletionRequest(Said):
    """The body of `POST /v1/chat/completions`."""

    model: str
    messages: list[Object]
    tools: list[Object] | None = None
    tool_choice: str | Object | None = None
    response_format: Object | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    service_tier: Tier | None = None
    n: Literal[1] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: Object | None = None
    parallel_tool_calls: bool | None = None
    """`false`: one call of a tool at most is given."""
    logprobs: Literal[False] | None = None
    top_logprobs: Literal[0] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[Object, Field(max_length=0)] | None = None
    modalities: list[Literal["text"]] | None = None


class EmbeddingsRequest(Said):
    """The body of `POST /v1/embeddings`."""

    model: str
    input: Annotated[str, Field(max_length=MAX_BODY_BYTES)] | list[str]
    encoding_format: Literal["float", "base64"] | None = None


class ModerationRequest(Strict):
    """The body of `POST /v1/moderations`."""

    model: str | None = None
    """The one that routing takes, unless said."""
    input: Annotated[str, Field(max_length=MAX_BODY_BYTES)] | list[str] | Annotated[list[Object], Field(max_length=1)]
    """A text, several, or one part: a text, or a picture (`image_url`, as data or in the inbox)."""
