"""The local model server, as a client of each format sees it."""

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

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
