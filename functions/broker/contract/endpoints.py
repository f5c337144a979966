"""What clients are shown of registered endpoints, and what they ask for in OpenAI's words."""

from typing import Annotated, Literal

from pydantic import Field

from broker.contract.common import Count, EventId, OneOf, Shown, Time
from broker.contract.replies import DeliveryAttempt
from broker.endpoints.bodies import EVENTS
from broker.endpoints.events import NATIVE, OPENAI
from broker.endpoints.record import BY_FAILURE, BY_OWNER, BY_RECEIVER

EXAMPLE = "we_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c"
EXAMPLE_DELIVERY = "dlv_1762000000000_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c_succeeded"

EndpointId = Annotated[str, Field(pattern="^we_[0-9a-f]{32}$", json_schema_extra={"examples": [EXAMPLE]})]
DeliveryId = Annotated[
    str, Field(pattern="^dlv_[0-9]{13}_[0-9a-z_]+$", json_schema_extra={"examples": [EXAMPLE_DELIVERY]})
]
Secret = Annotated[str, Field(pattern="^whsec_", description="To verify signatures with. It is told this once.")]
DisabledBy = Annotated[str, OneOf((BY_OWNER, BY_RECEIVER, BY_FAILURE))]
AnyEvent = Annotated[str, OneOf(tuple(dict.fromkeys((*EVENTS[NATIVE], *EVENTS[OPENAI]))))]
OpenaiEvent = Annotated[str, OneOf(EVENTS[OPENAI])]
EpochSeconds = Annotated[int, Field(ge=0, json_schema_extra={"examples": [1_762_000_000]})]


class Jwk(Shown):
    """A public key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    use: Literal["sig"]
    alg: Literal["EdDSA"]
    kid: str
    x: str


class Jwks(Shown):
    """Public keys (RFC 7517)."""

    keys: list[Jwk]


class ShownCertificate(Shown):
    """The client certificate that deliveries show to the receiver."""

    subject: str
    """As RFC 4514 writes it, the first 256 characters."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Its fingerprint."""
    expires_at: Time
    """From then on receivers refuse it: give another by PATCH before."""


class WebhookSummary(Shown):
    """A registered endpoint."""

    id: EndpointId
    object: Literal["webhook"]
    format: Literal["native", "openai"]
    url: str
    events: list[AnyEvent]
    description: str
    payload: Literal["thin", "full"]
    secret_hint: str
    """The end of the present secret."""
    header_names: list[str]
    """Of the receiver's own headers; their values are not shown."""
    client_certificate: ShownCertificate | None
    jwks: Jwks
    """The public keys that signatures of the version `v1a` are verified with now; none where there is no key."""
    enabled: bool
    disabled_by: DisabledBy | None
    """`owner` by a call, `receiver` by its reply, `failing` after five days of failures."""
    disabled_at: Time | None
    created_at: Time
    updated_at: Time


class WebhookStatistics(Shown):
    """What became of attempts, without tests."""

    attempts: Count
    delivered: Count
    failed: Count
    mean_latency_ms: Count | None
    last_at: Time | None
    last_status: int | None
    last_error: str | None
    failing_since: Time | None
    """The first failure since the last success; null where the last attempt did not fail."""


class RegisteredWebhook(WebhookSummary):
    """A registered endpoint, and how it fares."""

    statistics: WebhookStatistics


class WebhookWithSecret(RegisteredWebhook):
    """A registered endpoint with its new secret."""

    secret: Secret


class WebhookList(Shown):
    """The tenant's endpoints."""

    object: Literal["list"]
    data: list[WebhookSummary]


class WebhookTest(Shown):
    """What came of a test."""

    object: Literal["webhook.test"]
    endpoint_id: EndpointId
    event: AnyEvent
    event_id: EventId
    status: int | None
    """The receiver's; null where there was no reply."""
    error: str | None
    latency_ms: Count
    delivered: bool


class WebhookDelivery(Shown):
    """One event on its way to an endpoint."""

    id: DeliveryId
    object: Literal["webhook.delivery"]
    event: AnyEvent
    event_id: EventId
    """`webhook-id` of each attempt."""
    about: str
    """The job or the batch; of a test the endpoint itself."""
    happened_at: Time
    state: Literal["pending", "delivered", "failed", "disabled", "gone"]
    """`gone` with the record of what it told of."""
    next_at: Time | None
    attempts: list[DeliveryAttempt]


class WebhookDeliveryList(Shown):
    """A page of deliveries."""

    object: Literal["list"]
    data: list[WebhookDelivery]
    has_more: bool


class WebhookRecovery(Shown):
    """What is sent again."""

    object: Literal["webhook.recovery"]
    queued: Count
    """Deliveries."""
    continue_since: Time | None
    """For `since` of another call, where this one did not come to the end; null where it did."""


class OpenaiEndpoint(Shown):
    """An endpoint, as OpenAI's clients read it."""

    id: EndpointId
    object: Literal["webhook_endpoint"]
    name: str
    url: str
    event_types: list[OpenaiEvent]
    created_at: EpochSeconds
    updated_at: EpochSeconds
    signing_secret_hint: str


class OpenaiEndpointWithSecret(OpenaiEndpoint):
    """The same with its new secret."""

    signing_secret: Secret


class OpenaiEndpointList(Shown):
    """A page of endpoints."""

    object: Literal["list"]
    data: list[OpenaiEndpoint]
    first_id: EndpointId | None
    last_id: EndpointId | None
    has_more: bool


class OpenaiEndpointDeleted(Shown):
    """An endpoint that was deleted."""

    id: EndpointId
    object: Literal["webhook_endpoint.deleted"]
    deleted: Literal[True]


class OpenaiEndpointTest(Shown):
    """What a receiver answered to a test."""

    object: Literal["webhook_endpoint.test"]
    webhook_endpoint_id: EndpointId
    event_type: OpenaiEvent
    status_code: int
    success: Literal[True]


class OpenaiEventTypes(Shown):
    """What there is to be told of."""

    object: Literal["list"]
    data: list[OpenaiEvent]


class OpenaiEndpointBody(Shown):
    """An endpoint to register, as OpenAI's clients ask for it."""

    url: Annotated[str, Field(min_length=1, max_length=2048)]
    event_types: Annotated[list[OpenaiEvent], Field(min_length=1, max_length=40)]
    name: Annotated[str, Field(min_length=1, max_length=256)]


class OpenaiEndpointChange(Shown):
    """What is to be different."""

    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    event_types: Annotated[list[OpenaiEvent], Field(min_length=1, max_length=40)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=256)] | None = None


class OpenaiRotation(Shown):
    """How the old secret ends."""

    keep_old_secret_active_for_24_hours: bool | None = None


class OpenaiTestBody(Shown):
    """A test."""

    event_type: OpenaiEvent
