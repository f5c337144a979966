"""What clients may ask of registered endpoints, route by route."""

from broker.contract.endpoints import (
    EXAMPLE,
    EXAMPLE_DELIVERY,
    OpenaiEndpoint,
    OpenaiEndpointBody,
    OpenaiEndpointChange,
    OpenaiEndpointDeleted,
    OpenaiEndpointList,
    OpenaiEndpointTest,
    OpenaiEndpointWithSecret,
    OpenaiEventTypes,
    OpenaiRotation,
    OpenaiTestBody,
    RegisteredWebhook,
    WebhookDelivery,
    WebhookDeliveryList,
    WebhookList,
    WebhookRecovery,
    WebhookTest,
    WebhookWithSecret,
)
from broker.contract.operation import Operation, parameter
from broker.endpoints.bodies import EndpointBody, EndpointChange, Recovery, Rotation, TestBody
from broker.endpoints.log import MOST_LISTED

ID = parameter("path", "id", "The endpoint.", {"type": "string"}, required=True, example=EXAMPLE)
DELIVERY = parameter(
    "path", "delivery_id", "The delivery.", {"type": "string"}, required=True, example=EXAMPLE_DELIVERY
)
KEY = parameter(
    "header",
    "Idempotency-Key",
    "The same key with the same body registers one endpoint.",
    {"type": "string", "minLength": 1, "maxLength": 255},
)
TRY = parameter(
    "header",
    "X-Stainless-Retry-Count",
    "Which try of a call this is, from 0: a repeat of the same bytes within ten minutes gets the first one's endpoint. "
    "What is no number of up to three digits counts for nothing.",
    {"type": "string"},
)
PAGE = (
    parameter(
        "query",
        "limit",
        "Deliveries on a page.",
        {"type": "integer", "minimum": 1, "maximum": MOST_LISTED - 1, "default": 20},
    ),
    parameter("query", "after", "The last delivery of the page before.", {"type": "string"}),
)
OPENAI_PAGE = (
    parameter(
        "query", "limit", "Endpoints on a page.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    ),
    parameter("query", "after", "The last endpoint of the page before.", {"type": "string"}),
)

ENDPOINT_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/webhooks"): Operation(
        "Register an endpoint for webhooks",
        "webhooks",
        {201: WebhookWithSecret},
        errors=(400, 413, 422),
        parameters=(KEY, TRY),
        body=EndpointBody,
    ),
    ("GET", "/webhooks"): Operation("List the tenant's endpoints", "webhooks", {200: WebhookList}),
    ("GET", "/webhooks/{id}"): Operation(
        "Get an endpoint, with its statistics", "webhooks", {200: RegisteredWebhook}, errors=(404,), parameters=(ID,)
    ),
    ("PATCH", "/webhooks/{id}"): Operation(
        "Change an endpoint",
        "webhooks",
        {200: RegisteredWebhook},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=EndpointChange,
    ),
    ("DELETE", "/webhooks/{id}"): Operation(
        "Delete an endpoint", "webhooks", {204: None}, errors=(404,), parameters=(ID,)
    ),
    ("POST", "/webhooks/{id}/rotate"): Operation(
        "Give an endpoint a new secret; for a day it signs with the old one as well",
        "webhooks",
        {200: WebhookWithSecret},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=Rotation,
        body_is_optional=True,
    ),
    ("POST", "/webhooks/{id}/enable"): Operation(
        "Enable an endpoint", "webhooks", {200: RegisteredWebhook}, errors=(404,), parameters=(ID,)
    ),
    ("POST", "/webhooks/{id}/disable"): Operation(
        "Disable an endpoint: nothing is kept for it",
        "webhooks",
        {200: RegisteredWebhook},
        errors=(404,),
        parameters=(ID,),
    ),
    ("POST", "/webhooks/{id}/test"): Operation(
        "Send an endpoint an event about nothing, and see what it answers",
        "webhooks",
        {200: WebhookTest},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=TestBody,
        body_is_optional=True,
    ),
    ("GET", "/webhooks/{id}/deliveries"): Operation(
        "List an endpoint's deliveries, with each attempt, newest first",
        "webhooks",
        {200: WebhookDeliveryList},
        errors=(400, 404),
        parameters=(ID, *PAGE),
    ),
    ("GET", "/webhooks/{id}/deliveries/{delivery_id}"): Operation(
        "Get a delivery", "webhooks", {200: WebhookDelivery}, errors=(404,), parameters=(ID, DELIVERY)
    ),
    ("POST", "/webhooks/{id}/deliveries/{delivery_id}/redeliver"): Operation(
        "Send a delivery once more", "webhooks", {202: WebhookDelivery}, errors=(404, 409), parameters=(ID, DELIVERY)
    ),
    ("POST", "/webhooks/{id}/recover"): Operation(
        "Send again what was given up or kept back in a time",
        "webhooks",
        {202: WebhookRecovery},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=Recovery,
    ),
    ("POST", "/webhook_endpoints"): Operation(
        "Register an endpoint, as OpenAI's clients do",
        "openai",
        {200: OpenaiEndpointWithSecret},
        errors=(400, 413, 422),
        parameters=(KEY, TRY),
        body=OpenaiEndpointBody,
    ),
    ("GET", "/webhook_endpoints"): Operation(
        "List endpoints of OpenAI's form",
        "openai",
        {200: OpenaiEndpointList},
        errors=(400,),
        parameters=OPENAI_PAGE,
    ),
    ("GET", "/webhook_endpoints/{id}"): Operation(
        "Get an endpoint of OpenAI's form", "openai", {200: OpenaiEndpoint}, errors=(404,), parameters=(ID,)
    ),
    ("POST", "/webhook_endpoints/{id}"): Operation(
        "Change an endpoint of OpenAI's form",
        "openai",
        {200: OpenaiEndpoint},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=OpenaiEndpointChange,
    ),
    ("DELETE", "/webhook_endpoints/{id}"): Operation(
        "Delete an endpoint of OpenAI's form", "openai", {200: OpenaiEndpointDeleted}, errors=(404,), parameters=(ID,)
    ),
    ("POST", "/webhook_endpoints/{id}/rotate_secret"): Operation(
        "Give an endpoint of OpenAI's form a new secret",
        "openai",
        {200: OpenaiEndpointWithSecret},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=OpenaiRotation,
        body_is_optional=True,
    ),
    ("POST", "/webhook_endpoints/{id}/test"): Operation(
        "Send an endpoint of OpenAI's form a sample event",
        "openai",
        {200: OpenaiEndpointTest},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=OpenaiTestBody,
    ),
    ("GET", "/webhook_event_types"): Operation(
        "List the types of events of OpenAI's form", "openai", {200: OpenaiEventTypes}
    ),
}
