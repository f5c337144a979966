"""Recipes for documents, as operators register them."""

import json
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from broker.batches.asking.hours import OffPeak
from broker.batches.asking.parts import Hours
from broker.documents.extract import KINDS
from broker.documents.recipe import Citations, OnFailure, Recipe
from broker.errors import InvalidRequest
from broker.jobs.field_errors import here
from broker.jobs.fields import Cache, Language, Parameters, Routing
from broker.json_schema import checking
from broker.registry.entry import Entry, Name, PolicyNames, TenantId, Usd
from broker.registry.recipe_parts import (
    GIVEN,
    ExtractEntry,
    MergeEntry,
    OutputEntry,
    PromptsEntry,
    PromptUseEntry,
    SplitEntry,
)
from broker.storage import Item

LONGEST_S = 604_800
"""The longest `deadline_seconds`."""


def _no_folder_of_ours(name: str) -> str:
    if name == "media":
        raise here("media is the folder of what requests point to")
    return name


def _is_a_kind(kind: str) -> str:
    if kind not in KINDS:
        raise here(f"it has to be one of {', '.join(KINDS)}")
    return kind


def _is_a_schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        checking.check_schema(schema)
    except InvalidRequest as error:
        raise ValueError(error.message) from None
    if schema.get("type") not in (None, "object"):
        raise here("it has to be the schema of an object")
    return schema


class RecipeEntry(Entry):
    """What happens to a document that comes as `{tenant}/{recipe}/{name}`, or in an event that names the recipe."""

    kind: ClassVar[str] = "RECIPE"

    id: Annotated[Name, AfterValidator(_no_folder_of_ours)]
    description: Annotated[str, Field(max_length=1000)] | None = None
    tenants: list[TenantId] | None = Field(default=None, min_length=1, max_length=1000)
    """Whose documents it is for; all tenants' unless it is said."""
    application: Name | None = None
    """The application of the document's tenant that its jobs belong to."""
    takes: list[Annotated[str, AfterValidator(_is_a_kind)]] | None = Field(default=None, min_length=1, max_length=50)
    """Kinds of file; all that are read unless it is said."""
    extract: ExtractEntry = Field(default_factory=ExtractEntry)
    split: SplitEntry = Field(default_factory=SplitEntry)
    output_schema: Annotated[dict[str, Any], AfterValidator(_is_a_schema)] | None = None
    """JSON Schema of the result (of each page, for `per_page`); `extract` needs it."""
    merge: MergeEntry
    prompts: PromptsEntry
    citations: Citations = "tell"
    """What follows where the result cites a page that there is not, or none: it is told, or the document fails
    (`require`)."""
    on_failure: OnFailure = "fail"
    """What becomes of a document of which a part has no answer."""
    model: Name | None = None
    routing: Routing | None = None
    parameters: Parameters | None = None
    cache: Cache | None = None
    guardrails: PolicyNames = Field(default_factory=list)
    """Policies that hold for all of its jobs, on top of their tenants' and prompts'."""
    language: Language | None = None
    """Given to prompts as the variable `language`."""
    max_cost_usd: Annotated[Usd, Field(gt=0)] | None = None
    """For all that one document costs."""
    deadline_seconds: int = Field(default=86_400, ge=60, le=LONGEST_S)
    """The document ends with what there is when it has not ended so many seconds after it came."""
    off_peak: Hours | None = None
    """When its jobs may begin; what has begun goes on. Reading and merging take no model, and wait for nothing."""
    ttl_seconds: int | None = Field(default=None, ge=60, le=31_536_000)
    """How long requests and answers of its jobs are kept."""
    output: OutputEntry = Field(default_factory=OutputEntry)
    enabled: bool = True

    @field_validator("prompts")
    @classmethod
    def _are_those_of_the_way(cls, prompts: PromptsEntry, others: ValidationInfo) -> PromptsEntry:
        way = others.data["merge"].way if "merge" in others.data else None
        if way in GIVEN and prompts.reduce is None:
            raise here(f"{way} needs reduce too")
        if way is not None and way not in GIVEN and prompts.reduce is not None:
            raise here(f"{way} has no use for reduce")
        return prompts

    @field_validator("merge")
    @classmethod
    def _goes_with_the_schema(cls, merge: MergeEntry, others: ValidationInfo) -> MergeEntry:
        schema = others.data.get("output_schema", {})
        if merge.way == "extract" and schema is None:
            raise here("extract needs output_schema too")
        if merge.way == "concat" and schema:
            raise here("concat gives texts, and has no use for output_schema")
        return merge

    @field_validator("off_peak")
    @classmethod
    def _opens_in_time(cls, hours: Hours | None, others: ValidationInfo) -> Hours | None:
        if hours and OffPeak.of(hours.model_dump()).longest_pause_s() >= others.data.get("deadline_seconds", LONGEST_S):
            raise here("documents would end by deadline_seconds before the hours begin")
        return hours

    @field_validator("ttl_seconds")
    @classmethod
    def _outlives_the_document(cls, seconds: int | None, others: ValidationInfo) -> int | None:
        if seconds is not None and seconds < others.data.get("deadline_seconds", 0):
            raise here("it is less than deadline_seconds: answers would be gone before they are merged")
        return seconds

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    def uses(self) -> list[tuple[str, PromptUseEntry, tuple[str, ...]]]:
        """Its prompts: field, prompt, and the variables that the broker gives."""
        language = ("language",) if self.language else ()
        found = [("prompts.map", self.prompts.map, (*GIVEN["map"], *language))]
        if self.prompts.reduce is not None:
            found.append(("prompts.reduce", self.prompts.reduce, (*GIVEN[self.merge.way], *language)))
        return found

    def item(self) -> Item:
        """As `batches.documents.recipes` reads it; a text, for the table holds no fractions."""
        facts = json.dumps(self._facts(), ensure_ascii=False)
        kept: Item = {"pk": f"RECIPE#{self.id}", "sk": "RECIPE", "recipe": facts, "enabled": self.enabled}
        return kept | {name: value for name in ("tenants", "guardrails") if (value := getattr(self, name))}

    def _facts(self) -> dict[str, Any]:
        """As `documents.recipe.Recipe.of` takes it."""
        merge = self.merge.model_dump(exclude_none=True)
        rules = {name: merge[name] for name in ("scalars", "confidence", "keys") if name in merge}
        shared = self.model_dump(
            mode="json", exclude_none=True, include={"language", "citations", "on_failure", "takes", "application"}
        )
        request = self.model_dump(
            mode="json",
            exclude_none=True,
            exclude_unset=True,
            include={"model", "routing", "parameters", "cache", "ttl_seconds"},
        )
        facts: dict[str, Any] = {
            **shared,
            **self.split.model_dump(exclude_none=True),
            "scans": self.extract.scans,
            "scan_model": self.extract.model or "auto",
            "way": self.merge.way,
            "map": self.prompts.map.model_dump(exclude_none=True),
            "request": request,
            "suffix": self.output.suffix,
            "deadline_s": self.deadline_seconds,
        }
        if self.prompts.reduce is not None:
            facts["reduce"] = self.prompts.reduce.model_dump(exclude_none=True)
        if self.extract.features:
            facts["features"] = self.extract.features
        if rules:
            facts["rules"] = rules
        if self.merge.depth is not None:
            facts["depth"] = self.merge.depth
        if self.output_schema is not None:
            facts["schema"] = self.output_schema
        if self.guardrails:
            facts["guardrails"] = self.guardrails
        if self.max_cost_usd is not None:
            facts["max_cost"] = round(self.max_cost_usd * 1_000_000_000)
        if self.off_peak is not None:
            facts["window"] = self.off_peak.model_dump()
        if self.output.webhook is not None:
            facts["webhook"] = self.output.webhook.model_dump(mode="json", exclude_none=True)
        return facts

    def recipe(self, version: int = 0) -> Recipe:
        """As the functions read it."""
        return Recipe.of(self.id, version, self._facts())
