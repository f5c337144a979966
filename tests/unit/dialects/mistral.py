"""Mistral's chat completions."""

import re
from typing import Any

from broker.errors import ContextExceeded, CredentialRejected, ModelGone, Refused, Rejected, Throttled
from broker.providers.mistral import Mistral

from local.model_server.rules import mistral as rules
from tests.unit.dialects.base import WORDS, Case, Json
from tests.unit.dialects.openai import OpenAIDialect


class MistralDialect(OpenAIDialect):
    """OpenAI's format with flat errors, contents in parts, and rules for who may speak when."""

    keeps_ids = False

    def __init__(self) -> None:
        self.provider = Mistral()

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> Json:
        reply = super().says(text, "model_length" if finish == "length" else finish, tool)
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
        shown = [{"type": "text", "text": text}] if text else []
        reply["choices"][0]["message"]["content"] = [thinking, *shown]
        return reply

    def errors(self) -> list[Case]:
        def flat(message: str = WORDS, kind: str = "invalid_request_error", code: Any = None) -> Json:
            return {"object": "error", "message": message, "type": kind, "param": None, "code": code}

        much = f"{WORDS} Prompt contains 66385 tokens, too large for model with 32768 maximum context length"
        missing = {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": WORDS, "input": WORDS}]}
        return [
            *self.statuses(),
            (400, flat(much, "invalid_request_prompt", "3051"), ContextExceeded, False),
            (422, flat(much), ContextExceeded, False),
            (400, flat(kind="invalid_model", code="1500"), ModelGone, False),
            (422, missing, Rejected, False),
            (401, {"message": "Unauthorized", "request_id": "1"}, CredentialRejected, False),
            (429, flat(kind="rate_limited", code="1300"), Throttled, False),
            (400, flat(code="content_policy_violation"), Refused, False),
        ]

    def check(self, body: Any, path: str) -> None:
        super().check(body, path)
        messages = body["messages"]
        assert {each["role"] for each in messages} <= {"system", "user", "assistant", "tool"}
        assert messages[-1]["role"] in ("user", "tool")
        assert all(each.get("content") or each.get("tool_calls") for each in messages if each["role"] == "assistant")
        made = [call["id"] for each in messages for call in each.get("tool_calls") or []]
        assert all(re.fullmatch("[a-zA-Z0-9]{9}", identity) for identity in made)
        assert [each["tool_call_id"] for each in messages if each["role"] == "tool"] == made
        assert body.keys() <= {
            *("model", "messages", "temperature", "top_p", "max_tokens", "stop", "random_seed", "response_format"),
            *("tools", "tool_choice", "safe_prompt", "reasoning_effort"),
        }

    def judge(self, body: Any) -> None:
        rules.check(body)
