"""Auxiliary calls, whose answer is not the job's: which model makes them, and what they can cost."""

from collections.abc import Collection

from broker.context.fitting import SUMMARY_TOKENS
from broker.routing.model import Model
from broker.routing.question import Question
from broker.routing.routes import Catalog
from broker.tenants.registry import Tenant

LEAST_WINDOWS = 4
"""A model that summarises has room for several summaries, or a transcript would lose all but its ends."""


SUMMARISERS = "summarizer"
"""The alias by which operators may say which models summarise."""


def summariser(catalog: Catalog, allowed: Collection[str] | None, tokens: int) -> Model | None:
    """The first model of the alias, or else the cheapest chat model, that the tenant may use; None for none."""
    named = catalog.aliases.get(SUMMARISERS)
    fit = [
        model
        for model in map(catalog.models.get, named.models if named else catalog.open())
        if model is not None
        and "chat" in model.tasks
        and model.status == "active"
        and not model.asynchronous
        and (allowed is None or model.id in allowed)
        and model.context_window >= LEAST_WINDOWS * tokens
    ]
    if named:
        return fit[0] if fit else None
    return min(fit, key=lambda model: (model.cost(1000, tokens), model.rank, model.id), default=None)


def worst_auxiliary(question: Question, catalog: Catalog, tenant: Tenant) -> int:
    """Nano-dollars that a job's summary and embedding can cost; 0 for a job that asks for neither."""
    worst = 0
    if question.request.get("context", {}).get("strategy") == "summarize":
        cheap = summariser(catalog, tenant.models, SUMMARY_TOKENS)
        worst += cheap.worst_case(question.tokens(cheap), SUMMARY_TOKENS) if cheap else 0
    embedding = catalog.models.get(tenant.cache_embedding_model or "")
    if embedding and "similarity" in question.request.get("cache", {}):
        worst += embedding.worst_case(question.tokens(embedding), 1)
    return worst
