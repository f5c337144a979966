"""Tenants with their guardrail policies, and what says whose an event or a token is."""

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from broker.batches.asking.parts import Hours, TimeZone
from broker.jobs.field_errors import Spelled
from broker.jobs.fields import Language
from broker.json_text import MAX_BODY_BYTES
from broker.registry.entry import Entry, Name, PolicyNames, StrictEntry, TenantId, Usd
from broker.storage import Item
from broker.tenants.limits import MOST, MOST_CALLS, MOST_ENQUEUED, MOST_QUEUED, MOST_WAITS, What, Window
from broker.tenants.rules import MOST_RULES, Action, Per, Period
from broker.tenants.usage import MOST_DIMENSIONS, TAG, Dimension

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Of tokens; a test holds them against those that `tenants.jose` knows, which loads a cryptography library."""

Url = Annotated[str, Spelled("^https?://", "it has to be an address that begins with https:// or http://")]


GroupName = Annotated[str, Field(min_length=1, max_length=128)]
Claim = Annotated[str, Field(min_length=1, max_length=256)]


class PolicyEntry(StrictEntry):
    """A tenant's own settings over its guardrail policies (`guardrails.policy.of_tenant`)."""

    max_input_chars: int | None = Field(default=None, ge=1)
    denied_terms: list[Annotated[str, Field(min_length=1)]] | None = None
    block_secrets: bool | None = None
    block_card_numbers: bool | None = None


def _most(what: What, window: Window) -> Any:
    return Field(default=None, ge=1, le=MOST[what, window])


class LimitsEntry(StrictEntry):
    """What a tenant's submissions, or those by one API key, may be in a window of time (`tenants.limits`)."""

    requests_per_second: int | None = _most("requests", "second")
    """Requests that are accepted by REST. More than 500 a second are said by the minute."""
    requests_per_minute: int | None = _most("requests", "minute")
    requests_per_day: int | None = _most("requests", "day")
    """Of the day in UTC."""
    requests_per_month: int | None = _most("requests", "month")
    """Of the calendar month in UTC."""
    tokens_per_minute: int | None = _most("tokens", "minute")
    """Tokens of the same requests: the input as it is estimated, and the most that the answer may have."""
    tokens_per_day: int | None = _most("tokens", "day")
    tokens_per_month: int | None = _most("tokens", "month")
    queued_jobs: int | None = Field(default=None, ge=0, le=MOST_QUEUED)
    """Jobs that were accepted, by whichever door, and have not ended; rows of batches are not among them."""
    body_bytes: int | None = Field(default=None, ge=1, le=MAX_BODY_BYTES)
    """The largest body of a request."""


class TenantLimitsEntry(LimitsEntry):
    """The limits of a tenant."""

    calls_per_second: int | None = Field(default=None, ge=1, le=MOST_CALLS)
    """Calls of the API, looks among them; what the stack gives each unless said."""
    enqueued_batch_tokens: int | None = Field(default=None, ge=0, le=MOST_ENQUEUED)
    """Of its batches that have not ended: one for each four bytes of their rows."""
    waits_at_once: int | None = Field(default=None, ge=0, le=MOST_WAITS)
    """Calls that wait for an answer at the same time; what the stack gives each unless said."""


DIMENSIONS = get_args(Dimension)

UsageDimension = Annotated[
    str, Spelled(f"^({'|'.join(DIMENSIONS)}|{TAG}.{{1,64}})$", f"it has to be {', '.join(DIMENSIONS)}, or {TAG}NAME")
]


class BudgetEntry(StrictEntry):
    """One budget of a tenant beside its own, as `tenants.rules.Rule` reads it."""

    id: Annotated[str, Spelled("^[a-z0-9][a-z0-9-]{0,31}$", "it has to be of a-z, 0-9 and -, 32 at most")]
    usd: Usd
    """For each period, and each value that jobs have of what it goes by."""
    per: Per = "tenant"
    """`tenant` for one of all its jobs; else each key, principal, end user, model (as requests name it),
    batch, or value of a `tag` has its own."""
    tag: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """The name in requests' metadata; only with `per: tag`."""
    only: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field(default_factory=list, max_length=100)
    """The values that it is for; all unless said."""
    period: Period = "month"
    time_zone: TimeZone = "UTC"
    """By whose clock days and months begin."""
    action: Action = "refuse"
    """What becomes of a job that it does not cover: refused; done by `degrade_to` in place of the model that it names;
    or accepted all the same (`warn`)."""
    degrade_to: Name | None = None
    warn_at: list[Annotated[int, Field(ge=1, le=100)]] = Field(default_factory=list, max_length=5)
    """Percent, held and spent, at which `BudgetThresholdCrossed` is told."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.per == "tag") != (self.tag is not None):
            raise ValueError("tag goes with per: tag")
        if (self.action == "degrade") != (self.degrade_to is not None):
            raise ValueError("degrade_to goes with action: degrade")
        if self.only and self.per == "tenant":
            raise ValueError("only needs another per than tenant")
        if self.warn_at != sorted(set(self.warn_at)):
            raise ValueError("warn_at has to be in ascending order")
        return self

    def kept(self) -> Item:
        """The stored form; money in nano-dollars."""
        own = self.model_dump(exclude_defaults=True, exclude={"usd"})
        return own | {"nusd": round(self.usd * 1_000_000_000)}


class TenantEntry(Entry):
    """One tenant, as `tenants.registry.Tenant` reads it."""

    kind: ClassVar[str] = "TENANT"

    id: TenantId
    organisation: Name | None = None
    """What it is a part of, with other tenants perhaps."""
    roles: Annotated[dict[GroupName, Annotated[list[GroupName], Field(max_length=100)]], Field(max_length=50)] = Field(
        default_factory=dict
    )
    """Roles by group: who is in one of these groups has the role, beside those that a token says."""
    inbox_application: Name | None = None
    """The application that its work in the inbox belongs to, where its recipe names none."""
    monthly_budget_usd: Usd | None = None
    models: list[Name] | None = None
    guardrails: PolicyNames = Field(default_factory=list)
    """The policies that hold for all its jobs; without one that acts, the built-in."""
    policy: PolicyEntry = Field(default_factory=PolicyEntry)
    webhook_secret: str | None = None
    redaction_secret: (
        Annotated[str, Spelled("^redaction/.", "it has to be the name of a secret below redaction/")] | None
    ) = None
    """The secret that is the key of hashes: without it, rules that hash block."""
    document_prompt: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    recipes_only: bool = False
    """Documents of the inbox are taken by recipes alone, as `{tenant}/{recipe}/{name}`."""
    cache_embedding_model: Name | None = None
    """The model that tells how alike questions are."""
    language: Language | None = None
    """In which its users are told what was blocked; English where it is unknown."""
    repeat_window_seconds: int | None = Field(default=None, ge=1, le=600)
    """Requests of one caller that are equal byte for byte, and have neither a key nor a count of tries, are one for so
    long."""
    weight: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Its share of the bulk lane where several tenants want more than there is, beside 1 for any other."""
    max_files: int | None = Field(default=None, ge=0)
    """How many files it may keep; 10,000 unless said."""
    max_file_bytes: int | None = Field(default=None, ge=0)
    """Of all its files together; 100 GB unless said."""
    max_batches: int | None = Field(default=None, ge=0, le=5_000)
    """How many batches it may have under way at once, documents among them; 1,000 unless said."""
    budgets: Annotated[list[BudgetEntry], Field(max_length=MOST_RULES)] = Field(default_factory=list)
    """Budgets beside its own: by key, model, tag and more, by day, month or in all."""
    usage_by: Annotated[list[UsageDimension], Field(max_length=MOST_DIMENSIONS)] = Field(default_factory=list)
    """By what its usage is counted by day: `key`, `principal`, `user`, `task`, `prompt`, `batch`, `model`, or `tag:`
    and the name of a field of requests' metadata."""
    limits: TenantLimitsEntry | None = None
    """Of all its submissions by REST together; none unless said."""
    cloud_events: bool | None = None
    """Events about its jobs and batches have CloudEvents 1.0 envelopes; those of the broker's own form unless said."""
    off_peak: Hours | None = None
    """When rows of its batches may begin that name no hours themselves."""
    enabled: bool = True

    @model_validator(mode="after")
    def _names_budgets_once(self) -> Self:
        if len({each.id for each in self.budgets}) < len(self.budgets):
            raise ValueError("budgets have the same id")
        return self

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    def item(self) -> Item:
        """The stored form; money in nano-dollars."""
        kept = self.model_dump(exclude_none=True, exclude={"id", "monthly_budget_usd"})
        for name in ("budgets", "usage_by", "roles"):
            if not kept[name]:
                del kept[name]
        if self.budgets:
            kept["budgets"] = [each.kept() for each in self.budgets]
        if self.monthly_budget_usd is not None:
            kept["monthly_budget"] = round(self.monthly_budget_usd * 1_000_000_000)
        return {"pk": f"TENANT#{self.id}", "sk": "TENANT", **kept}


class SourceEntry(Entry):
    """Whose events are whose: an account and a source, and the tenant they belong to."""

    kind: ClassVar[str] = "SOURCE"

    account: Annotated[str, Spelled(r"^\d{12}$", "it has to be an AWS account's 12 digits, as a text")]
    source: Annotated[str, Field(min_length=1)]
    tenant: TenantId
    application: Name | None = None
    """The tenant's application that sends them."""
    enabled: bool = True

    @property
    def key(self) -> str:
        """Account and source, as the partition has them."""
        return f"{self.account}#{self.source}"

    def item(self) -> Item:
        """As `Tenants.of_event` reads it."""
        application = {"application": self.application} if self.application else {}
        kept = {"tenant": self.tenant, "enabled": self.enabled, **application}
        return {"pk": f"SOURCE#{self.key}", "sk": "SOURCE", **kept}


class IssuerEntry(Entry):
    """An OIDC issuer whose tokens are taken; one tenant for all of them, or the claim that names it."""

    kind: ClassVar[str] = "ISSUER"

    issuer: Url
    jwks_uri: Url
    audience: str
    audience_claim: Literal["aud", "client_id"] = "aud"
    """`client_id` for access tokens without an audience, as those of Amazon Cognito are."""
    tenant: TenantId | None = None
    tenant_claim: str | None = None
    scope_claim: str = "scope"
    scope_prefix: str = ""
    """What the broker's scopes begin with there; others are none of its."""
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] | None = None
    """By which its tokens may be signed; RS256 and ES256 when left out."""
    longest_seconds: Annotated[int, Field(ge=60, le=31_536_000)] | None = None
    """How long a token may live; a day when left out."""
    application_claim: Claim | None = None
    """The claim that names the application; a token without it belongs to none."""
    groups_claim: Claim | None = None
    roles_claim: Claim | None = None
    enabled: bool = True

    @model_validator(mode="after")
    def _names_a_tenant(self) -> Self:
        if (self.tenant is None) == (self.tenant_claim is None):
            raise ValueError("either tenant or tenant_claim is needed")
        return self

    @property
    def key(self) -> str:
        """Its URL."""
        return self.issuer

    def item(self) -> Item:
        """As `tenants.jwts` reads it."""
        kept = self.model_dump(exclude_none=True, exclude={"issuer", "enabled"})
        status = "active" if self.enabled else "disabled"
        return {"pk": f"ISSUER#{self.issuer}", "sk": "ISSUER", "status": status, **kept}
