"""Odd replies of Anthropic, Gemini and Cohere."""

from typing import Any

from broker.errors import (
    BadOutput,
    Refused,
    Throttled,
    Truncated,
)

from tests.unit.dialects.base import WORDS, Json
from tests.unit.dialects.odd import ANY, Odd


def turn(*content: Json, stop: Any = "end_turn", usage: Any = None) -> Json:
    """A message in Anthropic's form."""
    usual = {"input_tokens": 7, "output_tokens": 3}
    return {
        "type": "message",
        "content": list(content),
        "stop_reason": stop,
        "usage": usual if usage is None else usage,
    }


def block(text: str) -> Json:
    return {"type": "text", "text": text}


def use(given: Any, name: str = "get_city") -> Json:
    return {"type": "tool_use", "id": "toolu_1", "name": name, "input": given}


THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
ANTHROPIC: dict[str, Odd] = {
    "nothing": Odd("anthropic", turn(), error=BadOutput, code="empty_answer"),
    "blanks": Odd("anthropic", turn(block("\n")), error=BadOutput, code="empty_answer"),
    "only thinking, cut off": Odd("anthropic", turn(THINKING, stop="max_tokens"), error=Truncated),
    "a pause": Odd("anthropic", turn(block("So far."), stop="pause_turn"), "So far.", finish="length"),
    "an end that is null": Odd("anthropic", turn(block("Fine."), stop=None), "Fine.", finish="stop"),
    "a refusal": Odd("anthropic", turn(stop="refusal"), error=Refused),
    "an overload in a 200": Odd(
        "anthropic",
        {"type": "error", "error": {"type": "overloaded_error", "message": WORDS}},
        error=Throttled,
        tokens=None,
    ),
    "a call before a text": Odd("anthropic", turn(use({}), block("So.")), "So.", calls=[{}], finish="tool_calls"),
    "a call without input": Odd("anthropic", turn(use(None), stop="tool_use"), calls=[{}]),
    "a call with a text": Odd("anthropic", turn(use("x"), stop="tool_use"), error=BadOutput, code="invalid_arguments"),
    "a call that was cut off": Odd("anthropic", turn(use("x"), stop="max_tokens"), error=Truncated),
    "an answer in itself": Odd(
        "anthropic", turn(use({"answer": {"age": 3}}, "answer"), stop="tool_use"), json={"age": 3}, schema=ANY
    ),
    "an answer with a list as a text": Odd(
        "anthropic", turn(use({"sizes": "[1, 2]"}, "answer"), stop="tool_use"), json={"sizes": [1, 2]}, schema=ANY
    ),
    "no usage": Odd("anthropic", turn(block("Fine."), usage=[]), "Fine.", tokens=None),
    "a prompt from the cache": Odd(
        "anthropic",
        turn(block("Fine."), usage={"input_tokens": 0, "cache_read_input_tokens": 7, "output_tokens": 3}),
        "Fine.",
    ),
}


def candidate(*parts: Json, reason: Any = "STOP", **more: Any) -> Json:
    """A reply of Gemini's."""
    content = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3}
    return {"candidates": [{**content, "finishReason": reason}], "usageMetadata": usage, **more}


def asking(**call: Any) -> Json:
    return {"functionCall": {"name": "get_city", **call}}


FINE = {"text": "Fine."}
GEMINI: dict[str, Odd] = {
    "no content": Odd("gemini", candidate(), error=BadOutput, code="empty_answer"),
    "no content, cut off": Odd("gemini", candidate(reason="MAX_TOKENS"), error=Truncated),
    "only thinking, cut off": Odd(
        "gemini", candidate({"text": "Hm.", "thought": True}, reason="MAX_TOKENS"), error=Truncated
    ),
    "blocked": Odd(
        "gemini",
        {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 5}},
        error=Refused,
        tokens=(5, 0),
    ),
    "blocked for other reasons": Odd(
        "gemini", {"promptFeedback": {"blockReason": "OTHER"}}, error=Refused, tokens=None
    ),
    "not blocked": Odd("gemini", candidate(FINE, promptFeedback={"blockReason": "BLOCK_REASON_UNSPECIFIED"}), "Fine."),
    "no candidate": Odd("gemini", {"usageMetadata": {"promptTokenCount": 5}}, error=BadOutput, tokens=(5, 0)),
    "armour": Odd("gemini", candidate(reason="MODEL_ARMOR"), error=Refused),
    "a malformed call": Odd(
        "gemini", candidate(reason="MALFORMED_FUNCTION_CALL") | {"finishMessage": WORDS}, error=BadOutput
    ),
    "no picture": Odd("gemini", candidate(reason="NO_IMAGE"), error=BadOutput, code="empty_answer"),
    "a signature that is missing": Odd("gemini", candidate(FINE, reason="MISSING_THOUGHT_SIGNATURE"), "Fine."),
    "a call without arguments": Odd("gemini", candidate(asking()), calls=[{}], finish="tool_calls"),
    "two calls": Odd("gemini", candidate(asking(args={"a": 1}), asking(args={"a": 2})), calls=[{"a": 1}, {"a": 2}]),
    "an error in a 200": Odd(
        "gemini",
        {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": WORDS}},
        error=Throttled,
        tokens=None,
    ),
}


def message(*content: Json, finish: str = "COMPLETE", **more: Any) -> Json:
    """A reply of Cohere's."""
    usage = {"billed_units": {"input_tokens": 7, "output_tokens": 3}}
    return {"finish_reason": finish, "message": {"content": list(content), **more}, "usage": usage}


COHERE: dict[str, Odd] = {
    "nothing, cut off": Odd("cohere", message(finish="MAX_TOKENS"), error=Truncated),
    "a plan and no call": Odd("cohere", message(tool_plan="I will look."), error=BadOutput, code="empty_answer"),
    "arguments that are broken": Odd(
        "cohere",
        message(tool_calls=[{"id": "a", "function": {"name": "get_city", "arguments": "{"}}]),
        error=BadOutput,
        code="invalid_arguments",
    ),
}
