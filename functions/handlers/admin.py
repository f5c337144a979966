"""Admin: the operators' routes of the REST API."""

from typing import Any

from broker import bootstrap
from broker.errors import BrokerError
from broker.observability import invocation, log, place_of, warn
from broker.rest.http import Request, error_reply


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call; an error that is not ours becomes `500` without its text."""
    request = Request.signed(event)
    try:
        reply = bootstrap.admin()(request)
    except BrokerError as error:
        reply = error_reply(error, request.request_id)
    except Exception as error:
        warn("unexpected error", error=type(error).__name__, at=place_of(error), route=request.resource)
        reply = error_reply(BrokerError("Something went wrong on our side."), request.request_id)
    route = f"{request.method} {request.resource}"
    log("answered", by=request.principal, route=route, status=reply.status, **request.path)
    return reply.proxy(request.request_id)
