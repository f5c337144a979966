"""Permissions where models are chosen: which rules keep somebody from which models.

They stand beside the models (table `registry`, pk `MODELS`, sk `PERMISSION#creative`), so that the one query that reads
all that routing goes by reads them too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from broker.permissions.refusing import refusal
from broker.permissions.rules import OF_MODELS, OF_REQUESTS, Permission, What, decide
from broker.permissions.who import Who
from broker.routing.model import Model
from broker.routing.routes import Catalog
from broker.storage import Item

PERMISSION = "PERMISSION#"
"""How the sort keys of permissions begin."""


UNSPECIFIED = "unspecified"
"""The class of data of a request that says none."""


def permission_of(item: Item, aliases: Mapping[str, Sequence[str]], today: str) -> Permission:
    """Read the stored form, as it holds on a day (ISO 8601); an alias stands for its models."""
    kept = dict(item)
    if "models" in kept:
        kept["models"] = [model for name in kept["models"] for model in aliases.get(name, (name,))]
    return Permission.of(item["sk"].removeprefix(PERMISSION), kept, today)


def asked_for(request: Mapping[str, Any], door: str) -> What:
    """What a stored request is, by the kinds of resources that are known before there is a model."""
    prompt = (request.get("prompt_used") or request.get("prompt") or {}).get("id")
    found = {
        "tasks": request.get("task"),
        "doors": door,
        "prompts": prompt,
        "query_types": request.get("routing", {}).get("query_type"),
        "data_classes": request.get("data_class", UNSPECIFIED),
    }
    return {kind: (value,) for kind, value in found.items() if value}


def facts_of(model: Model) -> What:
    """What a model is, by the kinds of resources; one that keeps to no known region may be in any."""
    return {"models": (model.id,), "tags": model.tags, "regions": model.regions or None}


def barring(rules: Iterable[Permission], who: Who | None, request: Mapping[str, Any]) -> tuple[Permission, ...]:
    """The rules that keep somebody from models for a request; those that name no model, from all."""
    if who is None:
        return ()
    what = asked_for(request, who.door)
    return tuple(rule for rule in rules if rule.bars(who) and rule.is_about(what, OF_REQUESTS))


def is_about_all(rule: Permission) -> bool:
    """Whether a rule is about requests, whichever model is to do them."""
    return rule.on.keys().isdisjoint(OF_MODELS)


def bars(rule: Permission, model: Model) -> bool:
    """Whether a rule that `barring` found is about a model."""
    return rule.is_about(facts_of(model), OF_MODELS)


def may_use(rules: Collection[Permission], who: Who, model: Model) -> bool:
    """Whether there is a task that somebody may have a model do."""
    asked = {"doors": (who.door,), **facts_of(model)}
    return any(decide(rules, who, {"tasks": (task,), **asked}).allowed for task in model.tasks)


def check_request(rules: Iterable[Permission], who: Who, request: Mapping[str, Any]) -> None:
    """Look at a request before anything is made of it, by the rules that name no models.

    Raises:
        PermissionDenied: one of them keeps the caller from it; `param` is the field that asks for it.
    """
    found = [rule for rule in barring(rules, who, request) if is_about_all(rule)]
    if found:
        raise refusal(found)


def check_named(request: Mapping[str, Any], who: Who, catalog: Catalog) -> None:
    """Look at the models that a request names: who may use none of those behind a name is told so.

    Raises:
        PermissionDenied: `param` is the field that names them.
    """
    rules = barring(catalog.permissions, who, request)
    named = [("model", request.get("model", "auto"))]
    named += [
        (f"routing.fallbacks.{at}", name) for at, name in enumerate(request.get("routing", {}).get("fallbacks", ()))
    ]
    for param, name in named if rules else ():
        against = [first_against(rules, catalog.models[each]) for each in catalog.expand(name)]
        if against and all(against):
            raise refusal([each for each in against if each], param)


def check_history(request: Mapping[str, Any], who: Who, catalog: Catalog) -> None:
    """Look at what a request goes on from: who may not use a model gets nothing of its answer by a question about it.

    Raises:
        PermissionDenied: `param` is the field that names the job or the conversation.
    """
    rules = barring(catalog.permissions, who, request)
    answered_by = (catalog.models.get(name) for name in (request.get("history", {}).get("by", ()) if rules else ()))
    found = [rule for model in answered_by if model and (rule := first_against(rules, model))]
    if found:
        raise refusal(found, "previous_job_id" if "previous_job_id" in request else "conversation_id")


def first_against(rules: Iterable[Permission], model: Model) -> Permission | None:
    """The first of the rules that `barring` found which is about a model."""
    return next((rule for rule in rules if bars(rule, model)), None)
