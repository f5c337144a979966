"""The replies of the operators' routes."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, RootModel

from broker.contract.base import OneOf, Shown, Time
from broker.registry.document import KINDS
from broker.registry.models import AliasEntry, ModelEntry, RouteEntry
from broker.registry.prompts import PromptEntry
from broker.registry.tenants import IssuerEntry, SourceEntry, TenantEntry
from broker.registry.versions import Action

Kind = Annotated[str, OneOf(tuple(KINDS))]
Did = Annotated[str, OneOf(get_args(Action))]
Version = Annotated[int, Field(ge=1)]


class AnyEntry(RootModel[ModelEntry | AliasEntry | RouteEntry | TenantEntry | SourceEntry | IssuerEntry | PromptEntry]):
    """An entry of the path's kind, as a registry document has it."""


class EntryVersion(Shown):
    """One version of an entry."""

    kind: Kind
    id: str
    version: Version
    at: Time
    by: str
    """Who made it: an ARN."""
    action: Did
    fields: list[str]
    """What differs from the version before; empty for the first."""
    entry: dict[str, Any]
    """The entry as a registry document has it, without what is the default."""


class EntryList(Shown):
    """Entries of a kind as they stand, or the versions of one, the newest first."""

    object: Literal["list"]
    data: list[EntryVersion]


class FieldChange(Shown):
    """One field that differs."""

    name: str
    old: Any
    """Null where it was not there, or had the default."""
    new: Any


class PlannedChange(Shown):
    """One version that is written."""

    kind: Kind
    id: str
    action: Did
    version: Version
    fields: list[FieldChange]
    """Empty for what is added."""


class EntryName(Shown):
    """Which entry."""

    kind: Kind
    id: str


class RegistryPlan(Shown):
    """What a document changes."""

    object: Literal["plan"]
    changes: list[PlannedChange]
    unchanged: list[EntryName]
    unmanaged: list[EntryName]
    """Entries that stand, of the kinds that the document has, and that it does not name; left as they are."""
