"""Admin: the operators' routes of the REST API."""

from typing import Any

from broker.bootstrap import doors
from broker.observability import invocation, log
from broker.rest.http import Request
from broker.rest.representing import represented

from handlers.answering import answered, on_record


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call."""
    request = Request.signed(event)
    reply = on_record(request, answered(request, lambda asked: doors.admin()(asked)))
    route = f"{request.method} {request.resource}"
    log("answered", by=request.principal, route=route, status=reply.status, **request.path)
    return represented(reply, request).proxy(request.request_id)
