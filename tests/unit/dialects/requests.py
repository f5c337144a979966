"""Chats as a door may take them, drawn by hypothesis: histories of anybody's making, tools, schemas, parameters."""

import base64
from typing import Any

from broker.errors import InvalidRequest
from broker.jobs.request import parse_request, stored_form
from broker.providers.wire.abilities import CANNOT
from hypothesis import assume
from hypothesis import strategies as st

Json = dict[str, Any]

IDS = ("call_0", "call_1", "toolu_01A", "functions.get:0", "abcDEF123", "x" * 70, "tür", "a b")
NAMES = ("get", "answer", "weather.now", "9lives", "mcp__files__read_" + "x" * 70, "a-b_c", "a:b")
ARGUMENTS = ("{}", '{"a": 1}', '{"id": 2512292042121000001, "x": 1.10}', "[1, 2]", '"x"', "5", "null", '{"a": "Par', "")
SCHEMAS: tuple[Any, ...] = (
    {},
    {"type": "object"},
    {"properties": {"a": {"type": "integer"}}},
    {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False},
    {"type": "object", "properties": {"a": {"$ref": "#"}}},
    {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {"anyOf": [{"type": "object"}, {"type": "null"}]},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
    {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object"}}},
    {"type": ["object", "null"]},
    {"type": "string", "enum": ["x"]},
    {"enum": [1, "x"]},
)
PICTURES = (b"\x89PNG\r\n\x1a\n and more", b"\xff\xd8\xff and more", b"GIF89a and more", b"RIFF1234WEBP")


def url(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


WORDS = ("Hi.", "So?\n", " padded ")
TEXTS = st.sampled_from((*WORDS, "", " \n\t"))


def parts(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    return st.builds(lambda text: {"type": "text", "text": text}, texts)


SAYING = st.one_of(
    parts(st.sampled_from(WORDS)),
    st.builds(
        lambda content, kind: {"type": "image_url", "image_url": {"url": url(content, f"image/{kind}")}},
        st.sampled_from(PICTURES),
        st.sampled_from(("png", "jpeg", "webp", "x-icon")),
    ),
)
"""Parts that say something, as one of a user's has to."""

PARTS = st.one_of(SAYING, parts(TEXTS))
SPOKEN = st.one_of(TEXTS, st.lists(parts(TEXTS), max_size=3))
SAID = st.one_of(SPOKEN, st.none())
SHOWN = st.one_of(TEXTS, st.lists(PARTS, max_size=3))
ASKED = st.one_of(
    st.sampled_from(WORDS), st.builds(lambda said, more: [said, *more], SAYING, st.lists(PARTS, max_size=2))
)
CALLS = st.builds(
    lambda identity, name, arguments: {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    },
    st.sampled_from(IDS),
    st.sampled_from(NAMES),
    st.sampled_from(ARGUMENTS),
)


def message(role: str, content: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    speaker = {"name": st.sampled_from(("ann", "Ann Miller", "<x>"))}
    return st.fixed_dictionaries({"role": st.just(role), "content": content, **more}, optional=speaker)


@st.composite
def histories(draw: st.DrawFn) -> list[Json]:
    """Messages in any order; a result answers a call that was made, once."""
    said: list[Json] = []
    calls: set[str] = set()
    answered: set[str] = set()
    for _ in range(draw(st.integers(1, 8))):
        match draw(st.sampled_from(("user", "system", "developer", "assistant", "calls", "tool", "tool"))):
            case "tool" if calls - answered:
                identity = draw(st.sampled_from(sorted(calls - answered)))
                answered.add(identity)
                said.append(draw(message("tool", SHOWN, tool_call_id=st.just(identity))))
            case "calls":
                made = draw(st.lists(CALLS, min_size=1, max_size=3, unique_by=lambda call: str(call["id"])))
                ids = {str(call["id"]) for call in made}
                calls, answered = calls | ids, answered - ids
                said.append(draw(message("assistant", SAID, tool_calls=st.just(made))))
            case "system" | "developer" as role:
                said.append(draw(message(role, SPOKEN)))
            case "assistant":
                said.append(draw(message("assistant", SAID)))
            case _:
                said.append(draw(message("user", ASKED)))
    return said


@st.composite
def tools(draw: st.DrawFn) -> Json:
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    if not names:
        return {}
    made = [
        {"type": "function", "function": {"name": name} | draw(st.sampled_from(({}, {"description": "Does."})))}
        for name in names
    ]
    for each in made:
        if (schema := draw(st.none() | st.sampled_from(SCHEMAS))) is not None:
            each["function"] |= {"parameters": schema, "strict": draw(st.booleans())}
    named = {"type": "function", "function": {"name": draw(st.sampled_from(names))}}
    choice = draw(st.sampled_from((None, "auto", "none", "required", named)))
    return {"tools": made} | ({} if choice is None else {"tool_choice": choice})


@st.composite
def chats(draw: st.DrawFn) -> Json:
    """A stored request that validation takes."""
    parameters = st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from((0.0, 0.5, 2.0)),
            "top_p": st.just(0.9),
            "max_output_tokens": st.just(50),
            "stop": st.just(["END"]),
            "seed": st.just(4),
        },
    )
    body = {
        "model": "m",
        "input": {"messages": draw(histories()), **draw(tools())},
        "parameters": draw(parameters),
    }
    if (schema := draw(st.none() | st.sampled_from(SCHEMAS))) is not None:
        body["output_schema"] = schema
    try:
        return stored_form(parse_request(body))
    except InvalidRequest:
        assume(False)
        raise


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        # Models that are older than signatures do not refuse what lacks them.
        "cannot": st.lists(st.sampled_from(sorted(CANNOT.keys() - {"thought_signatures"})), max_size=3, unique=True),
        "either": st.just(["temperature", "top_p"]),
        "without": st.just(["seed"]),
    },
)
