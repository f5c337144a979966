"""What all providers that are AWS services share: clients of one attempt each, and errors of the tree.

Errors go by the service's code (each operation's page in its API Reference, and "Common Errors" there); a code that is
in no table goes by its HTTP status. A service's own text never becomes a message.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache
from threading import Lock
from typing import Any

from botocore import exceptions as broken
from botocore.parsers import ResponseParserError

from broker.errors import (
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    ModelGone,
    ModelTimedOut,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.wire.error_body import read_error_body
from broker.providers.wire.failures import failure, retry_after, work_may_be_done
from broker.providers.wire.field_names import named
from broker.providers.wire.sending import CONNECT_S, sending

Json = dict[str, Any]
Row = tuple[type[BrokerError], str]
MakeClient = Callable[[str, str | None, float], Any]
"""From a service's name in botocore, a region (None for the environment's own) and seconds to its client."""

LOSSES: tuple[tuple[type[Exception], type[BrokerError], str, str, bool], ...] = (
    (broken.ConnectTimeoutError, Unavailable, "connect_timeout", "did not take the connection in time", False),
    (broken.ReadTimeoutError, ModelTimedOut, "timeout", "did not answer in time", True),
    (broken.EndpointConnectionError, Unavailable, "unreachable", "cannot be reached", False),
    (broken.ConnectionClosedError, Unavailable, "connection_lost", "lost the connection", True),
    (broken.NoCredentialsError, CredentialRejected, "no_credentials", "has no credentials of ours", False),
    (broken.PartialCredentialsError, CredentialRejected, "no_credentials", "has no whole credentials of ours", False),
    (broken.CredentialRetrievalError, CredentialRejected, "no_credentials", "has no credentials of ours", False),
    (broken.SSLError, Unavailable, "bad_certificate", "offers no safe connection", False),
    (broken.ProxyConnectionError, Unavailable, "unreachable", "cannot be reached through the proxy", False),
    (broken.IncompleteReadError, Unavailable, "connection_lost", "lost the connection", True),
    (broken.HTTPClientError, Unavailable, "connection_lost", "lost the connection", True),
    (broken.BotoCoreError, Unavailable, "client_error", "cannot be called", False),
)
"""What can go wrong around HTTP: the first that fits. The last column: the request may have arrived."""

UNREADABLE = (ResponseParserError, AttributeError, TypeError, ValueError, RuntimeError, KeyError, OverflowError)
"""What botocore's parser raises for a reply of another shape than the service's: it checks little, and trips."""

ERRORS: dict[str, Row] = {
    **dict.fromkeys(
        (
            "ThrottlingException",
            "Throttling",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "ProvisionedThroughputExceededException",
            "ServiceQuotaExceededException",
            "LimitExceededException",
            "SlowDown",
        ),
        (Throttled, "asks for a pause"),
    ),
    **dict.fromkeys(
        (
            "AccessDeniedException",
            "AccessDenied",
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "IncompleteSignature",
            "ExpiredTokenException",
            "ExpiredToken",
            "RequestExpired",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "MissingAuthenticationToken",
            "NotAuthorized",
            "OptInRequired",
            "SubscriptionRequiredException",
        ),
        (CredentialRejected, "does not accept the broker's credentials for this"),
    ),
    **dict.fromkeys(
        ("ValidationException", "ValidationError", "InvalidRequestException", "InvalidParameterException",
         "InvalidParameterValue", "BadRequestException"),
        (Rejected, "does not take the request"),
    ),
    **dict.fromkeys(
        ("ResourceNotFoundException", "NotFoundException"),
        (ModelGone, "does not know what the model is registered as"),
    ),
    **dict.fromkeys(
        ("TextSizeLimitExceededException", "TextLengthExceededException"),
        (ContextExceeded, "takes no text of this length"),
    ),
    **dict.fromkeys(
        ("InternalServerException", "InternalServerError", "InternalFailure", "InternalFailureException",
         "ServiceFailureException", "InternalError"),
        (Unavailable, "failed"),
    ),
    **dict.fromkeys(
        ("ServiceUnavailableException", "ServiceUnavailable", "ResourceUnavailableException"),
        (Unavailable, "is unavailable"),
    ),
}  # fmt: skip
"""By the service's error code: the class, and what the service does."""


_making = Lock()
"""A session makes clients in one thread at a time (boto3 guide, "Multithreading or multiprocessing with clients")."""


@cache
def session() -> Any:
    """One for all clients: each keeps what it has read of services and endpoints, some 8 MB for every client else."""
    from botocore.session import get_session

    return get_session()


def make_client(service: str, region: str | None, timeout: float) -> Any:
    """A client that tries once; `timeout` in seconds bounds connecting (at most five) and each wait for bytes.

    Replies come in one piece, so that is the time of a request; bodies that stream are read by `read`.
    """
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=min(CONNECT_S, timeout),
        read_timeout=timeout,
        tcp_keepalive=True,
        parameter_validation=False,
    )
    with _making:
        made = session().create_client(service, region_name=region, config=config)
    made.meta.events.register("before-send", lambda **_: sending())
    return made


def rounded(seconds: float) -> float:
    """Down to a power of two: clients are kept by their timeout, and this makes few of them."""
    return math.ldexp(1.0, math.floor(math.log2(seconds)))


def lost(name: str, error: Exception) -> BrokerError:
    """What a fault around HTTP means for the service of that name."""
    _, kind, code, what, paid = next(row for row in LOSSES if isinstance(error, row[0]))
    return kind(f"{name} {what}.", code=code, maybe_paid=paid)


def rejected(name: str, reply: Mapping[str, Any], own: Mapping[str, Row] = {}) -> BrokerError:
    """What a service's error (`ClientError.response`) means; `own` is its own table and goes before the common one."""
    fault, meta = reply.get("Error", {}), reply.get("ResponseMetadata", {})
    code, headers = str(fault.get("Code", "")), meta.get("HTTPHeaders", {})
    status = int(meta.get("HTTPStatusCode", 500))
    row = own.get(code) or ERRORS.get(code)
    if row is None:
        return failure(status, headers)
    kind, what = row
    return kind(
        f"{name} {what}.",
        code=code,
        param=named(read_error_body(str(fault.get("Message"))), places=False) if kind is Rejected else None,
        retry_after=retry_after(headers) if kind is Throttled else None,
        maybe_paid=issubclass(kind, Unavailable) and work_may_be_done(status),
    )
