"""Where the WebSocket APIs of MiniStack 1.5.33 are not like AWS's, and what is done about it.

What a function answers to `$connect` is read no further than its status: the subprotocol that it takes never reaches
the client, and a browser closes a connection that has none of those that it offered (API Gateway Developer Guide, "Set
up a $connect route that requires a WebSocket subprotocol").

An authorizer that fails is a fault of the server's; AWS answers 401 where its error is the one word for that (same
guide, "Control access to WebSocket APIs with AWS Lambda REQUEST authorizers").

An authorizer without a source of identity is asked about each connection (API Gateway API Reference,
"CreateAuthorizer"), and has not, as here, that of HTTP APIs, without which it is not asked at all.
"""

import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway

from local.emulator.rewriting import DoesNotFit

HEADER = "sec-websocket-protocol"

Send = Callable[[dict[str, Any]], Awaitable[None]]

UNAUTHORIZED = "Unauthorized"

OF_HTTP_APIS = ["$request.header.Authorization"]
"""The source of identity that MiniStack gives an authorizer that names none; a WebSocket API's begin with `route.`."""

_taken: ContextVar[str | None] = ContextVar("subprotocol", default=None)
_failed: ContextVar[str | None] = ContextVar("error", default=None)
"""The text of the authorizer's error."""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    invoke, handle = apigateway._invoke_ws_lambda, apigateway.handle_websocket
    asked = list(inspect.signature(invoke).parameters)
    authorize, run = apigateway._authorize_ws_connect, apigateway.run_reentrant
    if 'return (500, ""), None' not in inspect.getsource(authorize):
        raise DoesNotFit("WebSockets are refused in another way")
    if asked[6] != "event_type" or '{"type": "websocket.accept"}' not in inspect.getsource(handle):
        raise DoesNotFit("WebSockets are accepted in another way")

    async def invoke_ws_lambda(*given: Any, **named: Any) -> dict[str, Any] | None:
        reply: dict[str, Any] | None = await invoke(*given, **named)
        if given[6] == "CONNECT":
            _taken.set(subprotocol_of(reply))
        return reply

    async def handle_websocket(scope: Any, receive: Any, send: Send, *more: Any, **named: Any) -> None:
        async def accepting(message: dict[str, Any]) -> None:
            taken = _taken.get() if message["type"] == "websocket.accept" else None
            await send({**message, "subprotocol": taken} if taken else message)

        await handle(scope, receive, accepting, *more, **named)

    async def run_reentrant(*given: Any, **named: Any) -> Any:
        result = await run(*given, **named)
        _failed.set(error_of(result))
        return result

    async def authorize_ws_connect(*given: Any) -> tuple[tuple[int, str] | None, Any]:
        _failed.set(None)
        authorizer = apigateway._authorizers.get(given[0], {}).get(given[1].get("authorizerId") or "")
        if authorizer and authorizer.get("identitySource") == OF_HTTP_APIS:
            authorizer["identitySource"] = []
        refusal, context = await authorize(*given)
        if refusal == (500, "") and _failed.get() == UNAUTHORIZED:
            return (401, UNAUTHORIZED), None
        return refusal, context

    apigateway.run_reentrant = run_reentrant
    apigateway._authorize_ws_connect = authorize_ws_connect
    apigateway._invoke_ws_lambda = invoke_ws_lambda
    apigateway.handle_websocket = handle_websocket


def error_of(result: Any) -> str | None:
    """The text of the error that a function ended with; None where it did not."""
    body = result.get("body") if isinstance(result, dict) and result.get("error") else None
    return str(body.get("errorMessage")) if isinstance(body, dict) else None


def subprotocol_of(reply: dict[str, Any] | None) -> str | None:
    """The subprotocol that an answer to `$connect` takes; None where it takes none."""
    headers = (reply or {}).get("headers") or {}
    return next((str(value) for name, value in headers.items() if name.lower() == HEADER), None)
