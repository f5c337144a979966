"""Auxiliary calls, whose answer is not the job's: which model makes them, and what they can cost."""

from collections.abc import Collection, Mapping, Sequence

from broker.context.fitting import SUMMARY_TOKENS
from broker.guardrails.engines.pictures import MOST_PICTURES, file_of, of_request
from broker.guardrails.engines.questions import (
    MARKER_TOKENS,
    MOST_PARTS,
    VERDICT_TOKENS,
    has_parts,
    picture_request,
    questions_of,
)
from broker.guardrails.engines.questions import (
    Question as Asked,
)
from broker.guardrails.engines.tasks import reads_texts, task_for
from broker.guardrails.policy import Policy, Stage
from broker.permissions.rules import Permission
from broker.routing.model import Model
from broker.routing.permitting import barring, first_against
from broker.routing.question import Question
from broker.routing.residency import Residency, outside
from broker.routing.routes import Catalog
from broker.routing.units import most_units_of_text
from broker.routing.units import pictures as pictures_made
from broker.steps.token_counter import counter
from broker.tenants.registry import Tenant
from broker.token_estimates import PICTURES, family_of, most_of_another

LEAST_WINDOWS = 4
"""A model that summarises has room for several summaries, or a transcript would lose all but its ends."""


SUMMARISERS = "summarizer"
"""The alias by which operators may say which models summarise."""


def summariser(
    catalog: Catalog,
    allowed: Collection[str] | None,
    tokens: int,
    residency: Collection[Residency] = (),
    barred: Collection[Permission] = (),
) -> Model | None:
    """The first model of the alias, or else the cheapest chat model, that may see the turns; None for none.

    Args:
        catalog: the models.
        allowed: those that the tenant may use; None for all.
        tokens: of a summary.
        residency: what routes demand of the models that the job asks.
        barred: the permissions that keep its caller from models (`routing.permitting.barring`).
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
        and first_against(barred, model) is None
        and model.context_window >= LEAST_WINDOWS * tokens
    ]
    if named:
        return fit[0] if fit else None
    return min(fit, key=lambda model: (model.cost(1000, tokens), model.rank, model.id), default=None)


def engine_task(model: Model, check: str) -> str | None:
    """The task by which a model judges for a check; None where it cannot."""
    return task_for(check, model.tasks, asynchronous=model.asynchronous)


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
            task = engine_task(model, asked.check) if model else None
            if model is None or task is None:
                continue
            if asked.pictures:
                worst += _worst_of_pictures(model, task, stage, asked, question)
            if not asked.pictures or reads_texts(model.provider, task):
                tokens = _tokens_asked(question, model) if stage == "input" else _most_read(longest, model)
                worst += _worst_verdict(model, task, tokens, asked, question)
    return worst


def _worst_of_pictures(model: Model, task: str, stage: Stage, asked: Asked, question: Question) -> int:
    """What the calls can cost in which an engine is shown one picture, and no text beside it."""
    made = pictures_made(question.request) if question.task == "generate_image" else 0
    if task == "chat":  # of a request, it is shown them with the texts
        read = asked.frame_tokens + MARKER_TOKENS + PICTURES[family_of(model.name)]
        return made * model.worst_case(read, VERDICT_TOKENS) if stage == "output" else 0
    if stage == "output":
        files = [MADE] * made
    else:
        files = [file for each in of_request(question.request).parts[:MOST_PICTURES] if (file := file_of(each))]
    requests = [picture_request(file, stage) for file in files]
    return sum(Question(request, counter(request), question.now).worst(model) for request in requests)


def _tokens_asked(question: Question, engine: Model) -> int:
    """Tokens that an engine reads of a request, at most."""
    return question.tokens(engine) * (2 if has_parts(question.request) else 1)


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
    frame = asked.frame_tokens
    # Each token may come twice where parts share some, and no text is read in more parts than these.
    parts = 1 if tokens + frame + VERDICT_TOKENS + MARKER_TOKENS * passages <= model.context_window // 2 else MOST_PARTS
    read = tokens * (1 if parts == 1 else 2) + MARKER_TOKENS * (passages + parts) + parts * frame
    return model.worst_case(read, parts * VERDICT_TOKENS)


MADE = {"data": "", "media_type": "image/png"}
"""A picture that is not there yet: what is charged for one does not go by its size."""

ESTIMATED_MORE = 1.25
"""An estimate is typically a fifth above what is counted, and the length of an answer is counted."""

MOST_CHARS_OF_TOKEN = 8
"""Characters of a token, at most and on the average of a text: those of long words are the longest there are."""


def worst_auxiliary(question: Question, catalog: Catalog, tenant: Tenant) -> int:
    """Nano-dollars that a job's summary and embedding can cost; 0 for a job that asks for neither."""
    worst = 0
    if question.request.get("context", {}).get("strategy") == "summarize":
        residency = catalog.residency(question.request, redacts=question.redacts)
        barred = barring(catalog.permissions, question.who, question.request)
        cheap = summariser(catalog, tenant.models, SUMMARY_TOKENS, residency, barred)
        worst += cheap.worst_case(question.tokens(cheap), SUMMARY_TOKENS) if cheap else 0
    embedding = catalog.models.get(tenant.cache_embedding_model or "")
    if embedding and "similarity" in question.request.get("cache", {}):
        worst += embedding.worst_case(question.tokens(embedding), 1)
    return worst
