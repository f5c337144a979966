"""Tenants as the operators registered them (table `registry`, pk `TENANT#id`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from broker.errors import Forbidden
from broker.permissions.who import Who
from broker.storage import Database
from broker.tenants.limits import BODY_BYTES, CALLS, ENQUEUED, QUEUED, WAITS, Limit, limits_of
from broker.tenants.rules import Rule

KEEP_MS = 30_000

MOST_BATCHES = 1_000
"""That a tenant may have under way where the operators say nothing. Each is a workflow, and it may be of a document."""

MOST_FILES = 10_000
MOST_FILE_BYTES = 100_000_000_000
"""What a tenant keeps at most where the operators say nothing."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant. `monthly_budget` is in nano-dollars, None for no limit; `models` None for all."""

    id: str
    organisation: str = ""
    """What it is a part of; empty for nothing."""
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By role, the groups whose members have it."""
    inbox_application: str | None = None
    """Which of its applications what it puts into the inbox belongs to."""
    monthly_budget: int | None = None
    models: frozenset[str] | None = None
    policy: dict[str, Any] = field(default_factory=dict)
    """Its own settings over its guardrail policies."""
    guardrails: tuple[str, ...] = ()
    """The policies that hold for all its jobs; without one, the built-in."""
    webhook_secret: str | None = None
    """Name of the signing secret in Secrets Manager, below the stack's prefix."""
    redaction_secret: str | None = None
    """The same of the key of hashes that take the place of what guardrails found; without one, such rules block."""
    document_prompt: str = "summarize"
    """The template that a text document of the inbox is put into; its variable is `document`."""
    recipes_only: bool = False
    """True where documents of the inbox are taken by recipes alone."""
    enabled: bool = True
    language: str = "en"
    """In which its users are told what was blocked."""
    weight: int = 1
    """Its share of the bulk lane where several tenants want more than there is."""
    cache_embedding_model: str | None = None
    """The registered model that tells how alike questions are; without it, only the same question finds an answer."""
    repeat_window_seconds: int = 0
    """For how long an equal request of the same caller is a repeat, where it has no key and no count of tries."""
    max_files: int = MOST_FILES
    max_file_bytes: int = MOST_FILE_BYTES
    """Of all its files together."""
    max_batches: int = MOST_BATCHES
    """Under way at once."""
    version: int | None = None
    """Of its entry; None where it was written by hand."""
    limits: tuple[Limit, ...] = ()
    """What its submissions may be in a window of time."""
    calls_per_second: int | None = None
    """Of the API, looks among them; None for what the stack gives each."""
    queued_jobs: int | None = None
    """Jobs that have not ended, at most."""
    usage_by: tuple[str, ...] = ()
    """What its usage is counted by."""
    enqueued_batch_tokens: int | None = None
    """Of batches that have not ended, at most."""
    budgets: tuple[Rule, ...] = ()
    """Beside its own."""
    waits_at_once: int | None = None
    """Calls that wait for an answer; None for what the stack gives each."""
    body_bytes: int | None = None
    """The largest body of one; None for what all may send."""
    cloud_events: bool = False
    """Whether events about what is its own have CloudEvents envelopes."""
    off_peak: dict[str, Any] | None = None
    """When rows of its batches may begin that name no hours themselves (`batches.hours.OffPeak.of`)."""

    def knows(self, who: Who) -> Who:
        """Somebody of this tenant, with what its entry says of them now: the organisation, and roles by group."""
        roles = [role for role, groups in self.roles.items() if not groups.isdisjoint(who.member.groups)]
        return replace(who, organisation=self.organisation, member=who.member.joined((), roles))


class Sender(NamedTuple):
    """Whose events are those of a source."""

    tenant: str
    application: str | None = None


class Tenants:
    """The tenants of the deployment, each kept in memory for half a minute."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, tuple[int, Tenant]] = {}

    def get(self, tenant_id: str, now: int) -> Tenant:
        """One tenant.

        Raises:
            Forbidden: it is not registered, or was disabled.
        """
        read_at, tenant = self._kept.get(tenant_id, (-KEEP_MS, None))
        if tenant is None or now - read_at >= KEEP_MS:
            item = self._database.get("registry", f"TENANT#{tenant_id}", "TENANT")
            if item is None:
                raise Forbidden("The tenant is not registered.", code="unknown_tenant")
            models = item.get("models")
            tenant = Tenant(
                id=tenant_id,
                organisation=item.get("organisation", ""),
                roles={role: frozenset(groups) for role, groups in item.get("roles", {}).items()},
                inbox_application=item.get("inbox_application"),
                monthly_budget=item.get("monthly_budget"),
                models=None if models is None else frozenset(models),
                policy=item.get("policy", {}),
                guardrails=tuple(item.get("guardrails", ())),
                webhook_secret=item.get("webhook_secret"),
                redaction_secret=item.get("redaction_secret"),
                document_prompt=item.get("document_prompt", "summarize"),
                recipes_only=item.get("recipes_only", False),
                enabled=item.get("enabled", True),
                language=item.get("language", "en"),
                weight=item.get("weight", 1),
                cache_embedding_model=item.get("cache_embedding_model"),
                repeat_window_seconds=item.get("repeat_window_seconds", 0),
                max_files=item.get("max_files", MOST_FILES),
                max_file_bytes=item.get("max_file_bytes", MOST_FILE_BYTES),
                max_batches=item.get("max_batches", MOST_BATCHES),
                version=item.get("version"),
                limits=limits_of("tenant", tenant_id, item.get("limits", {})),
                calls_per_second=item.get("limits", {}).get(CALLS),
                queued_jobs=item.get("limits", {}).get(QUEUED),
                enqueued_batch_tokens=item.get("limits", {}).get(ENQUEUED),
                usage_by=tuple(item.get("usage_by", ())),
                budgets=tuple(map(Rule.of, item.get("budgets", ()))),
                waits_at_once=item.get("limits", {}).get(WAITS),
                body_bytes=item.get("limits", {}).get(BODY_BYTES),
                cloud_events=item.get("cloud_events", False),
                off_peak=item.get("off_peak"),
            )
            self._kept[tenant_id] = (now, tenant)
        if not tenant.enabled:
            raise Forbidden("The tenant is disabled.", code="tenant_disabled")
        return tenant

    def forget(self, tenant_id: str) -> None:
        """Read it anew at the next question."""
        self._kept.pop(tenant_id, None)

    def of_event(self, account: str, source: str) -> Sender:
        """Whose events of an account and source are (pk `SOURCE#account#source`).

        Raises:
            Forbidden: no tenant is registered for them.
        """
        item = self._database.get("registry", f"SOURCE#{account}#{source}", "SOURCE")
        if item is None or not item.get("enabled", True):
            raise Forbidden(f"No tenant is registered for events of source {source!r}.", code="unknown_source")
        return Sender(str(item["tenant"]), item.get("application"))
