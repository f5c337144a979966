"""What Bedrock's errors mean beside those that all AWS services share (`aws.client`).

Source: Amazon Bedrock API Reference, the errors of `Converse` and `InvokeModel`, and "Common Errors".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    ModelGone,
    ModelTimedOut,
    Refused,
    Throttled,
    Unavailable,
)
from broker.providers.aws import client as aws
from broker.providers.wire.failures import declined, too_long

ERRORS: dict[str, aws.Row] = {
    "AccessDeniedException": (ModelGone, "does not let us use the model"),
    "ResourceNotFoundException": (ModelGone, "does not know the model"),
    "ModelTimeoutException": (ModelTimedOut, "says that the model took too long"),
    "ModelErrorException": (Unavailable, "says that the model failed"),
    "ModelNotReadyException": (Unavailable, "says that the model is not ready"),
}
"""Bedrock's own error codes; see `aws.client.ERRORS`."""

PAID_ERRORS = frozenset({"ModelTimeoutException", "ModelErrorException"})
"""The model was at work, whatever the status is."""

BLOCKED = ("content filter", "responsible ai")
"""Words of Amazon's own models for what they decline."""

_GONE = re.compile(
    r"invocation of model id .{1,300} with on-demand throughput|the provided model identifier is invalid"
    r"|this model version has reached the end of its life|you don.t have access to (?:the|this) model"
    r"|(?:the|this) (?:provided |requested )?model (?:version )?is not (?:supported|available)"
)
"""How messages begin; further on they may quote the request."""
_OURS = ("not authorized to perform", "security token", "explicit deny")
"""Of an AccessDenied that is about our role's rights, and not about the model."""


def rejected(reply: Mapping[str, Any]) -> BrokerError:
    """What an error of the service means (`ClientError.response`).

    A prompt beyond the window, or one that a model of Amazon's own declines, or a model that is none (any more), is a
    ValidationException like any other, so its message is read; it goes nowhere.
    """
    fault = reply.get("Error", {})
    code, said = str(fault.get("Code", "")), str(fault.get("Message")).lower()
    if code == "ValidationException":
        for meant, ours, why, fits in _VALIDATION:
            if fits(said):
                return meant(why, code=ours)
    own = aws.ERRORS if code == "AccessDeniedException" and any(each in said for each in _OURS) else ERRORS
    error = aws.rejected("Bedrock", reply, own)
    error.maybe_paid = error.maybe_paid or code in PAID_ERRORS
    return error


_VALIDATION: tuple[tuple[type[BrokerError], str, str, Callable[[str], bool]], ...] = (
    (
        Throttled,
        "too_many_tokens",
        "Bedrock asks for a pause.",
        lambda said: "too many tokens, please wait" in said,
    ),
    (
        ModelGone,
        "model_not_available",
        "Bedrock does not have the model, or does not let us use it.",
        lambda said: _GONE.match(said) is not None,
    ),
    (
        Refused,
        "content_filtered",
        "The model's content filters refused the request.",
        lambda said: any(each in said for each in BLOCKED) or declined(said),
    ),
    (
        ContextExceeded,
        "context_exceeded",
        "The prompt is longer than the model's context window.",
        too_long,
    ),
)


def bad(message: str, code: str = "malformed_reply") -> NoReturn:
    """Say what is wrong with a reply that has been paid for."""
    raise BadOutput(message, code=code, maybe_paid=True)
