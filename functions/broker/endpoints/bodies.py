"""What calls say of endpoints: the bodies of the broker's own routes, and which events each form has."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from broker.batches.asking.parts import BATCH_EVENTS
from broker.doors.responses import STATUSES
from broker.endpoints.events import NATIVE, OPENAI, expanded
from broker.endpoints.record import Form
from broker.errors import InvalidRequest
from broker.jobs.field_errors import Spelled, here
from broker.jobs.fields import WEBHOOK_EVENTS, Strict

RESPONSE_EVENTS = tuple(
    f"response.{status}"
    for status in (*dict.fromkeys(STATUSES.values()), "incomplete")
    if status not in ("queued", "in_progress")
)

EVENTS: dict[Form, tuple[str, ...]] = {
    NATIVE: (*WEBHOOK_EVENTS, *BATCH_EVENTS),
    OPENAI: (*RESPONSE_EVENTS, *BATCH_EVENTS),
}
"""What endpoints of each form may be told of."""

Url = Annotated[str, Field(min_length=8, max_length=2048)]
Named = Annotated[str, Field(min_length=1, max_length=64)]
Description = Annotated[str, Field(max_length=256)]
Moment = Annotated[str, Field(max_length=40)]
Payload = Literal["thin", "full"]
HeaderName = Annotated[
    str, Spelled(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$", "a header's name has 1 to 64 letters (RFC 9110, section 5.1)")
]
HeaderValue = Annotated[
    str, Spelled(r"^[!-~]([ -~]{0,1022}[!-~])?$", "a header's value has 1 to 1024 printable ASCII characters")
]
Headers = Annotated[dict[HeaderName, HeaderValue], Field(max_length=10), AfterValidator(lambda given: _checked(given))]
Pem = Annotated[str, Field(min_length=1, max_length=16_384)]
Events = Annotated[list[Named], Field(min_length=1, max_length=40)]


class ClientCertificateBody(Strict):
    """A certificate by which the receiver knows the broker (mutual TLS), and its key. The key is not shown again."""

    certificate: Pem
    """PEM: the certificate, and behind it up to three that vouch for it."""
    private_key: Pem
    """PEM, without a password: RSA of 2,048 to 4,096 bits, P-256, P-384, P-521 or Ed25519."""


class EndpointBody(Strict):
    """An endpoint to register."""

    url: Url
    """Where to send what happens: https, to a host of the public internet."""
    events: Events
    """What to tell of: whole names, `job.*`, `batch.*` or `*`, which stand for those that there are now."""
    description: Description = ""
    headers: Headers = Field(default_factory=dict)
    """What the receiver wants beside the broker's own, such as a token. They are kept as secrets are, and not shown."""
    client_certificate: ClientCertificateBody | None = None
    payload: Payload = "thin"
    """`full` for answers in the body of `job.succeeded`, where that is no larger than 256 KiB with it."""
    asymmetric: bool = False
    """Sign with a key (`v1a`, Ed25519) beside the secret, for receivers that are to hold no secret."""
    format: Literal["native", "openai"] = "native"
    """Whose words events are told in; `openai` for receivers that read them with OpenAI's packages."""


class EndpointChange(Strict):
    """What is to be different; the rest stays."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    headers: Headers | None = None
    """In the place of all that there were."""
    client_certificate: ClientCertificateBody | None = None
    """In the place of what there was; null for none any more."""
    payload: Payload | None = None


class Rotation(Strict):
    """How the old secret ends."""

    keep_old_for_24_hours: bool = True
    """Sign with both for a day. Where the old one was given away, false ends it at once."""


class TestBody(Strict):
    """A test."""

    __test__ = False

    event: Named | None = None
    """One of the endpoint's; without it, its first."""


class Recovery(Strict):
    """Which deliveries to send again."""

    since: Moment
    """When their events happened, at the earliest (RFC 3339, with its offset)."""
    until: Moment | None = None
    """At the latest; now where it is left out."""


OURS = (
    *("accept-encoding", "connection", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding"),
    "upgrade",
)
"""Headers that the broker sets, or that speak to the next hop alone; so are those that begin with these:"""
OURS_BEGIN = ("content-", "proxy-", "webhook-", "user-agent")

MOST_BYTES = 3_000
"""Of all headers, as they are kept: KMS encrypts 4,096 at once."""


def _checked(given: dict[str, str]) -> dict[str, str]:
    names = [name.lower() for name in given]
    for name in names:
        if name in OURS or name.startswith(OURS_BEGIN):
            raise here(f"{name} is set by the broker")
    if len(set(names)) < len(names):
        raise here("a header's name stands there twice")
    if sum(len(name) + len(value) + 8 for name, value in given.items()) > MOST_BYTES:
        raise here(f"all headers together have {MOST_BYTES} bytes at most")
    return given


def events_of(form: Form, asked: list[str], param: str) -> tuple[str, ...]:
    """The events that a body asks for.

    Raises:
        InvalidRequest: it names one that there is not.
    """
    for place, each in enumerate(asked):
        if not any(expanded([each], EVENTS[form])):
            known = ", ".join(EVENTS[form])
            raise InvalidRequest(
                f"{param}.{place}: it has to be one of {known}.", code="invalid_field", param=f"{param}.{place}"
            )
    return tuple(expanded(asked, EVENTS[form]))
