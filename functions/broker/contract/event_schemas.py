"""The schemas of each event by itself, in and out: for readers of JSON Schema, and for EventBridge's schema registry.

The registry takes OpenAPI 3.0 (`Type: OpenApi3`) in 100,000 characters at most, and makes code bindings of it where it
has the extensions that name source and detail-type (EventBridge user guide, "Schema registries"; Schemas API
reference, `CreateSchema`).
"""

import json
from functools import cache
from typing import Any

from pydantic import BaseModel

from broker.contract import events_in
from broker.contract.common import Plain
from broker.contract.event_examples import event_examples
from broker.contract.events import event_models
from broker.envelope import SOURCE, VERSION

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

MOST_CHARACTERS = 100_000
"""Of a schema in the registry."""

NOT_IN_3_0 = ("$schema", "$id", "examples", "patternProperties", "propertyNames", "discriminator", "const")
"""Keywords that OpenAPI 3.0 has not, or has under another name; what a discriminator says, its branches say as well."""

NULL: Json = {"type": "object", "nullable": True, "enum": [None]}
"""Nothing but `null`, which OpenAPI 3.0 has no type for."""

FIELDS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
"""Of an event as EventBridge hands it on."""


@cache
def published_events() -> dict[str, tuple[type[BaseModel], Json, str]]:
    """By detail-type: the model, an example, and what it is."""
    about = "An event that the broker puts on its bus. One that comes twice has the same `event_id`."
    examples = event_examples()
    found = {kind: (model, examples[kind], about) for kind, model in event_models().items()}
    return found | {events_in.KIND: (events_in.InferenceRequested, events_in.example(), ASKING)}


ASKING = (
    "An event that asks the broker for work: put on its bus by a source that operators registered. The detail is a "
    "request as `POST /v1/jobs` takes it, or names a document and a recipe; or it is a CloudEvents 1.0 envelope of "
    "either. What cannot become a job is told by `RequestRejected`."
)


def event_documents() -> dict[str, Json]:
    """By path below `schemas/`: a schema of each event with an example."""
    return {
        f"events/v{VERSION}/{kind}.json": model.model_json_schema(schema_generator=Plain)
        | {
            "$schema": DIALECT,
            "$id": f"urn:inference-broker:event:{kind}:{VERSION}",
            "title": kind,
            "description": about,
            "examples": [example],
        }
        for kind, (model, example, about) in published_events().items()
    }


def schema_registry() -> Json:
    """A template of the registry with all schemas: a stack of its own, in the broker's account or a receiver's."""
    registry = {
        "Type": "AWS::EventSchemas::Registry",
        "Properties": {"RegistryName": {"Ref": "RegistryName"}, "Description": "Events of the inference broker."},
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The events of the inference broker, in a schema registry of EventBridge.",
        "Parameters": {"RegistryName": {"Type": "String", "Default": "inference-broker", "MaxLength": 64}},
        "Resources": {"Registry": registry} | {f"{kind}Schema": _resource(kind) for kind in published_events()},
    }


def _resource(kind: str) -> Json:
    _, _, about = published_events()[kind]
    return {
        "Type": "AWS::EventSchemas::Schema",
        "Properties": {
            "RegistryName": {"Fn::GetAtt": ["Registry", "RegistryName"]},
            "SchemaName": f"{SOURCE}@{kind}",
            "Description": about[:256],
            "Type": "OpenApi3",
            "Content": json.dumps(openapi_3_0(kind), separators=(",", ":"), ensure_ascii=False, sort_keys=True),
        },
    }


def openapi_3_0(kind: str) -> Json:
    """An event's schema as the registry takes it."""
    model, example, about = published_events()[kind]
    schema = model.model_json_schema(schema_generator=Plain, ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    if "$ref" in schema:
        schema = parts[kind]
    texts = {"type": "string"}
    properties = dict.fromkeys(FIELDS, texts) | {"resources": {"type": "array", "items": texts}}
    event = {
        "type": "object",
        "required": list(FIELDS),
        "properties": properties | {"time": texts | {"format": "date-time"}} | schema["properties"],
        "example": example,
        "x-amazon-events-detail-type": kind,
        "x-amazon-events-source": example["source"],
    }
    components = {name: _plain(part) for name, part in parts.items() if name != kind}
    return {
        "openapi": "3.0.3",
        "info": {"title": kind, "version": VERSION, "description": about},
        "paths": {},
        "components": {"schemas": {"AWSEvent": _plain(event, keep_example=True), **components}},
    }


def _plain(schema: Any, *, keep_example: bool = False) -> Any:
    """A schema in the words of OpenAPI 3.0; what it cannot say is left out, so it lets no less through."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made: Json = {}
    for name, value in schema.items():
        if name == "properties":
            made[name] = {field: _plain(each) for field, each in value.items()}
        elif name in ("default", "enum", "required") or (name == "example" and keep_example):
            made[name] = value
        elif name not in NOT_IN_3_0:
            made[name] = _plain(value)
    if "const" in schema:
        made["enum"] = [schema["const"]]
    if "exclusiveMinimum" in schema:
        made |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
    if "patternProperties" in schema:
        made["additionalProperties"] = True
    if made.get("default", ...) is None:
        del made["default"]
    if made.get("type") == "null":
        made |= NULL
    return _nullable(made) if "anyOf" in made else made


def _nullable(schema: Json) -> Json:
    """`null` among the choices is a word of its own in OpenAPI 3.0."""
    choices = [each for each in schema["anyOf"] if each != NULL]
    if len(choices) == len(schema["anyOf"]):
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if len(choices) > 1 or "$ref" in choices[0]:
        return rest | {"anyOf": [*choices, NULL]}
    choice: Json = choices[0]
    return rest | choice | {"nullable": True} | ({"enum": [*choice["enum"], None]} if "enum" in choice else {})
