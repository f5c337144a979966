"""The replies of the operators' routes."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, RootModel

from broker.contract.common import Count, OneOf, Shown, Time, Usd
from broker.registry.document import KINDS
from broker.registry.guardrail_entry import GuardrailEntry
from broker.registry.label_entry import Label, LabelsEntry
from broker.registry.model_entry import ModelEntry
from broker.registry.permission_entry import ApplicationEntry, PermissionEntry
from broker.registry.prompts import PromptEntry
from broker.registry.records import Action
from broker.registry.route_entry import AliasEntry, RouteEntry
from broker.registry.tenants import IssuerEntry, SourceEntry, TenantEntry

Kind = Annotated[str, OneOf(tuple(KINDS))]
Did = Annotated[str, OneOf(get_args(Action))]
Version = Annotated[int, Field(ge=1)]


class AnyEntry(
    RootModel[
        ModelEntry
        | AliasEntry
        | GuardrailEntry
        | RouteEntry
        | TenantEntry
        | ApplicationEntry
        | PermissionEntry
        | SourceEntry
        | IssuerEntry
        | PromptEntry
        | LabelsEntry
    ]
):
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
    omitted: list[str]
    """Fields of the entry that are too long for a list; empty where one version is shown."""


class EntryList(Shown):
    """Entries of a kind as they stand, or the versions of one, the newest first."""

    object: Literal["list"]
    data: list[EntryVersion]


class FieldChange(Shown):
    """One field that differs."""

    name: str
    old: Any
    """Null where it was not there, or had the default; of a long text the beginning."""
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


class SpokenRule(Shown):
    """A permission that is about what was asked."""

    id: str
    allows: bool
    effect: Literal["allow_only", "deny"]
    about: dict[str, list[str]]
    """What it is about, by kind; aliases stand for their models."""
    ask: str | None


class ModelPermission(Shown):
    """Whether somebody may have one model do it."""

    model: str
    allowed: bool
    in_tenants_models: bool
    """Whether the tenant's entry lets it use the model at all."""
    rules: list[SpokenRule]
    """Each that had a say; where there is none, nothing is in the way."""


class AskedWho(Shown):
    """Somebody, with all that their key, application and tenant say."""

    tenant: str
    organisation: str | None
    application: str | None
    groups: list[str]
    roles: list[str]
    principal: str | None
    key: str | None
    door: str


class PermissionAnswer(Shown):
    """Whether somebody may do something."""

    object: Literal["permission_check"]
    allowed: bool
    """By one of the models at least."""
    who: AskedWho
    models: list[ModelPermission]


class LabelArm(Shown):
    """A version's share of a label's traffic."""

    version: Version
    weight: Annotated[int, Field(ge=1)]


class PromptLabels(Shown):
    """What a prompt's labels stand for."""

    object: Literal["labels"]
    id: str
    """The prompt's."""
    version: Count
    """Of the labels, counted up with each change; 0 where there never were any."""
    labels: dict[Label, list[LabelArm]]


class ExperimentArm(Shown):
    """What came of one version under one label."""

    version: Version
    label: str | None
    """Null for jobs that named the version, or took the newest."""
    jobs: Annotated[int, Field(ge=1)]
    """Those that have ended."""
    succeeded: Count
    failed: Count
    blocked: Count
    other: Count
    """Canceled or expired, which says nothing of the prompt."""
    success_rate: Annotated[float, Field(ge=0, le=1)] | None
    """Of those that succeeded, failed or were blocked; null without any."""
    mean_cost_usd: Usd
    mean_input_tokens: Annotated[float, Field(ge=0)]
    mean_output_tokens: Annotated[float, Field(ge=0)]
    mean_seconds: Annotated[float, Field(ge=0)]
    """From acceptance to the end."""


class Experiment(Shown):
    """The versions of a prompt side by side."""

    object: Literal["experiment"]
    id: str
    """The prompt's."""
    arms: list[ExperimentArm]
    """By version and label."""
