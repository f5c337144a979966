"""The local model server misbehaves on order, in each format's own way."""

import http.client
import json
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator

from tests.unit.model_server.conftest import DOCUMENT, SCHEMA, Client, Format

ERRORS = {
    "400": (400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    "401": (401, "invalid_request_error", "authentication_error", "UNAUTHENTICATED"),
    "403": (403, "invalid_request_error", "permission_error", "PERMISSION_DENIED"),
    "404": (404, "invalid_request_error", "not_found_error", "NOT_FOUND"),
    "429": (429, "requests", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    "500": (500, "server_error", "api_error", "INTERNAL"),
    "503": (503, "server_error", "overloaded_error", "UNAVAILABLE"),
    "context": (400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
}


@pytest.mark.parametrize("order", ERRORS)
def test_errors_have_the_formats_own_shape(client: Client, form: Format, order: str) -> None:
    path, body, headers = form.request("hi", f"small!latency=0,{order}")
    status, _, data = client.call(path, body, headers)
    error = json.loads(data)["error"]
    kinds = dict(zip(("openai", "anthropic", "gemini"), ERRORS[order][1:], strict=True))
    assert status == ERRORS[order][0]
    assert error["status" if form.name == "gemini" else "type"] == kinds[form.name]
    assert error["message"]
    by_header = client.call(form.request("hi")[0], form.request("hi")[1], headers | {"X-Misbehave": order})
    assert by_header[0] == status


def test_a_429_says_how_long_to_wait(client: Client, form: Format) -> None:
    path, body, headers = form.request("hi", "small!429=7")
    _, replied, data = client.call(path, body, headers)
    assert replied["retry-after"] == "7"
    if form.name == "gemini":
        assert json.loads(data)["error"]["details"][0]["retryDelay"] == "7s"


def test_codes_that_clients_of_openai_look_for(client: Client) -> None:
    codes = {"context": "context_length_exceeded", "404": "model_not_found", "401": "invalid_api_key"}
    for order, code in codes.items():
        path, body, _ = Format("openai").request("hi", f"small!{order}")
        assert json.loads(client.call(path, body)[2])["error"]["code"] == code


def test_a_refusal_has_the_formats_own_shape(client: Client, form: Format) -> None:
    path, body, headers = form.request("hi", "small!refuse")
    reply = client.json(path, body, headers)
    finish = {"openai": "content_filter", "anthropic": "refusal", "gemini": "SAFETY"}
    assert form.finish(reply) == finish[form.name]
    if form.name == "openai":
        assert reply["choices"][0]["message"]["content"] is None
        assert "can't assist" in reply["choices"][0]["message"]["refusal"]
    elif form.name == "anthropic":
        assert reply["content"] == []
    else:
        assert any(rating.get("blocked") for rating in reply["candidates"][0]["safetyRatings"])


def test_content_on_order(client: Client, form: Format) -> None:
    def said(order: str) -> str:
        path, body, headers = form.request("Tell me.", f"small!{order}", limit=3)
        return form.text(client.json(path, body, headers))

    assert said("empty") == ""
    assert said("echo") == "Tell me."
    assert len(said("long=300000")) == 300_000


def test_an_answer_that_does_not_fit_the_schema_is_whole_json(client: Client, form: Format) -> None:
    path, body, headers = form.request(DOCUMENT, "small!notschema")
    found = json.loads(form.text(client.json(path, form.with_schema(body, SCHEMA), headers)))
    assert not Draft202012Validator(SCHEMA).is_valid(found)


def test_broken_json_comes_whole_with_a_200(client: Client, form: Format) -> None:
    path, body, headers = form.request("hi", "small!badjson")
    status, _, data = client.call(path, body, headers)
    assert status == 200
    with pytest.raises(ValueError, match=r".+"):
        json.loads(data)
    assert client.get("/v1/models")["object"] == "list"


def test_a_cut_connection_ends_midway(client: Client, form: Format) -> None:
    path, body, headers = form.request("hi", "small!cut")
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.call(path, body, headers)
    assert cut.value.partial and cut.value.expected


def test_a_hanging_call_ends_with_its_client_and_is_on_record(connect: Callable[..., Client], client: Client) -> None:
    path, body, headers = Format("openai").request("hi", "small!hang")
    impatient = connect(timeout=0.2)
    with pytest.raises(TimeoutError):
        impatient.call(path, body, headers)
    impatient.http.close()
    assert [call["status"] for call in client.get("/_calls")["calls"]] == [None]


def test_latency_is_waited_out_before_the_error(connect: Callable[..., Client], client: Client) -> None:
    path, body, headers = Format("openai").request("hi", "small!latency=0.3,500")
    with pytest.raises(TimeoutError):
        connect(timeout=0.1).call(path, body, headers)
    assert client.call(path, body, headers)[0] == 500


def test_the_first_calls_fail_for_each_input(client: Client, form: Format) -> None:
    def status(text: str) -> int:
        path, body, headers = form.request(text, "small!fail_first=2")
        return client.call(path, body, headers)[0]

    assert [status("a"), status("a"), status("b"), status("a"), status("a")] == [500, 500, 500, 200, 200]


@pytest.mark.parametrize("order", ["laetncy=1", "latency", "429=soon", "500=1", "long=-1", "long=99999999999"])
def test_a_misspelt_order_is_named(client: Client, order: str) -> None:
    path, body, _ = Format("openai").request("hi", f"small!{order}")
    status, _, data = client.call(path, body)
    assert (status, "isbehaviour" in json.loads(data)["error"]["message"]) == (400, True)


def test_an_order_for_chat_is_refused_where_there_is_none(client: Client) -> None:
    for path in ("/v1/embeddings", "/v1/moderations"):
        assert client.call(path, {"model": "embed!refuse", "input": "x"})[0] == 400
