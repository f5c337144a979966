"""A prompt's version and labels as operators write them, checked, and as the registry keeps them.

Read by operators' tools only: it loads pydantic.
"""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from broker.errors import InvalidRequest
from broker.prompts.engine import Node, check, parse, places
from broker.prompts.variables import RULES, checked
from broker.storage import Item

MOST_BYTES = 300_000
"""Of an item's texts, packed where they are long: an item of the table holds 400 KB."""

PACKED_FROM = 100_000
"""Bytes of the texts from which they are packed."""

Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]
PromptId = Annotated[str, Field(min_length=1, max_length=128, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Label = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Number = int | float
Size = Annotated[int, Field(ge=0)]

FITTING: dict[str, frozenset[str]] = {
    "string": frozenset({"enum", "minLength", "maxLength", "pattern"}),
    "integer": frozenset({"enum", "minimum", "maximum"}),
    "number": frozenset({"enum", "minimum", "maximum"}),
    "boolean": frozenset({"enum"}),
    "array": frozenset({"minItems", "maxItems", "items"}),
    "object": frozenset({"properties"}),
}
"""The keywords that go with each type; a list needs its `items`, an object its `properties`."""


class Strict(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class Variable(Strict):
    """One variable, in words of JSON Schema. It has to be given unless it has a default."""

    type: Literal["string", "integer", "number", "boolean", "array", "object"]
    description: str | None = None
    default: Any = None
    trusted: bool | None = None
    """True for text that may instruct the model: it then stands without markers. For values of your own alone."""
    enum: list[Any] | None = Field(default=None, min_length=1)
    minLength: Size | None = None
    maxLength: Size | None = None
    pattern: str | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    minItems: Size | None = None
    maxItems: Size | None = None
    items: "Variable | None" = None
    properties: dict[Name, "Variable"] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        given = self.model_fields_set & {*RULES, "items", "properties"}
        if strange := sorted(given - FITTING[self.type]):
            raise ValueError(f"{strange[0]} does not go with {self.type}")
        if self.type == "array" and self.items is None:
            raise ValueError("an array needs items")
        if self.type == "object" and self.properties is None:
            raise ValueError("an object needs properties")
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error:
                raise ValueError("pattern is not a regular expression") from None
        if "default" in self.model_fields_set:
            _or_value_error(checked, {"default": self.schema_()}, {"default": self.default})
        return self

    def schema_(self) -> dict[str, Any]:
        """As `variables.checked` takes it."""
        return self.model_dump(exclude_unset=True, exclude={"description"})


class Hints(Strict):
    """For what a request leaves open."""

    model: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    parameters: dict[Literal["temperature", "top_p", "max_output_tokens", "stop", "seed"], Any] | None = None
    require: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(default=None, max_length=16)
    """Capabilities that the model must have, with those of the request."""


class PromptEntry(Strict):
    """One version of a prompt template."""

    id: PromptId
    version: int = Field(ge=1)
    description: Annotated[str, Field(max_length=1000)] | None = None
    variables: dict[Name, Variable] | None = None
    """Without it, each `{{place}}` takes a text."""
    system: str | None = None
    user: str | None = None
    hints: Hints | None = None
    output_schema: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _can_be_filled(self) -> Self:
        texts = [text for text in (self.system, self.user) if text]
        if not texts:
            raise ValueError("system or user is needed")
        parts = [_or_value_error(parse, text) for text in texts]
        declared = {name: variable.schema_() for name, variable in (self.variables or {}).items()}
        if self.variables is None:
            declared = {name: {"type": "string"} for nodes in parts for name in places(nodes)}
        used = {name for nodes in parts for name in _or_value_error(_used, nodes, declared)}
        if unused := sorted(declared.keys() - used):
            raise ValueError(f"the variable {unused[0]!r} is declared and never used")
        if (size := _size(self._item())) > MOST_BYTES:
            raise ValueError(f"system and user take {size} bytes, packed; {MOST_BYTES} is the most")
        return self

    def items(self) -> list[Item]:
        """The version, and the same as the newest, as `templates.Template` reads them."""
        item = self._item()
        return [{"pk": f"PROMPT#{self.id}", "sk": sk, **item} for sk in (f"V#{self.version:04}", "LATEST")]

    def _item(self) -> Item:
        item: Item = {"version": self.version}
        texts = {"system": self.system, "user": self.user}
        packed = sum(len(text.encode()) for text in texts.values() if text) > PACKED_FROM
        item |= {"z": zlib.compress(json.dumps(texts).encode(), 9)} if packed else {k: v for k, v in texts.items() if v}
        if self.description:
            item["description"] = self.description
        if self.variables is not None:
            kept = {name: variable.model_dump(exclude_unset=True) for name, variable in self.variables.items()}
            item["variables"] = json.dumps(kept)
        if self.hints:
            item["hints"] = json.dumps(self.hints.model_dump(exclude_none=True))
        if self.output_schema is not None:
            item["output_schema"] = json.dumps(self.output_schema)
        return item


class Arm(Strict):
    """A version's share of a label's traffic."""

    version: int = Field(ge=1)
    weight: int = Field(default=100, ge=1, le=1_000_000)


class LabelsEntry(Strict):
    """What a prompt's labels point to."""

    id: PromptId
    labels: dict[Label, Annotated[list[Arm], Field(min_length=1, max_length=10)]]


def _used(nodes: Sequence[Node], declared: Mapping[str, Any]) -> set[str]:
    return set(check(nodes, [declared]))


def _size(item: Item) -> int:
    return sum(len(value) if isinstance(value, bytes) else len(str(value).encode()) for value in item.values())


def _or_value_error(check_: Any, *arguments: Any) -> Any:
    """What pydantic takes as the fault of a field."""
    try:
        return check_(*arguments)
    except InvalidRequest as error:
        raise ValueError(error.message) from None
