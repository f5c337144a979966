"""Models: what routing goes by, and what calls need."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from broker.jobs.field_errors import Spelled, here
from broker.jobs.fields import Task
from broker.jobs.request import OwnField
from broker.registry.entry import Day, Entry, Name, StrictEntry, Usd
from broker.storage import Item

Word = Annotated[str, Field(min_length=1, max_length=64)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000_000)]
Unit = Literal[
    "images", "pages", "forms", "tables", "characters", "seconds", "requests",
    "text_units", "content_units", "topic_units", "pii_units", "grounding_units",
]  # fmt: skip

NANO_OF = {"characters": 1_000}
"""Nano-dollars of one unit at a dollar: characters are priced by the million, all others one by one."""
NANO_OF_TOKENS, NANO_OF_UNITS = 1_000, 1_000_000_000

OPTIONAL_PRICES = (
    "batch_price_in_usd",
    "batch_price_out_usd",
    "price_cached_in_usd",
    "price_cache_write_usd",
    "price_cache_write_1h_usd",
)
"""Of a million tokens, where the provider has them."""


def nano(usd: float, factor: int) -> int:
    """Whole nano-dollars; what costs anything costs one at least."""
    return max(round(usd * factor), 1 if usd else 0)


SecretName = Annotated[
    str,
    Spelled(
        "^[A-Za-z0-9/_+=.@-]{1,256}$",
        "it has to be the name of a secret, as Secrets Manager takes it, in 256 characters at most",
    ),
]


class CredentialLimits(StrictEntry):
    """How much one key is asked for in a minute of the clock, by all functions together."""

    requests_per_minute: int | None = Field(default=None, ge=1, le=1_000_000_000)
    tokens_per_minute: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """Estimated, in and out."""


class CredentialEntry(StrictEntry):
    """One of several keys of a model."""

    name: Name
    """What it is called where it is told of: in attempts."""
    secret: SecretName
    weight: int = Field(default=100, ge=0, le=10_000)
    """Its share of the requests; 0 for none."""
    limits: CredentialLimits = Field(default_factory=CredentialLimits)

    def stored(self) -> Item:
        """As `routing.credentials.Credential` reads it."""
        limits = self.limits.model_dump(exclude_none=True)
        return {"name": self.name, "secret": self.secret, "weight": self.weight, **limits}


class ModelEntry(Entry):
    """One model; prices are dollars for a million tokens."""

    kind: ClassVar[str] = "MODEL"

    id: Name
    provider: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    """The provider's own name of it."""
    tasks: list[Task]
    capabilities: list[Word] = Field(default_factory=list)
    """`json`, `schema`, `tools`, `vision`, `long_context`, or the operators' own."""
    context_window: Tokens
    max_output_tokens: Tokens
    price_in_usd: Usd
    price_out_usd: Usd
    unit_prices_usd: dict[Unit, Usd] = Field(default_factory=dict)
    """Dollars for each unit beside tokens; for `characters`, for a million of them. `forms` and `tables` are what a
    page costs more that is searched for them; `text_units` and its kin are thousands of characters that are judged."""
    batch_price_in_usd: Usd | None = None
    """Of the provider's own batches, where it has such prices: estimates of batches show what they would make of it."""
    batch_price_out_usd: Usd | None = None
    price_cached_in_usd: Usd | None = None
    """Of tokens of a prompt that the provider's prompt cache had; without it they cost what others do."""
    price_cache_write_usd: Usd | None = None
    """Of tokens that were put there for some minutes;"""
    price_cache_write_1h_usd: Usd | None = None
    """and for an hour, where that costs more."""
    prices_as_of: Day | None = None
    rank: int = Field(default=100, ge=-1_000_000, le=1_000_000)
    """Order of preference where the choice is open; lower comes first."""
    quality: int = Field(default=3, ge=1, le=5)
    weight: int = Field(default=100, ge=0, le=10_000)
    """Share of traffic among models that are equally good; 0 for none."""
    status: Literal["active", "deprecated", "disabled"] = "active"
    sunset: Day | None = None
    """The day from which a deprecated model is used no more."""
    successor: Name | None = None
    regions: list[Word] = Field(default_factory=list)
    """Data regions that it keeps to."""
    endpoint: str | None = None
    secret: str | None = None
    credentials: list[CredentialEntry] = Field(default_factory=list, max_length=32)
    """Several keys in place of the one `secret`: what is rejected or exhausted of one is asked for with another."""
    timeout_s: int = Field(default=60, ge=1, le=290)
    asynchronous: bool = False
    """True where the provider goes on by itself and is asked after."""
    wait_s: int = Field(default=1_800, ge=1, le=604_800)
    """How long such work may take: the time budget of jobs that name none."""
    tenant_at_once: int | None = Field(default=None, ge=1, le=1_000)
    """How much of such work a tenant may have at once, of what the account may have; what is beyond waits."""
    by_name_only: bool = False
    """True for a model that is not taken where the choice is open."""
    fewest_texts: int = Field(default=1, ge=1, le=100_000)
    """Texts that a request has at least, where the provider takes no fewer at a time."""
    tags: list[Word] = Field(default_factory=list, max_length=32)
    """The operators' words for it, which permissions may go by."""
    provider_options: list[OwnField] = Field(default_factory=list, max_length=32)
    """Fields of its provider's own that requests may send it: `provider_options.{provider}.{field}`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What its provider alone understands, and what the model does not take (`providers.wire.abilities`)."""

    @field_validator("provider_options")
    @classmethod
    def _are_not_the_brokers(cls, names: list[str], others: ValidationInfo) -> list[str]:
        from broker.providers.wire import own_fields

        if wrong := own_fields.fault(str(others.data.get("provider")), names):
            raise here(wrong)
        return names

    @field_validator("options")
    @classmethod
    def _is_kept_as_it_stands(cls, options: dict[str, Any]) -> dict[str, Any]:
        if not _is_kept(options):
            raise ValueError("the registry keeps whole numbers of up to 15 digits; write others as texts")
        from broker.providers.wire import abilities  # the door loads nothing of the providers before it needs to

        if wrong := abilities.fault(options):
            raise ValueError(wrong)
        return options

    @field_validator("id")
    @classmethod
    def _is_no_keyword(cls, name: str) -> str:
        return not_auto(name)

    @model_validator(mode="after")
    def _says_when_it_ends(self) -> Self:
        if self.status == "deprecated" and self.sunset is None:
            raise ValueError("a deprecated model has a sunset")
        return self

    @field_validator("credentials")
    @classmethod
    def _are_told_apart(cls, pool: list[CredentialEntry], others: ValidationInfo) -> list[CredentialEntry]:
        if pool and others.data.get("secret") is not None:
            raise here("a model has a secret or credentials, not both")
        if len({each.name for each in pool}) < len(pool):
            raise here("two have one name")
        if len({each.secret for each in pool}) < len(pool):
            raise here("two have one secret")
        if pool and not any(each.weight for each in pool):
            raise here("none of them has a share")
        return pool

    @model_validator(mode="after")
    def _has_both_batch_prices(self) -> Self:
        if (self.batch_price_in_usd is None) != (self.batch_price_out_usd is None):
            raise ValueError("batch_price_in_usd and batch_price_out_usd come together")
        return self

    @model_validator(mode="after")
    def _has_a_price_of_minutes_too(self) -> Self:
        if self.price_cache_write_1h_usd is not None and self.price_cache_write_usd is None:
            raise ValueError("price_cache_write_1h_usd comes with price_cache_write_usd")
        return self

    @property
    def key(self) -> str:
        """See `Entry.key`."""
        return self.id

    def item(self) -> Item:
        """As `routing.models.Model` reads it."""
        priced = {"id", "price_in_usd", "price_out_usd", "unit_prices_usd", *OPTIONAL_PRICES}
        kept = self.model_dump(mode="json", exclude_none=True, exclude={*priced, "credentials"})
        if self.credentials:
            kept["credentials"] = [each.stored() for each in self.credentials]
        units = {name: nano(usd, NANO_OF.get(name, NANO_OF_UNITS)) for name, usd in self.unit_prices_usd.items()}
        prices = {
            "price_in": nano(self.price_in_usd, NANO_OF_TOKENS),
            "price_out": nano(self.price_out_usd, NANO_OF_TOKENS),
            "unit_prices": units,
        }
        for name in OPTIONAL_PRICES:
            if (price := getattr(self, name)) is not None:
                prices[name.removesuffix("_usd")] = nano(price, NANO_OF_TOKENS)
        return {"pk": "MODELS", "sk": self.id, **kept, **prices}

    def disabled(self) -> Self:
        """See `Entry.disabled`."""
        return self.model_copy(update={"status": "disabled"})


def not_auto(name: str) -> str:
    """A name as it is; raises ValueError for the word that leaves the choice open."""
    if name == "auto":
        raise ValueError("auto leaves the choice open, so nothing has it for a name")
    return name


def _is_kept(value: Any) -> bool:
    match value:
        case Mapping():
            return all(_is_kept(each) for each in value.values())
        case list():
            return all(_is_kept(each) for each in value)
        case int():
            return abs(value) < 10**15
    return value is None or isinstance(value, str)
