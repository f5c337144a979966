"""What a client may ask for: the body of `POST /v1/jobs`, the detail of `InferenceRequested`, a line of a batch."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from broker.errors import InvalidRequest

MAX_BODY_BYTES = 5_000_000
"""Of a request with everything in it; larger documents come through the inbox bucket."""

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


class Input(Strict):
    """The material. A chat takes `messages`, or `text` as a single user turn; embeddings take one or more `text`s."""

    messages: list[Message] | None = Field(default=None, min_length=1, max_length=2000)
    text: str | list[str] | None = None
    tools: list[dict[str, Any]] | None = Field(default=None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None


class Prompt(Strict):
    """A stored template and the values for its variables."""

    id: Annotated[str, Field(min_length=1, max_length=128)]
    version: int | None = Field(default=None, ge=1)
    variables: dict[str, str] = Field(default_factory=dict)


class Objective(StrEnum):
    """What to prefer where the request leaves the choice of models open."""

    COST = "cost"
    QUALITY = "quality"


class Routing(Strict):
    """How to choose among models."""

    objective: Objective = Objective.QUALITY
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


class Webhook(Strict):
    """Where to send what happened, and which of it."""

    url: Annotated[str, Field(min_length=8, max_length=2048)]
    events: list[Annotated[str, Field(pattern=f"^({'|'.join(TERMINAL_EVENTS)})$".replace(".", r"\."))]] = Field(
        default_factory=lambda: list(TERMINAL_EVENTS), min_length=1
    )


class JobRequest(Strict):
    """One piece of work."""

    task: Task = Task.CHAT
    input: Input = Field(default_factory=Input)
    prompt: Prompt | None = None
    model: Annotated[str, Field(min_length=1, max_length=128)] = "auto"
    routing: Routing = Field(default_factory=Routing)
    parameters: Parameters = Field(default_factory=Parameters)
    output_schema: dict[str, Any] | None = None
    webhook: Webhook | None = None
    priority: Priority = Priority.INTERACTIVE
    deadline_seconds: int = Field(default=3600, ge=1, le=604_800)
    """The job expires when it has not ended so many seconds after it was accepted."""
    timeout_seconds: int = Field(default=120, ge=1, le=3600)
    """The time budget of the work itself, once it runs; it decides the size of the workflow."""
    ttl_seconds: int = Field(default=604_800, ge=60, le=31_536_000)
    """How long request and result are kept after acceptance."""
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] = Field(
        default_factory=dict, max_length=16
    )

    @model_validator(mode="after")
    def _has_material(self) -> Self:
        given = self.input.messages is not None or bool(self.input.text)
        if not given and self.prompt is None:
            raise ValueError("input.messages, input.text or prompt is needed")
        if self.task is Task.EMBED and not self.input.text:
            raise ValueError("input.text is needed for embeddings")
        return self

    @model_validator(mode="after")
    def _is_kept_while_it_lives(self) -> Self:
        if self.ttl_seconds < self.deadline_seconds:
            raise ValueError(
                "ttl_seconds must not be less than deadline_seconds: the job would be deleted while it lives"
            )
        return self


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
        found = error.errors(include_url=False, include_input=False, include_context=False)
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
