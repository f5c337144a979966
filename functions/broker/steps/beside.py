"""Calls beside the job's own answer: which model makes them, and what they can cost."""

from collections.abc import Collection, Mapping

from broker.context.fitting import SUMMARY_TOKENS
from broker.routing.models import Model
from broker.routing.question import Question
from broker.tenants.registry import Tenant

LEAST_WINDOWS = 4
"""A model that summarises has room for several summaries, or a transcript would lose all but its ends."""


def summariser(models: Mapping[str, Model], allowed: Collection[str] | None, tokens: int) -> Model | None:
    """The cheapest chat model that the tenant may use; None where there is none."""
    fit = [
        model
        for model in models.values()
        if "chat" in model.tasks
        and model.status == "active"
        and not model.asynchronous
        and (allowed is None or model.id in allowed)
        and model.context_window >= LEAST_WINDOWS * tokens
    ]
    return min(fit, key=lambda model: (model.cost(1000, tokens), model.rank, model.id), default=None)


def worst_beside(question: Question, models: Mapping[str, Model], tenant: Tenant) -> int:
    """Nano-dollars that a job's summary and embedding can cost; 0 for a job that asks for neither."""
    worst = 0
    if question.request.get("context", {}).get("strategy") == "summarize":
        cheap = summariser(models, tenant.models, SUMMARY_TOKENS)
        worst += cheap.worst_case(question.tokens(cheap), SUMMARY_TOKENS) if cheap else 0
    embedding = models.get(tenant.cache_embedding_model or "")
    if embedding and "similarity" in question.request.get("cache", {}):
        worst += embedding.worst_case(question.tokens(embedding), 1)
    return worst
