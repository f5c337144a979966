"""Authorize: who calls the REST API, from an API key or a JWT (a Lambda authorizer of both types).

Of type TOKEN it gets the `Authorization` header alone, and API Gateway keeps its answer by that. Of type REQUEST, for
the routes of clients that may send `x-api-key` instead, it gets all headers at each call. So it does for the WebSocket
API, once for each connection; what it says then stands beside each message of the connection.
"""

import json
from typing import Any

from broker.bootstrap import doors
from broker.clock import now_ms
from broker.observability import invocation, warn
from broker.tenants.identity import Identity, Unauthorized, credential, credential_of_handshake


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Give a policy for the whole stage, with tenant, principal and scopes as its context.

    API Gateway keeps the policy by token, so it names every route; what a scope allows, each route decides.

    Raises:
        Exception: "Unauthorized", the one text that API Gateway answers with 401.
    """
    try:
        header = event["authorizationToken"] if event["type"] == "TOKEN" else _credential(event)
        identity = doors.identify()(header, now_ms())
    except Unauthorized as error:
        warn("unauthorized", reason=error.reason)
        raise Exception("Unauthorized") from None
    stage_arn = "/".join(event["methodArn"].split("/")[:2])
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{stage_arn}/*"}
    return {
        "principalId": identity.principal,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {
            "tenant": identity.tenant,
            "principal": identity.principal,
            "scopes": " ".join(sorted(identity.scopes)),
            **({"key": identity.key} if identity.key else {}),
            **({"limits": json.dumps(identity.limits)} if identity.limits else {}),
            **({"member": json.dumps(member)} if (member := identity.member.kept()) else {}),
            **(_of_connection(identity) if _is_handshake(event) else {}),
        },
    }


def _is_handshake(event: dict[str, Any]) -> bool:
    """True for a connection of the WebSocket API."""
    return bool(event.get("requestContext", {}).get("eventType") == "CONNECT")


def _credential(event: dict[str, Any]) -> str:
    headers = event["headers"] or {}
    return credential_of_handshake(headers) if _is_handshake(event) else credential(headers)


def _of_connection(identity: Identity) -> dict[str, str]:
    """By what a connection is held against its credential while it is open."""
    return {"digest": identity.digest, "until": "" if identity.until is None else str(identity.until)}
