"""What the models of the contract share: strictness, times, ids, and texts taken from the code's own tables."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema, core_schema

from broker import errors
from broker.clock import iso
from broker.errors import BrokerError
from broker.jobs.fields import TERMINAL_EVENTS, WEBHOOK_EVENTS
from broker.jobs.head import BLOCKERS

TREE = tuple(kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BrokerError))
"""The classes of the error tree."""

TYPES = tuple(sorted({kind.type for kind in TREE}))

EXAMPLE_JOB = "job_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few texts, taken from the code's own tables."""

    texts: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A `Literal` whose values are known only when the module is loaded."""
        return core_schema.literal_schema(list(self.texts))


class Plain(GenerateJsonSchema):
    """Without a title for each field, which would only say its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


class Shown(BaseModel):
    """What is shown has these fields and no others; always all of them, but for those that have a default here."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


Time = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        json_schema_extra={"format": "date-time", "examples": [iso(1_762_000_000_000)]},
    ),
]
JobId = Annotated[str, Field(pattern="^job_[0-9a-f]{32}$", json_schema_extra={"examples": [EXAMPLE_JOB]})]
EventId = Annotated[str, Field(pattern="^evt_")]
Url = Annotated[
    str,
    Field(
        pattern="^https?://",
        json_schema_extra={"format": "uri", "examples": [f"https://api.example.com/v1/jobs/{EXAMPLE_JOB}"]},
    ),
]
Count = Annotated[int, Field(ge=0)]
Usd = Annotated[float, Field(ge=0)]
TerminalEvent = Annotated[str, OneOf(TERMINAL_EVENTS)]
WebhookEvent = Annotated[str, OneOf(WEBHOOK_EVENTS)]


class JobError(Shown):
    """Why a job did not succeed; the message is the broker's own and holds nothing of prompt or answer."""

    type: Annotated[str, OneOf(tuple(sorted({*TYPES, "blocked", "canceled", "expired"})))]
    code: str
    message: str
    param: str | None = None
    """The request's field at fault, where there is one."""
    source: Annotated[str, OneOf(BLOCKERS)] | None = None
    """Of a blocked job, who blocked it: `policy` for a guardrail's rule, `provider` for a provider's safety stop, and
    `review` for a person who rejected what guardrails had held."""


class Usage(Shown):
    """Tokens of the answer that was taken, and what all calls of the job cost."""

    input_tokens: Count
    output_tokens: Count
    cost_usd: Usd
