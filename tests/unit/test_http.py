"""Proxy events and replies: what is read, whose word is taken, and how errors look."""

import base64
import json
from typing import Any

import pytest
from broker.errors import (
    BrokerError,
    Forbidden,
    InvalidRequest,
    KeyInFlight,
    NotCancelable,
    NotFound,
    PolicyMissing,
    Throttled,
    TooManyAtOnce,
    Unavailable,
)
from broker.json_text import MAX_BODY_BYTES
from broker.rest.http import Reply, Request, error_reply


def event(**changes: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "httpMethod": "GET",
        "resource": "/jobs/{id}",
        "pathParameters": {"id": "job_1"},
        "queryStringParameters": {"wait": "5"},
        "headers": {"Prefer": "wait=5", "X-Tenant": "victim"},
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": "req-1",
            "apiId": "a1b2c3",
            "domainName": "a1b2c3.execute-api.eu-central-1.amazonaws.com",
            "path": "/v1/jobs/job_1",
            "authorizer": {"tenant": "acme", "principal": "ci", "scopes": "jobs:read jobs:write"},
        },
    }
    return usual | changes


def with_body(body: str | None, *, encoded: bool = False) -> Request:
    return Request.of(event(body=body, isBase64Encoded=encoded))


def test_an_event_is_read() -> None:
    request = Request.of(event(body="{}"))
    assert (request.method, request.resource, request.path, request.query) == (
        "GET",
        "/jobs/{id}",
        {"id": "job_1"},
        {"wait": "5"},
    )
    assert (request.tenant, request.principal, request.request_id) == ("acme", "ci", "req-1")
    assert request.scopes == {"jobs:read", "jobs:write"}
    assert request.headers["prefer"] == "wait=5"


@pytest.mark.parametrize("nothing", [None, {}])
def test_what_a_call_lacks_is_null(nothing: Any) -> None:
    request = Request.of(event(pathParameters=nothing, queryStringParameters=nothing, headers=nothing))
    assert (request.path, request.query, request.headers) == ({}, {}, {})
    bare = event()
    del bare["body"], bare["isBase64Encoded"]
    assert Request.of(bare).body is None


def test_the_tenant_is_the_authorizers() -> None:
    forged = json.dumps({"tenant": "victim", "requestContext": {"authorizer": {"tenant": "victim"}}})
    request = Request.of(event(body=forged, queryStringParameters={"tenant": "victim"}, headers={"tenant": "victim"}))
    assert request.tenant == "acme"


@pytest.mark.parametrize("name", ["idempotency-key", "Idempotency-Key", "IDEMPOTENCY-KEY"])
def test_header_names_have_no_case(name: str) -> None:
    assert Request.of(event(headers={name: "Kept As It Is"})).headers == {"idempotency-key": "Kept As It Is"}


def test_a_body_may_be_encoded() -> None:
    text = '{"a": "ü"}'
    assert with_body(text).json() == {"a": "ü"}
    assert with_body(base64.b64encode(text.encode()).decode(), encoded=True).json() == {"a": "ü"}


@pytest.mark.parametrize(
    ("body", "encoded", "code"),
    [
        (None, False, "invalid_body"),
        ("", False, "invalid_json"),
        ("", True, "invalid_json"),
        ("{", False, "invalid_json"),
        ("{'a': 1}", False, "invalid_json"),
        ("[" * 100_000, False, "too_deep"),
        ('{"a":' * 50_000, False, "too_deep"),
        (base64.b64encode(b'{"a": "\xff"}').decode(), True, "invalid_encoding"),
        (base64.b64encode("{}".encode("utf-16")).decode(), True, "invalid_encoding"),
        (base64.b64encode(b"\x1f\x8b\x08").decode(), True, "invalid_encoding"),
        ("no base64", True, "invalid_json"),
        ('"' + "a" * (MAX_BODY_BYTES - 1) + '"', False, "body_too_large"),
        ('"' + "ü" * (MAX_BODY_BYTES // 2) + '"', False, "body_too_large"),
    ],
    ids=range(13),
)
def test_what_is_no_body(body: str | None, encoded: bool, code: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        with_body(body, encoded=encoded).json()
    assert (failure.value.code, failure.value.status) == (code, 413 if code == "body_too_large" else 400)
    assert failure.value.param is None


def test_a_body_may_begin_with_a_byte_order_mark() -> None:
    assert with_body('\ufeff{"a": 1}').json() == {"a": 1}
    assert with_body(base64.b64encode('\ufeff{"a": 1}'.encode()).decode(), encoded=True).json() == {"a": 1}


def test_the_largest_body() -> None:
    assert len(with_body('"' + "a" * (MAX_BODY_BYTES - 2) + '"').json()) == MAX_BODY_BYTES - 2


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("20", 20), ("007", 7), ("999999999", 999_999_999)])
def test_a_number_of_the_query(text: str, number: int) -> None:
    assert Request.of(event(queryStringParameters={"n": text})).number("n", 5) == number
    assert Request.of(event()).number("n", 5) == 5


@pytest.mark.parametrize("text", ["", " 5", "-1", "+1", "1.0", "1e3", "0x1", "1_0", "٣", "²", "9999999999", "9" * 5000])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        Request.of(event(queryStringParameters={"n": text})).number("n", 5)
    assert failure.value.param == "n"


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        ("jobs:read", True),
        ("*", True),
        ("a jobs:read", True),
        ("", False),
        ("jobs:*", False),
        ("jobs:reads", False),
        ("Jobs:Read", False),
        ("jobs", False),
    ],
)
def test_a_scope_is_needed(scopes: str, may: bool) -> None:
    context = event()["requestContext"] | {"authorizer": {"tenant": "acme", "principal": "ci", "scopes": scopes}}
    request = Request.of(event(requestContext=context))
    if may:
        request.need("jobs:read")
        return
    with pytest.raises(Forbidden) as failure:
        request.need("jobs:read")
    assert (failure.value.status, failure.value.code) == (403, "missing_scope")


def test_a_reply_is_json_that_nobody_keeps() -> None:
    proxy = Reply(200, {"a": "ü"}, {"location": "/x"}).proxy("req-1")
    assert proxy["statusCode"] == 200
    assert json.loads(proxy["body"]) == {"a": "ü"}
    assert proxy["headers"] == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-request-id": "req-1",
        "request-id": "req-1",
        "location": "/x",
    }
    assert Reply(204, None).proxy("r")["body"] == ""


def test_a_reply_may_be_read_by_pages_of_the_origin_that_is_allowed_and_by_no_others() -> None:
    told = error_reply(Throttled("m", retry_after=1), "req-1").headers | {"location": "/x"}
    headers = Reply(202, {}, told).proxy("req-1", "https://app.example.com")["headers"]
    assert headers["access-control-allow-origin"] == "https://app.example.com"
    readable = set(headers["access-control-expose-headers"].split(", "))
    plain = {"content-type", "cache-control"}  # of these each page may read the values
    allowing = {name for name in headers if name.startswith("access-control-")}
    assert headers.keys() - plain - allowing <= readable
    assert not [name for name in Reply(202, {}).proxy("req-1")["headers"] if name.startswith("access-control-")]


AGAIN, NOT_AGAIN = {"x-should-retry": "true"}, {"x-should-retry": "false"}


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (BrokerError("m"), 500, AGAIN),
        (NotFound("m"), 404, NOT_AGAIN),
        (NotCancelable("m"), 409, NOT_AGAIN),
        (PolicyMissing("m"), 503, NOT_AGAIN),
        (Unavailable("m"), 503, AGAIN),
        (KeyInFlight("m", retry_after=1), 409, AGAIN | {"retry-after": "1", "retry-after-ms": "1000"}),
        (TooManyAtOnce("m", retry_after=60), 429, AGAIN | {"retry-after": "60", "retry-after-ms": "60000"}),
        (Throttled("m", retry_after=0), 429, AGAIN | {"retry-after": "1", "retry-after-ms": "1"}),
        (Throttled("m", retry_after=0.2), 429, AGAIN | {"retry-after": "1", "retry-after-ms": "200"}),
        (Throttled("m", retry_after=2.7), 429, AGAIN | {"retry-after": "3", "retry-after-ms": "2700"}),
        # Above two minutes OpenAI's clients would not repeat at all.
        (Throttled("m", retry_after=900), 429, AGAIN | {"retry-after": "120", "retry-after-ms": "120000"}),
    ],
)
def test_an_error_in_its_public_form(error: BrokerError, status: int, headers: dict[str, str]) -> None:
    reply = error_reply(error, "req-1")
    assert (reply.status, reply.headers) == (status, headers)


def test_an_error_names_what_is_known_of_it() -> None:
    reply = error_reply(InvalidRequest("The text.", code="a_code", param="input.text"), "req-1")
    assert reply.body == {
        "error": {
            "type": "invalid_request",
            "code": "a_code",
            "message": "The text.",
            "param": "input.text",
            "request_id": "req-1",
        }
    }
    assert error_reply(NotFound("m"), "r").body["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("resource", "domain", "path", "base_url"),
    [
        ("/jobs", "a1.execute-api.eu-central-1.amazonaws.com", "/v1/jobs", "{}/v1"),
        ("/jobs", "a1.execute-api.eu-central-1.amazonaws.com", "/v1/jobs/", "{}/v1"),
        ("/jobs/{id}", "a1.execute-api.cn-north-1.amazonaws.com.cn", "/v1/jobs/job_1", "{}/v1"),
        ("/jobs/{id}/cancel", "api.example.com", "/jobs/job_1/cancel", "{}"),
        ("/jobs/{id}/cancel", "api.example.com", "/broker/jobs/job_1/cancel", "{}/broker"),
        ("/jobs", "api.example.com", "/ai/broker/jobs", "{}/ai/broker"),
        ("/jobs", "api.example.com", "/broker/v1/jobs", "{}/broker/v1"),
    ],
)
def test_links_hang_on_the_way_by_which_the_call_came(resource: str, domain: str, path: str, base_url: str) -> None:
    """The stage's own domain, a custom one, and one with a mapping of one or two levels, with or without the stage."""
    usual = event()["requestContext"]
    forged = {name: "evil.example" for name in ("Host", "X-Forwarded-Host", "Forwarded", "X-Forwarded-Prefix")}
    called = event(resource=resource, headers=forged, requestContext=usual | {"domainName": domain, "path": path})
    assert Request.of(called).base_url == f"https://{base_url.format(domain)}"


def test_operators_say_where_the_api_is_reached() -> None:
    assert Request.of(event(), "https://api.example.com/ai").base_url == "https://api.example.com/ai"
    assert Request.of(event(), "http://127.0.0.1:4566/{api}/v1").base_url == "http://127.0.0.1:4566/a1b2c3/v1"


@pytest.mark.parametrize(("asked", "found"), [({}, []), ({"include": ""}, []), ({"include": "a, b"}, ["a", "b"])])
def test_include_names_what_is_shown_beside(asked: dict[str, str], found: list[str]) -> None:
    assert Request.of(event(queryStringParameters=asked)).included(("a", "b", "c")) == found


def test_include_takes_what_it_knows_alone() -> None:
    with pytest.raises(InvalidRequest) as failure:
        Request.of(event(queryStringParameters={"include": "a,x"})).included(("a",))
    assert (failure.value.param, failure.value.message) == ("include", "include is one of a.")
