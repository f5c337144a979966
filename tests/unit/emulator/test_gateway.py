"""The emulated API Gateway takes the gateway responses of an API's document; its patch still fits."""

import gzip
import inspect
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import apigateway_v1

from local.emulator.gateway import ANY_METHOD, EXTENSION, METHODS, compressed, patch
from local.emulator.rewriting import DoesNotFit

TEMPLATE = '{"error": {"code": "unauthorized", "request_id": "$context.requestId"}}'
RESPONSE = {"statusCode": 401, "responseTemplates": {"application/json": TEMPLATE}}


@pytest.fixture
def restored() -> Iterator[None]:
    shipped = apigateway_v1._import_rest_api, apigateway_v1._handle_execute_in_scope
    yield
    apigateway_v1._import_rest_api, apigateway_v1._handle_execute_in_scope = shipped


def document(responses: dict[str, Any]) -> dict[str, Any]:
    return {"openapi": "3.0.1", "info": {"title": "api"}, "paths": {}, EXTENSION: responses}


def test_the_responses_of_a_document_are_the_apis(restored: None) -> None:
    patch()
    api_id = apigateway_v1._import_rest_api(document({"UNAUTHORIZED": RESPONSE}), {})
    status, _, body = apigateway_v1._get_gateway_response(api_id, "UNAUTHORIZED")
    found = json.loads(body)
    assert (status, found["statusCode"], found["defaultResponse"]) == (200, "401", False)
    assert found["responseTemplates"] == {"application/json": TEMPLATE}


def test_kinds_of_bodies_are_read_as_a_template_writes_them(restored: None) -> None:
    patch()
    api_id = apigateway_v1._import_rest_api(document({}), {"binaryMediaTypes": ["multipart~1form-data", "image/png"]})
    kinds = apigateway_v1._rest_apis[api_id]["binaryMediaTypes"]
    matches = apigateway_v1._media_type_matches
    assert matches("multipart/form-data; boundary=x", kinds) and matches("image/png", kinds)
    assert not matches("application/json", kinds)


def test_any_method_is_each_but_those_that_the_path_has_itself(restored: None) -> None:
    patch()
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": "one"}
    own = {"x-amazon-apigateway-integration": integration | {"uri": "own"}}
    any_method = {ANY_METHOD: {"x-amazon-apigateway-integration": integration}, "options": own}
    api_id = apigateway_v1._import_rest_api(document({}) | {"paths": {"/{proxy+}": any_method}}, {})
    (found,) = [each for each in apigateway_v1._resources[api_id].values() if each["path"] == "/{proxy+}"]
    uris = {method: each["methodIntegration"]["uri"] for method, each in found["resourceMethods"].items()}
    assert uris == {each.upper(): "own" if each == "options" else "one" for each in METHODS}


def test_a_response_that_is_none_fails_the_deployment(restored: None) -> None:
    patch()
    with pytest.raises(ValueError, match="NOBODYS"):
        apigateway_v1._import_rest_api(document({"NOBODYS": RESPONSE}), {})


def test_another_emulator_is_told_loudly(restored: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(apigateway_v1, "_put_gateway_response", lambda api_id: None)
        with pytest.raises(DoesNotFit, match="in another way"):
            patch()
    with monkeypatch.context() as changed:
        changed.setattr(inspect, "getsource", lambda module: f'spec.get("{EXTENSION}")')
        with pytest.raises(DoesNotFit, match="in another way"):
            patch()


TEXT = b'{"text": "' + b"again and " * 200 + b'"}'


@pytest.mark.parametrize("accepted", ["gzip", "deflate, GZIP;q=0.5, br"])
def test_a_client_that_takes_gzip_gets_less(accepted: str) -> None:
    status, headers, body = compressed((200, {"Content-Type": "application/json"}, TEXT), 1000, accepted)
    assert (status, headers) == (200, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert len(body) < 200
    assert gzip.decompress(body) == TEXT


@pytest.mark.parametrize(
    ("headers", "body", "accepted"),
    [
        ({}, TEXT, ""),
        ({}, TEXT, "*"),
        ({}, TEXT, "br, gzip2"),
        ({}, TEXT[:999], "gzip"),
        ({"content-encoding": "br"}, TEXT, "gzip"),
    ],
)
def test_any_other_gets_the_reply_as_it_is(headers: dict[str, str], body: bytes, accepted: str) -> None:
    assert compressed((200, headers, body), 1000, accepted) == (200, headers, body)
