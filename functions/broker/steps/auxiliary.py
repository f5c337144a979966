"""Auxiliary calls, whose answer is not the job's: which model makes them, and what they can cost."""

from collections.abc import Collection, Mapping, Sequence

from broker.context.fitting import SUMMARY_TOKENS
from broker.guardrails.engines.questions import (
    FRAME_TOKENS,
    MARKER_TOKENS,
    MOST_PARTS,
    TOPIC_TOKENS,
    VERDICT_TOKENS,
    questions_of,
)
from broker.guardrails.engines.questions import (
    Question as Asked,
)
from broker.guardrails.policy import Policy
from broker.routing.model import Model
from broker.routing.question import Question
from broker.routing.residency import Residency, outside
from broker.routing.routes import Catalog
from broker.routing.units import most_units_of_text
from broker.tenants.registry import Tenant
from broker.token_estimates import family_of, most_of_another

LEAST_WINDOWS = 4
"""A model that summarises has room for several summaries, or a transcript would lose all but its ends."""


SUMMARISERS = "summarizer"
"""The alias by which operators may say which models summarise."""


def summariser(
    catalog: Catalog, allowed: Collection[str] | None, tokens: int, residency: Collection[Residency] = ()
) -> Model | None:
    """The first model of the alias, or else the cheapest chat model, that may see the turns; None for none.

    Args:
        catalog: the models.
        allowed: those that the tenant may use; None for all.
        tokens: of a summary.
        residency: what routes demand of the models that the job asks.
    """
    named = catalog.aliases.get(SUMMARISERS)
    fit = [
        model
        for model in map(catalog.models.get, named.models if named else catalog.open())
        if model is not None
        and "chat" in model.tasks
        and model.status == "active"
        and not model.asynchronous
        and (allowed is None or model.id in allowed)
        and outside(model, residency) is None
        and model.context_window >= LEAST_WINDOWS * tokens
    ]
    if named:
        return fit[0] if fit else None
    return min(fit, key=lambda model: (model.cost(1000, tokens), model.rank, model.id), default=None)


ENGINE_TASKS = ("chat", "moderate", "entities")
"""What a model has to do to judge for a guardrail: to answer as a judge, to moderate, or to find personal data."""


def engine_task(model: Model) -> str | None:
    """The task by which a model is an engine; None where it is none."""
    return None if model.asynchronous else next((task for task in ENGINE_TASKS if task in model.tasks), None)


def worst_guarding(
    policies: Sequence[Policy], question: Question, candidates: Sequence[Model], catalog: Catalog
) -> int:
    """Nano-dollars that the engines of policies can cost for a job: all that are named, for the longest answer."""
    worst = 0
    longest = {model.name: question.most_output(model) for model in candidates}
    for stage in ("input", "output"):
        rules = [rule for policy in policies for rule in policy.rules if stage in rule.stages]
        for asked in questions_of(rules):
            model = catalog.models.get(asked.engine)
            task = engine_task(model) if model else None
            if model is None or task is None:
                continue
            tokens = question.tokens(model) if stage == "input" else _most_read(longest, model)
            worst += _worst_verdict(model, task, tokens, asked, question)
    return worst


def _most_read(longest: Mapping[str, int], engine: Model) -> int:
    """Tokens that an engine may count in an answer, by how many the models that may give it do, at most, by name.

    What is few tokens to one family is several times as many to another: a letter of Hindi half a one, or two.
    """
    family = family_of(engine.name)
    most = max((tokens * most_of_another(family, family_of(name)) for name, tokens in longest.items()), default=0)
    return round(most * ESTIMATED_MORE)


def _worst_verdict(model: Model, task: str, tokens: int, asked: Asked, question: Question) -> int:
    if task != "chat":
        operations = 2 if task == "entities" else 1  # entities, and personal data
        return model.cost(tokens, 0, most_units_of_text(task, tokens * MOST_CHARS_OF_TOKEN, operations))
    passages = len(question.request.get("input", {}).get("messages", ())) + 1
    frame = FRAME_TOKENS + TOPIC_TOKENS * len(asked.topics)
    # Each token may come twice where parts share some, and no text is read in more parts than these.
    parts = 1 if tokens + frame + VERDICT_TOKENS + MARKER_TOKENS * passages <= model.context_window // 2 else MOST_PARTS
    read = tokens * (1 if parts == 1 else 2) + MARKER_TOKENS * (passages + parts) + parts * frame
    return model.worst_case(read, parts * VERDICT_TOKENS)


ESTIMATED_MORE = 1.25
"""An estimate is typically a fifth above what is counted, and the length of an answer is counted."""

MOST_CHARS_OF_TOKEN = 8
"""Characters of a token, at most and on the average of a text: those of long words are the longest there are."""


def worst_auxiliary(question: Question, catalog: Catalog, tenant: Tenant) -> int:
    """Nano-dollars that a job's summary and embedding can cost; 0 for a job that asks for neither."""
    worst = 0
    if question.request.get("context", {}).get("strategy") == "summarize":
        residency = catalog.residency(question.request, redacts=question.redacts)
        cheap = summariser(catalog, tenant.models, SUMMARY_TOKENS, residency)
        worst += cheap.worst_case(question.tokens(cheap), SUMMARY_TOKENS) if cheap else 0
    embedding = catalog.models.get(tenant.cache_embedding_model or "")
    if embedding and "similarity" in question.request.get("cache", {}):
        worst += embedding.worst_case(question.tokens(embedding), 1)
    return worst
