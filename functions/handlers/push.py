"""Push: the routes of the WebSocket API, and the jobs table's stream for who listens there."""

import time
from typing import Any

from broker.bootstrap import pushing
from broker.clock import now_ms
from broker.cloud.stream_of_all import any_change_of
from broker.errors import BrokerError, Gone
from broker.observability import invocation, log, place_of, warn
from broker.push.listening import Caller
from broker.push.messages import error_answer, parse, ref_of
from broker.tenants.identity import PROTOCOL, protocols

TELL_S = 5
"""At most so long a batch of the stream is held up, whatever connections do."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a route, or tell connections of a batch of the stream (by the event source's filter, nearly all news)."""
    if "Records" in event:
        return _tell(event)
    place = event["requestContext"]
    kind, connection_id, tenant = place["eventType"], place["connectionId"], place["authorizer"]["tenant"]
    if kind == "DISCONNECT":
        pushing.listen().close(connection_id, tenant)
        return {"statusCode": 200}
    text = event.get("body") or ""
    ref = ref_of(text) if kind == "MESSAGE" else None
    try:
        if kind == "CONNECT":
            return _opened(event, connection_id)
        answer = pushing.listen().hear(connection_id, tenant, parse(text), ref, now_ms())
        if answer is None:
            return _closed(connection_id, tenant, ref, place["requestId"])
    except Exception as error:
        told = _told(error)
        log("refused", tenant=tenant, route=place["routeKey"], code=told.code)
        body = error_answer(told, ref, place["requestId"])
        return {"statusCode": told.status if kind == "CONNECT" else 200, "body": body}
    return {"statusCode": 200, "body": answer}


def _tell(event: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + TELL_S
    changes = [change for record in event["Records"] if (change := any_change_of(record["dynamodb"]))]
    messages = pushing.tell_connections()(changes, now_ms(), lambda: until - time.monotonic())
    return {"messages": messages}


def _opened(event: dict[str, Any], connection_id: str) -> dict[str, Any]:
    given = event["requestContext"]["authorizer"]
    until = int(given["until"]) if given.get("until") else None
    caller = Caller(given["tenant"], frozenset(given["scopes"].split()), given.get("digest", ""), until)
    pushing.listen().open(connection_id, caller, now_ms())
    # A browser closes a connection whose server takes none of the subprotocols that it offered.
    if PROTOCOL in protocols(event.get("headers") or {}):
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}
    return {"statusCode": 200}


def _closed(connection_id: str, tenant: str, ref: str | None, request_id: str) -> dict[str, Any]:
    """Close what may not go on; where that fails, its record stays and it is tried again at the next message."""
    try:
        pushing.socket_gateway().close(connection_id)
    except Exception as error:
        warn("a connection could not be closed", tenant=tenant, error=type(error).__name__)
    else:
        pushing.listen().close(connection_id, tenant)
    over = Gone("The connection is over, and hears of nothing more; open another.", code="connection_over")
    return {"statusCode": 200, "body": error_answer(over, ref, request_id)}


def _told(error: Exception) -> BrokerError:
    """An error in a form that may be told."""
    if isinstance(error, BrokerError):
        return error
    from broker.cloud.overload import unavailable

    warn("unexpected error", error=type(error).__name__, at=place_of(error))
    return unavailable(error) or BrokerError("Something went wrong on our side.")
