"""A registry document: entries by kind, checked field by field."""

import json
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from broker.errors import InvalidRequest, NotFound
from broker.jobs.field_errors import place, words
from broker.json_text import check_depth
from broker.registry.entry import Entry, StrictEntry
from broker.registry.guardrail_entry import GuardrailEntry
from broker.registry.label_entry import Arm, LabelArms, LabelsEntry
from broker.registry.model_entry import ModelEntry
from broker.registry.permission_entry import ApplicationEntry, PermissionEntry
from broker.registry.prompts import PromptEntry
from broker.registry.recipe_entry import RecipeEntry
from broker.registry.route_entry import AliasEntry, RouteEntry
from broker.registry.tenants import IssuerEntry, LimitsEntry, SourceEntry, TenantEntry

Checked = TypeVar("Checked", bound=StrictEntry)

KINDS: dict[str, type[Entry]] = {
    "models": ModelEntry,
    "aliases": AliasEntry,
    "guardrails": GuardrailEntry,
    "routes": RouteEntry,
    "tenants": TenantEntry,
    "applications": ApplicationEntry,
    "sources": SourceEntry,
    "issuers": IssuerEntry,
    "prompts": PromptEntry,
    "labels": LabelsEntry,
    "recipes": RecipeEntry,
    "permissions": PermissionEntry,
}
"""By their name in documents, paths and commands, in the order in which they are written: who is named comes first."""


class RegistryFile(StrictEntry):
    """What `broker apply` reads."""

    models: list[ModelEntry] = Field(default_factory=list)
    aliases: list[AliasEntry] = Field(default_factory=list)
    guardrails: list[GuardrailEntry] = Field(default_factory=list)
    routes: list[RouteEntry] = Field(default_factory=list)
    tenants: list[TenantEntry] = Field(default_factory=list)
    applications: list[ApplicationEntry] = Field(default_factory=list)
    sources: list[SourceEntry] = Field(default_factory=list)
    issuers: list[IssuerEntry] = Field(default_factory=list)
    prompts: list[PromptEntry] = Field(default_factory=list)
    labels: list[LabelsEntry] = Field(default_factory=list)
    recipes: list[RecipeEntry] = Field(default_factory=list)
    permissions: list[PermissionEntry] = Field(default_factory=list)

    def by_kind(self) -> dict[str, list[Entry]]:
        """The entries of the kinds that the document has."""
        return {kind: list(getattr(self, kind)) for kind in KINDS if kind in self.model_fields_set}


class Rollback(StrictEntry):
    """Which version's content to take."""

    version: int = Field(ge=1)


def entry_class(kind: str) -> type[Entry]:
    """The class of a kind.

    Raises:
        NotFound: there is no such kind.
    """
    if kind not in KINDS:
        raise NotFound(f"There is no kind {kind!r}; there are {', '.join(KINDS)}.", code="unknown_kind", param="kind")
    return KINDS[kind]


def parse_registry(document: Any) -> RegistryFile:
    """Check a registry document.

    Raises:
        InvalidRequest: names the first entry and field at fault.
    """
    return checked(RegistryFile, document)


def parse_entry(kind: str, content: Any) -> Entry:
    """Check one entry.

    Raises:
        NotFound: there is no such kind.
        InvalidRequest: names the first field at fault.
    """
    return checked(entry_class(kind), content)


def parse_rollback(body: Any) -> int:
    """The version that a body names.

    Raises:
        InvalidRequest: names the field at fault.
    """
    return checked(Rollback, body).version


def parse_arms(body: Any) -> list[Arm]:
    """What a body points a label to.

    Raises:
        InvalidRequest: names the field at fault.
    """
    return checked(LabelArms, body).arms


def parse_limits(body: Any) -> dict[str, int]:
    """Limits by their names, as a tenant has them and a key may.

    Raises:
        InvalidRequest: names the one at fault.
    """
    return checked(LimitsEntry, body).model_dump(exclude_none=True)


def checked(model: type[Checked], value: Any) -> Checked:
    """What operators wrote, as one of the models.

    Raises:
        InvalidRequest: names the first field at fault.
    """
    check_depth(value)
    try:
        # Half of a surrogate pair goes through JSON's parser, and through nothing after it; so does NaN.
        json.dumps(value, ensure_ascii=False, allow_nan=False, default=str, skipkeys=True).encode()
    except ValueError:
        raise InvalidRequest("The texts must be Unicode, and the numbers finite.", code="invalid_body") from None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        param = place(first, value)
        message = f"{param or 'The body'}: {words(first)}"
        raise InvalidRequest(message, code="invalid_field", param=param) from None
