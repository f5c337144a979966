"""What Bedrock's errors mean, and what can go wrong on the way to it.

Source: Amazon Bedrock API Reference, the errors of `Converse` and `InvokeModel`, and "Common Errors".
"""

from typing import Any, NoReturn

from botocore import exceptions as broken
from botocore.parsers import ResponseParserError

from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    InvalidRequest,
    Refused,
    Throttled,
    Unavailable,
)
from broker.providers.http import failure, retry_after

ERRORS: dict[str, tuple[type[BrokerError], str]] = {
    **dict.fromkeys(
        ("ThrottlingException", "TooManyRequestsException", "ServiceQuotaExceededException"),
        (Throttled, "Bedrock asks for a pause."),
    ),
    **dict.fromkeys(
        (
            "AccessDeniedException",
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "ExpiredTokenException",
            "InvalidClientTokenId",
        ),
        (CredentialRejected, "Bedrock does not accept the broker's credentials for this model."),
    ),
    "ValidationException": (InvalidRequest, "Bedrock does not accept the request."),
    "ResourceNotFoundException": (InvalidRequest, "Bedrock does not know the model."),
    "ModelTimeoutException": (Unavailable, "The model took too long."),
    "ModelErrorException": (Unavailable, "The model failed."),
    "ModelNotReadyException": (Unavailable, "The model is not ready."),
    "ServiceUnavailableException": (Unavailable, "Bedrock is unavailable."),
    "InternalServerException": (Unavailable, "Bedrock failed."),
}
"""By the service's error code; codes that are not here go by their HTTP status."""

PAID_ERRORS = frozenset({"ModelTimeoutException"})

BLOCKED = ("content filter", "responsible ai")
"""Words of Amazon's own models for what they decline."""

WORDS: tuple[tuple[tuple[str, ...], type[BrokerError], str, str], ...] = (
    (
        ("too long", "maximum context", "input length", "too many input tokens"),
        ContextExceeded,
        "context_exceeded",
        "The prompt is longer than the model's context window.",
    ),
    (
        BLOCKED,
        Refused,
        "content_filtered",
        "The model's content filters refused the request.",
    ),
)
"""A prompt beyond the window, or one that a model of Amazon's own declines, is a ValidationException like any other, so
its message is read; it goes nowhere."""

LOSSES: tuple[tuple[type[Exception], type[BrokerError], str, str, bool], ...] = (
    (broken.ConnectTimeoutError, Unavailable, "connect_timeout", "Bedrock did not take the connection in time.", False),
    (broken.ReadTimeoutError, Unavailable, "timeout", "Bedrock did not answer in time.", True),
    (broken.EndpointConnectionError, Unavailable, "unreachable", "Bedrock cannot be reached.", False),
    (broken.ConnectionClosedError, Unavailable, "connection_lost", "The connection to Bedrock was lost.", True),
    (broken.NoCredentialsError, CredentialRejected, "no_credentials", "There are no credentials for Bedrock.", False),
    (broken.PartialCredentialsError, CredentialRejected, "no_credentials", "Credentials are incomplete.", False),
    (broken.CredentialRetrievalError, CredentialRejected, "no_credentials", "Credentials cannot be had.", False),
    (broken.SSLError, Unavailable, "bad_certificate", "There is no safe connection to Bedrock.", False),
    (broken.ProxyConnectionError, Unavailable, "unreachable", "The proxy to Bedrock cannot be reached.", False),
    (broken.IncompleteReadError, Unavailable, "connection_lost", "The connection to Bedrock was lost.", True),
    (broken.HTTPClientError, Unavailable, "connection_lost", "The connection to Bedrock was lost.", True),
    (broken.BotoCoreError, Unavailable, "client_error", "The call to Bedrock could not be made.", False),
)
"""What can go wrong around HTTP: the first that fits. The last column: the request may have arrived."""

UNREADABLE = (ResponseParserError, AttributeError, TypeError, ValueError, RecursionError)
"""What botocore's parser raises for a reply of another shape than the service's: it checks little, and trips."""


def rejected(reply: Any) -> BrokerError:
    """What an error of the service means (`ClientError.response`)."""
    told, meta = reply.get("Error", {}), reply.get("ResponseMetadata", {})
    code, headers = str(told.get("Code", "")), meta.get("HTTPHeaders", {})
    if code not in ERRORS:
        return failure(int(meta.get("HTTPStatusCode", 500)), headers)
    if code == "ValidationException":
        said = str(told.get("Message")).lower()
        for words, meant, ours, why in WORDS:
            if any(each in said for each in words):
                return meant(why, code=ours)
    kind, message = ERRORS[code]
    pause = retry_after(headers) if kind is Throttled else None
    return kind(message, code=code, retry_after=pause, maybe_paid=code in PAID_ERRORS)


def lost(error: Exception) -> BrokerError:
    """What a fault of botocore's around HTTP means."""
    _, kind, code, message, paid = next(row for row in LOSSES if isinstance(error, row[0]))
    return kind(message, code=code, maybe_paid=paid)


def bad(message: str, code: str = "malformed_reply") -> NoReturn:
    """Say what is wrong with a reply that has been paid for."""
    raise BadOutput(message, code=code, maybe_paid=True)
