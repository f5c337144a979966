"""OpenAI's chat completions and embeddings, and what other services make of them."""

from typing import Any

from broker.errors import (
    ContextExceeded,
    CredentialRejected,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.openai.provider import OpenAI
from broker.providers.wire.base import Blob

from local.model_server.rules import openai as rules
from tests.unit.dialects.base import MODEL, WORDS, Case, Dialect, Json, calling, decoded


class OpenAIDialect(Dialect):
    """OpenAI itself, and compatible servers."""

    embeds = True
    passes_on = True
    path = "/v1/chat/completions"

    def __init__(self) -> None:
        self.provider = OpenAI()

    def endpoint(self, url: str) -> str:
        return f"{url}/v1"

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> Json:
        message: Json = {"role": "assistant", "content": text or None, "refusal": None}
        if tool:
            message["tool_calls"] = [calling(*tool)]
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}

    def refuses(self) -> list[Json]:
        worded = self.says("")
        worded["choices"][0]["message"]["refusal"] = WORDS
        return [worded, self.says("Half of", "content_filter")]

    def malformed(self) -> list[Any]:
        messages: list[Any] = [5, {"content": 5}, {"content": None, "tool_calls": [5]}]
        messages += [
            {"tool_calls": [{"function": made}]} for made in (5, {"name": "x"}, {"name": 1, "arguments": "{}"})
        ]
        return [{"choices": 5}, {"choices": [5]}, *({"choices": [{"message": each}]} for each in messages)]

    def error(self, code: Any = None, kind: str = "invalid_request_error", message: str = WORDS) -> Any:
        return {"error": {"message": message, "type": kind, "code": code}}

    def statuses(self) -> list[Case]:
        """What the format's services have in common: the status says it."""
        return [
            *[(status, self.error(), Rejected, False) for status in (400, 413, 415, 422)],
            *[(status, self.error(), ModelGone, False) for status in (404, 405, 410)],
            *[(status, self.error("invalid_api_key"), CredentialRejected, False) for status in (401, 402, 403)],
            *[(status, self.error(None, "x"), Unavailable, False) for status in (409, 501, 503)],
            *[(status, self.error(None, "x"), Unavailable, True) for status in (500, 502, 520)],
            *[(status, WORDS.encode(), Unavailable, False) for status in (301, 307, 418, 503)],
            *[(status, b"[" * 100_000, ModelTimedOut, True) for status in (408, 504, 524)],
            (529, self.error(None, "x"), Throttled, False),
            (429, self.error("rate_limit_exceeded", "requests"), Throttled, False),
            (400, {"error": WORDS}, Rejected, False),
            (400, {"error": {"code": {}, "type": [], "message": 5}}, Rejected, False),
            (400, [WORDS], Rejected, False),
        ]

    def errors(self) -> list[Case]:
        vllm = {"object": "error", "message": f"{WORDS} maximum context length is 8192", "type": "x", "code": 400}
        return [
            *self.statuses(),
            (429, self.error("insufficient_quota", "insufficient_quota"), CredentialRejected, False),
            (400, self.error("context_length_exceeded"), ContextExceeded, False),
            (400, self.error(None, "exceed_context_size_error"), ContextExceeded, False),
            (400, vllm, ContextExceeded, False),
            (400, self.error("content_filter"), Refused, False),
            (400, self.error("content_policy_violation"), Refused, False),
        ]

    def check(self, body: Any, path: str) -> None:
        assert path == self.path
        assert body["model"] == MODEL
        self.judge(body)

    def judge(self, body: Any) -> None:
        rules.check_template(body)

    def schema(self, body: Any) -> Any:
        return body["response_format"]["json_schema"]["schema"]

    def pictures(self, body: Any) -> list[Blob]:
        contents = [each["content"] for each in body["messages"] if isinstance(each["content"], list)]
        parts = [part for content in contents for part in content]
        return [decoded(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]

    def vectors(self, vectors: list[Any]) -> Any:
        rows = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
        return {"data": rows[::-1], "usage": {"prompt_tokens": 7}}
