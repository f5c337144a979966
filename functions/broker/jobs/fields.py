"""The parts of a request: what each field takes, before they are seen together (`jobs.request`)."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, Tag, model_validator

from broker.jobs.exact import Exact
from broker.jobs.field_errors import Spelled, at, few, here, one_of
from broker.jobs.head import HELD_EVENT
from broker.jobs.messages import MOST_MESSAGES, MOST_TOOLS, Message, Tool, ToolChoice, check_tools
from broker.jobs.prompt_caching import check_marks
from broker.json_text import MAX_BODY_BYTES

MOST_FIELDS = 100
"""Of an object: far more than any has, for each unknown one is an error of its own."""

MOST_DOCUMENTS = 100
"""That come with a text to judge."""

TERMINAL_EVENTS = ("job.succeeded", "job.failed", "job.blocked", "job.canceled", "job.expired")

WEBHOOK_EVENTS = (*TERMINAL_EVENTS, HELD_EVENT)
"""What a webhook may be told of. Who names no events is told of ends alone."""


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


class Strict(Exact):
    """Unknown fields are errors: a misspelt option must not be ignored in silence."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # parts are built with what they are parts of

    @model_validator(mode="before")
    @classmethod
    def _is_looked_at_quickly(cls, given: Any) -> Any:
        return few(given, MOST_FIELDS)


def own_name(least: int, most: int) -> Spelled:
    """A client's own name for something."""
    words = f"it has to be a text of {least} to {most} characters: letters, digits, '.', '_', ':' and '-'"
    return Spelled(f"^[A-Za-z0-9._:-]{{{least},{most}}}$", words)


ObjectAddress = Annotated[
    str,
    Field(max_length=1200),
    Spelled("^s3://[^/]+/.+", "it has to be s3://, a bucket, '/' and a key, in 1200 characters at most"),
]
Base64 = Annotated[
    str,
    Field(min_length=4, max_length=MAX_BODY_BYTES),
    Spelled("^[A-Za-z0-9+/]+={0,2}$", f"it has to be base64, in 4 to {MAX_BODY_BYTES} characters"),
]
MediaType = Annotated[
    str,
    Field(max_length=64),
    Spelled("^[a-z]+/[a-z0-9.+-]+$", "it has to be a media type such as image/png, in 64 characters at most"),
]
Size = Annotated[str, Spelled("^[0-9]{2,5}x[0-9]{2,5}$", "it has to be width and height in pixels, such as 1024x1024")]


class Media(Strict):
    """A picture, a document or a sound: an object of the inbox bucket, or the bytes themselves."""

    s3: ObjectAddress | None = None
    """`s3://{inbox}/{tenant}/…`; a tenant may only name what is its own."""
    data: Base64 | None = None
    media_type: MediaType | None = None
    """Needed with `data`; for an object, its own type is taken unless this says otherwise."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.s3 is None) == (self.data is None):
            raise here("either s3 or data is needed")
        if self.data is not None and self.media_type is None:
            raise here("media_type is needed with data")
        return self


Word = Annotated[str, Field(min_length=1, max_length=64)]


def _one_or_several(value: Any) -> str | None:
    return "<text>" if isinstance(value, str) else "<texts>" if isinstance(value, list) else None


def _says_something(text: str) -> str:
    if not text.strip():
        raise here("it has to say something")
    return text


def _nothing_is_none(text: str) -> str | None:
    return _says_something(text) if text else None


Texts = Annotated[
    Annotated[str, AfterValidator(_nothing_is_none), Tag("<text>")]
    | Annotated[list[Annotated[str, AfterValidator(_says_something)]], Field(fail_fast=True), Tag("<texts>")],
    one_of(_one_or_several, "it has to be a text or a list of texts"),
]
Language = Annotated[
    str, Spelled("^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "it has to be the code of a language, such as en or pt-BR")
]


class Input(Strict):
    """The material; which of it a task takes is in `docs/contract.md`.

    A chat takes `messages`, or `text` as a single user turn; embeddings take one or more `text`s.
    """

    messages: Annotated[list[Message], Field(fail_fast=True)] | None = Field(
        default=None, min_length=1, max_length=MOST_MESSAGES
    )
    text: Texts | None = None
    tools: Annotated[list[Tool], Field(fail_fast=True)] | None = Field(default=None, max_length=MOST_TOOLS)
    tool_choice: ToolChoice | None = None
    file: Media | None = None
    """The picture, document or sound of `extract_text`, `analyze_image`, `moderate` and `transcribe`."""
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
    size: Size | None = None
    """Of a picture, in pixels: `1024x1024`."""
    count: int | None = Field(default=None, ge=1, le=10)
    """Of pictures."""
    stage: Literal["input", "output"] | None = None
    """Whether what `moderate` judges goes to a model (unless it is said), or came from one."""
    documents: list[Annotated[str, AfterValidator(_says_something)]] | None = Field(
        default=None, min_length=1, max_length=MOST_DOCUMENTS
    )
    """What comes with the text of `moderate`: going in, material that is judged too; coming out, what an answer should
    be grounded in."""
    query: Annotated[str, AfterValidator(_says_something)] | None = None
    """What the text of `moderate` that came from a model should answer."""
    session: Annotated[str, own_name(2, 100)] | None = None
    """The conversation that a turn of a bot belongs to."""
    body: Any = None
    """What a custom endpoint takes, as it stands."""

    @model_validator(mode="after")
    def _has_the_tools_that_it_speaks_of(self) -> Self:
        check_tools(self.tools or (), self.tool_choice)
        if not self.tools:
            self.tool_choice = None  # to choose freely, or none, of no tools at all
        check_marks(self)
        return self


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


class Reasoning(Strict):
    """How much a model thinks before it answers; the model has to have the capability `reasoning`, unless it is off."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    """The nearest that the model knows; `none` is off."""
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    """Of the answer's, those that are for thinking; beside an effort, what it is measured by where that can be."""
    summary: Literal["auto", "concise", "detailed"] | None = None
    """That what was thought is told, as far as the model's provider tells it."""


class Parameters(Strict):
    """What models commonly take; a provider passes on what its model knows."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_output_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    stop: list[str] | None = Field(default=None, max_length=4)
    seed: int | None = None
    reasoning: Reasoning | None = None

    @model_validator(mode="after")
    def _leaves_room_for_an_answer(self) -> Self:
        thinks, whole = self.reasoning and self.reasoning.max_tokens, self.max_output_tokens
        if thinks and whole and thinks >= whole:
            raise at("parameters.reasoning.max_tokens", "it has to be less than max_output_tokens")
        return self


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
    """How to keep within the context window, and what other jobs may have of this one's."""

    strategy: Strategy = Strategy.ERROR
    instructions: int | None = Field(default=None, ge=0, le=MOST_MESSAGES)
    """How many of the first messages are instructions for this job alone, of those with the role `system` or
    `developer`: all of them, unless it is said. A job that goes on from this one has the others before its own."""
    continuable: bool = True
    """Whether a job may go on from this one."""


WebhookEvent = Annotated[
    str,
    Spelled(f"^({'|'.join(WEBHOOK_EVENTS)})$".replace(".", r"\."), f"it has to be one of {', '.join(WEBHOOK_EVENTS)}"),
]


class Webhook(Strict):
    """Where to send what happened, and which of it."""

    url: Annotated[str, Field(min_length=8, max_length=2048)]
    events: list[WebhookEvent] = Field(
        default_factory=lambda: list(TERMINAL_EVENTS), min_length=1, max_length=2 * len(WEBHOOK_EVENTS)
    )
