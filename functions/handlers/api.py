"""Api: all routes of the REST API."""

from typing import Any

from broker import bootstrap
from broker.errors import BrokerError
from broker.observability import invocation, log, metric, place_of, warn
from broker.rest.http import Request, error_reply


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call; an error that is not ours becomes `500` without its text."""
    request = Request.of(event)
    try:
        reply = bootstrap.api()(request)
    except BrokerError as error:
        reply = error_reply(error, request.request_id)
    except Exception as error:
        warn("unexpected error", error=type(error).__name__, at=place_of(error), route=request.resource)
        reply = error_reply(BrokerError("Something went wrong on our side."), request.request_id)
    route = f"{request.method} {request.resource}"
    facts = {"tenant": request.tenant, "route": route, "status": reply.status}
    if route == "POST /jobs":
        line = {"message": "answered", **facts}
        metric({"door": "rest"}, line, **{"JobsAccepted" if reply.status < 400 else "JobsRefused": 1})
    elif request.method != "GET":  # a look changes nothing, and API Gateway's own log has it
        log("answered", **facts)
    return reply.proxy(request.request_id)
