"""Api: all routes of the REST API."""

from typing import Any

from broker.bootstrap import doors
from broker.observability import invocation, log, say
from broker.rest.audited import note_key
from broker.rest.http import REST, Request
from broker.rest.representing import represented
from broker.rest.spoken import in_dialect

from handlers.answering import answered, on_record

ACCEPTING = (
    *("POST /jobs", "POST /prompts/{id}/run"),
    *("POST /responses", "POST /chat/completions", "POST /embeddings", "POST /moderations", "POST /messages"),
    *("POST /images/generations", "POST /audio/speech", "POST /audio/transcriptions"),
)

PUBLISHED = ("/openapi.json", "/docs")
"""What is shown to anybody, without the authorizer."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call."""
    if event["resource"] in PUBLISHED:
        from broker.rest.published import published

        return published(event, doors.public_url()).proxy(event["requestContext"]["requestId"], doors.cors_origin())
    request = Request.of(event, doors.public_url())
    path = ""
    if REST in request.resource:
        from broker.rest.api import ROUTES
        from broker.rest.elsewhere import path_of, placed

        path, request = path_of(request), placed(request, ROUTES)
    note_key(request, event["requestContext"].get("identity", {}).get("sourceIp") or "")
    answer = on_record(request, answered(request, lambda asked: doors.api()(asked)))
    reply = in_dialect(request.resource, request.headers, answer, path)
    route = f"{request.method} {request.resource}"
    facts = {"tenant": request.tenant, "route": route, "status": reply.status}
    if route in ACCEPTING and reply.job_id:
        say({"message": "job accepted", "job_id": reply.job_id})
    elif route in ACCEPTING:
        say({"message": "answered", **facts})
    elif request.method != "GET":  # a look changes nothing, and API Gateway's own log has it
        log("answered", **facts)
    return represented(reply, request).proxy(request.request_id, doors.cors_origin())
