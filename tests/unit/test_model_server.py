"""The local model server, as a client of each format sees it."""

import base64
import http.client
import json
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator

from local.model_server.server import ModelServer

DOCUMENT = (
    "Example Corp announced a serverless queue on Monday. The serverless queue gives fair scheduling to every tenant. "
    "Dr. Jane Smith leads the team. Prices start at 0.40 dollars per million messages. The weather was mild. "
    "Customers love fair scheduling and praised the low price."
)
SCHEMA = {
    "type": "object",
    "required": ["title", "mood", "price", "tags", "steps", "since", "code"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "maxLength": 40},
        "mood": {"enum": ["negative", "neutral", "positive"]},
        "price": {"type": "number", "minimum": 0, "description": "dollars per million"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3, "uniqueItems": True},
        "steps": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/step"}},
        "since": {"type": ["null", "string"], "format": "date"},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
        "note": {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 5}]},
    },
    "$defs": {
        "step": {
            "type": "object",
            "required": ["what", "count", "done"],
            "properties": {
                "what": {"type": "string"},
                "count": {"type": "integer", "exclusiveMinimum": 3, "multipleOf": 5},
                "done": {"type": "boolean"},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/step"}},
            },
        }
    },
}


class Client:
    """A connection that is kept open, as a real client's is."""

    def __init__(self, url: str, timeout: float = 20) -> None:
        self.http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)

    def call(
        self, path: str, body: object = None, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> tuple[int, dict[str, str], bytes]:
        self.http.request(method, path, None if body is None else json.dumps(body), headers or {})
        reply = self.http.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()

    def json(self, path: str, body: object = None, headers: dict[str, str] | None = None, method: str = "POST") -> Any:
        status, _, data = self.call(path, body, headers, method)
        assert status == 200, data
        return json.loads(data)

    def get(self, path: str) -> Any:
        return self.json(path, method="GET")


class Format:
    """How a test speaks one format."""

    def __init__(self, name: str) -> None:
        self.name = name

    def request(self, text: str, model: str = "small", limit: int = 1000) -> tuple[str, dict[str, Any], dict[str, str]]:
        messages = [{"role": "user", "content": text}]
        if self.name == "openai":
            return "/v1/chat/completions", {"model": model, "messages": messages, "max_tokens": limit}, {}
        if self.name == "anthropic":
            body = {"model": model, "messages": messages, "max_tokens": limit}
            return "/v1/messages", body, {"anthropic-version": "2023-06-01"}
        body = {"contents": [{"parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": limit}}
        return f"/v1beta/models/{model}:generateContent", body, {}

    def with_schema(self, body: dict[str, Any], schema: object) -> dict[str, Any]:
        if self.name == "openai":
            return body | {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}
        if self.name == "anthropic":
            return body | {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
        config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
        return body | {"generationConfig": config}

    def with_tool(self, body: dict[str, Any], schema: object) -> dict[str, Any]:
        if self.name == "openai":
            tools = [{"type": "function", "function": {"name": "file_it", "parameters": schema}}]
            return body | {"tools": tools, "tool_choice": {"type": "function", "function": {"name": "file_it"}}}
        if self.name == "anthropic":
            return body | {"tools": [{"name": "file_it", "input_schema": schema}], "tool_choice": {"type": "any"}}
        declared = [{"functionDeclarations": [{"name": "file_it", "parametersJsonSchema": schema}]}]
        return body | {"tools": declared, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}

    def text(self, reply: Any) -> str:
        if self.name == "openai":
            return str(reply["choices"][0]["message"]["content"])
        parts = reply["content"] if self.name == "anthropic" else reply["candidates"][0]["content"].get("parts", [])
        return "".join(part["text"] for part in parts)

    def finish(self, reply: Any) -> Any:
        if self.name == "openai":
            return reply["choices"][0]["finish_reason"]
        return reply["stop_reason"] if self.name == "anthropic" else reply["candidates"][0]["finishReason"]

    def tool_call(self, reply: Any) -> tuple[str, Any]:
        if self.name == "openai":
            function = reply["choices"][0]["message"]["tool_calls"][0]["function"]
            return function["name"], json.loads(function["arguments"])
        if self.name == "anthropic":
            return reply["content"][0]["name"], reply["content"][0]["input"]
        call = reply["candidates"][0]["content"]["parts"][0]["functionCall"]
        return call["name"], call["args"]

    def usage(self, reply: Any) -> tuple[int, int]:
        names = {
            "openai": ("usage", "prompt_tokens", "completion_tokens"),
            "anthropic": ("usage", "input_tokens", "output_tokens"),
            "gemini": ("usageMetadata", "promptTokenCount", "candidatesTokenCount"),
        }
        usage, into, out = names[self.name]
        return reply[usage][into], reply[usage][out]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def connect(server: ModelServer) -> Iterator[Callable[..., Client]]:
    opened: list[Client] = []

    def connect(timeout: float = 20) -> Client:
        opened.append(Client(server.url, timeout))
        return opened[-1]

    yield connect
    for client in opened:
        client.http.close()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    client = connect()
    client.json("/_calls", method="DELETE")
    return client


@pytest.fixture(params=["openai", "anthropic", "gemini"])
def form(request: pytest.FixtureRequest) -> Format:
    return Format(request.param)


def ask(client: Client, text: str, **body: object) -> str:
    path, base, headers = Format("openai").request(text)
    return str(client.json(path, base | body, headers)["choices"][0]["message"]["content"])


def test_a_summary_is_shorter_and_in_the_documents_words(client: Client, form: Format) -> None:
    path, body, headers = form.request(f"Summarize the following document:\n\n{DOCUMENT}")
    reply = client.json(path, body, headers)
    said = form.text(reply)
    assert "serverless queue" in said and "weather" not in said
    assert all(sentence in DOCUMENT for sentence in re.split(r"(?<=\.) ", said))
    assert form.finish(reply) == {"openai": "stop", "anthropic": "end_turn", "gemini": "STOP"}[form.name]
    prompt = len(f"Summarize the following document:\n\n{DOCUMENT}")
    assert form.usage(reply) == (-(-prompt // 4), -(-len(said) // 4))
    assert client.json(path, body, headers) == reply


def test_the_limit_of_tokens_cuts_the_answer(client: Client, form: Format) -> None:
    path, body, headers = form.request(f"Summarize: {DOCUMENT}", limit=5)
    reply = client.json(path, body, headers)
    assert len(form.text(reply)) == 20
    assert form.finish(reply) == {"openai": "length", "anthropic": "max_tokens", "gemini": "MAX_TOKENS"}[form.name]
    assert form.usage(reply)[1] == 5


def test_json_fits_the_schema_and_the_text(client: Client, form: Format) -> None:
    path, body, headers = form.request(DOCUMENT)
    found = json.loads(form.text(client.json(path, form.with_schema(body, SCHEMA), headers)))
    Draft202012Validator(SCHEMA).validate(found)
    assert found["mood"] == "positive"
    assert found["price"] == 0.4
    assert "fair scheduling" in found["tags"]


def test_a_forced_tool_is_called_with_fitting_arguments(client: Client, form: Format) -> None:
    path, body, headers = form.request(DOCUMENT)
    reply = client.json(path, form.with_tool(body, SCHEMA), headers)
    name, arguments = form.tool_call(reply)
    assert name == "file_it"
    Draft202012Validator(SCHEMA).validate(arguments)
    assert form.finish(reply) == {"openai": "stop", "anthropic": "tool_use", "gemini": "STOP"}[form.name]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "integer", "minimum": 5}, "minItems": 7, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": False, "minItems": 2},
        {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": {"const": 3}}}]},
        {"type": "object", "required": ["x"], "additionalProperties": {"type": "number", "maximum": -2}},
        {"oneOf": [{"type": "string", "format": "uuid"}, {"type": "integer"}]},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"enum": [3, None]},
        {"anyOf": [True]},
        {"type": "string", "format": "email"},
        {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
    ],
)
def test_any_schema_is_satisfied(client: Client, schema: dict[str, Any]) -> None:
    form = Format("gemini")  # whose root may be anything
    path, body, _ = form.request("3 apples.", limit=5000)
    Draft202012Validator(schema).validate(json.loads(form.text(client.json(path, form.with_schema(body, schema)))))


def test_what_the_text_states_is_what_the_json_says(client: Client) -> None:
    text = 'Give JSON with "order_number" and "customer":\n\nOrder number: 17. Mary Jones is angry.'
    said = json.loads(ask(client, text, response_format={"type": "json_object"}))
    assert said == {"order_number": "17", "customer": "Mary Jones"}


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is the sentiment of this review? I love it, it is wonderful.", "positive"),
        ("Classify the sentiment as POSITIVE, NEGATIVE or NEUTRAL: This was an awful, terrible day", "NEGATIVE"),
        ("Classify as billing, shipping or other.\n\nThe parcel was lost while shipping.", "shipping"),
        ("Label it with one of: sports, politics\n\nParliament argues about politics.", "politics"),
        (f"{DOCUMENT}\n\nWho leads the team?", "Dr. Jane Smith leads the team."),
        ("What is the capital of France?", "I can only answer from the text I am given, and it does not say."),
    ],
)
def test_it_really_answers(client: Client, prompt: str, answer: str) -> None:
    assert ask(client, prompt) == answer


def test_a_hostile_text_takes_no_longer_than_a_plain_one(client: Client) -> None:
    form = Format("openai")
    for text in ("x" * 2_000_000, " " * 2_000_000, "<a>" * 500_000, "a@" * 500_000):
        path, body, _ = form.request(text, limit=100_000)
        schema = {"type": "object", "properties": {"email": {"type": "string"}, "link": {"format": "email"}}}
        assert json.loads(form.text(client.json(path, form.with_schema(body, schema))))


def test_keywords_come_from_the_text_and_translation_is_declined(client: Client) -> None:
    assert ask(client, f"List the keywords:\n\n{DOCUMENT}").startswith("serverless queue, fair scheduling")
    assert "cannot translate" in ask(client, "Translate to German: good morning")


def test_a_system_prompt_and_tool_results_are_read(client: Client) -> None:
    messages = [{"role": "system", "content": "You classify mail as spam, private or work."}]
    body = {"model": "small", "messages": [*messages, {"role": "user", "content": "This is spam, buy now"}]}
    assert client.json("/v1/chat/completions", body)["choices"][0]["message"]["content"] == "spam"
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "The code is blue."}]}
    said = [
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look_up", "input": {}}]},
        {"role": "user", "content": [result, {"type": "text", "text": "What is the code?"}]},
    ]
    asked = {"model": "m", "max_tokens": 99, "messages": said, "tools": [{"name": "look_up", "input_schema": SCHEMA}]}
    reply = client.json("/v1/messages", asked, {"anthropic-version": "1"})
    assert reply["content"][0]["text"] == "The code is blue."


def test_embeddings_are_of_length_one_and_near_for_similar_texts(client: Client) -> None:
    texts = ["The cat sat on the mat", "A cat is sitting on a mat", "Quarterly revenue grew"]
    reply = client.json("/v1/embeddings", {"model": "embed", "input": texts})
    cat, other_cat, money = (entry["embedding"] for entry in reply["data"])
    assert sum(value * value for value in cat) == pytest.approx(1)

    def near(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert near(cat, other_cat) > 0.5 > near(cat, money)
    assert reply["usage"]["total_tokens"] == 6 + 7 + 6
    body = {"model": "embed", "input": texts[0], "dimensions": 64, "encoding_format": "base64"}
    packed = client.json("/v1/embeddings", body)["data"][0]["embedding"]
    assert len(struct.unpack("<64f", base64.b64decode(packed))) == 64


def test_moderation_flags_harm_and_passes_the_rest(client: Client) -> None:
    body = {"model": "moderate", "input": ["I will kill you", "What a lovely day"]}
    bad, good = client.json("/v1/moderations", body)["results"]
    assert bad["flagged"] and bad["categories"]["harassment/threatening"]
    assert not good["flagged"] and max(good["category_scores"].values()) < 0.5


def test_models_are_listed(client: Client) -> None:
    assert "small" in [model["id"] for model in client.get("/v1/models")["data"]]


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


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "x-goog-api-key"])
def test_a_wrong_key_is_turned_away_and_any_other_taken(client: Client, form: Format, header: str) -> None:
    path, body, headers = form.request("hi")
    prefix = "Bearer " if header == "Authorization" else ""
    status, _, data = client.call(path, body, headers | {header: f"{prefix}sk-wrong"})
    assert (status, "error" in json.loads(data)) == (401, True)
    assert client.call(path, body, headers | {header: f"{prefix}sk-any"})[0] == 200


@pytest.mark.parametrize("order", ["laetncy=1", "latency", "429=soon", "500=1", "long=-1", "long=99999999999"])
def test_a_misspelt_order_is_named(client: Client, order: str) -> None:
    path, body, _ = Format("openai").request("hi", f"small!{order}")
    status, _, data = client.call(path, body)
    assert (status, "isbehaviour" in json.loads(data)["error"]["message"]) == (400, True)


def test_an_order_for_chat_is_refused_where_there_is_none(client: Client) -> None:
    for path in ("/v1/embeddings", "/v1/moderations"):
        assert client.call(path, {"model": "embed!refuse", "input": "x"})[0] == 400


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", [], 400),
        ("/v1/chat/completions", {"model": "small"}, 400),
        ("/v1/chat/completions", {"messages": []}, 400),
        ("/v1/chat/completions", {"model": "small", "messages": "hi"}, 400),
        ("/v1/chat/completions", {"model": "small", "messages": [{}], "stream": True}, 400),
        ("/v1/chat/completions", {"model": "small", "messages": [{}], "max_tokens": 0}, 400),
        ("/v1/chat/completions", {"model": "small", "messages": [{}], "tool_choice": "required"}, 400),
        ("/v1/messages", {"model": "small", "messages": [{}], "max_tokens": 5}, 400),
        ("/v1beta/models/small:generateContent", {}, 400),
        ("/v1/embeddings", {"model": "embed", "input": [""]}, 400),
        ("/v1/nothing", {}, 404),
        ("/v1/chat/completions", {"model": "small", "messages": [{"content": "x" * 7_000_000}]}, 413),
    ],
)
def test_what_is_wrong_is_said(client: Client, path: str, body: object, status: int) -> None:
    if status == 413:  # it is refused by its length, before it is read
        client.http.putrequest("POST", path)
        client.http.putheader("Content-Length", str(7_000_000))
        client.http.endheaders()
        assert client.http.getresponse().status == status
        return
    got, _, data = client.call(path, body)
    assert (got, bool(json.loads(data)["error"]["message"])) == (status, True)


def test_an_error_leaves_the_connection_usable(client: Client) -> None:
    path, body, headers = Format("openai").request("hi", "small!500")
    client.call(path, body, headers)
    opened = client.http.sock
    assert client.call(path, body, headers)[0] == 500
    assert client.http.sock is opened is not None
    assert client.call(path, None, method="GET")[0] == 405


def test_calls_are_listed_without_their_texts_and_cleared(client: Client) -> None:
    for model in ("small", "small!503"):
        path, body, headers = Format("gemini").request("a secret", model)
        client.call(path, body, headers)
    report = client.get("/_calls")
    assert report["total"] == 2
    assert report["by_model"] == {"small": 1, "small!503": 1}
    assert report["by_status"] == {"200": 1, "503": 1}
    assert set(report["calls"][0]) == {"model", "path", "status", "at"}
    assert "secret" not in json.dumps(report)
    client.json("/_calls", method="DELETE")
    assert client.get("/_calls")["calls"] == []


def test_a_hundred_clients_at_once_and_a_large_body(connect: Callable[..., Client]) -> None:
    path, body, headers = Format("openai").request("hi", "small!latency=0.2,echo")

    def status(_: int) -> int:
        return connect().call(path, body, headers)[0]

    with ThreadPoolExecutor(100) as pool:
        assert set(pool.map(status, range(100))) == {200}
    large = f"Summarize:\n\n{DOCUMENT} " + "word " * 1_000_000
    assert "serverless queue" in ask(connect(), large)


def test_the_command_says_where_it_listens_and_stops_on_sigterm() -> None:
    command = [sys.executable, "-m", "local.model_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout and process.stderr
        url = json.loads(process.stdout.readline())["url"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        client = Client(url)
        assert ask(client, "What colour is the sky? The sky is blue.") == "The sky is blue."
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
        client.http.close()


def test_it_never_listens_to_the_network() -> None:
    command = [sys.executable, "-m", "local.model_server", "--host", "0.0.0.0"]  # noqa: S104
    refused = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert refused.returncode == 2 and "loopback" in refused.stderr
