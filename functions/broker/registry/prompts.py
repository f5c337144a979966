"""Prompt templates as operators write them, checked, and as `prompts.templates` reads them."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from broker.errors import InvalidRequest
from broker.jobs.field_errors import Spelled
from broker.jobs.fields import Parameters
from broker.json_schema import checking
from broker.prompts.engine import Node, check, parse, places
from broker.prompts.texts import MOST_BYTES, ROLES, Apart, StoredTexts, keep
from broker.prompts.variables import RULES, check_pattern, checked
from broker.registry.entry import Entry, Name, PolicyNames, StrictEntry
from broker.registry.postprocess_entry import PostprocessEntry
from broker.storage import Item

VariableName = Annotated[
    str,
    Spelled(
        "^[a-z][a-z0-9_]{0,63}$",
        "a variable's name has small letters, digits and '_' (64 characters at most) and begins with a letter",
    ),
]
Number = Annotated[float, Field(allow_inf_nan=False)] | int
"""What is none is told so by the first of the two; a whole one stays whole."""
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


class Variable(StrictEntry):
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
    properties: "dict[VariableName, Variable] | None" = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        given = {name for name in (*RULES, "items", "properties") if getattr(self, name) is not None}
        if strange := sorted(given - FITTING[self.type]):
            raise ValueError(f"{strange[0]} does not go with {self.type}")
        if self.type == "array" and self.items is None:
            raise ValueError("an array needs items")
        if self.type == "object" and self.properties is None:
            raise ValueError("an object needs properties")
        if self.pattern is not None:
            _or_value_error(check_pattern, self.pattern)
        if self.default is not None:
            _or_value_error(checked, {"default": self.schema_()}, {"default": self.default})
        return self

    def schema_(self) -> dict[str, Any]:
        """As `prompts.variables` takes it."""
        return self.model_dump(exclude_none=True)


class Hints(StrictEntry):
    """For what a request leaves open."""

    model: Name | None = None
    parameters: Parameters | None = None
    require: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(default=None, max_length=16)
    """Capabilities that the model must have, with those of the request."""


class PromptEntry(Entry):
    """One version of a prompt template; jobs may name it by its number, so a version never changes."""

    kind: ClassVar[str] = "PROMPT"
    can_be_disabled: ClassVar[bool] = False
    """It stays: jobs may name its versions."""

    id: Name
    version: int | None = Field(default=None, ge=1)
    """Without it, another content than the newest version's makes the next one."""
    description: Annotated[str, Field(max_length=1000)] | None = None
    variables: dict[VariableName, Variable] | None = None
    """Without it, each `{{place}}` takes a text."""
    system: str | None = None
    user: str | None = None
    """It and `system` have 2,000,000 bytes together at most."""
    hints: Hints | None = None
    output_schema: dict[str, Any] | None = None
    """JSON Schema of the answer, for requests that bring none."""
    guardrails: PolicyNames = Field(default_factory=list)
    """Policies that hold for jobs that are filled from it, on top of their tenants'."""
    postprocess: PostprocessEntry | None = None
    """What is done to answers to it."""

    @field_validator(*ROLES)
    @classmethod
    def _is_not_too_long(cls, text: str | None, others: ValidationInfo) -> str | None:
        together = [text or "", *(others.data.get(role) or "" for role in ROLES)]
        if sum(len(each.encode()) for each in together) > MOST_BYTES:
            raise ValueError(f"system and user have more than {MOST_BYTES} bytes together")
        return text

    @field_validator("output_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is not None:
            _or_value_error(checking.check_schema, schema)
        return schema

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
        return self

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    @property
    def number(self) -> int | None:
        """See `Entry.number`."""
        return self.version

    def item(self) -> Item:
        """The newest version, as `prompts.templates` reads it; the others are the records of the versions."""
        item: Item = {"pk": f"PROMPT#{self.id}", "sk": "LATEST", **self._kept.attributes}
        if self.description:
            item["description"] = self.description
        if self.variables is not None:
            item["variables"] = json.dumps({name: variable.schema_() for name, variable in self.variables.items()})
        if self.hints is not None:
            item["hints"] = json.dumps(self.hints.model_dump(exclude_none=True))
        if self.guardrails:
            item["guardrails"] = self.guardrails
        if self.postprocess is not None:
            item["postprocess"] = self.postprocess.stored()
        if self.output_schema is not None:
            item["output_schema"] = json.dumps(self.output_schema)
        return item

    @cached_property
    def _kept(self) -> StoredTexts:
        return keep({role: text for role, text in (("system", self.system), ("user", self.user)) if text})

    def apart(self) -> Apart | None:
        """See `Entry.apart`."""
        return self._kept.apart

    def content(self) -> dict[str, Any]:
        """See `Entry.content`; the number is the record's."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"version"})


def declared_variables(content: Mapping[str, Any]) -> dict[str, Any]:
    """What a prompt takes, as `prompts.variables` reads it, of its content in a document."""
    if content.get("variables") is not None:
        return dict(content["variables"])
    return {name: {"type": "string"} for role in ROLES if content.get(role) for name in places(parse(content[role]))}


def _used(nodes: Sequence[Node], declared: Mapping[str, Any]) -> set[str]:
    return set(check(nodes, [declared]))


def _or_value_error(check_: Callable[..., Any], *arguments: Any) -> Any:
    """What pydantic takes as the fault of a field."""
    try:
        return check_(*arguments)
    except InvalidRequest as error:
        raise ValueError(error.message) from None
