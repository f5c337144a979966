"""The AsyncAPI document of what goes over the bus, from the models of the events.

Source: AsyncAPI 3.1.0. EventBridge is no protocol of its bindings, so the servers name it and nothing binds.
"""

from typing import Any

from broker.contract import events_in
from broker.contract.common import Plain
from broker.contract.event_schemas import Json, published_events
from broker.envelope import SOURCE, VERSION

ASYNCAPI = "3.1.0"

CHANNEL = "bus"
ABOUT = (
    "Work is put on the broker's event bus as `InferenceRequested`, and what becomes of it is told there. Rules on the "
    f"bus name the source `{SOURCE}` and the detail-types. Events come at least once and in no order; `event_id` tells "
    "a repeat."
)


def asyncapi() -> Json:
    """The document, seen from the broker: it receives what asks for work, and sends what it tells."""
    events = published_events()
    told = [kind for kind in events if kind != events_in.KIND]
    schemas: Json = {}
    messages = {kind: _message(kind, *entry, schemas) for kind, entry in events.items()}
    return {
        "asyncapi": ASYNCAPI,
        "id": "urn:inference-broker:events",
        "info": {"title": "Inference Broker, events", "version": VERSION, "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "eventBridge": {
                "host": "events.{region}.amazonaws.com",
                "protocol": "https",
                "description": "Amazon EventBridge; senders call `PutEvents`, receivers have a rule.",
                "variables": {"region": {"description": "Of the stack.", "default": "eu-central-1"}},
                "security": [{"$ref": "#/components/securitySchemes/sigv4"}],
            }
        },
        "channels": {
            CHANNEL: {
                "address": "{bus}",
                "description": "The stack's event bus.",
                "servers": [{"$ref": "#/servers/eventBridge"}],
                "parameters": {"bus": {"description": "Its name: that of the stack.", "default": "inference-broker"}},
                "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in messages},
            }
        },
        "operations": {
            "takeRequests": _operation("receive", "Work that others ask for.", [events_in.KIND])
            | {"reply": {"channel": _channel(), "messages": [_of_channel(kind) for kind in told]}},
            "tell": _operation("send", "What becomes of work, and of what else tenants may wait for.", told),
        },
        "components": {
            "securitySchemes": {"sigv4": {"type": "http", "scheme": "AWS4-HMAC-SHA256", "description": "IAM."}},
            "messages": messages,
            "schemas": schemas,
        },
    }


def _operation(action: str, about: str, kinds: list[str]) -> Json:
    messages = [_of_channel(kind) for kind in kinds]
    return {"action": action, "channel": _channel(), "summary": about, "messages": messages}


def _channel() -> Json:
    return {"$ref": f"#/channels/{CHANNEL}"}


def _of_channel(kind: str) -> Json:
    return {"$ref": f"#/channels/{CHANNEL}/messages/{kind}"}


def _message(kind: str, model: Any, example: Json, about: str, schemas: Json) -> Json:
    """A message; the parts of its schema are put among all `schemas`, where events share them."""
    schema = model.model_json_schema(schema_generator=Plain, ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    own = parts.pop(kind) if "$ref" in schema else schema
    for name, part in (parts | {kind: own}).items():
        part = _undiscriminated(part)
        if schemas.setdefault(name, part) != part:
            raise ValueError(f"two schemas of the events are called {name}")
    return {
        "name": kind,
        "title": kind,
        "summary": about,
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{kind}"},
        "correlationId": {"location": "$message.payload#/detail/metadata/correlation_id"}
        if kind != events_in.KIND
        else {"location": "$message.payload#/id"},
        "examples": [{"name": kind, "payload": example}],
    }


def _undiscriminated(schema: Any) -> Any:
    """Without OpenAPI's discriminators, which are of another form here; each branch names its own value as well."""
    if isinstance(schema, list):
        return [_undiscriminated(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _undiscriminated(each) for name, each in schema.items() if name != "discriminator"}
