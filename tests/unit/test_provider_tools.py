"""Tools on their way to a provider: named as it can take them, and known again by the caller's own names."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BadOutput, InvalidRequest
from broker.providers import lookup
from broker.providers.wire.base import Answer
from broker.providers.wire.dialects import ANTHROPIC, CONVERSE

from tests.unit.dialects.anthropic import AnthropicDialect
from tests.unit.dialects.base import SCHEMA, TOOL
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.history_case import ASK, LIST, a_call, made, result, shown, use, uses
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def test_calls_of_a_request_without_tools(server: ProviderServer) -> None:
    talk = [ASK, uses(use()), result()]
    server.answer(Script(AnthropicDialect().says("Thirty.")))
    lookup("anthropic").invoke(replace(a_call(*talk), endpoint=server.url))
    body = server.asked[0].body
    assert [each["name"] for each in body["tools"]] == ["look_up"]
    assert body["tool_choice"] == {"type": "none"}, "no tool is slipped in that the caller does not offer"
    history = made(*talk, dialect=CONVERSE)
    assert shown(history)[1:] == ['assistant: (calls look_up with {"age": 1})', "user: (result of look_up:) | 30"]
    assert not history.toolbox.tools


def test_a_model_that_cannot_be_forced_is_told() -> None:
    options = {"cannot": ["forced_tools"]}
    for choice, said in (("required", "one of the tools"), ({"function": {"name": "look_up"}}, "the tool look_up")):
        history = made(ASK, dialect=ANTHROPIC, options=options, tools=[TOOL], tool_choice=choice)
        assert history.toolbox.choice == ("auto", "")
        assert said in history.system[0]
    free = made(ASK, dialect=ANTHROPIC, options=options, tools=[TOOL], tool_choice="none")
    assert (free.toolbox.choice, free.system) == (("none", ""), [])


@pytest.mark.parametrize(
    "given",
    [
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}},
        {"tool_choice": "required"},
        {"tools": [TOOL, {"type": "function", "function": {"name": "look_up"}}]},
        {"tools": [{"type": "function", "function": {"name": "x", "parameters": [1]}}]},
    ],
)
def test_tools_that_cannot_be_told_apart_or_are_not_there(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        made(ASK, **given)
    assert caught.value.code == "invalid_tools"


def test_a_choice_without_tools_is_not_sent(server: ProviderServer) -> None:
    server.answer(Script(OpenAIDialect().says("Yes.")))
    lookup("openai").invoke(replace(a_call(ASK, tools=[], tool_choice="auto"), endpoint=server.url))
    assert not {"tools", "tool_choice"} & server.asked[0].body.keys()


@pytest.mark.parametrize(("name", "code"), [("größe", None), ("wetter", "unknown_tool"), ("gr", "unknown_tool")])
def test_a_tool_is_known_by_the_callers_own_name(server: ProviderServer, name: str, code: str | None) -> None:
    """The model says it as it was told it; a tool of the history that the request does not give is none."""
    tools = [{"type": "function", "function": {"name": own}} for own in ("größe", "g")]
    call = replace(a_call(ASK, uses(use(name="wetter")), result(), tools=tools), endpoint=server.url)
    theirs = made(*call.input["messages"], dialect=ANTHROPIC, tools=tools).toolbox.theirs(name)
    server.answer(Script(AnthropicDialect().says("", "tool_calls", (theirs, {}))))
    if code is None:
        answer = lookup("anthropic").invoke(call)
        assert isinstance(answer, Answer)
        assert answer.output["tool_calls"][0]["function"]["name"] == name
        return
    with pytest.raises(BadOutput) as caught:
        lookup("anthropic").invoke(call)
    assert (caught.value.code, caught.value.tokens) == (code, (7, 3))


def test_strict_tools_stay_strict_where_strictness_is_possible(server: ProviderServer) -> None:
    for schema, strict in ((SCHEMA, True), (LIST, False), ({"type": "object"}, False)):
        tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}
        server.answer(Script(OpenAIDialect().says("Yes.")))
        lookup("openai").invoke(replace(a_call(ASK, tools=[tool]), endpoint=server.url))
        assert server.asked[0].body["tools"][0]["function"].get("strict", False) is strict
