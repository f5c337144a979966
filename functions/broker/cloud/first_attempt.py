"""Hands the outcome of a first attempt to botocore, as if its own client had made it.

So errors, their classes, retries and pauses are botocore's. Its event `before-send` lets a handler stand in for the
network.
"""

import io
from contextvars import ContextVar
from typing import Any

import urllib3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import HTTPClientError

from broker.cloud.keep_alive import Reply

_outcome: ContextVar[AWSResponse | HTTPClientError | None] = ContextVar("outcome", default=None)
"""On its way to botocore's client."""


def listen(client: Any) -> None:
    """Make a client of botocore take outcomes from `judged`."""
    name = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"before-send.{name}", _take)


def judged(client: Any, method: str, request: dict[str, Any], outcome: Reply | OSError) -> Any:
    """What botocore makes of a request whose first attempt had this outcome: it may send it again, or raise."""
    before = _outcome.set(_outcome_of(client.meta.endpoint_url, outcome))
    try:
        return getattr(client, method)(**request)
    finally:
        _outcome.reset(before)


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
