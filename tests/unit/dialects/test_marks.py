"""Marks of a prompt cache as each dialect has them, and what services tell of their caches."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from broker.cached_input import CachedInput
from broker.errors import BadOutput
from broker.providers.azure import _service as azure
from broker.providers.openai.provider import service as openai
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.marks import settled

from tests.fakes.media import FakeMedia
from tests.unit.dialects.base import JPEG, MODEL, SECRET, TOOL, Dialect, Json
from tests.unit.dialects.table import DIALECTS
from tests.unit.provider_server import ProviderServer, Script

SHORT, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
CLAUDE, NOVA = "eu.anthropic.claude-sonnet-4-5-v1:0", "amazon.nova-pro-v1:0"


@pytest.fixture
def call() -> Call:
    media = FakeMedia({"s3://inbox/acme/a": JPEG})
    return Call("chat", MODEL, {"text": "How old?"}, {}, 20, SECRET, media=media)


def text(words: str, mark: Json | None = None) -> Json:
    return {"type": "text", "text": words} | ({"cache_control": mark} if mark else {})


CALLED = {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}, "cache_control": SHORT}
PICTURE = {"type": "image_url", "image_url": {"url": "s3://inbox/acme/a"}, "cache_control": SHORT}
MARKED = {
    "tools": [TOOL | {"cache_control": LONG}],
    "messages": [
        {"role": "system", "content": [text("Be brief.", LONG), text("In English.")]},
        {"role": "user", "content": [PICTURE, text("How old?")]},
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    ],
}
ANSWERED = {"role": "tool", "tool_call_id": "t1", "content": [text("30", SHORT)]}
PLAIN = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How old?"}]}


def asked(server: ProviderServer, name: str, call: Call, given: Json, **more: Any) -> Any:
    dialect = DIALECTS[name]()
    server.answer(Script(dialect.says("Fine.")))
    dialect.provider.invoke(replace(call, input=given, endpoint=dialect.endpoint(server.url), **more))
    dialect.judge(server.asked[0].body)
    return server.asked[0].body


def where(body: Any) -> list[tuple[str, Any]]:
    """The marks in order: what they stand on or, of Bedrock's, behind."""
    turns = [block for turn in body["messages"] for block in turn["content"]]
    blocks = [*(body.get("tools") or body.get("toolConfig", {}).get("tools", ())), *body.get("system", ()), *turns]
    found = []
    for before, block in zip([{}, *blocks], blocks, strict=False):
        if "cache_control" in block:
            found.append((str(block.get("type") or block["name"]), block["cache_control"].get("ttl", "5m")))
        if "cachePoint" in block:
            found.append((next(iter(before)), block["cachePoint"].get("ttl", "5m")))
    return found


def test_anthropics_marks_stand_where_the_request_has_them(server: ProviderServer, call: Call) -> None:
    body = asked(server, "anthropic", call, MARKED)
    assert where(body) == [("look_up", "1h"), ("text", "1h"), ("image", "5m"), ("tool_use", "5m")]
    assert body["system"][1] == {"type": "text", "text": "In English."}
    body = asked(server, "anthropic", call, {"messages": [*MARKED["messages"][1:], ANSWERED]})
    assert where(body) == [("image", "5m"), ("tool_use", "5m"), ("tool_result", "5m")]


def test_bedrocks_points_stand_behind_them(server: ProviderServer, call: Call) -> None:
    body = asked(server, "bedrock", call, MARKED, model=CLAUDE)
    assert where(body) == [("toolSpec", "1h"), ("text", "1h"), ("image", "5m"), ("toolUse", "5m")]
    assert where(asked(server, "bedrock", call, MARKED, model=NOVA)) == [
        ("text", "5m"),
        ("image", "5m"),
        ("toolUse", "5m"),
    ]
    assert where(asked(server, "bedrock", call, MARKED)) == [], "a model that is not known to have it"
    profile = {"options": {"prompt_cache": True}}
    assert len(where(asked(server, "bedrock", call, MARKED, **profile))) == 4
    nova = {"options": {"family": "amazon.nova", "prompt_cache": True}}
    assert where(asked(server, "bedrock", call, MARKED, **nova)) == [("text", "5m"), ("image", "5m"), ("toolUse", "5m")]
    assert len(where(asked(server, "bedrock", call, MARKED, options={"family": "anthropic.claude-sonnet-4-5"}))) == 4


@pytest.mark.parametrize(("ttl", "kept"), [("5m", "5m"), ("30m", "1h"), ("1h", "1h"), ("24h", "1h")])
def test_a_wish_without_marks_marks_instructions_and_the_end(
    server: ProviderServer, call: Call, ttl: str, kept: str
) -> None:
    assert where(asked(server, "anthropic", call, PLAIN, cache_ttl=ttl)) == [("text", kept)] * 2
    assert where(asked(server, "bedrock", call, PLAIN, model=CLAUDE, cache_ttl=ttl)) == [("text", kept)] * 2
    marked = {"messages": [{"role": "user", "content": [text("A long report.", LONG), text("Well?")]}]}
    assert where(asked(server, "anthropic", call, marked, cache_ttl="5m")) == [("text", "1h"), ("text", "5m")]


def test_a_message_of_one_text_may_be_marked_itself(server: ProviderServer, call: Call) -> None:
    given = {"messages": [{"role": "user", "content": "How old?", "cache_control": SHORT}]}
    assert where(asked(server, "anthropic", call, given)) == [("text", "5m")]


@pytest.mark.parametrize("name", [each for each in DIALECTS if each not in ("anthropic", "azure", "bedrock")])
@pytest.mark.parametrize("given", [MARKED, PLAIN])
def test_other_services_are_sent_no_marks(server: ProviderServer, call: Call, name: str, given: Json) -> None:
    given = {**given, "messages": [*given["messages"], *([ANSWERED] if given is MARKED else [])]}
    assert "cache" not in str(asked(server, name, call, given, cache_ttl="1h", cache_key="k"))


@pytest.mark.parametrize("name", ["anthropic", "bedrock"])
def test_a_model_that_takes_none_is_sent_none(server: ProviderServer, call: Call, name: str) -> None:
    options = {"cannot": ["prompt_cache"]}
    body = asked(server, name, call, MARKED, options=options, model=CLAUDE, cache_ttl="1h")
    assert "cache" not in str(body)


@pytest.mark.parametrize(
    ("marks", "sent"),
    [
        (["5m"], ["5m"]),
        (["1h", "5m"], ["1h", "5m"]),
        (["5m", "1h", "1h"], ["5m", "5m", "5m"]),
        (["5m", "5m", "1h", "1h", "5m", "5m"], ["", "", "1h", "1h", "5m", "5m"]),
    ],
)
def test_of_a_conversations_marks_the_last_are_sent(marks: list[str], sent: list[str]) -> None:
    assert settled(marks) == sent


OWN = {"endpoint": "https://api.openai.com/v1"}
RESOURCE = {"endpoint": "https://acme.openai.azure.com"}


@pytest.mark.parametrize(
    ("more", "sent"),
    [
        ({"cache_key": "k"}, {"prompt_cache_key": "k"}),
        ({"cache_key": "k", "cache_ttl": "5m"}, {"prompt_cache_key": "k"}),
        ({"cache_ttl": "24h"}, {"prompt_cache_retention": "24h"}),
        ({"cache_ttl": "30m"}, {"prompt_cache_options": {"ttl": "30m"}}),
        ({"cache_key": "k", "options": {"cannot": ["prompt_cache"]}}, {}),
    ],
)
def test_openais_services_are_told_the_key(call: Call, more: Json, sent: Json) -> None:
    assert openai(replace(call, **OWN, **more)).more == sent
    assert azure(replace(call, **RESOURCE, **more)).more == sent


def test_others_that_speak_so_are_told_it_only_where_that_is_registered(call: Call) -> None:
    there = replace(call, endpoint="http://127.0.0.1:9/v1", cache_key="k")
    assert "prompt_cache_key" not in openai(there).more
    assert openai(replace(there, options={"prompt_cache_key": True})).more["prompt_cache_key"] == "k"
    dated = replace(call, **RESOURCE, cache_key="k", options={"api_version": "2024-10-21"})
    assert "prompt_cache_key" not in azure(dated).more


TOLD: Mapping[str, tuple[Json, CachedInput, int]] = {
    "anthropic": (
        {
            "input_tokens": 4,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
            "cache_read_input_tokens": 60,
            "output_tokens": 3,
        },
        CachedInput(60, 20, 10),
        94,
    ),
    "bedrock": (
        {
            "inputTokens": 4,
            "outputTokens": 3,
            "totalTokens": 97,
            "cacheReadInputTokens": 60,
            "cacheWriteInputTokens": 30,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 10}, {"ttl": "5m", "inputTokens": 20}],
        },
        CachedInput(60, 20, 10),
        94,
    ),
    "openai": (
        {
            "prompt_tokens": 94,
            "completion_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        },
        CachedInput(60, 30),
        94,
    ),
    "azure": ({"prompt_tokens": 94, "prompt_tokens_details": {"cached_tokens": 60}}, CachedInput(60), 94),
    "mistral": ({"prompt_tokens": 94, "prompt_tokens_details": {"cached_tokens": 60}}, CachedInput(60), 94),
    "gemini": ({"promptTokenCount": 94, "cachedContentTokenCount": 60}, CachedInput(60), 94),
}
"""What a service tells, and what of a prompt of so many tokens it means."""


@pytest.mark.parametrize("name", TOLD)
def test_what_a_cache_had_is_read(server: ProviderServer, call: Call, name: str) -> None:
    dialect: Dialect = DIALECTS[name]()
    usage, cached, into = TOLD[name]
    server.answer(Script(dialect.says("Fine.") | {dialect.usage: usage}))
    answer = dialect.provider.invoke(replace(call, endpoint=dialect.endpoint(server.url)))
    assert isinstance(answer, Answer)
    assert (answer.cached, answer.input_tokens) == (cached, into)
    server.answer(Script(dialect.says("") | {dialect.usage: usage}))
    with pytest.raises(BadOutput) as failure:
        dialect.provider.invoke(replace(call, endpoint=dialect.endpoint(server.url)))
    assert (failure.value.cached, failure.value.tokens and failure.value.tokens[0]) == (cached, into)


@pytest.mark.parametrize("odd", [None, -5, "many", {"x": 1}, 1e30, [7]])
@pytest.mark.parametrize("name", sorted(TOLD.keys() - {"bedrock"}))  # whose SDK reads no reply of another form
def test_odd_counts_are_none(server: ProviderServer, call: Call, name: str, odd: Any) -> None:
    dialect: Dialect = DIALECTS[name]()
    usage = {each: odd for each in TOLD[name][0]}
    server.answer(Script(dialect.says("Fine.") | {dialect.usage: usage}))
    answer = dialect.provider.invoke(replace(call, endpoint=dialect.endpoint(server.url)))
    assert isinstance(answer, Answer) and answer.cached == CachedInput()
