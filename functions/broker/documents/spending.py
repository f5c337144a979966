"""A document's budget, divided among its children so that all of them together never cost more."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from broker.documents.steps import Failed, Request, Stage

NANO = 1_000_000_000
MOST_USD = 1_000
"""That one request may name (`jobs.fields.Routing`)."""


def limited(stage: Stage, most: int | None, spent: int) -> Stage:
    """A stage whose requests each name what they may cost at most.

    What is left is divided by weight, among this stage and those that may follow. A job never costs more than its own
    limit, so what has been spent and what may be is never more than `most`.

    Args:
        stage: the requests.
        most: nano-dollars for the whole document; None for no limit.
        spent: nano-dollars, by all stages before.

    Raises:
        Failed: nothing is left for one of them.
    """
    if most is None:
        return stage
    weight = sum(request.weight for request in stage.requests)
    share = max(0, most - spent) * weight // (weight + stage.later)
    limits = [share * request.weight // weight for request in stage.requests]
    if min(limits) <= 0:
        raise Failed("document_budget_spent", "Of max_cost_usd there is not enough left for what is to be done.")
    requests = zip(stage.requests, limits, strict=True)
    return replace(stage, requests=tuple(_with_limit(request, limit) for request, limit in requests))


def _with_limit(request: Request, limit: int) -> Request:
    routing: Mapping[str, Any] = request.body.get("routing", {})
    usd = min(limit / NANO, MOST_USD, routing.get("max_cost_usd", MOST_USD))
    return replace(request, body={**request.body, "routing": {**routing, "max_cost_usd": usd}})
