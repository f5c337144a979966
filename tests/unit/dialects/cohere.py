"""Cohere's chat and embeddings, version 2."""

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
from broker.providers.cohere import Cohere
from broker.providers.wire.base import Blob

from local.model_server.rules import cohere as rules
from tests.unit.dialects.base import MODEL, WORDS, Case, Dialect, Json, calling, decoded

REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}


class CohereDialect(Dialect):
    """OpenAI's messages, near enough, in a frame of its own; counts are floats."""

    embeds = True

    def __init__(self) -> None:
        self.provider = Cohere()

    def endpoint(self, url: str) -> str:
        return f"{url}/v2"

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> Json:
        content = [{"type": "thinking", "thinking": "Hm."}, *([{"type": "text", "text": text}] if text else [])]
        message: Json = {"role": "assistant", "content": content}
        if tool:
            message |= {"tool_plan": "I will look.", "tool_calls": [calling(*tool)]}
        billed = {"input_tokens": 7.0, "output_tokens": 3.0}
        usage = {"billed_units": billed, "tokens": {"input_tokens": 70.0, "output_tokens": 30.0}}
        return {"id": "1", "finish_reason": REASONS.get(finish, finish), "message": message, "usage": usage}

    def refuses(self) -> list[Json]:
        return [self.says(WORDS, "ERROR_TOXIC"), self.says("", "ERROR_TOXIC")]

    def malformed(self) -> list[Any]:
        messages: list[Any] = [5, {}, {"content": 5}, {"content": [5]}, {"tool_calls": [5]}, {"tool_calls": 5}]
        return [{"message": each} for each in messages]

    def errors(self) -> list[Case]:
        error = {"id": "1", "message": WORDS}
        much = f"{WORDS} too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 9999."
        return [
            *[(status, error, Rejected, False) for status in (400, 422)],
            *[(status, error, CredentialRejected, False) for status in (401, 402, 403)],
            *[(status, error, Unavailable, False) for status in (499, 501, 503)],
            (500, error, Unavailable, True),
            (404, error, ModelGone, False),
            (504, error, ModelTimedOut, True),
            (429, error, Throttled, False),
            (498, error, Refused, False),
            (400, {"message": much}, ContextExceeded, False),
            (400, {"message": 5}, Rejected, False),
            (400, [WORDS], Rejected, False),
            (503, WORDS.encode(), Unavailable, False),
        ]

    def check(self, body: Any, path: str) -> None:
        assert path == "/v2/chat"
        assert body["model"] == MODEL
        roles = [each["role"] for each in body["messages"]]
        assert set(roles) <= {"system", "user", "assistant", "tool"}
        assert {"user", "tool"} & set(roles)
        assert all(each.get("content") or each.get("tool_calls") for each in body["messages"])
        assert body.get("tool_choice") in (None, "REQUIRED", "NONE")
        assert not {"tools", "response_format"} <= body.keys(), "the two do not go together"
        assert body.keys() <= {
            *("model", "messages", "stream", "max_tokens", "temperature", "p", "stop_sequences", "seed", "tools"),
            *("tool_choice", "response_format", "thinking"),
        }
        self.judge(body)

    def judge(self, body: Any) -> None:
        rules.check(body)

    def schema(self, body: Any) -> Any:
        assert "JSON" in str(body["messages"]), "the model has to be told too"
        return body["response_format"]["json_schema"]

    def pictures(self, body: Any) -> list[Blob]:
        parts = [part for each in body["messages"] for part in each["content"]]
        return [decoded(part["image_url"]["url"]) for part in parts if part["type"] == "image_url"]

    def vectors(self, vectors: list[Any]) -> Any:
        return {"id": "1", "embeddings": {"float": vectors}, "meta": {"billed_units": {"input_tokens": 7.0}}}
