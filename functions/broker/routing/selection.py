"""Selection: which models may do a job, in which order, and for every model why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from broker.errors import InvalidRequest
from broker.routing.models import Model

MOST = 4
"""A job tries at most so many models."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidates in order, and the reason for every model: `[{"model", "taken", "why"}]`."""

    candidates: tuple[Model, ...]
    route: list[dict[str, Any]]


def select(
    request: Mapping[str, Any], models: Mapping[str, Model], allowed: Collection[str] | None, input_tokens: int
) -> Selection:
    """Choose.

    Args:
        request: the job's request as stored.
        models: the registry by id.
        allowed: the ids that the tenant may use; None for all.
        input_tokens: an estimate of the prompt.

    Raises:
        InvalidRequest: a model is named that does not exist.
    """
    named = _named(request)
    for place, model_id in named.items():
        if model_id not in models:
            raise InvalidRequest(f"There is no model {model_id!r}.", code="unknown_model", param=place)
    wanted = list(named.values())
    order = wanted or sorted(models, key=lambda each: (models[each].rank, each))
    route: list[dict[str, Any]] = []
    taken: list[Model] = []
    for model_id in dict.fromkeys(order):
        model = models[model_id]
        why_not = _why_not(model, request, allowed, input_tokens, len(taken))
        if why_not is None:
            taken.append(model)
        reason = why_not or (f"named by the request, place {len(taken)}" if wanted else f"rank {model.rank}")
        route.append({"model": model_id, "taken": why_not is None, "why": reason})
    if wanted:
        route += [
            {"model": other, "taken": False, "why": "not named by the request"}
            for other in sorted(models)
            if other not in wanted
        ]
    return Selection(tuple(taken), route)


def _named(request: Mapping[str, Any]) -> dict[str, str]:
    """The explicit list, by the field that names each; empty where the request leaves the choice open."""
    model = request.get("model", "auto")
    fallbacks = request.get("routing", {}).get("fallbacks", [])
    named = {} if model == "auto" else {"model": model}
    return named | {f"routing.fallbacks.{place}": each for place, each in enumerate(fallbacks)}


def _why_not(
    model: Model, request: Mapping[str, Any], allowed: Collection[str] | None, input_tokens: int, taken: int
) -> str | None:
    task = request["task"]
    asked_out = request.get("parameters", {}).get("max_output_tokens")
    limit = request.get("routing", {}).get("max_cost_usd")
    if not model.enabled:
        return "disabled by the operator"
    if allowed is not None and model.id not in allowed:
        return "the tenant may not use it"
    if task not in model.tasks:
        return f"does not do {task}"
    if input_tokens >= model.context_window:
        return f"about {input_tokens} tokens do not fit its window of {model.context_window}"
    if limit is not None and model.worst_case(input_tokens, asked_out) > limit * 1e9:
        return "its worst case is above max_cost_usd"
    if taken >= MOST:
        return f"{MOST} candidates come before it"
    return None
