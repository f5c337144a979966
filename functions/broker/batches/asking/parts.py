"""Parts of what a client may ask of a batch: the form of its rows, when they may begin, and who is told of its end."""

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from broker.batches.asking.hours import Day, is_zone
from broker.doors.rows import ENDPOINTS
from broker.encodings import known
from broker.jobs.field_errors import Spelled, at, here
from broker.jobs.fields import Strict, Word

BATCH_EVENTS = ("batch.completed", "batch.failed", "batch.expired", "batch.cancelled")
"""What a batch's webhook may be told of: how it ended, in OpenAI's words."""

LEAST_KEPT_S, MOST_KEPT_S = 3_600, 30 * 86_400
"""Of files of results: an hour, and thirty days, which is usual."""


def _known_encoding(name: str) -> str:
    if (found := known(name)) is None:
        raise here("there is no such encoding of texts")
    return found


def _one_character(text: str) -> str:
    if len(text) != 1 or text in '"\r\n\0':
        raise here("it has to be one character, and neither a quotation mark nor a line break")
    return text


class Format(Strict):
    """How a file of rows is written."""

    type: Literal["jsonl", "csv"] = "jsonl"
    """`jsonl`: a JSON object on each line. `csv`: values (RFC 4180), whose names the header has."""
    separator: Annotated[str, AfterValidator(_one_character)] | None = None
    """Between the values of a `csv`; a comma unless it is said."""
    encoding: Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_known_encoding)] | None = None
    """Unless it is said: by the byte order mark, where there is one (UTF-8, UTF-16, UTF-32), else UTF-8."""
    header: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(
        default=None, min_length=1, max_length=100
    )
    """The names of the variables, for a `csv` whose first line has values already."""

    @model_validator(mode="after")
    def _is_of_its_type(self) -> Self:
        if self.type != "csv":
            for name in ("separator", "header"):
                if getattr(self, name) is not None:
                    raise at(f"format.{name}", "it is for csv alone")
        if self.header and len(set(self.header)) < len(self.header):
            raise at("format.header", "a name stands there twice")
        return self


class BatchPrompt(Strict):
    """A stored prompt that every row fills with its own variables."""

    id: Annotated[str, Field(min_length=1, max_length=128)]
    version: int | None = Field(default=None, ge=1)
    label: Word | None = None


TimeOfDay = Annotated[str, Spelled("^([01][0-9]|2[0-3]):[0-5][0-9]$", "it has to be a time of day such as 22:00")]


def _known_zone(name: str) -> str:
    if not is_zone(name):
        raise here("there is no such time zone; it has to be a name such as Europe/Berlin or UTC")
    return name


TimeZone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_known_zone)]
"""Of the IANA database."""


class Hours(Strict):
    """When rows may begin, by the clock of a place. What has begun goes on."""

    start: TimeOfDay
    end: TimeOfDay
    """On the next day where it is not after `start`."""
    time_zone: TimeZone
    """Of the IANA database, such as `Europe/Berlin`."""
    days: list[Day] = Field(default_factory=lambda: list(get_args(Day)), min_length=1, max_length=7)
    """On which it starts."""

    @model_validator(mode="after")
    def _is_some_time(self) -> Self:
        if self.start == self.end:
            raise at("off_peak.end", "it is the same as start")
        return self


BatchEvent = Annotated[
    str, Spelled(f"^({'|'.join(BATCH_EVENTS)})$".replace(".", r"\."), f"it has to be one of {', '.join(BATCH_EVENTS)}")
]


class BatchWebhook(Strict):
    """Where to send how the batch ended."""

    url: Annotated[str, Field(min_length=8, max_length=2048)]
    events: list[BatchEvent] = Field(default_factory=lambda: list(BATCH_EVENTS), min_length=1, max_length=8)


class Output(Strict):
    """Where results go: to files, or to one object of the outbox bucket."""

    kind: Literal["files", "outbox"] = "files"
    key: Annotated[str, Field(min_length=1, max_length=960)] | None = None
    """Of the outbox, below the tenant's own prefix, in 960 bytes at most; results are at `{key}.results.jsonl`."""

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        if (self.kind == "outbox") != (self.key is not None):
            raise at("output.key", "it is needed for the outbox, and for nothing else")
        return self


class OutputExpiry(Strict):
    """When files of results are over."""

    anchor: Literal["created_at"] = "created_at"
    """Of the file."""
    seconds: int = Field(ge=LEAST_KEPT_S, le=MOST_KEPT_S)


Endpoint = Annotated[
    str, Spelled(f"^({'|'.join(ENDPOINTS)})$".replace(".", r"\."), f"it has to be one of {', '.join(ENDPOINTS)}")
]
