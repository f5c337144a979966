"""Each event has a schema of its own with an example: a file, in the schema registry, in the AsyncAPI document."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from broker.contract.asyncapi import asyncapi
from broker.contract.event_schemas import (
    MOST_CHARACTERS,
    event_documents,
    openapi_3_0,
    published_events,
    schema_registry,
)
from broker.contract.events import event_models
from broker.delivery.events import REVIEW_TYPES
from broker.envelope import SOURCE, VERSION
from broker.errors import InvalidRequest
from broker.jobs.cloud_events import is_cloud_event, open_cloud_event
from broker.jobs.document_event import DocumentEvent
from broker.jobs.request import parse_request, parsed
from cfnlint.api import ManualArgs, lint_file
from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator

from tests.contract.published_events import FOLDER, check_event
from tests.contract.stack import ROOT

KINDS = sorted(published_events())
DOCUMENTS = event_documents()
ASYNCAPI = asyncapi()
REGISTRY = schema_registry()["Resources"]


def asyncapi_schema() -> dict[str, Any] | None:
    """AsyncAPI's own schema of its documents, where `npm install --prefix .venv/asyncapi @asyncapi/specs` put it."""
    path = Path(sys.prefix) / "asyncapi" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.1.0.json"
    return json.loads(path.read_text()) if path.exists() else None


def test_every_event_of_the_broker_and_the_one_that_asks_have_a_schema() -> None:
    assert set(published_events()) == {*event_models(), "InferenceRequested"}
    assert set(DOCUMENTS) == {f"events/v{VERSION}/{kind}.json" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_an_events_schema_is_valid_named_and_holds_an_example_that_it_takes(kind: str) -> None:
    schema = json.loads((FOLDER / f"events/v{VERSION}/{kind}.json").read_text())
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:inference-broker:event:{kind}:{VERSION}"
    assert schema["title"] == kind and schema["description"]
    (example,) = schema["examples"]
    assert example["detail-type"] == kind
    check_event(example)


@pytest.mark.parametrize("kind", sorted(event_models()))
def test_an_events_schema_takes_no_other_event(kind: str) -> None:
    _, example, _ = published_events()[kind]
    for other in KINDS:
        if other != kind and {other, kind} != set(REVIEW_TYPES):  # the two tell the same facts
            with pytest.raises(ValidationError):
                check_event(example | {"detail-type": other})
    with pytest.raises(ValidationError):
        check_event(example | {"source": "somebody.else"})
    detail = example["detail"]
    for part in ("metadata", "data"):
        with pytest.raises(ValidationError):
            check_event(example | {"detail": {**detail, part: detail[part] | {"extra": 1}}})
        for name in detail[part]:
            if kind == "BatchCompleted" and part == "data":
                continue  # a document's has fewer facts
            less = {each: value for each, value in detail[part].items() if each != name}
            if name != "param":
                with pytest.raises(ValidationError):
                    check_event(example | {"detail": {**detail, part: less}})


ENVELOPE = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.asked"}
ASKED = {"input": {"text": "Hello"}}
DETAILS: list[tuple[Any, bool]] = [
    (ASKED, True),
    ({"document": {"s3": "s3://inbox/acme/a.pdf", "recipe": "notes"}}, True),
    ({"document": {"s3": "s3://inbox/acme/a.pdf"}}, False),
    ({}, False),
    ({"input": {"text": 7}}, False),
    ("Hello", False),
    (ENVELOPE | {"data": ASKED}, True),
    (ENVELOPE | {"data": {"document": {"s3": "s3://inbox/acme/a.pdf", "recipe": "notes"}}}, True),
    (ENVELOPE | {"data": ASKED, "traceparent": "00-1-1-01", "sampled": True}, True),
    (ENVELOPE | {"data": ASKED, "datacontenttype": "application/json; charset=utf-8", "subject": "a"}, True),
    (ENVELOPE | {"data": ASKED, "datacontenttype": "text/xml"}, False),
    (ENVELOPE | {"data": ASKED, "Trace-Parent": "x"}, False),
    (ENVELOPE | {"data": ASKED, "specversion": "0.3"}, False),
    (ENVELOPE | {"data": ASKED, "id": ""}, False),
    (ENVELOPE | {"data": ASKED, "id": "x" * 1025}, False),
    (ENVELOPE | {"data": ASKED, "time": 7}, False),
    (ENVELOPE, False),
    (ENVELOPE | {"data_base64": "e30="}, False),
    ({**ENVELOPE, "source": None, "data": ASKED}, False),
]


@pytest.mark.parametrize(("detail", "good"), DETAILS, ids=lambda each: json.dumps(each)[:80])
def test_schema_and_code_take_the_same_events(detail: Any, good: bool) -> None:
    def take() -> None:
        inner = open_cloud_event(detail).data if is_cloud_event(detail) else detail
        if isinstance(inner, dict) and "document" in inner:
            parsed(DocumentEvent, inner)
        else:
            parse_request(inner)

    event = {"source": "shop", "detail-type": "InferenceRequested", "detail": detail}
    if good:
        take()
        check_event(event)
    else:
        with pytest.raises(InvalidRequest):
            take()
        with pytest.raises(ValidationError):
            check_event(event)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_as_the_registry_takes_it_and_takes_its_example(kind: str) -> None:
    resource = REGISTRY[f"{kind}Schema"]["Properties"]
    assert (resource["Type"], resource["SchemaName"]) == ("OpenApi3", f"{SOURCE}@{kind}")
    assert len(resource["Content"]) <= MOST_CHARACTERS and len(resource["Description"]) <= 256
    document = json.loads(resource["Content"])
    assert document == json.loads(json.dumps(openapi_3_0(kind)))
    assert list(OpenAPIV30SpecValidator(document).iter_errors()) == []
    event = document["components"]["schemas"]["AWSEvent"]
    assert event["x-amazon-events-detail-type"] == kind
    check = OAS30Validator({"$ref": "#/components/schemas/AWSEvent", "components": document["components"]})
    check.validate(event["example"])
    assert not check.is_valid(event["example"] | {"detail-type": "Other"})
    assert not check.is_valid(event["example"] | {"detail": {}})


def test_the_registrys_template_is_a_stack_of_its_own() -> None:
    found = lint_file(Path(ROOT / "schemas" / "events" / "registry.json"), ManualArgs(regions=["eu-central-1"]))
    assert [str(each) for each in found] == []
    kinds = [each["Type"] for each in REGISTRY.values()]
    assert kinds == ["AWS::EventSchemas::Registry", *["AWS::EventSchemas::Schema"] * len(KINDS)]


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_the_asyncapi_document_names_all_events_and_leads_nowhere() -> None:
    document = json.loads((FOLDER / "asyncapi.json").read_text())
    assert document["asyncapi"] == "3.1.0"
    for reference in references(document):
        at: Any = document
        for step in reference.removeprefix("#/").split("/"):
            at = at[step]
    assert set(document["components"]["messages"]) == set(KINDS)
    taken, told = (document["operations"][name] for name in ("takeRequests", "tell"))
    assert (taken["action"], told["action"]) == ("receive", "send")
    assert [each["$ref"].rpartition("/")[2] for each in taken["messages"]] == ["InferenceRequested"]
    assert {each["$ref"].rpartition("/")[2] for each in told["messages"]} == set(event_models())


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_the_asyncapi_document_takes_its_example(kind: str) -> None:
    document = ASYNCAPI
    message = document["components"]["messages"][kind]
    check = Draft202012Validator(message["payload"] | {"components": document["components"]})
    (example,) = message["examples"]
    check.validate(example["payload"])
    assert not check.is_valid(example["payload"] | {"detail": {}})
    at: Any = example["payload"]
    for step in message["correlationId"]["location"].removeprefix("$message.payload#/").split("/"):
        at = at[step]
    assert at


@pytest.mark.skipif(asyncapi_schema() is None, reason="`make test` installs AsyncAPI's schema where npm is")
def test_the_asyncapi_document_is_one_by_asyncapis_own_schema() -> None:
    check = Draft7Validator(asyncapi_schema() or {})
    assert [error.message for error in check.iter_errors(ASYNCAPI)] == []
    assert not check.is_valid(ASYNCAPI | {"channels": []})
