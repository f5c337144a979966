"""What a row of the table of AWS services (`aws_cases`) is made of."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.errors import BrokerError, ContextExceeded, CredentialRejected, ModelGone, Rejected, Throttled, Unavailable
from broker.providers.wire.base import Blob, Call

from tests.fakes.aws import Reply
from tests.fakes.media import FakeMedia

PNG, SOUND = b"\x89PNG\r\n\x1a\n...", b"\xff\xfb\x90\x00sound"
MEDIA = FakeMedia(
    {
        "s3://inbox/acme/cat.png": Blob(PNG, "image/png"),
        "s3://inbox/acme/plain": Blob(b"text", "text/plain"),
        "s3://inbox/acme/scan": Blob(b"%PDF-1.7", "application/pdf"),
    }
)
CAT = {"s3": "s3://inbox/acme/cat.png"}
CAT_OBJECT = {"S3Object": {"Bucket": "inbox", "Name": "acme/cat.png"}}
SCAN = {"s3": "s3://inbox/acme/scan.pdf"}
SCAN_OBJECT = {"S3Object": {"Bucket": "inbox", "Name": "acme/scan.pdf"}}
TEXT = "Ann lives in Köln 🎉 and likes it."

NAME = "broker-6cab6d4d8f6557b285539c85d05dce2c"
"""Of what the table's calls start; a test says what it is made of."""

Meaning = tuple[type[BrokerError], bool]
"""A class, and whether it may have been paid for."""

INVALID, TOO_LONG = (Rejected, False), (ContextExceeded, False)
GONE = (ModelGone, False)
BUSY, DENIED, DOWN = (Throttled, False), (CredentialRejected, False), (Unavailable, False)

SESSION = hashlib.sha256(b"\ns-1").hexdigest()
"""What a bot is told instead of `s-1`, of nobody."""

COMMON: dict[str, Meaning] = {
    **dict.fromkeys(("ThrottlingException", "TooManyRequestsException", "LimitExceededException"), BUSY),
    **dict.fromkeys(("ProvisionedThroughputExceededException", "ServiceQuotaExceededException"), BUSY),
    **dict.fromkeys(("AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"), DENIED),
    **dict.fromkeys(("InvalidSignatureException", "InvalidClientTokenId", "SubscriptionRequiredException"), DENIED),
    **dict.fromkeys(("ValidationException", "ValidationError", "InvalidRequestException"), INVALID),
    **dict.fromkeys(("InvalidParameterException", "BadRequestException"), INVALID),
    **dict.fromkeys(("TextSizeLimitExceededException", "TextLengthExceededException"), TOO_LONG),
    **dict.fromkeys(("InternalServerException", "InternalServerError", "InternalFailure"), DOWN),
    **dict.fromkeys(("InternalFailureException", "ServiceFailureException", "ServiceUnavailable"), DOWN),
    **dict.fromkeys(("ServiceUnavailableException", "ResourceUnavailableException"), DOWN),
}
"""The codes that mean the same for all services."""


@dataclass(frozen=True)
class Case:
    """One piece of work."""

    provider: str
    call: Call
    operations: tuple[str, ...]
    """What it asks, in order."""
    replies: tuple[Reply, ...]
    output: Any = None
    units: Mapping[str, int] = field(default_factory=dict)
    asked: tuple[Mapping[str, Any], ...] = ()
    """Of each request: some of the parameters."""
    errors: Mapping[str, Meaning] = field(default_factory=dict)
    """The codes of its operations that are the service's own."""
    operation_id: Mapping[str, str] | None = None
    """For `check`."""
    started: Mapping[str, str] | None = None
    """The operation id that comes of it, where it starts or goes on."""
    files: tuple[Blob, ...] = ()


def make_call(task: str, given: Mapping[str, Any], model: str = "standard", **more: Any) -> Call:
    return Call(task, model, dict(given), more.pop("parameters", {}), 20, media=MEDIA, token="job_1/2", **more)
