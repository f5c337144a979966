"""Registering models, tenants, prompts, event sources and token issuers: a file in, registry items out.

Read by operators' tools only; no function loads this module.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from broker.errors import InvalidRequest
from broker.jobs.request import Task
from broker.storage import Database, If, Item, Put

TENANT_ID = "^[a-z0-9][a-z0-9-]{0,62}$"
Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Entry(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid")


class ModelEntry(Entry):
    """One model; prices are dollars for a million tokens."""

    id: Annotated[str, Field(min_length=1, max_length=128)]
    provider: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    tasks: list[Task]
    capabilities: list[str] = Field(default_factory=list)
    context_window: int = Field(ge=1)
    max_output_tokens: int = Field(ge=1)
    price_in_usd: Usd
    price_out_usd: Usd
    rank: int = 100
    status: Literal["active", "deprecated", "disabled"] = "active"
    endpoint: str | None = None
    secret: str | None = None
    timeout_s: int = Field(default=60, ge=1, le=290)

    def item(self) -> Item:
        """As `routing.models.Model` reads it."""
        kept = self.model_dump(mode="json", exclude_none=True, exclude={"id", "price_in_usd", "price_out_usd"})
        # A dollar for a million tokens is a thousand nano-dollars for one.
        prices = {"price_in": _nano(self.price_in_usd), "price_out": _nano(self.price_out_usd)}
        return {"pk": "MODELS", "sk": self.id, **kept, **prices}


def _nano(usd_a_million: float) -> int:
    """Nano-dollars a token; what costs anything costs one at least."""
    return max(round(usd_a_million * 1000), 1 if usd_a_million else 0)


class PolicyEntry(Entry):
    """A tenant's guardrail policy, as `guardrails.policy.Policy` reads it; what is left out is on."""

    max_input_chars: int | None = Field(default=None, ge=1)
    denied_terms: list[Annotated[str, Field(min_length=1)]] | None = None
    block_secrets: bool | None = None
    block_card_numbers: bool | None = None


class TenantEntry(Entry):
    """One tenant, as `tenants.registry.Tenant` reads it."""

    id: Annotated[str, Field(pattern=TENANT_ID)]
    monthly_budget_usd: Usd | None = None
    models: list[str] | None = None
    policy: PolicyEntry = Field(default_factory=PolicyEntry)
    webhook_secret: str | None = None
    document_prompt: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    enabled: bool = True

    def item(self) -> Item:
        """The stored form; money in nano-dollars."""
        kept = self.model_dump(exclude_none=True, exclude={"id", "monthly_budget_usd"})
        if self.monthly_budget_usd is not None:
            kept["monthly_budget"] = round(self.monthly_budget_usd * 1_000_000_000)
        return {"pk": f"TENANT#{self.id}", "sk": "TENANT", **kept}


class SourceEntry(Entry):
    """Whose events are whose: an account and a source, and the tenant they belong to."""

    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    source: Annotated[str, Field(min_length=1)]
    tenant: Annotated[str, Field(pattern=TENANT_ID)]

    def item(self) -> Item:
        """As `Tenants.of_event` reads it."""
        return {"pk": f"SOURCE#{self.account}#{self.source}", "sk": "SOURCE", "tenant": self.tenant}


class IssuerEntry(Entry):
    """An OIDC issuer whose tokens are taken; one tenant for all of them, or the claim that names it."""

    issuer: Annotated[str, Field(pattern="^https?://")]
    jwks_uri: Annotated[str, Field(pattern="^https?://")]
    audience: str
    tenant: Annotated[str, Field(pattern=TENANT_ID)] | None = None
    tenant_claim: str | None = None
    scope_claim: str = "scope"
    enabled: bool = True

    @model_validator(mode="after")
    def _names_a_tenant(self) -> Self:
        if (self.tenant is None) == (self.tenant_claim is None):
            raise ValueError("either tenant or tenant_claim is needed")
        return self

    def item(self) -> Item:
        """As `tenants.tokens` reads it."""
        kept = self.model_dump(exclude_none=True, exclude={"issuer", "enabled"})
        status = "active" if self.enabled else "disabled"
        return {"pk": f"ISSUER#{self.issuer}", "sk": "ISSUER", "status": status, **kept}


class PromptEntry(Entry):
    """One version of a prompt template."""

    id: Annotated[str, Field(min_length=1, max_length=128)]
    version: int = Field(ge=1)
    system: str | None = None
    user: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.system and not self.user:
            raise ValueError("system or user is needed")
        return self

    def items(self) -> list[Item]:
        """The version, and the same as the newest."""
        parts = self.model_dump(exclude_none=True, exclude={"id"})
        return [{"pk": f"PROMPT#{self.id}", "sk": sk, **parts} for sk in (f"V#{self.version:04}", "LATEST")]


class RegistryFile(Entry):
    """What `broker apply` reads."""

    models: list[ModelEntry] = Field(default_factory=list)
    tenants: list[TenantEntry] = Field(default_factory=list)
    sources: list[SourceEntry] = Field(default_factory=list)
    issuers: list[IssuerEntry] = Field(default_factory=list)
    prompts: list[PromptEntry] = Field(default_factory=list)


def parse_registry(document: Any) -> RegistryFile:
    """Check a registry file.

    Raises:
        InvalidRequest: names the first entry and field at fault.
    """
    try:
        return RegistryFile.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        param = ".".join(str(part) for part in first["loc"])
        where = f"{param}: " if param else ""
        raise InvalidRequest(f"{where}{first['msg']}", code="invalid_field", param=param or None) from None


def apply(database: Database, registry: RegistryFile) -> int:
    """Write all entries, each over what was there before; a prompt's version is written once and never changed.

    Returns:
        How many items were written.

    Raises:
        InvalidRequest: a prompt version exists with other words; nothing was written.
    """
    items = [each.item() for each in registry.models]
    items += [each.item() for each in registry.tenants]
    items += [each.item() for each in registry.sources]
    items += [each.item() for each in registry.issuers]
    operations = [Put("registry", item) for item in items]
    newest: dict[str, tuple[int, Item]] = {}
    for prompt in registry.prompts:
        version, latest = prompt.items()
        there = database.get("registry", version["pk"], version["sk"]) or next(
            (each.item for each in operations if each.item["pk"] == version["pk"] and each.item["sk"] == version["sk"]),
            None,
        )
        if there not in (None, version):
            what = f"Prompt {prompt.id!r} has a version {prompt.version} with other words; give the next number."
            raise InvalidRequest(what, code="prompt_version_exists", param=f"prompts.{prompt.id}.version")
        if there is None:
            operations.append(Put("registry", version, (If("pk", "absent"),)))
        known = newest[prompt.id][0] if prompt.id in newest else _newest_version(database, version["pk"])
        if prompt.version >= known:
            newest[prompt.id] = (prompt.version, latest)
    operations += [Put("registry", latest) for _, latest in newest.values()]
    for operation in operations:
        database.write(operation)
    return len(operations)


def _newest_version(database: Database, pk: str) -> int:
    """The number of the newest version that is registered; 0 for none."""
    item = database.get("registry", pk, "LATEST")
    return int(item["version"]) if item else 0
