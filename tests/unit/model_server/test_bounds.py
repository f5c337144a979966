"""The local model server cannot be hung: what a request makes long is counted, and ends when nobody waits for it."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.client import Client, HttpReply
from local.model_server.brain.schema import Filler
from local.model_server.exchange import Problem
from local.model_server.server import ModelServer
from local.model_server.work import MOST_CHARACTERS, MOST_SECONDS, MOST_STEPS, Gone, TooLate, TooMuch, Work

TEXT = "The lamp needed nobody. The keeper slept."


def unhurried() -> Work:
    """Work whose time is never over, however busy the machine is."""
    return Work(clock=lambda: 0.0)


def nested(levels: int) -> str:
    return "(" * levels + "a" + "{9})" * levels


def crowded(levels: int) -> dict[str, Any]:
    """Lists in lists, each of a hundred."""
    return {"type": "array", "minItems": 100, "items": crowded(levels - 1) if levels else {"type": "boolean"}}


def multiplying(levels: int) -> dict[str, Any]:
    rules: dict[str, Any] = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 8} for n in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**rules, f"a{levels}": {"type": "integer"}}}


HOSTILE: dict[str, dict[str, Any]] = {
    "a pattern that nests repeats": {"type": "string", "pattern": nested(12)},
    "a pattern that repeats nothing": {"type": "string", "pattern": "(){1000000000}"},
    "a pattern that doubles by its groups": {
        "type": "string",
        "pattern": "(a)" + "".join(rf"(\{n}\{n})" for n in range(1, 60)),
    },
    "a pattern of wide ranges": {"type": "string", "pattern": "[\u0000-\U0010ffff]{90}"},
    "a list of patterns": {"type": "array", "minItems": 5_000, "items": {"pattern": "[a-z]{90}"}},
    "a long text": {"type": "string", "minLength": 10**9},
    "a long list": {"type": "array", "minItems": 10**9, "items": {"type": "null"}},
    "a long list that cannot be": {"type": "array", "minItems": 10**9, "items": {"type": "null"}, "uniqueItems": True},
    "lists in lists": crowded(5),
    "references that multiply": multiplying(10),
    "large words, often": {"type": "array", "minItems": 1_000, "items": {"const": "x" * 10_000}},
    "large choices, often": {"type": "array", "minItems": 1_000, "items": {"enum": list(range(10_000))}},
    "many labels": {"enum": [f"label {number}" for number in range(20_000)]},
    "long names, often": {"type": "array", "minItems": 1_000, "items": {"required": ["x" * 10_000]}},
}
MALFORMED: dict[str, dict[str, Any]] = {
    "a pattern that is none": {"type": "string", "pattern": "("},
    "a pattern that is too long": {"type": "string", "pattern": "a" * 20_000},
    "a length that is none": {"type": "string", "minLength": "long"},
    "a length without an end": {"type": "string", "minLength": float("inf")},
    "fields that are none": {"type": "object", "properties": 5},
    "a list of itself": {"type": "array", "minItems": 2, "items": {"$ref": "#"}},
    "steps of nothing": {"type": "number", "minimum": 1e300, "multipleOf": 1e-300},
}
FITTING: dict[str, dict[str, Any]] = {
    "repeats": {"type": "string", "pattern": "^[A-Z]{200}-[0-9]{4,}$"},
    "a text": {"type": "string", "minLength": 5_000},
    "a list": {"type": "array", "minItems": 2_000, "items": {"type": "object", "required": ["a"]}},
}


@pytest.fixture
def client(server: ModelServer) -> Iterator[Client]:
    made = Client(server.url, None)
    made.call("DELETE", "/_calls")
    yield made
    made.pool.clear()


def rooted(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as a field's: services take no other root than an object."""
    return {"type": "object", "properties": {"made": schema}, "$defs": schema.get("$defs", {})}


def openai(schema: dict[str, Any], model: str = "small") -> tuple[str, dict[str, Any]]:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": rooted(schema)}}
    messages = [{"role": "user", "content": TEXT}]
    return "/v1/chat/completions", {"model": model, "messages": messages, "response_format": form}


def ask(client: Client, path: str, body: dict[str, Any]) -> HttpReply:
    return client.call("POST", path, body, {"anthropic-version": "2023-06-01"})


@pytest.mark.parametrize("schema", HOSTILE.values(), ids=HOSTILE)
def test_what_a_schema_asks_for_is_counted_and_bounded(schema: dict[str, Any]) -> None:
    work = unhurried()
    with pytest.raises(TooMuch):
        Filler(schema, TEXT, work).fill()
    assert work.steps <= MOST_STEPS + 20 * max(len(json.dumps(schema)), 1_000), "much is counted at once, never done"
    assert work.characters <= 2 * MOST_CHARACTERS or "minLength" in schema, "what is counted before is never made"


def test_all_that_is_referred_to_counts() -> None:
    rules = {name: {"properties": {name: {"type": "boolean"}}} for name in ("a", "b", "c")}
    schema = {"type": "object", "allOf": [{"$ref": f"#/$defs/{name}"} for name in rules], "$defs": rules}
    assert Filler(schema, TEXT, unhurried()).fill().keys() == rules.keys()


@pytest.mark.parametrize("schema", MALFORMED.values(), ids=MALFORMED)
def test_a_schema_that_is_none_is_an_error_of_the_request(schema: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refused:
        Filler(schema, TEXT, unhurried()).fill()
    assert refused.value.kind == "invalid"


@pytest.mark.parametrize("schema", FITTING.values(), ids=FITTING)
def test_what_is_large_and_reasonable_is_made(schema: dict[str, Any]) -> None:
    work = unhurried()
    assert len(Filler(schema, TEXT, work).fill()) >= 200
    assert 0 < work.steps < MOST_STEPS / 2


def test_each_format_refuses_what_is_too_much_in_its_own_form(client: Client) -> None:
    schema, model = multiplying(10), "small"
    said = [{"role": "user", "content": TEXT}]
    config = {"responseMimeType": "application/json", "responseJsonSchema": rooted(schema)}
    output = {"format": {"type": "json_schema", "schema": rooted(schema)}}
    replies = [
        ask(client, *openai(schema)),
        ask(client, "/v1/messages", {"model": model, "messages": said, "max_tokens": 99, "output_config": output}),
        ask(
            client,
            f"/v1beta/models/{model}:generateContent",
            {"contents": [{"parts": [{"text": TEXT}]}], "generationConfig": config},
        ),
    ]
    assert [each.status for each in replies] == [400, 400, 400]
    kinds = [each.body["error"].get("status") or each.body["error"]["type"] for each in replies]
    assert kinds == ["invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"]
    assert all("steps" in each.body["error"]["message"] for each in replies)


def test_an_answer_that_misses_its_schema_is_bounded_too() -> None:
    with pytest.raises(TooMuch):
        Filler(multiplying(10), "", unhurried()).unfit([{}, []])
    assert Filler({"required": ["a"]}, "", unhurried()).unfit([{"a": 1}, {}, []]) == {}


def test_a_friendly_client_is_served_among_hostile_ones(client: Client) -> None:
    with ThreadPoolExecutor(len(HOSTILE)) as pool:
        hostile = [pool.submit(ask, client, *openai(schema)) for schema in HOSTILE.values()]
        friendly = [ask(client, *openai({"type": "string"})) for _ in range(3)]
        assert [each.status for each in friendly] == [200] * 3
        assert {each.result().status for each in hostile} <= {400, 503}, (
            "by its bound, or on a busy machine by its time"
        )


def test_work_ends_when_its_client_left() -> None:
    left = iter([False, False, True])
    work = Work(gone=lambda: next(left))
    with pytest.raises(Gone):
        Filler({"type": "array", "minItems": 50_000, "items": {"type": "null"}}, TEXT, work).fill()
    assert 0 < work.steps < 5_000


def test_work_ends_when_it_takes_too_long() -> None:
    seconds = iter([0, 1, 2, MOST_SECONDS + 1])
    work = Work(clock=lambda: next(seconds))
    with pytest.raises(TooLate):
        Filler({"type": "array", "minItems": 50_000, "items": {"type": "null"}}, TEXT, work).fill()
    assert 0 < work.steps < 5_000


def test_nothing_is_answered_to_a_client_that_hung_up(server: ModelServer, client: Client) -> None:
    path, body = openai({"type": "array", "minItems": 20_000, "items": {"type": "boolean"}}, "left")
    content = json.dumps(body).encode()
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(content)))
        connection.sendall(content)
    assert ask(client, path, body | {"model": "stayed"}).status == 200
    for _ in range(100):
        calls = {call["model"]: call["status"] for call in client.call("GET", "/_calls").body["calls"]}
        time.sleep(0.01)
    assert calls == {"left": None, "stayed": 200}


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"model": ' + b'{"a":' * 200_000])
def test_a_body_that_is_too_deep_is_an_error_of_the_request(client: Client, body: bytes) -> None:
    answer = client.call("POST", "/v1/chat/completions", body)
    assert (answer.status, "JSON" in answer.body["error"]["message"]) == (400, True)


def test_a_text_of_many_abbreviations_or_capitals_is_read(client: Client) -> None:
    for text in ("A. " * 60_000, "A-" * 100_000, "1," * 100_000):
        path, body = openai({"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "number"}}})
        body["messages"][0]["content"] = text
        assert ask(client, path, body).status == 200
