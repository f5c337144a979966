"""Anthropic's messages."""

import base64
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
from broker.providers.anthropic import Anthropic
from broker.providers.wire.base import Blob

from local.model_server.rules import anthropic as rules
from tests.unit.dialects.base import MODEL, SECRET, WORDS, Case, Dialect, Json

REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class AnthropicDialect(Dialect):
    """Blocks of content; the system is apart from the turns."""

    secret_header = ("x-api-key", SECRET)

    def __init__(self) -> None:
        self.provider = Anthropic()

    def endpoint(self, url: str) -> str:
        return f"{url}/v1"

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> Json:
        content: list[Json] = [{"type": "thinking", "thinking": "Hm.", "signature": "x"}]
        content += [{"type": "text", "text": text}] if text else []
        content += [{"type": "tool_use", "id": "call_1", "name": tool[0], "input": tool[1]}] if tool else []
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": REASONS.get(finish, finish),
            "usage": {
                "input_tokens": 4,
                "cache_creation_input_tokens": 1,
                "cache_read_input_tokens": 2,
                "output_tokens": 3,
            },
        }

    def refuses(self) -> list[Json]:
        details = {"type": "refusal", "category": "bio", "explanation": WORDS}
        return [self.says("", "refusal"), self.says(WORDS, "refusal") | {"stop_details": details}]

    def malformed(self) -> list[Any]:
        blocks: list[Any] = [5, "Hm.", [5], [{"type": "tool_use", "name": 5}], [{"type": "text"}]]
        blocks += [[{"type": "tool_use", "id": "x", "name": "y", "input": "z"}]]
        return [{"content": each} for each in blocks]

    def errors(self) -> list[Case]:
        def error(kind: str, message: str = WORDS) -> Json:
            return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}

        invalid = "invalid_request_error"
        return [
            (400, error(invalid), Rejected, False),
            (
                400,
                error(invalid, f"prompt is too long: 200001 tokens > 200000 maximum {WORDS}"),
                ContextExceeded,
                False,
            ),
            (
                400,
                error(invalid, f"input length and `max_tokens` exceed context limit: 188240 + 21333 > {WORDS}"),
                ContextExceeded,
                False,
            ),
            (400, error(invalid, f"Your credit balance is too low to access {WORDS}"), CredentialRejected, False),
            (400, error(invalid, f"Output blocked by content filtering policy {WORDS}"), Refused, False),
            (400, error("billing_error"), CredentialRejected, False),
            (401, error("authentication_error"), CredentialRejected, False),
            (402, error("billing_error"), CredentialRejected, False),
            (403, error("permission_error"), CredentialRejected, False),
            (404, error("not_found_error"), ModelGone, False),
            (413, error("request_too_large"), Rejected, False),
            (429, error("rate_limit_error"), Throttled, False),
            (
                429,
                error("rate_limit_error", f"Number of request tokens has exceeded your acceleration limit {WORDS}"),
                Throttled,
                False,
            ),
            (500, error("api_error"), Unavailable, True),
            (504, error("timeout_error"), ModelTimedOut, True),
            (529, error("overloaded_error"), Throttled, False),
            (
                400,
                error(invalid, f"max_tokens: 9000 > 8192, the maximum allowed number of output tokens {WORDS}"),
                Rejected,
                False,
            ),
            (400, {"error": WORDS}, Rejected, False),
            (400, [WORDS], Rejected, False),
            (503, WORDS.encode(), Unavailable, False),
        ]

    def check(self, body: Any, path: str) -> None:
        assert path == "/v1/messages"
        assert body["model"] == MODEL
        assert body["max_tokens"] > 0
        roles = [turn["role"] for turn in body["messages"]]
        assert roles == [("user", "assistant")[place % 2] for place in range(len(roles))]
        for turn in body["messages"]:
            kinds = [block["type"] for block in turn["content"]]
            assert kinds
            assert set(kinds) <= {"text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking"}
            assert "tool_result" not in kinds[kinds.count("tool_result") :], "results come first"
            assert all(block["text"].strip() for block in turn["content"] if block["type"] == "text")
        assert body.keys() <= {
            *("model", "max_tokens", "messages", "system", "temperature", "top_p", "stop_sequences", "tools"),
            *("tool_choice", "output_config", "thinking"),
        }
        self.judge(body)

    def judge(self, body: Any) -> None:
        rules.check(body)

    def schema(self, body: Any) -> Any:
        return body["output_config"]["format"]["schema"]

    def pictures(self, body: Any) -> list[Blob]:
        blocks = [block for turn in body["messages"] for block in turn["content"]]
        sources = [block["source"] for block in blocks if block["type"] == "image"]
        return [Blob(base64.b64decode(each["data"]), each["media_type"]) for each in sources]
