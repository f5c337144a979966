"""Fields of a provider's own that a request sends on purpose: `provider_options.{provider}.{field}`.

A model takes those that the operators listed for it (`provider_options` of its entry). What no registered model takes
is refused when a job is accepted. What one model takes and another does not decides by the request's `on_unsupported`:
the other is no candidate (`refuse`), or is asked without it, and the attempt says so (`drop_and_tell`, unless it is
said).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from broker.errors import InvalidRequest
from broker.routing.model import Model
from broker.routing.unsent import unsent

REFUSE = "refuse"


def refuses(request: Mapping[str, Any]) -> bool:
    """Whether a stored request wants no model that does not take all of it."""
    return bool(request.get("on_unsupported") == REFUSE)


def asked_of(model: Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a model is sent."""
    given: Mapping[str, Any] = request.get("provider_options", {}).get(model.provider, {})
    return {name: value for name, value in given.items() if name in model.provider_options}


def not_taken(model: Model, request: Mapping[str, Any]) -> list[str]:
    """The fields that a model does not take, dotted from the body."""
    given: Mapping[str, Mapping[str, Any]] = request.get("provider_options", {})
    return [
        f"provider_options.{provider}.{name}"
        for provider, fields in given.items()
        for name in fields
        if provider != model.provider or name not in model.provider_options
    ]


def check_known(request: Mapping[str, Any], models: Iterable[Model]) -> None:
    """Check that each field is one that some model takes.

    Raises:
        InvalidRequest: it names the first that none does.
    """
    if refuses(request) and (places := unsent(request)):
        raise InvalidRequest(f"{places[0]}: no model takes it", code="unsupported", param=places[0])
    if not request.get("provider_options"):
        return
    known = {
        (model.provider, name) for model in models if model.status != "disabled" for name in model.provider_options
    }
    for provider, fields in request["provider_options"].items():
        for name in fields:
            if (provider, name) not in known:
                place = f"provider_options.{provider}.{name}"
                raise InvalidRequest(f"{place}: no model takes it", code="unsupported", param=place)
