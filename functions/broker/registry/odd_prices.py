"""Prices that look wrong in a plan: they are told, and hold all the same, for an operator may mean them.

A price of nothing is a word too: who writes it says that the model is free. A model without one cannot be registered.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broker.registry.model_entry import OPTIONAL_PRICES, ModelEntry
from broker.registry.records import Change

TIMES = 100
"""A price that is so many times another, or such a part of it, is one for another number of tokens, or in cents."""

MOST_USD = 1_000.0
"""Of a million tokens: more than any model costs."""

LEAST_USD = 0.001
"""Of a million tokens, where it is not nothing: less than any model costs that is charged for."""

OF_TOKENS = ("price_in_usd", "price_out_usd", *OPTIONAL_PRICES)

CHEAPER = {
    "price_cached_in_usd": "price_in_usd",
    "batch_price_in_usd": "price_in_usd",
    "batch_price_out_usd": "price_out_usd",
}
"""Prices that are rebates on others."""


def odd_prices(changes: Sequence[Change]) -> tuple[str, ...]:
    """A line for each price of these changes that looks wrong."""
    return tuple(
        f"{change.entry.key}: {told}"
        for change in changes
        if isinstance(change.entry, ModelEntry) and change.entry.status != "disabled"
        for told in (*_alone(change.entry), *_since(change.fields))
    )


def _alone(model: ModelEntry) -> Iterator[str]:
    prices = {name: price for name in OF_TOKENS if (price := getattr(model, name)) is not None}
    if not any(prices.values()) and not any(model.unit_prices_usd.values()):
        yield "it costs nothing: budgets do not hold it back"
    elif "chat" in model.tasks and (model.price_in_usd == 0) != (model.price_out_usd == 0):
        free = "price_in_usd" if not model.price_in_usd else "price_out_usd"
        yield f"{free} is 0, and the other is not"
    for name, price in prices.items():
        if price > MOST_USD or 0 < price < LEAST_USD:
            yield f"{name} is {price:g}: prices are dollars for a million tokens"
    for name, other in CHEAPER.items():
        if prices.get(name, 0) > prices[other]:
            yield f"{name} is {prices[name]:g}, which is more than {other}, {prices[other]:g}"


def _since(fields: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    """What has become a hundred times as much, or as little; `fields` are what a change differs in."""
    for name in OF_TOKENS:
        before, after = fields.get(name, (None, None))
        if before and after and not 1 / TIMES < after / before < TIMES:
            yield f"{name} was {before:g}, and is {after:g}"
        elif before and after == 0:
            yield f"{name} was {before:g}, and is 0"
