"""Aliases and routes: which models stand for a name, and for a kind of work."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from broker.jobs.field_errors import here
from broker.jobs.fields import Objective, Task
from broker.registry.entry import Entry, Name, PolicyNames, StrictEntry
from broker.registry.model_entry import Word, not_auto
from broker.registry.postprocess_entry import WITH_TEXT, PostprocessEntry
from broker.routing.routes import ALIAS, ROUTE
from broker.storage import Item


class AliasEntry(Entry):
    """A name for models in order of preference."""

    kind: ClassVar[str] = "ALIAS"

    id: Name
    models: list[Name] = Field(min_length=1)
    enabled: bool = True

    @field_validator("id")
    @classmethod
    def _is_no_keyword(cls, name: str) -> str:
        return not_auto(name)

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    def item(self) -> Item:
        """As `routing.routes.Alias` reads it."""
        return {"pk": "MODELS", "sk": f"{ALIAS}{self.id}", **self.model_dump(mode="json", exclude={"id"})}


class ChoiceEntry(StrictEntry):
    """A model or alias of a route, with its share of the traffic."""

    model: Name
    weight: int | None = Field(default=None, ge=0, le=10_000)


def _of_name(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


Choice = Annotated[ChoiceEntry, BeforeValidator(_of_name, json_schema_input_type=Name | ChoiceEntry)]
"""A name alone will do."""


class ResidencyEntry(StrictEntry):
    """Where data has to stay that is not redacted; a model meets it by its regions or by its provider."""

    regions: list[Word] = Field(default_factory=list, max_length=16)
    """Data regions, as models have them; a model may keep to no other."""
    providers: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list, max_length=16)

    @model_validator(mode="after")
    def _demands_something(self) -> Self:
        if not self.regions and not self.providers:
            raise here("regions or providers are needed")
        return self


class RouteEntry(Entry):
    """One row: which models do this task or kind of work; without both it is the default."""

    kind: ClassVar[str] = "ROUTE"

    id: Name
    task: Task | None = None
    query_type: Word | None = None
    models: list[Choice] = Field(default_factory=list)
    """In order of preference; empty for every model."""
    objective: Objective | None = None
    """What orders `models`; without it they are tried as they stand."""
    fallbacks: list[Name] = Field(default_factory=list)
    guardrails: PolicyNames = Field(default_factory=list)
    """Policies that hold for jobs that follow it, on top of their tenants'."""
    postprocess: PostprocessEntry | None = None
    """What is done to answers of jobs that follow it, after what their prompt says."""
    residency: ResidencyEntry | None = None
    """Where data stays that is not redacted, of all jobs of the row's task and query type."""
    enabled: bool = True

    @field_validator("postprocess")
    @classmethod
    def _is_of_texts(cls, rules: PostprocessEntry | None, others: ValidationInfo) -> PostprocessEntry | None:
        task = others.data.get("task")
        if rules is not None and task is not None and task.value not in WITH_TEXT:
            raise here(f"answers of {task.value} are no texts")
        return rules

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    def item(self) -> Item:
        """As `routing.routes.Route` reads it."""
        kept = self.model_dump(mode="json", exclude_none=True, exclude={"id", "postprocess"})
        rules = {"postprocess": self.postprocess.stored()} if self.postprocess else {}
        return {"pk": "MODELS", "sk": f"{ROUTE}{self.id}", **kept, **rules}
