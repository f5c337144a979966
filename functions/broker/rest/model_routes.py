"""The routes of models: in the broker's own form, which OpenAI's clients read, and in Anthropic's for its clients."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from broker.clock import now_ms
from broker.errors import NotFound
from broker.rest.callers import who_asks
from broker.rest.http import Reply, Request
from broker.rest.model_view import shown
from broker.rest.spoken import VERSION
from broker.routing.circuits import CLOSED
from broker.routing.permitting import may_use

if TYPE_CHECKING:
    from broker.rest.api import Api


def list_models(api: "Api", request: Request) -> Reply:
    """`GET /models`: what the caller may use, at which price, and how it fares."""
    found = [*_models(api, request)]
    if VERSION in request.headers:
        from broker.doors.anthropic import model_page

        return Reply(200, model_page(found, request.query))
    return Reply(200, {"object": "list", "data": found})


def get_model(api: "Api", request: Request) -> Reply:
    """`GET /models/{id}`: one of them."""
    found = [each for each in _models(api, request) if each["id"] == unquote(request.path["id"])]
    if not found:
        raise NotFound("There is no such model.", code="unknown_model", param="id")
    if VERSION in request.headers:
        from broker.doors.anthropic import model_of

        return Reply(200, model_of(found[0]))
    return Reply(200, found[0])


def _models(api: "Api", request: Request) -> Iterator[dict[str, Any]]:
    now = now_ms()
    tenant = api.tenants.get(request.tenant, now)
    who, catalog = who_asks(request, tenant), api.models.catalog(now)
    states, figures = api.health.states(now, request.tenant), api.health.figures(now)
    return (
        shown(model, states.get(model.id, CLOSED), figures.get(model.id))
        for model in catalog.models.values()
        if (tenant.models is None or model.id in tenant.models) and may_use(catalog.permissions, who, model)
    )


MODEL_ROUTES: dict[tuple[str, str], tuple[str, Callable[["Api", Request], Reply]]] = {
    ("GET", "/models"): ("models:read", list_models),
    ("GET", "/models/{id}"): ("models:read", get_model),
}
"""By method and resource: the scope that is needed, and the answer."""
