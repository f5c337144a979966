"""Selection: which models may do a job, in which order, and for every model why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from broker.clock import NANO, usd
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
    asked_out = request.get("parameters", {}).get("max_output_tokens")
    costs = {each: model.worst_case(input_tokens, asked_out) for each, model in models.items()}
    cheapest = request.get("routing", {}).get("objective") == "cost"
    order = wanted or sorted(models, key=lambda each: (costs[each] if cheapest else 0, models[each].rank, each))
    route: list[dict[str, Any]] = []
    taken: list[Model] = []
    for model_id in dict.fromkeys(order):
        model = models[model_id]
        why_not = _why_not(model, request, allowed, input_tokens, costs[model_id], len(taken))
        if why_not is None:
            taken.append(model)
        by = f"costs at most {usd(costs[model_id]):.6f} $, rank" if cheapest else "rank"
        reason = why_not or (f"named by the request, place {len(taken)}" if wanted else f"{by} {model.rank}")
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
    model: Model, request: Mapping[str, Any], allowed: Collection[str] | None, input_tokens: int, cost: int, taken: int
) -> str | None:
    task, routing = request["task"], request.get("routing", {})
    limit = routing.get("max_cost_usd")
    lacking = sorted(set(routing.get("require", ())) - model.capabilities)
    if model.status == "disabled":
        return "disabled by the operator"
    if allowed is not None and model.id not in allowed:
        return "the tenant may not use it"
    if task not in model.tasks:
        return f"does not do {task}"
    if lacking:
        return f"lacks {', '.join(lacking)}"
    if input_tokens >= model.context_window:
        return f"about {input_tokens} tokens do not fit its window of {model.context_window}"
    if limit is not None and cost > limit * NANO:
        return "its worst case is above max_cost_usd"
    if taken >= MOST:
        return f"{MOST} candidates come before it"
    return None
