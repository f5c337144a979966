"""The parts of a recipe: how a document is read, split, asked about and merged, and where its result goes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from broker.documents.merging import Scalars
from broker.documents.recipe import LARGEST_SIZE, Scans, Way
from broker.documents.splitting import LEAST_SIZE, By
from broker.jobs.field_errors import Spelled, here
from broker.registry.entry import Name, StrictEntry
from broker.registry.prompts import VariableName

ERROR = ".error.json"

Feature = Literal["forms", "tables"]

GIVEN: Mapping[str, tuple[str, ...]] = {
    "map": ("document",),
    "map_reduce": ("answers",),
    "refine": ("document", "answer"),
}
"""The variables that the broker gives to the prompt for parts, and by the way of merging to the prompt for merges."""


def _is_no_error(suffix: str) -> str:
    if suffix == ERROR:
        raise here("it stands behind documents that were rejected")
    return suffix


def _of_a_name(given: Any) -> Any:
    return {"id": given} if isinstance(given, str) else given


class ExtractEntry(StrictEntry):
    """How the document's text is come by."""

    scans: Scans = "textract"
    """Who reads pages that are pictures: a model of the task `extract_text` (`textract`), a model of chats with eyes
    (`vision`), or nobody (`off`): such documents are rejected."""
    model: Name | None = None
    """Which; without it, any that can."""
    features: list[Feature] | None = Field(default=None, min_length=1, max_length=2)
    """What is looked for on these pages beside text: `forms`, `tables`; each costs more. With them, the pages of a file
    that are pictures are read together, and there may be 3,000 of them."""

    @field_validator("features")
    @classmethod
    def _are_those_of_textract(cls, features: list[Feature] | None, others: ValidationInfo) -> list[Feature] | None:
        if features and others.data.get("scans") != "textract":
            raise here("they go with scans: textract")
        return sorted(set(features)) if features else None


class SplitEntry(StrictEntry):
    """How it is cut into parts."""

    by: By = "headings"
    """Where a part ends by preference."""
    size: int | None = Field(default=None, ge=2 * LEAST_SIZE, le=LARGEST_SIZE)
    """Tokens of a part at most; without it, what the window of `model` has room for, or 6,000."""
    overlap: int = Field(default=0, ge=0, le=LARGEST_SIZE // 4)
    """Tokens of the end of a part that the next begins with, at most."""

    @field_validator("overlap")
    @classmethod
    def _leaves_room(cls, overlap: int, others: ValidationInfo) -> int:
        if overlap * 4 > (others.data.get("size") or LARGEST_SIZE):
            raise here("it has to be a quarter of size at most")
        return overlap


class MergeEntry(StrictEntry):
    """How the answers to the parts become one."""

    way: Way
    scalars: Scalars | None = None
    """For `extract`: which of several values is taken; `first` unless it is said."""
    confidence: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """For `extract`: the field by which an object says how sure it is, 0 to 1; `confidence` unless it is said."""
    keys: Annotated[dict[str, Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=50)] | None = None
    """For `extract`: by the dotted name of a list, the field by which two of its entries are the same thing."""
    depth: int | None = Field(default=None, ge=1, le=10)
    """For `map_reduce`: how often answers are merged at most; 4 unless it is said."""

    @model_validator(mode="after")
    def _goes_with_its_way(self) -> Self:
        for name, way in (
            ("scalars", "extract"),
            ("confidence", "extract"),
            ("keys", "extract"),
            ("depth", "map_reduce"),
        ):
            if getattr(self, name) is not None and self.way != way:
                raise ValueError(f"{name} goes with {way}, not with {self.way}")
        return self


class PromptUseEntry(StrictEntry):
    """A prompt, and values for variables that the broker does not give."""

    id: Name
    version: int | None = Field(default=None, ge=1)
    label: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    variables: Annotated[dict[VariableName, Any], Field(max_length=50)] = Field(default_factory=dict)

    @field_validator("variables")
    @classmethod
    def _leaves_ours_alone(cls, variables: dict[str, Any]) -> dict[str, Any]:
        ours = {"language", *(name for names in GIVEN.values() for name in names)}
        if taken := sorted(ours & variables.keys()):
            raise here(f"{taken[0]} is given by the broker")
        return variables


class PromptsEntry(StrictEntry):
    """What is asked; a name alone stands for `{"id": …}`."""

    map: Annotated[PromptUseEntry, BeforeValidator(_of_a_name, PromptUseEntry | str)]
    """Of each part. Its variable is `document`."""
    reduce: Annotated[PromptUseEntry, BeforeValidator(_of_a_name, PromptUseEntry | str)] | None = None
    """For `map_reduce`, with the variable `answers`; for `refine`, with `document` and `answer`, the one so far."""


class WebhookEntry(StrictEntry):
    """Where to send how documents ended."""

    url: Annotated[str, Field(min_length=8, max_length=2048)]
    events: list[Literal["batch.completed", "batch.failed", "batch.expired", "batch.cancelled"]] | None = Field(
        default=None, min_length=1, max_length=8
    )
    """All of them unless it is said."""


class OutputEntry(StrictEntry):
    """Where the result goes."""

    suffix: Annotated[
        str,
        Field(max_length=24),
        Spelled(
            r"^\.([a-z0-9][a-z0-9_-]*\.)?json$",
            "it has to be .json, or a word before that: '.' and small letters, digits, '_' and '-', in 24 characters",
        ),
        AfterValidator(_is_no_error),
    ] = ".result.json"
    """Behind the document's key, in the outbox."""
    webhook: WebhookEntry | None = None
