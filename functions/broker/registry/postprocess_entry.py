"""Rules for the answers to a prompt or on a route, as operators write them."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from broker.jobs.field_errors import here
from broker.postprocessing import paths
from broker.postprocessing.languages import KNOWN
from broker.registry.entry import StrictEntry

WITH_TEXT = frozenset({"chat", "converse", "extract_text", "transcribe", "translate"})
"""The tasks whose answer is a text."""

MOST_DEFAULT_CHARS = 20_000
"""Of all defaults as JSON: they go along with each job."""


def _is_a_path(text: str) -> str:
    try:
        paths.parse(text)
    except ValueError as error:
        raise here(str(error)) from None
    return text


def _is_known(language: str) -> str:
    if language not in KNOWN:
        raise here(f"it has to be one of {', '.join(KNOWN)}")
    return language


def _is_short(defaults: dict[str, Any]) -> dict[str, Any]:
    try:
        length = len(json.dumps(defaults))
    except TypeError:  # YAML has dates, bytes and sets
        raise here("they have to be values of JSON; dates are texts, in quotation marks") from None
    if length > MOST_DEFAULT_CHARS:
        raise here(f"they have to have {MOST_DEFAULT_CHARS} characters together at most")
    return defaults


Path = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_is_a_path)]
FieldName = Annotated[str, Field(min_length=1, max_length=100)]
Language = Annotated[str, AfterValidator(_is_known), WithJsonSchema({"type": "string", "enum": list(KNOWN)})]


class CitationsEntry(StrictEntry):
    """Which citations of an answer have to be in the input."""

    marks: bool = True
    """`[1]`, `[2, 3]`, `[4-6]`: each number has to stand so in the input, before its document."""
    quotes: bool = True
    """Passages in quotation marks, of four words or more: word for word."""
    pages: bool = False
    """`[p. 12]`, `[pp. 3-5]`: each page has to begin so in the input, by itself on a line."""
    at_least: int = Field(default=0, ge=0, le=100)
    """So many of them."""


def _of_truth(value: Any) -> Any:
    return {} if value is True else value


class PostprocessEntry(StrictEntry):
    """What is done to an answer, in the order of the fields; an answer that does not fit is a bad one."""

    defaults: Annotated[dict[FieldName, Any], AfterValidator(_is_short)] | None = None
    """For fields that the JSON answer lacks."""
    pick: Path | None = None
    """JSONPath; what it finds is the answer."""
    fields: dict[FieldName, Path] | None = Field(default=None, min_length=1, max_length=50)
    """JSONPath by name; an object of what they find is the answer."""
    strip_thinking: bool = False
    strip_fence: bool = False
    """The one code fence around all of a text."""
    strip_html: bool = False
    """Keep the text of HTML alone."""
    collapse_blank_lines: bool = False
    trim: bool = False
    max_chars: int | None = Field(default=None, ge=1, le=1_000_000)
    over: Literal["cut", "fail"] | None = None
    """What becomes of a longer text: it is cut after a sentence, or a bad answer. JSON is never cut."""
    languages: list[Language] | None = Field(default=None, min_length=1, max_length=len(KNOWN))
    """An answer that is plainly in another is a bad one."""
    citations: Annotated[CitationsEntry, BeforeValidator(_of_truth)] | None = None
    """`true` for marks and quotes alike."""

    @field_validator("fields")
    @classmethod
    def _is_alone(cls, fields: dict[str, str] | None, others: ValidationInfo) -> dict[str, str] | None:
        if fields is not None and others.data.get("pick") is not None:
            raise here("it does not go with pick")
        return fields

    @field_validator("over")
    @classmethod
    def _is_of_a_length(cls, over: str | None, others: ValidationInfo) -> str | None:
        if over is not None and others.data.get("max_chars") is None:
            raise here("it needs max_chars")
        return over

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not self.rules():
            raise ValueError("it says nothing to do")
        return self

    def rules(self) -> dict[str, Any]:
        """As `postprocessing.processing` reads them."""
        kept = self.model_dump(exclude_none=True)
        return {name: value for name, value in kept.items() if value is not False}

    def stored(self) -> str:
        """The stored form: JSON, for the table holds no fractions."""
        return json.dumps(self.rules(), ensure_ascii=False)
