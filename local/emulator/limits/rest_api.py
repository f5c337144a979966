"""What a REST API with Lambda proxy integrations refuses, cuts off, or hides.

- A request above 10 MB is answered by the gateway response REQUEST_TOO_LARGE. So is one of which Lambda does not take
  the event: a body of less than 6 MB may be too large, for it is a string of JSON there.
- A function that takes more than 29 s, or its integration's `timeoutInMillis`, is not waited for (INTEGRATION_TIMEOUT,
  504); it goes on. MiniStack forgets that figure of a document.
- What a function failed of, nobody is told: 502 for an error and for what is no reply, 500 where it was throttled
  (repost.aws, "How do I resolve HTTP 502 errors from API Gateway REST APIs with Lambda proxy integration"). It is the
  gateway response INTEGRATION_FAILURE, whose own status goes before these (repost.aws, "Inconsistencies in response
  codes depending on whether API Gateway response settings are configured"). MiniStack shows the error, or that the
  function was throttled.
- An authorizer that is throttled is one that failed (AUTHORIZER_FAILURE), as in MiniStack.
"""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

from ministack.services import apigateway_v1

from local.emulator.limits.figures import GATEWAY_BYTES, INTEGRATION_MS, REQUEST_BYTES
from local.emulator.rewriting import rewrite

MOST_ESCAPED = 6
"""Bytes of JSON that a byte of a body can become (`\\u0001`)."""

TOO_LARGE = f"HTTP content length exceeded {GATEWAY_BYTES} bytes."

CALL = """    result, err = await _call_lambda_raw(
        lambda_ref,
        event,
        account_id=owner_account_id,
        region=owner_region,
    )
"""
CALL_IN_TIME = """    if is_too_large(event):
        return _gw_error("REQUEST_TOO_LARGE", "Request Too Long")
    try:
        call = _call_lambda_raw(lambda_ref, event, account_id=owner_account_id, region=owner_region)
        result, err = await in_time(call, integration)
    except TimeoutError:
        return _gw_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")
"""

REPLY = """    lambda_response, err = _lambda_proxy_response(result)
    if err:
        return 502, {"Content-Type": "application/json"}, json.dumps({"message": err}).encode()
"""
REPLY_OR_NOTHING = """    if hidden := failure_of(result):
        return hidden
    lambda_response, _ = _lambda_proxy_response(result)
"""

IMPORTED = """            "uri": integration.get("uri"),
"""
IMPORTED_WITH_TIME = f"""{IMPORTED}            "timeoutInMillis": integration.get("timeoutInMillis", {INTEGRATION_MS}),
"""

_going_on: set[asyncio.Future[Any]] = set()
"""Calls that nobody waits for any more: the loop itself keeps no hold of them."""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    rewrite(apigateway_v1, "_invoke_lambda_proxy_v1", (CALL, CALL_IN_TIME), (REPLY, REPLY_OR_NOTHING))
    rewrite(apigateway_v1, "_import_operation", (IMPORTED, IMPORTED_WITH_TIME))
    apigateway_v1.is_too_large = is_too_large
    apigateway_v1.in_time = in_time
    apigateway_v1.failure_of = failure_of
    execute = apigateway_v1._execute_in_scope

    async def execute_in_scope(
        request: Any, api_id: str, stage_name: str, method: str, path: str, headers: Any, body: bytes, *more: Any
    ) -> Any:
        stage = apigateway_v1._stages_v1.get(api_id, {}).get(stage_name)
        if stage and len(body or b"") > GATEWAY_BYTES:
            request["stage"] = stage
            return apigateway_v1._gw_error("REQUEST_TOO_LARGE", TOO_LARGE)
        return await execute(request, api_id, stage_name, method, path, headers, body, *more)

    apigateway_v1._execute_in_scope = execute_in_scope
    respond = apigateway_v1._gateway_error_response

    def gateway_error_response(error: Any, request: Any) -> Any:
        status, headers, body = respond(error, request)
        return status_of(error, request) or status, headers, body

    apigateway_v1._gateway_error_response = gateway_error_response


def status_of(error: Any, request: Any) -> int | None:
    """The status of what a function failed of; None for another error."""
    if not hasattr(error, "status"):
        return None
    deployed = apigateway_v1._deployed_gateway_responses.get(request["api_id"], {})
    responses = deployed.get(request["stage"].get("deploymentId")) or {}
    told = (responses.get(name, {}).get("statusCode") for name in (error.response_type, "DEFAULT_5XX"))
    return next((int(status) for status in told if status), error.status)


def is_too_large(event: dict[str, Any]) -> bool:
    """Whether Lambda refuses the event of a request."""
    if len(event["body"] or "") * MOST_ESCAPED <= REQUEST_BYTES // 2:
        return False
    return len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()) > REQUEST_BYTES


async def in_time(call: Awaitable[Any], integration: dict[str, Any]) -> Any:
    """What a call gives.

    Raises:
        TimeoutError: it took longer than its integration may; it goes on.
    """
    under_way = asyncio.ensure_future(call)
    done, _ = await asyncio.wait({under_way}, timeout=integration["timeoutInMillis"] / 1000)
    if not done:
        _going_on.add(under_way)
        under_way.add_done_callback(_going_on.discard)
        raise TimeoutError
    return under_way.result()


def failure_of(result: dict[str, Any]) -> Any:
    """The gateway's error for a function that was throttled, failed or gave no reply; None for any other."""
    refused = result.get("throttle")
    if not refused and not result.get("error") and isinstance(result.get("body"), dict):
        return None
    error = apigateway_v1._gw_error("INTEGRATION_FAILURE", "Internal server error")
    error.error_type = "InternalServerErrorException"
    error.status = 500 if refused else 502
    return error
