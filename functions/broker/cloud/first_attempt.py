"""Hands the outcome of a first attempt to botocore, as if its own client had made it.

So errors, their classes, retries and pauses are botocore's. Its event `before-send` lets a handler stand in for the
network.
"""

import io
import os
from contextvars import ContextVar
from typing import Any

import urllib3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, HTTPClientError

from broker.cloud.keep_alive import Reply
from broker.observability import metric

THROTTLED = frozenset(
    {
        *("ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException", "RequestLimitExceeded"),
        *("RequestThrottled", "ThrottledException", "Throttling", "ThrottlingError", "ThrottlingException"),
        *("ExecutionLimitExceeded", "TooManyRequestsException"),
    }
)
"""Codes of errors, and of reasons for which DynamoDB cancels a transaction (API references of the services here)."""

_outcome: ContextVar[AWSResponse | HTTPClientError | None] = ContextVar("outcome", default=None)
"""On its way to botocore's client."""


def listen(client: Any) -> None:
    """Make a client of botocore take outcomes from `judged`."""
    name = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"before-send.{name}", _take)


def judged(client: Any, method: str, request: dict[str, Any], outcome: Reply | OSError) -> Any:
    """What botocore makes of a request whose first attempt had this outcome: it may send it again, or raise.

    That AWS throttled it to the last is measured, by service.
    """
    before = _outcome.set(_outcome_of(client.meta.endpoint_url, outcome))
    try:
        return getattr(client, method)(**request)
    except ClientError as error:
        if throttled(error) and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            service = client.meta.service_model.endpoint_prefix
            metric({"service": service}, {"message": "call throttled", "operation": method}, CallsThrottled=1)
        raise
    finally:
        _outcome.reset(before)


def throttled(error: ClientError) -> bool:
    """True where AWS asked for less: by the error itself, or by the reasons of a transaction."""
    reasons: Any = error.response.get("CancellationReasons", [])
    return bool(THROTTLED & {error.response["Error"].get("Code"), *(each.get("Code") for each in reasons)})


def _outcome_of(url: str, outcome: Reply | OSError) -> AWSResponse | HTTPClientError:
    if isinstance(outcome, OSError):
        return HTTPClientError(error=outcome)
    headers: Any = urllib3.HTTPHeaderDict(outcome.headers)
    unread = urllib3.HTTPResponse(io.BytesIO(outcome.body), headers, outcome.status, preload_content=False)
    return AWSResponse(url, outcome.status, headers, unread)


def _take(**_: Any) -> AWSResponse | None:
    """What botocore takes as its first attempt's outcome in place of sending; None to have it send."""
    outcome = _outcome.get()
    _outcome.set(None)
    if isinstance(outcome, HTTPClientError):
        raise outcome
    return outcome
