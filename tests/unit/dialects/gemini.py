"""Gemini's generateContent and batchEmbedContents."""

import base64
from typing import Any

from broker.errors import (
    ContextExceeded,
    CredentialRejected,
    ModelGone,
    ModelTimedOut,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.gemini.provider import Gemini
from broker.providers.wire.base import Blob

from local.model_server.rules import gemini as rules
from tests.unit.dialects.base import SECRET, WORDS, Case, Dialect, Json

REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}


class GeminiDialect(Dialect):
    """Contents of parts; a blocked prompt has no candidate."""

    usage = "usageMetadata"
    secret_header = ("x-goog-api-key", SECRET)
    embeds = True

    def __init__(self) -> None:
        self.provider = Gemini()

    def endpoint(self, url: str) -> str:
        return f"{url}/v1beta"

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> Json:
        parts: list[Json] = [{"text": "Hm.", "thought": True}]
        parts += [{"text": text}] if text else []
        parts += [{"functionCall": {"id": "call_1", "name": tool[0], "args": tool[1]}}] if tool else []
        candidate = {"content": {"role": "model", "parts": parts}, "finishReason": REASONS.get(finish, finish)}
        usage = {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 10}
        return {"candidates": [candidate], "usageMetadata": usage, "responseId": "r1"}

    def refuses(self) -> list[Json]:
        stops = ("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION")
        blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 7}}
        return [blocked, {"candidates": [{"finishReason": "SAFETY"}]}, *(self.says(WORDS, stop) for stop in stops)]

    def malformed(self) -> list[Any]:
        parts: list[Any] = [5, [5], [{"functionCall": 5}], [{"functionCall": {"name": "x", "args": "y"}}]]
        stops = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER", "LANGUAGE")
        return [
            {"candidates": 5},
            {"candidates": []},
            *({"candidates": [{"content": {"parts": each}}]} for each in parts),
            *(self.says("Half", stop) for stop in stops),
        ]

    def errors(self) -> list[Case]:
        def error(status: str, message: str = WORDS, *details: Any) -> Json:
            return {"error": {"code": 400, "message": message, "status": status, "details": list(details)}}

        wrong = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        much = f"The input token count (1048577) exceeds the maximum number of tokens allowed (1048576). {WORDS}"
        return [
            (400, error("INVALID_ARGUMENT"), Rejected, False),
            (400, error("INVALID_ARGUMENT", much), ContextExceeded, False),
            (400, error("INVALID_ARGUMENT", WORDS, wrong), CredentialRejected, False),
            (400, error("FAILED_PRECONDITION"), CredentialRejected, False),
            (
                400,
                error("FAILED_PRECONDITION", f"User location is not supported for the API use. {WORDS}"),
                ModelGone,
                False,
            ),
            (401, error("UNAUTHENTICATED"), CredentialRejected, False),
            (403, error("PERMISSION_DENIED"), CredentialRejected, False),
            (404, error("NOT_FOUND"), ModelGone, False),
            (429, error("RESOURCE_EXHAUSTED"), Throttled, False),
            (500, error("INTERNAL"), Unavailable, True),
            (503, error("UNAVAILABLE"), Unavailable, False),
            (504, error("DEADLINE_EXCEEDED"), ModelTimedOut, True),
            (400, {"error": {"details": 5}}, Rejected, False),
            (400, {"error": WORDS}, Rejected, False),
            (400, [WORDS], Rejected, False),
            (503, WORDS.encode(), Unavailable, False),
        ]

    def check(self, body: Any, path: str) -> None:
        assert path == "/v1beta/models/some.model%3A0:generateContent"
        roles = [turn["role"] for turn in body["contents"]]
        assert roles == [("user", "model")[place % 2] for place in range(len(roles))]
        parts = [part for turn in body["contents"] for part in turn["parts"]]
        assert all(len(part.keys() - {"thoughtSignature"}) == 1 for part in parts)
        assert all(part["functionResponse"]["name"] == "look_up" for part in parts if "functionResponse" in part)
        assert body.keys() <= {"contents", "systemInstruction", "generationConfig", "tools", "toolConfig"}
        assert body.get("generationConfig", {}).keys() <= {
            *("maxOutputTokens", "temperature", "topP", "stopSequences", "seed", "responseMimeType"),
            *("responseJsonSchema", "thinkingConfig"),
        }
        self.judge(body)

    def judge(self, body: Any) -> None:
        rules.check(body, "gemini-3.5-flash")

    def schema(self, body: Any) -> Any:
        return body["generationConfig"]["responseJsonSchema"]

    def pictures(self, body: Any) -> list[Blob]:
        parts = [part["inlineData"] for turn in body["contents"] for part in turn["parts"] if "inlineData" in part]
        return [Blob(base64.b64decode(each["data"]), each["mimeType"]) for each in parts]

    def vectors(self, vectors: list[Any]) -> Any:
        return {"embeddings": [{"values": each} for each in vectors], "usageMetadata": {"promptTokenCount": 7}}
