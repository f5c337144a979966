"""Applications of tenants, and permissions: who may do what."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from broker.jobs.field_errors import here
from broker.jobs.fields import Task
from broker.jobs.searching import Door
from broker.permissions.rules import RESOURCES, SUBJECTS
from broker.permissions.who import MOST_NAMES
from broker.registry.entry import Day, Entry, Name, StrictEntry, TenantId
from broker.registry.model_entry import Word
from broker.registry.tenants import GroupName as Group
from broker.routing.permitting import PERMISSION
from broker.storage import Item
from broker.tenants.applications import application_pk


class ApplicationEntry(Entry):
    """One application of a tenant; keys, issuers, sources and the inbox name it."""

    kind: ClassVar[str] = "APPLICATION"

    id: Name
    tenant: TenantId
    name: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    groups: list[Group] = Field(default_factory=list, max_length=MOST_NAMES // 2)
    """In which all of its principals are."""
    roles: list[Group] = Field(default_factory=list, max_length=MOST_NAMES // 2)
    enabled: bool = True

    @property
    def key(self) -> str:
        """Tenant and id."""
        return f"{self.tenant}:{self.id}"

    def item(self) -> Item:
        """As `tenants.applications` reads it."""
        kept = self.model_dump(exclude_none=True)
        return {"pk": application_pk(self.tenant, self.id), "sk": "APPLICATION", **kept}


Names = Annotated[list[Name], Field(min_length=1, max_length=100)]
Words = Annotated[list[Word], Field(min_length=1, max_length=100)]
Groups = Annotated[list[Group], Field(min_length=1, max_length=100)]


class WithinEntry(StrictEntry):
    """Whose work a rule is about."""

    organisations: Names | None = None
    tenants: Annotated[list[TenantId], Field(min_length=1, max_length=100)] | None = None

    @property
    def says_whose(self) -> bool:
        """Whether it is bound to some tenants: a group's name is what any tenant's issuer says."""
        return bool(self.organisations or self.tenants)


class SubjectsEntry(WithinEntry):
    """Some of all who ask: those who meet each field that stands here, by one of its values."""

    applications: Names | None = None
    groups: Groups | None = None
    roles: Groups | None = None
    principals: Groups | None = None
    keys: Groups | None = None
    """Ids of API keys, as `broker key list` shows them."""
    until: Day | None = None
    """The day (UTC) from which they are not meant any more."""

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not self.model_fields_set - {"until"}:
            raise here(f"one of {', '.join(SUBJECTS)} is needed")
        return self


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Several = Annotated[
    list[SubjectsEntry],
    BeforeValidator(_listed, json_schema_input_type=SubjectsEntry | list[SubjectsEntry]),
    Field(min_length=1, max_length=20),
]
"""One selection will do."""


class PermissionEntry(Entry):
    """One rule of who may do what, as `permissions.rules.Permission` reads it."""

    kind: ClassVar[str] = "PERMISSION"

    id: Name
    models: Names | None = None
    """Models, and aliases, which stand for their models."""
    tags: Words | None = None
    """Of models."""
    regions: Words | None = None
    """Data regions of models; one that keeps to no known region may be in any."""
    tasks: Annotated[list[Task], Field(min_length=1)] | None = None
    doors: Annotated[list[Door], Field(min_length=1)] | None = None
    prompts: Groups | None = None
    query_types: Words | None = None
    data_classes: Words | None = None
    """Of requests by what they say of themselves; `unspecified` is those that say nothing."""
    within: WithinEntry | None = None
    """Whose requests it is about; everybody's unless said."""
    allow_only: Several | None = None
    """Who alone may: one selection, or several of which one is enough."""
    deny: Several | None = None
    """Who may not."""
    ask: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """What somebody is told whom it keeps from something: how to ask for it."""
    enabled: bool = True

    @field_validator("allow_only", "deny")
    @classmethod
    def _says_whose_names_it_means(
        cls, chosen: list[SubjectsEntry] | None, others: ValidationInfo
    ) -> list[SubjectsEntry] | None:
        within = others.data.get("within")
        if not (within and within.says_whose) and not all(each.says_whose for each in chosen or ()):
            raise here("tenants or organisations are needed: others may use the same names")
        return chosen

    @model_validator(mode="after")
    def _says_who_and_what(self) -> Self:
        if (self.allow_only is None) == (self.deny is None):
            raise here("either allow_only or deny is needed")
        if all(getattr(self, name) is None for name in RESOURCES):
            raise here(f"one of {', '.join(RESOURCES)} is needed")
        return self

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    def item(self) -> Item:
        """As `routing.permitting.permission_of` reads it."""
        kept = self.model_dump(mode="json", exclude_none=True, exclude={"id"})
        return {"pk": "MODELS", "sk": f"{PERMISSION}{self.id}", **kept}
