"""Odd replies of services that speak OpenAI's dialect."""

import gzip
import json
from typing import Any

from broker.errors import (
    BadOutput,
    ContextExceeded,
    Refused,
    Rejected,
    Throttled,
    Truncated,
    Unavailable,
)

from tests.unit.dialects.base import SCHEMA, WORDS, Json
from tests.unit.dialects.odd import Odd

USAGE = {"prompt_tokens": 7, "completion_tokens": 3}


def said(content: Any, finish: Any = "stop", usage: Any = USAGE, **more: Any) -> Json:
    """A completion in OpenAI's form."""
    message = {"role": "assistant", "content": content, **more}
    return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage}


def calling(arguments: Any, finish: str = "tool_calls", name: str = "get_city", identity: Any = "call_1") -> Json:
    made = {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}
    return said(None, finish, tool_calls=[made])


def streamed(*events: Any) -> bytes:
    return "".join(f"data: {json.dumps(each)}\n\n" for each in events).encode() + b"data: [DONE]\n\n"


def chunk(finish: Any = None, **delta: Any) -> Json:
    return {"id": "x", "object": "chat.completion.chunk", "choices": [{"delta": delta, "finish_reason": finish}]}


def failing(code: int, finish: str = "error", content: str = "Half") -> Json:
    """OpenRouter's: the error is the choice's."""
    reply = said(content, finish)
    reply["choices"][0]["error"] = {"code": code, "message": WORDS}
    return reply


def called(place: int, identity: str | None, name: str | None, arguments: str) -> Json:
    return {"index": place, "id": identity, "function": {"name": name, "arguments": arguments}}


THOUGHT = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Fine."}]
WHOLE = said('{"age": 3}')
EVENTS = {"content-type": "text/event-stream"}
BIG = 2512292042121000001
OPENAI: dict[str, Odd] = {
    "nothing": Odd("openai", said(None), error=BadOutput, code="empty_answer"),
    "choices are null": Odd("openai", {"choices": None, "usage": USAGE}, error=BadOutput),
    "choices are none": Odd("openai", {"choices": [], "usage": USAGE}, error=BadOutput),
    "only thinking": Odd("openai", said(None, reasoning_content="Hm."), error=BadOutput, code="empty_answer"),
    "only thinking, cut off": Odd("openai", said("", "length", reasoning_content="Hm."), error=Truncated),
    "null, cut off": Odd("openai", said(None, "length"), error=Truncated),
    "thinking inside, cut off": Odd("openai", said("<think>First I", "length"), error=Truncated),
    "thinking in parts": Odd("openai", said(THOUGHT), "Fine."),
    "thinking before a text": Odd("openai", said("<think>Hm.</think>\n\nFine."), "Fine."),
    "thinking before JSON": Odd(
        "openai", said('<think>{"age": 9}</think>\n{"age": 3}'), json={"age": 3}, schema=SCHEMA
    ),
    "the end of thinking before JSON": Odd("openai", said('Hm {1}.</think>{"age": 3}'), json={"age": 3}, schema=SCHEMA),
    "a mark that is the reader's": Odd("openai", said("Write </think> at the end."), "Write </think> at the end."),
    "a fence": Odd("openai", said('```json\n{"age": 3}\n```'), json={"age": 3}, schema=SCHEMA),
    "a fence in prose": Odd("openai", said('Here:\n```json\n{"age": 3}\n```\nBye!'), json={"age": 3}, schema=SCHEMA),
    "JSON in prose": Odd("openai", said('As [1] says: {"age": 3}. Bye!'), json={"age": 3}, schema=SCHEMA),
    "JSON in a list": Odd("openai", said('[{"age": 3}]'), error=BadOutput, schema=SCHEMA),
    "a large number": Odd("openai", said(f'{{"age": {BIG}}}'), json={"age": BIG}, schema=SCHEMA),
    "a whole number as a float": Odd("openai", said('{"age": 3.0}'), json={"age": 3.0}, schema=SCHEMA),
    "no number": Odd("openai", said('{"age": NaN}'), error=BadOutput, schema=SCHEMA),
    "a key twice": Odd("openai", said('{"age": 1, "age": 2}'), json={"age": 2}, schema=SCHEMA),
    "JSON that was cut off": Odd("openai", said('{"age": ', "length"), error=Truncated, schema=SCHEMA),
    "a text with a null byte": Odd("openai", said("a\x00b"), "a\x00b"),
    "arguments that are empty": Odd("openai", calling(""), calls=[{}], finish="tool_calls"),
    "arguments that are null": Odd("openai", calling(None), calls=[{}]),
    "arguments that are an object": Odd("openai", calling({"city": "Paris"}), calls=[{"city": "Paris"}]),
    "arguments with a line's end": Odd("openai", calling('{"city": "a\nb"}'), calls=[{"city": "a\nb"}]),
    "arguments with a large number": Odd("openai", calling(f'{{"id": {BIG}}}'), calls=[{"id": BIG}]),
    "arguments that are broken": Odd("openai", calling('{"city": "Par'), error=BadOutput, code="invalid_arguments"),
    "arguments that were cut off": Odd("openai", calling('{"city": "Par', "length"), error=Truncated),
    "arguments that are a list": Odd("openai", calling("[1, 2]"), error=BadOutput, code="invalid_arguments"),
    "arguments that are a text": Odd("openai", calling('"x"'), error=BadOutput, code="invalid_arguments"),
    "arguments that are a number": Odd("openai", calling(5), error=BadOutput, code="invalid_arguments"),
    "arguments with no number": Odd("openai", calling('{"x": NaN}'), error=BadOutput, code="invalid_arguments"),
    "a call without an id": Odd("openai", calling("{}", identity=None), calls=[{}]),
    "a call of no tool": Odd(
        "openai", calling("{}", name="functions.get:0<|x|>"), error=BadOutput, code="unknown_tool"
    ),
    "a call that ends like a text": Odd("openai", calling("{}", "stop"), calls=[{}], finish="tool_calls"),
    "a call of the older form": Odd(
        "openai", said(None, "function_call", function_call={"name": "get_city", "arguments": "{}"}), calls=[{}]
    ),
    "a completion's text": Odd(
        "openai", {"choices": [{"text": "Fine.", "finish_reason": "stop"}], "usage": USAGE}, "Fine."
    ),
    "an end of its own": Odd("openai", said("Fine.", "eos_token"), "Fine.", finish="stop"),
    "an end that is null": Odd("openai", said("Fine.", None), "Fine.", finish="stop"),
    "an end of another kind": Odd("openai", said("Fine.", ["stop"]), "Fine.", finish="stop"),
    "filtered": Odd("openai", said("", "content_filter"), error=Refused),
    "sensitive": Odd("openai", said("Half", "sensitive"), error=Refused),
    "a refusal": Odd("openai", said(None, refusal=WORDS), error=Refused),
    "a refusal that is empty": Odd("openai", said("Fine.", refusal=""), "Fine."),
    "no usage": Odd("openai", said("Fine.", usage=None), "Fine.", tokens=None),
    "usage in texts": Odd("openai", said("Fine.", usage={"prompt_tokens": "7", "completion_tokens": "3"}), "Fine."),
    "usage below nothing": Odd("openai", said("Fine.", usage={"prompt_tokens": -1}), "Fine.", tokens=None),
    "usage of nothing": Odd(
        "openai", said("Fine.", usage={"prompt_tokens": 0, "completion_tokens": 0}), "Fine.", tokens=None
    ),
    "usage of nothing, and no answer": Odd(
        "openai", said("", usage={"prompt_tokens": 0, "completion_tokens": 0}), error=BadOutput, tokens=None
    ),
    "an error in a choice": Odd("openai", failing(502), error=Unavailable),
    "an error in a choice that stopped": Odd("openai", failing(429, "stop", ""), error=Throttled),
    "an error in a 200": Odd("openai", {"error": {"message": WORDS, "code": 502}}, error=Unavailable, tokens=None),
    "an error in a 200 with its usage": Odd(
        "openai", {"error": {"message": WORDS, "type": "server_error"}, "usage": USAGE}, error=Unavailable
    ),
    "a limit in a 200": Odd("openai", {"error": {"message": WORDS, "code": "429"}}, error=Throttled, tokens=None),
    "a long prompt in a 200": Odd(
        "openai",
        {"error": {"message": f"This endpoint's maximum context length is 8192 tokens. {WORDS}", "code": 400}},
        error=ContextExceeded,
        tokens=None,
    ),
    "a rejection in a 200": Odd(
        "openai",
        {"object": "error", "message": WORDS, "type": "invalid_request_error"},
        error=Rejected,
        code="http_400",
        tokens=None,
    ),
    "an error that is null": Odd("openai", WHOLE | {"error": None}, '{"age": 3}'),
    "a stream": Odd(
        "openai",
        streamed(
            chunk(role="assistant", content="Fi"), chunk(content="ne."), chunk("stop"), {"choices": [], "usage": USAGE}
        ),
        "Fine.",
        headers=EVENTS,
        finish="stop",
    ),
    "a stream with a call": Odd(
        "openai",
        streamed(
            chunk(tool_calls=[called(0, "call_1", "get_city", "")]),
            chunk(tool_calls=[called(0, None, None, '{"city":')]),
            chunk(tool_calls=[called(0, None, None, ' "Rom"}'), called(1, "call_2", "get_city", "{}")]),
            chunk("tool_calls") | {"usage": USAGE},
        ),
        calls=[{"city": "Rom"}, {}],
    ),
    "a stream with comments": Odd(
        "openai", b": PROCESSING\n\n" + streamed(chunk("stop", content="Fine.") | {"usage": USAGE}), "Fine."
    ),
    "a stream that fails": Odd(
        "openai",
        streamed(chunk(content="Fi"), {"error": {"code": 429, "message": WORDS}}),
        error=Throttled,
        tokens=None,
    ),
    "a stream of nothing": Odd("openai", b"data: [DONE]\n\n", error=BadOutput, tokens=None),
    "a stream that is broken": Odd("openai", b'data: {"choices": [\n\n', error=BadOutput, tokens=None),
    "a whole reply that ends like a stream": Odd(
        "openai", json.dumps(WHOLE, indent=1).encode() + b"\n\ndata: [DONE]\n\n", '{"age": 3}', headers=EVENTS
    ),
    "blanks that keep a line alive": Odd("openai", b"\n\n\n   " + json.dumps(WHOLE).encode(), '{"age": 3}'),
    "a byte order mark": Odd("openai", b"\xef\xbb\xbf" + json.dumps(WHOLE).encode(), '{"age": 3}'),
    "compressed": Odd(
        "openai", gzip.compress(json.dumps(WHOLE).encode()), '{"age": 3}', headers={"content-encoding": "gzip"}
    ),
    "a login": Odd("openai", b"\n<html><body>Log in</body></html>", error=Unavailable, code="web_page", tokens=None),
    "no body": Odd("openai", b"", error=BadOutput, code="reply_not_json", tokens=None),
}
