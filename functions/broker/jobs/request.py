"""What a client may ask for: the body of `POST /v1/jobs`, the detail of `InferenceRequested`, a line of a batch."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from broker.errors import InvalidRequest

MAX_BODY_BYTES = 5_000_000
"""Of a request with everything in it; larger documents come through the inbox bucket."""

MOST_WAIT_S = 604_800
"""A week: the longest deadline and time budget."""

TERMINAL_EVENTS = ("job.succeeded", "job.failed", "job.blocked", "job.canceled", "job.expired")


class Task(StrEnum):
    """What is asked of a model."""

    CHAT = "chat"
    EMBED = "embed"
    MODERATE = "moderate"
    SENTIMENT = "sentiment"
    ENTITIES = "entities"
    CLASSIFY = "classify"
    TRANSLATE = "translate"
    EXTRACT_TEXT = "extract_text"
    ANALYZE_IMAGE = "analyze_image"
    GENERATE_IMAGE = "generate_image"
    SPEAK = "speak"
    TRANSCRIBE = "transcribe"
    CONVERSE = "converse"
    CUSTOM = "custom"


class Priority(StrEnum):
    """Which lane: `interactive` is served first, `bulk` with what capacity is left."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Strict(BaseModel):
    """Unknown fields are errors: a misspelt option must not be ignored in silence."""

    model_config = ConfigDict(extra="forbid")


class Message(BaseModel):
    """One turn, in the form that OpenAI's clients send."""

    model_config = ConfigDict(extra="allow")

    role: Annotated[str, Field(pattern="^(system|developer|user|assistant|tool)$")]
    content: str | list[dict[str, Any]] | None = None


class Media(Strict):
    """A picture, a document or a sound: an object of the inbox bucket, or the bytes themselves."""

    s3: Annotated[str, Field(pattern="^s3://[^/]+/.+", max_length=1200)] | None = None
    """`s3://{inbox}/{tenant}/…`; a tenant may only name what is its own."""
    data: Annotated[str, Field(min_length=4, max_length=MAX_BODY_BYTES, pattern="^[A-Za-z0-9+/]+={0,2}$")] | None = None
    """Base64."""
    media_type: Annotated[str, Field(pattern="^[a-z]+/[a-z0-9.+-]+$", max_length=64)] | None = None
    """Needed with `data`; for an object, its own type is taken unless this says otherwise."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.s3 is None) == (self.data is None):
            raise ValueError("either s3 or data is needed")
        if self.data is not None and self.media_type is None:
            raise ValueError("media_type is needed with data")
        return self


Word = Annotated[str, Field(min_length=1, max_length=64)]
Language = Annotated[str, Field(pattern="^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class Input(Strict):
    """The material; which of it a task takes is in `docs/contract.md`.

    A chat takes `messages`, or `text` as a single user turn; embeddings take one or more `text`s.
    """

    messages: list[Message] | None = Field(default=None, min_length=1, max_length=2000)
    text: str | list[str] | None = None
    tools: list[dict[str, Any]] | None = Field(default=None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    file: Media | None = None
    """The picture, document or sound of `extract_text`, `analyze_image` and `transcribe`."""
    labels: list[Annotated[str, Field(min_length=1, max_length=128)]] | None = Field(
        default=None, min_length=2, max_length=100
    )
    """The classes of `classify`."""
    features: list[Word] | None = Field(default=None, min_length=1, max_length=8)
    """What a service looks for beside the ordinary: `forms`, `tables`; `key_phrases`, `pii`; `moderation`, `text`."""
    source_language: Language | None = None
    target_language: Language | None = None
    voice: Word | None = None
    format: Word | None = None
    """Of the sound or picture that is made: `mp3`, `png`, …"""
    size: Annotated[str, Field(pattern="^[0-9]{2,5}x[0-9]{2,5}$")] | None = None
    """Of a picture, in pixels: `1024x1024`."""
    count: int | None = Field(default=None, ge=1, le=10)
    """Of pictures."""
    session: Annotated[str, Field(pattern="^[A-Za-z0-9._:-]{2,100}$")] | None = None
    """The conversation that a turn of a bot belongs to."""
    body: Any = None
    """What a custom endpoint takes, as it stands."""


class Prompt(Strict):
    """A stored template and the values for its variables."""

    id: Annotated[str, Field(min_length=1, max_length=128)]
    version: int | None = Field(default=None, ge=1)
    label: Word | None = None
    """`production`, `staging` or the operators' own. Without it and a version: `production`, else the newest."""
    variables: dict[str, Any] = Field(default_factory=dict)


class Objective(StrEnum):
    """What to prefer where the request leaves the choice of models open."""

    COST = "cost"
    LATENCY = "latency"
    QUALITY = "quality"
    BALANCED = "balanced"


class Routing(Strict):
    """How to choose among models."""

    objective: Objective = Objective.QUALITY
    query_type: Word | None = None
    """The kind of work (`summarize`, `creative`, …): a row of the routes that the operators keep."""
    regions: list[Word] = Field(default_factory=list, max_length=16)
    """Data regions; the model must keep to one of them. Empty for any."""
    require: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(default_factory=list, max_length=16)
    """Capabilities that the model must have, as registered: `json`, `tools`, `vision` or the operators' own."""
    fallbacks: list[Annotated[str, Field(min_length=1, max_length=128)]] = Field(default_factory=list, max_length=3)
    max_cost_usd: float | None = Field(default=None, gt=0, le=1000)


class Parameters(Strict):
    """What models commonly take; a provider passes on what its model knows."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_output_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    stop: list[str] | None = Field(default=None, max_length=4)
    seed: int | None = None


class CacheMode(StrEnum):
    """`use` takes an answer that is kept; `refresh` asks anew and keeps it; `bypass` does neither."""

    USE = "use"
    REFRESH = "refresh"
    BYPASS = "bypass"


class Cache(Strict):
    """Whether an answer that was given before will do. Without this, none is kept and none is taken."""

    mode: CacheMode = CacheMode.USE
    ttl_seconds: int = Field(default=3600, ge=60, le=2_592_000)
    similarity: float | None = Field(default=None, ge=0.5, le=1)
    """Take the answer to a question that is at least so similar (cosine of embeddings), not only to the same one."""


class Strategy(StrEnum):
    """What to do with a conversation that is longer than the model's window."""

    ERROR = "error"
    TRUNCATE_OLDEST = "truncate_oldest"
    TRUNCATE_MIDDLE = "truncate_middle"
    SUMMARIZE = "summarize"


class Context(Strict):
    """How to keep within the context window."""

    strategy: Strategy = Strategy.ERROR


class Webhook(Strict):
    """Where to send what happened, and which of it."""

    url: Annotated[str, Field(min_length=8, max_length=2048)]
    events: list[Annotated[str, Field(pattern=f"^({'|'.join(TERMINAL_EVENTS)})$".replace(".", r"\."))]] = Field(
        default_factory=lambda: list(TERMINAL_EVENTS), min_length=1
    )


NEEDS: dict[Task, tuple[str, ...]] = {
    **dict.fromkeys(
        (Task.EMBED, Task.MODERATE, Task.SENTIMENT, Task.ENTITIES, Task.GENERATE_IMAGE, Task.SPEAK, Task.CONVERSE),
        ("text",),
    ),
    Task.CLASSIFY: ("text", "labels"),
    Task.TRANSLATE: ("text", "target_language"),
    **dict.fromkeys((Task.EXTRACT_TEXT, Task.ANALYZE_IMAGE, Task.TRANSCRIBE), ("file",)),
    Task.CUSTOM: ("body",),
}
"""The fields of `input` that each task but chat cannot do without."""

MANY_TEXTS = frozenset({Task.EMBED, Task.MODERATE})


class JobRequest(Strict):
    """One piece of work."""

    task: Task = Task.CHAT
    input: Input = Field(default_factory=Input)
    prompt: Prompt | None = None
    model: Annotated[str, Field(min_length=1, max_length=128)] = "auto"
    routing: Routing = Field(default_factory=Routing)
    parameters: Parameters = Field(default_factory=Parameters)
    output_schema: dict[str, Any] | None = None
    cache: Cache | None = None
    coalesce: bool = False
    """Share one provider call with identical jobs that are under way."""
    context: Context = Field(default_factory=Context)
    conversation_id: Annotated[str, Field(pattern="^[A-Za-z0-9._:-]{1,128}$")] | None = None
    """The turns of this conversation that are kept come before the request's own, and its turns are kept."""
    webhook: Webhook | None = None
    priority: Priority = Priority.INTERACTIVE
    deadline_seconds: int = Field(default=3600, ge=1, le=MOST_WAIT_S)
    """The job expires when it has not ended so many seconds after it was accepted."""
    timeout_seconds: int = Field(default=120, ge=1, le=MOST_WAIT_S)
    """The time budget of the work itself, once it runs; it decides the size of the workflow."""
    ttl_seconds: int = Field(default=604_800, ge=60, le=31_536_000)
    """How long request and result are kept after acceptance."""
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] = Field(
        default_factory=dict, max_length=16
    )

    @model_validator(mode="after")
    def _has_material(self) -> Self:
        if self.task is Task.CHAT:
            if self.input.messages is None and not self.input.text and self.prompt is None:
                raise _at("input", "input.messages, input.text or prompt is needed")
            return self
        for name in NEEDS[self.task]:
            if not getattr(self.input, name):
                raise _at(f"input.{name}", f"it is needed for {self.task}")
        if self.prompt is not None:
            raise _at("prompt", f"prompts are for chats, not for {self.task}")
        if self.task not in MANY_TEXTS and isinstance(self.input.text, list):
            raise _at("input.text", f"it is one text for {self.task}")
        return self

    @model_validator(mode="after")
    def _is_kept_while_it_lives(self) -> Self:
        if self.ttl_seconds < self.deadline_seconds:
            raise _at("ttl_seconds", "it is less than deadline_seconds: the job would be deleted while it lives")
        return self


def _at(field: str, message: str) -> PydanticCustomError:
    """A fault that shows only with other fields in view, at the field that has to change."""
    return PydanticCustomError("unfit", "{message}", {"field": field, "message": message})


def parse_request(body: Any) -> JobRequest:
    """Check a body against the contract.

    Raises:
        InvalidRequest: names the first field at fault in `param` (dotted) and counts the others.
    """
    if not isinstance(body, Mapping):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_body")
    try:
        request = JobRequest.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        fields = list(dict.fromkeys(_field(each, body) for each in found))
        more = f" ({len(fields) - 1} more fields are at fault)" if len(fields) > 1 else ""
        where = f"{fields[0]}: " if fields[0] else ""
        raise InvalidRequest(f"{where}{found[0]['msg']}{more}", code="invalid_field", param=fields[0]) from None
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # half of a surrogate pair, NaN: Python's parser lets them through, and nothing after it does
        raise InvalidRequest("The body must be JSON by RFC 8259.", code="invalid_body") from None
    return request


def _field(error: ErrorDetails, body: Any) -> str | None:
    """The place at fault, dotted, as far as it lies in the body: pydantic goes on with the types that it tried."""
    if error["type"] == "unfit":
        return str(error["ctx"]["field"])
    place: list[str] = []
    for part in error["loc"]:
        try:
            body = body[part]
        except (LookupError, TypeError):
            if error["type"] == "missing":
                place.append(str(part))
            break
        place.append(str(part))
    return ".".join(place) or None


def stored_form(request: JobRequest) -> dict[str, Any]:
    """The request as it is kept: what was asked, without the defaults of what was not."""
    return request.model_dump(mode="json", exclude_none=True, exclude_defaults=True) | {"task": request.task.value}
