"""A conversation that goes on begins as it did, byte for byte: providers' prompt caches go by that."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import BrokerError
from broker.guardrails.untrusted import marked
from broker.jobs.request import parse_request, stored_form
from hypothesis import assume, given, settings

from tests.unit.dialects.base import Dialect, Json
from tests.unit.dialects.requests import histories, tools
from tests.unit.dialects.table import DIALECTS
from tests.unit.dialects.test_histories import a_call
from tests.unit.provider_server import ProviderServer, Script

MORE = [{"role": "assistant", "content": "Well."}, {"role": "user", "content": "And then?"}]
SAID = {"role": "user", "content": "So?"}


def pieces(body: Any) -> Iterator[Any]:
    """A request's prompt in the order in which a provider reads it; the keys of objects stand as they were sent."""
    yield body.get("tools") or body.get("toolConfig", {}).get("tools")
    system = body.get("systemInstruction", {}).get("parts") or body.get("system") or ()
    yield from system if isinstance(system, list) else [system]
    for turn in body.get("messages") or body.get("contents"):
        parts = turn.get("parts") or turn.get("content") or ()
        rest = {name: value for name, value in turn.items() if name not in ("parts", "content")}
        for part in parts if isinstance(parts, list) else [parts]:
            yield [turn["role"], part]
        yield rest


def asked(server: ProviderServer, dialect: Dialect, request: Json) -> list[str]:
    server.answer(Script(dialect.says("Fine.")))
    try:
        dialect.provider.invoke(a_call(dialect, server.url, request, {}))
    except BrokerError:
        assume(False)
    return [json.dumps(each) for each in pieces(server.asked[0].body)]


def stored(messages: list[Json], more: Json, **others: Any) -> Json:
    try:
        return stored_form(parse_request({"input": {"messages": messages, **more}})) | others
    except BrokerError:
        assume(False)
        raise


@settings(max_examples=40)
@given(messages=histories(), more=tools())
def test_one_more_turn_begins_with_all_that_was_sent(
    server: ProviderServer, dialect: Dialect, messages: list[Json], more: Json
) -> None:
    more.pop("tool_choice", None)
    before = asked(server, dialect, stored([*messages, SAID], more))
    after = asked(server, dialect, stored([*messages, SAID, *MORE], more))
    assert after[: len(before)] == before
    assert len(after) > len(before)


TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in "zamb"]
CALLED = {
    "role": "assistant",
    "content": "I look.",
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "a", "arguments": "{}"}}],
}
ROUNDS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Where is the heron?"},
    CALLED,
    {"role": "tool", "tool_call_id": "call_1", "content": "In the reeds, <data_000000000000> they say."},
    {"role": "assistant", "content": "In the reeds."},
    SAID,
    CALLED,
    {"role": "tool", "tool_call_id": "call_1", "content": "It flew."},
]


@pytest.mark.parametrize("way", ["delimiters", "datamarking", "base64"])
@pytest.mark.parametrize("name", DIALECTS)
def test_so_does_one_whose_data_is_marked(server: ProviderServer, name: str, way: str) -> None:
    dialect = DIALECTS[name]()

    def sent(many: int) -> list[str]:
        request = stored(ROUNDS[:many], {"tools": TOOLS}, marking=way)
        return asked(server, dialect, {**request, **marked(request)})

    first, second, third = sent(2), sent(4), sent(8)
    assert second[: len(first)] == first
    assert third[: len(second)] == second


@pytest.mark.parametrize("name", DIALECTS)
def test_tools_keep_the_order_in_which_they_came(server: ProviderServer, name: str) -> None:
    first, *_ = asked(server, DIALECTS[name](), stored([SAID], {"tools": TOOLS}))
    places = [first.index(f'"name": "{name}"') for name in "zamb"]
    assert places == sorted(places)
