"""Calls from browsers: nobody's unless a parameter names an origin, and then in all that API Gateway itself answers."""

import json
import re
from functools import cache
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.contract.stack import ROOT, events, of_type, template

ALLOWED = {"Fn::If": ["AllowsOrigin", {"Fn::Sub": "'${CorsOrigin}'"}, {"Ref": "AWS::NoValue"}]}
"""The header's value: the origin, or no header."""


EVERY = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

READING = ("api.py", "http.py", "representing.py", "tries.py")
"""The files that read headers of calls."""


@cache
def document() -> dict[str, Any]:
    """The API's OpenAPI document, as SAM makes it of the template."""
    # What SAM CLI would have packed by then.
    packed = re.sub(r'("(?:Code|Content|Definition)Uri": )"[^"]+"', r'\1"s3://bucket/key"', json.dumps(template()))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        made = Translator({}, Parser()).translate(json.loads(packed) | {"Transform": "AWS::Serverless-2016-10-31"}, {})
    body: dict[str, Any] = made["Resources"]["Api"]["Properties"]["Body"]
    return body


def test_no_page_may_call_by_default() -> None:
    assert template()["Parameters"]["CorsOrigin"]["Default"] == ""
    assert template()["Conditions"]["AllowsOrigin"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "CorsOrigin"}, ""]}]}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        *(("", True), ("*", True), ("https://app.example.com", True), ("http://localhost:3000", True)),
        *(("app.example.com", False), ("https://a.com/", False), ("https://a.com, https://b.com", False)),
        ("https://a.com'", False),  # it would end the string that API Gateway reads
    ],
)
def test_an_origin_is_one_as_browsers_send_it(given: str, taken: bool) -> None:
    assert bool(re.fullmatch(template()["Parameters"]["CorsOrigin"]["AllowedPattern"], given)) is taken


@pytest.mark.parametrize("path", sorted({route["Path"] for _, _, route in events("Api")}))
def test_a_preflight_needs_no_credential_and_allows_what_the_route_takes(path: str) -> None:
    methods = document()["paths"][path]
    assert not methods["options"].get("security"), "a browser sends no credential with it"
    ((_, response),) = methods["options"]["x-amazon-apigateway-integration"]["responses"].items()
    headers = {name.split(".")[-1]: text for name, text in response["responseParameters"].items()}
    assert headers["Access-Control-Allow-Origin"] == ALLOWED
    allowed = set(headers["Access-Control-Allow-Methods"].strip("'").split(","))
    own = {method.upper() for method in methods if method != "parameters"}
    assert allowed >= (EVERY if "X-AMAZON-APIGATEWAY-ANY-METHOD" in own else own)
    code = "".join((ROOT / "functions/broker/rest" / name).read_text() for name in READING)
    read = set(re.findall(r'headers\.get\("([-a-z]+)"', code)) - {"accept"}  # any page may send that
    assert {"prefer", "if-none-match", "idempotency-key", "x-stainless-retry-count"} <= read
    said = {name.lower() for name in headers["Access-Control-Allow-Headers"].strip("'").split(",")}
    assert said >= read | {"authorization", "content-type"}
    assert not said & {"x-amz-date", "x-amz-security-token"}, "pages could send what operators sign"


OF_PACKAGES = (
    *("anthropic-beta", "anthropic-dangerous-direct-browser-access", "anthropic-version", "x-api-key"),
    *("openai-organization", "openai-project"),
    *(f"x-stainless-{name}" for name in ("lang", "package-version", "os", "arch", "runtime", "runtime-version")),
    *(f"x-stainless-{name}" for name in ("retry-count", "timeout", "helper-method", "helper")),
    *(f"x-stainless-{name}" for name in ("poll-helper", "custom-poll-interval")),
)
"""What OpenAI's and Anthropic's packages for browsers send: with each call, with their helpers (`stream`, `runTools`,
tool runners), and when they poll. A browser sends nothing of a call that has a header which is not allowed."""


def test_pages_may_use_all_that_the_packages_have() -> None:
    (gateway,) = of_type("AWS::Serverless::Api").values()
    assert {*OF_PACKAGES} <= {name.lower() for name in gateway["Cors"]["AllowHeaders"].strip("'").split(",")}


@pytest.mark.parametrize("path", sorted({route["Path"] for _, _, route in events("Api")}))
def test_the_headers_of_a_preflight_are_declared_as_the_document_has_headers(path: str) -> None:
    assert document()["swagger"] == "2.0"
    declared = document()["paths"][path]["options"]["responses"]["200"]["headers"]
    assert set(map(str, declared.values())) <= {"{'type': 'string'}", "{'type': 'integer'}"}


def test_what_api_gateway_refuses_can_be_read_as_well() -> None:
    (gateway,) = of_type("AWS::Serverless::Api").values()
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= gateway["GatewayResponses"].keys()
    refused = document()["x-amazon-apigateway-gateway-responses"]
    assert set(refused) == set(gateway["GatewayResponses"])
    for name, response in refused.items():
        allowed = response["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
        assert allowed == ALLOWED, f"a page would be told nothing of {name}"
