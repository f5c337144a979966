"""A model, as the operators registered it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from broker.cached_input import NOT_CACHED, CachedInput
from broker.prompt_marks import LONG
from broker.routing.credentials import Credential
from broker.storage import Item

SETS = ("tasks", "capabilities", "regions", "provider_options", "tags")
"""Kept as lists."""

ASKED_TO_KEEP = frozenset({"anthropic", "bedrock"})
"""Providers that put a prompt into their cache only where a call asks for it."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the operators registered it (table `registry`, pk `MODELS`, sk the id)."""

    id: str
    provider: str
    name: str
    """The provider's own name of the model."""
    tasks: frozenset[str]
    context_window: int
    """Tokens, prompt and answer together."""
    max_output_tokens: int
    price_in: int
    """Nano-dollars for each token of the prompt (150 is 0.15 $ a million)."""
    price_out: int
    capabilities: frozenset[str] = frozenset()
    rank: int = 100
    """Order of preference where the request leaves the choice open; lower comes first."""
    endpoint: str | None = None
    secret: str | None = None
    """Name of the provider's key in Secrets Manager, below the stack's prefix."""
    credentials: tuple[Credential, ...] = ()
    """The keys of a pool, in place of `secret`."""
    timeout_s: int = 60
    version: int = 1
    """Of the registry's record; every change makes a new one, and a job keeps which it used."""
    status: Literal["active", "deprecated", "disabled"] = "active"
    sunset: str | None = None
    """The day (ISO 8601) from which a deprecated model is used no more."""
    successor: str | None = None
    """The model that takes its place from then on."""
    quality: int = 3
    """The operators' judgement, from 1 (simple) to 5 (the best there is)."""
    regions: frozenset[str] = frozenset()
    """Data regions that it keeps to (`eu`, `us`); empty where that is not known."""
    weight: int = 100
    """Its share of traffic among models that are equally good by a route's order; 0 for none."""
    asynchronous: bool = False
    """True where the provider goes on by itself and is asked after (`wire.base.Asynchronous`)."""
    wait_s: int = 1_800
    """How long such work may take: the time budget of jobs that name none."""
    tenant_at_once: int | None = None
    """How much of such work a tenant may have at once; None for no bound but the provider's own."""
    by_name_only: bool = False
    """True for a model that is taken where a request, alias or route names it, and not where the choice is open."""
    fewest_texts: int = 1
    """Texts that a request has at least, for a provider that takes no fewer at a time."""
    unit_prices: Mapping[str, int] = field(default_factory=dict)
    """Nano-dollars for each unit beside tokens: as `wire.base.Answer.units`."""
    batch_price_in: int | None = None
    """The same of the provider's own batches, where it has such prices."""
    batch_price_out: int | None = None
    price_cached_in: int | None = None
    """Nano-dollars for each token of the prompt that the provider's prompt cache has; None for `price_in`."""
    price_cache_write: int | None = None
    """The same of one that is put there for some minutes,"""
    price_cache_write_1h: int | None = None
    """and of one that is put there for an hour."""
    prices_as_of: str | None = None
    """The day of the prices."""
    registered_at: int = 0
    """When this version of it was, in milliseconds; 0 where that is not known."""
    provider_options: frozenset[str] = frozenset()
    """Fields of its provider's own that requests may send it (`routing.provider_options`)."""
    tags: frozenset[str] = frozenset()
    """The operators' words for it, which permissions may go by."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What its provider alone understands (`wire.base.Call.options`)."""

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        known: dict[str, Any] = {name: item[name] for name in cls.__dataclass_fields__ if name in item}
        known |= {name: frozenset(known.get(name, ())) for name in SETS}
        known["credentials"] = tuple(map(Credential.of, known.get("credentials", ())))
        return cls(**known, id=item["sk"]) if "id" not in known else cls(**known)

    def worst_case(self, input_tokens: int, max_output_tokens: int | None) -> int:
        """Nano-dollars that one call can cost at most, for so many tokens in and so many asked for."""
        return self.cost(input_tokens, min(max_output_tokens or self.max_output_tokens, self.max_output_tokens))

    def dearest_input(self, tokens: int, asked: str | None) -> CachedInput:
        """How a prompt of so many tokens is read at its dearest.

        Args:
            tokens: of it.
            asked: for how long the request wants it kept (`prompt_marks.longest_asked`). Without that, nothing is put
                into a cache by a provider that has to be asked.
        """
        ways = [NOT_CACHED]
        if asked or self.provider not in ASKED_TO_KEEP:
            ways.append(CachedInput(written=tokens))
        if asked == LONG:
            ways.append(CachedInput(written_1h=tokens))
        return max(ways, key=lambda way: self.cost(tokens, 0, cached=way))

    def cost(
        self,
        input_tokens: int,
        output_tokens: int,
        units: Mapping[str, int] | None = None,
        cached: CachedInput = NOT_CACHED,
    ) -> int:
        """Nano-dollars of a call; `cached` are those of the tokens in that a prompt cache had to do with."""
        other = sum(amount * self.unit_prices.get(name, 0) for name, amount in (units or {}).items())
        if any(cached):
            cached = cached.within(input_tokens)
            prices = (self.price_cached_in, self.price_cache_write, self.price_cache_write_1h)
            known = [self.price_in if price is None else price for price in prices]
            if self.price_cache_write_1h is None:
                known[2] = known[1]
            other += sum(tokens * price for tokens, price in zip(cached, known, strict=True))
            input_tokens -= sum(cached)
        return input_tokens * self.price_in + output_tokens * self.price_out + other
