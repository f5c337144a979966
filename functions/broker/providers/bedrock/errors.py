"""What Bedrock's errors mean beside those that all AWS services share (`aws.client`).

Source: Amazon Bedrock API Reference, the errors of `Converse` and `InvokeModel`, and "Common Errors".
"""

from collections.abc import Mapping
from typing import Any, NoReturn

from broker.errors import BadOutput, BrokerError, ContextExceeded, InvalidRequest, Refused, Unavailable
from broker.providers.aws import client as aws

ERRORS: dict[str, aws.Row] = {
    "ResourceNotFoundException": (InvalidRequest, "does not know the model"),
    "ModelTimeoutException": (Unavailable, "says that the model took too long"),
    "ModelErrorException": (Unavailable, "says that the model failed"),
    "ModelNotReadyException": (Unavailable, "says that the model is not ready"),
}
"""Bedrock's own error codes; see `aws.ERRORS`."""

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


def rejected(reply: Mapping[str, Any]) -> BrokerError:
    """What an error of the service means (`ClientError.response`)."""
    told = reply.get("Error", {})
    code, said = str(told.get("Code", "")), str(told.get("Message")).lower()
    if code == "ValidationException":
        for words, meant, ours, why in WORDS:
            if any(each in said for each in words):
                return meant(why, code=ours)
    error = aws.rejected("Bedrock", reply, ERRORS)
    error.maybe_paid = error.maybe_paid or code in PAID_ERRORS
    return error


def bad(message: str, code: str = "malformed_reply") -> NoReturn:
    """Say what is wrong with a reply that has been paid for."""
    raise BadOutput(message, code=code, maybe_paid=True)
