"""What becomes of a history on its way to a provider: mended where it is broken, said otherwise where it has to be."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BadOutput, InvalidRequest, Rejected
from broker.providers import lookup
from broker.providers.openai.format import request
from broker.providers.openai.provider import service
from broker.providers.wire.abilities import fault
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.dialects import ANTHROPIC, COMPATIBLE, CONVERSE, GEMINI, MISTRAL, OPENAI, Dialect
from broker.providers.wire.history import History, prepare
from broker.providers.wire.wrapping import is_plain, unwrapped, wrapped
from jsonschema import Draft202012Validator

from tests.unit.dialects.anthropic import AnthropicDialect
from tests.unit.dialects.base import JPEG, SCHEMA, TOOL
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.dialects.requests import url
from tests.unit.provider_server import ProviderServer, Script

ASK = {"role": "user", "content": "How old is Ann?"}
LIST = {"type": "array", "items": {"type": "integer"}}


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def use(identity: str = "t1", arguments: Any = '{"age": 1}', name: str = "look_up") -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def uses(*made: dict[str, Any], content: Any = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(made)}


def result(identity: str = "t1", content: Any = "30") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": content}


def a_call(*messages: dict[str, Any], options: Any = None, **more: Any) -> Call:
    return Call("chat", "m", {"messages": list(messages), **more}, {}, 5, options=options or {})


def made(*messages: dict[str, Any], dialect: Dialect = OPENAI, options: Any = None, **more: Any) -> History:
    return prepare(a_call(*messages, options=options, **more), dialect)


def shown(history: History) -> list[str]:
    """Each turn as its role, what it says, `+` for a call and `=` for a result."""
    return [
        f"{turn.role}: " + " | ".join([*(f"={each.parts[0]}" for each in turn.results), *map(str, turn.parts)])
        + "".join(f" +{each.text}" for each in turn.uses)
        for turn in history.turns
    ]  # fmt: skip


# Calls and results


def test_an_id_that_a_dialect_does_not_take_is_the_same_other_one_for_call_and_result() -> None:
    talk = [ASK, uses(use("toolu_01ABCDEFG")), result("toolu_01ABCDEFG")]
    first = made(*talk, dialect=MISTRAL).turns
    identity = first[1].uses[0].id
    assert re.fullmatch("[a-zA-Z0-9]{9}", identity)
    assert first[2].results[0].id == identity
    grown = made(*talk, {"role": "assistant", "content": "30."}, ASK, uses(use("x")), result("x"), dialect=MISTRAL)
    assert grown.turns[1].uses[0].id == identity, "a history that grows keeps its ids"
    assert made(*talk).turns[1].uses[0].id == "toolu_01ABCDEFG"


def test_ids_that_come_again_are_told_apart() -> None:
    talk = [ASK, uses(use("call_0")), result("call_0", "first"), ASK, uses(use("call_0"), use("call_0"))]
    talk += [result("call_0", "second"), result("call_0", "third")]
    turns = made(*talk).turns
    calls = [each.id for turn in turns for each in turn.uses]
    results = {each.id: each.parts[0] for turn in turns for each in turn.results}
    assert len(set(calls)) == 3
    assert calls[0] == "call_0"
    assert [results[each] for each in calls] == ["first", "second", "third"]


def test_results_come_right_after_their_calls_and_all_of_them() -> None:
    talk = [ASK, uses(use("a"), use("b"), use("c")), {"role": "user", "content": "Quick!"}, result("b", "2"), ASK]
    missing = "=(There is no result: the call was not carried out.)"
    assert shown(made(*talk, result("a", "1")))[2:] == [
        f"user: =1 | =2 | {missing}",
        "user: Quick!",
        "user: How old is Ann?",
    ]
    assert shown(made(ASK, uses(use())))[-1] == f"user: {missing}", "also where the history ends with the call"


def test_a_result_without_a_call_is_told_in_words() -> None:
    orphan = "(Result of a tool's call that is not part of this conversation.)"
    assert shown(made(result("gone"), ASK)) == [f"user: {orphan} | 30", "user: How old is Ann?"]
    assert shown(made(ASK, uses(use()), result(), result(content="31")))[-1] == f"user: {orphan} | 31"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{"age": 1.10}', '{"age": 1.10}'),
        ({"age": 1}, '{"age": 1}'),
        ("", "{}"),
        (None, "{}"),
        ("[1]", '{"arguments": [1]}'),
        ('{"age": 1', '{"arguments": "{\\"age\\": 1"}'),
    ],
)
def test_arguments_are_an_object_whatever_a_model_made_of_them(given: Any, sent: str) -> None:
    turn = made(ASK, uses(use(arguments=given)), result()).turns[1]
    assert (turn.uses[0].text, turn.uses[0].arguments) == (sent, json.loads(sent))


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


def test_pictures_of_a_result_are_shown_by_the_user_where_results_have_none() -> None:
    picture = {"type": "image_url", "image_url": {"url": url(JPEG.data, "image/png")}}
    talk = [ASK, uses(use()), result(content=[{"type": "text", "text": "See:"}, picture])]
    assert made(*talk, dialect=ANTHROPIC).turns[2].results[0].parts == ["See:", JPEG]
    _, _, results, seen = made(*talk, dialect=OPENAI).turns
    assert results.results[0].parts == ["See:"]
    assert seen.parts[1] == {"type": "image_url", "image_url": {"url": url(JPEG.data, "image/jpeg")}}


# Roles


TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "assistant", "content": "Hello. "},
    {"role": "developer", "content": "In English."},
    {"role": "user", "content": " "},
    {"role": "assistant", "content": [{"type": "text", "text": ""}]},
    {"role": "assistant", "content": [{"type": "text", "text": "Ask \n"}, {"type": "text", "text": "me. \n"}]},
]


@pytest.mark.parametrize(
    ("dialect", "options", "system", "turns"),
    [
        (
            OPENAI,
            {},
            [],
            ["system: Be brief.", "assistant: Hello. ", "developer: In English.", "assistant: Ask \n | me."],
        ),
        (
            COMPATIBLE,
            {},
            [],
            ["system: Be brief.\n\nIn English.", "user: Begin.", "assistant: Hello. ", "assistant: Ask \n | me."],
        ),
        (
            MISTRAL,
            {},
            [],
            [
                *("system: Be brief.\n\nIn English.", "user: Begin.", "assistant: Hello. "),
                *("assistant: Ask \n | me.", "user: Go on."),
            ],
        ),
        (ANTHROPIC, {}, ["Be brief.", "In English."], ["user: Begin.", "assistant: Hello.  | Ask \n | me."]),
        (
            ANTHROPIC,
            {"cannot": ["prefill"]},
            ["Be brief.", "In English."],
            ["user: Begin.", "assistant: Hello.  | Ask \n | me.", "user: Go on."],
        ),
        (
            COMPATIBLE,
            {"cannot": ["system", "repeated_roles"]},
            [],
            ["user: Be brief.\n\nIn English.", "assistant: Hello.  | Ask \n | me."],
        ),
    ],
)
def test_who_speaks_when(dialect: Dialect, options: Any, system: list[str], turns: list[str]) -> None:
    history = made(*TALK, dialect=dialect, options=options)
    assert (history.system, shown(history)) == (system, turns)


def test_mistral_lets_no_user_speak_before_the_model_has_answered_to_a_result() -> None:
    assert shown(made(ASK, uses(use()), result(), ASK, dialect=MISTRAL))[2:] == [
        "user: =30",
        "assistant: Understood.",
        "user: How old is Ann?",
    ]


def test_names_go_where_they_are_taken() -> None:
    named = [{**ASK, "name": "ann"}, {**ASK, "name": "Ann Miller"}]
    for host, names in (("https://api.openai.com/v1", ["ann", None]), ("https://compatible.example/v1", [None, None])):
        call = replace(a_call(*named), endpoint=host)
        made_by = service(call)
        body = request(call, made_by, prepare(call, made_by.dialect))
        assert [message.get("name") for message in body["messages"]] == names
        assert ("stream" in body) is not host.startswith("https://api.openai.com"), "some stream unless told not to"


def test_what_a_model_refused_is_what_it_said() -> None:
    refused = [{"role": "assistant", "content": None, "refusal": "No."}, ASK]
    assert shown(made(ASK, *refused))[1] == "assistant: No."
    parts = [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, ASK]
    assert shown(made(ASK, *parts, dialect=GEMINI))[1] == "assistant: No."


def test_pictures_are_the_users_and_of_types_that_the_service_takes() -> None:
    def seen(role: str, content: bytes) -> dict[str, Any]:
        return {"role": role, "content": [{"type": "image_url", "image_url": {"url": url(content, "image/png")}}]}

    for message, dialect in (
        (seen("assistant", b"GIF89a"), ANTHROPIC),
        (seen("system", b"GIF89a"), OPENAI),
        (seen("user", b"GIF89a"), GEMINI),
    ):
        with pytest.raises(Rejected) as caught:
            made(ASK, message, ASK, dialect=dialect)
        assert caught.value.param == "input.messages.1.content"


# Tools


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


@pytest.mark.parametrize(
    ("schema", "value", "other"),
    [
        (LIST, [1], ["x"]),
        ({"enum": [1, "x"]}, "x", 2),
        ({"items": {"$ref": "#/$defs/n"}, "type": "array", "$defs": {"n": {"type": "integer"}}}, [1], ["x"]),
        ({"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#"}}]}, [[None]], ["x"]),
        ({"type": ["object", "null"], "$id": "https://x.example/a"}, None, 1),
    ],
)
def test_a_schema_means_the_same_when_it_is_wrapped(schema: dict[str, Any], value: Any, other: Any) -> None:
    assert not is_plain(schema)
    outer = wrapped(schema)
    assert is_plain(outer)
    Draft202012Validator.check_schema(outer)
    assert Draft202012Validator(outer).is_valid({"value": value})
    assert not Draft202012Validator(outer).is_valid({"value": other})
    assert unwrapped(json.dumps({"value": value})) == json.dumps(value)


@pytest.mark.parametrize("calls", [5, "look_up", use(), [5], [{"id": "t1"}], [use(name="")]], ids=repr)
def test_calls_in_another_form_are_named(calls: Any) -> None:
    for dialect in (OPENAI, ANTHROPIC):
        with pytest.raises(InvalidRequest) as caught:
            made(ASK, {"role": "assistant", "content": None, "tool_calls": calls}, ASK, dialect=dialect)
        assert (caught.value.code, caught.value.param) == ("invalid_tool_call", "input.messages.1.tool_calls")


def test_calls_are_the_assistants() -> None:
    with pytest.raises(InvalidRequest) as caught:
        made({**ASK, "tool_calls": [use()]})
    assert (caught.value.code, caught.value.param) == ("invalid_tool_call", "input.messages.0.tool_calls")


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


def test_an_answer_to_a_list_comes_in_an_object_and_is_taken_out(server: ProviderServer) -> None:
    server.answer(Script(OpenAIDialect().says('{"value": [1, 2]}')))
    call = replace(a_call(ASK), output_schema=LIST, endpoint=server.url)
    answer = lookup("openai").invoke(call)
    assert isinstance(answer, Answer)
    assert answer.output == {"text": "[1, 2]", "finish_reason": "stop", "json": [1, 2]}
    assert is_plain(server.asked[0].body["response_format"]["json_schema"]["schema"])


@pytest.mark.parametrize("said", ["[1, 2]", "\ufeff[1, 2]", '```json\n{"value": [1, 2]}\n```', 'So: {"value": [1, 2]}'])
def test_a_list_is_found_however_a_server_gives_it(server: ProviderServer, said: str) -> None:
    server.answer(Script(OpenAIDialect().says(said)))
    answer = lookup("openai").invoke(replace(a_call(ASK), output_schema=LIST, endpoint=server.url))
    assert isinstance(answer, Answer)
    assert answer.output["json"] == [1, 2]


def test_what_misses_the_schema_is_told_by_the_callers_own(server: ProviderServer) -> None:
    server.answer(Script(OpenAIDialect().says('{"value": ["x"]}')))
    with pytest.raises(BadOutput) as caught:
        lookup("openai").invoke(replace(a_call(ASK), output_schema=LIST, endpoint=server.url))
    assert caught.value.message.endswith(" at items/type.")
    assert (caught.value.code, caught.value.tokens) == ("schema_not_met", (7, 3))


def test_strict_tools_stay_strict_where_strictness_is_possible(server: ProviderServer) -> None:
    for schema, strict in ((SCHEMA, True), (LIST, False), ({"type": "object"}, False)):
        tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}
        server.answer(Script(OpenAIDialect().says("Yes.")))
        lookup("openai").invoke(replace(a_call(ASK, tools=[tool]), endpoint=server.url))
        assert server.asked[0].body["tools"][0]["function"].get("strict", False) is strict


# What a single model does not take


def test_of_parameters_that_exclude_each_other_the_first_is_sent(server: ProviderServer) -> None:
    options = {"either": ["temperature", "top_p"]}
    for given, sent in (
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"temperature": 0.0}, {"temperature": 0.0}),
    ):
        server.answer(Script(AnthropicDialect().says("Yes.")))
        call = replace(a_call(ASK, options=options), endpoint=server.url, parameters=given)
        lookup("anthropic").invoke(call)
        body = server.asked[0].body
        assert {name: body[name] for name in ("temperature", "top_p") if name in body} == sent


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"without": ["temperatur"]}, "temperatur;"),
        ({"either": ["top_k"]}, "top_k"),
        ({"cannot": ["speak"]}, "speak"),
        ({"cannot": "prefill"}, "cannot is a list"),
        ({"cannot": [1]}, "cannot is a list"),
    ],
)
def test_an_ability_that_nobody_knows_is_a_fault(options: Any, said: str) -> None:
    assert said in str(fault(options))
    assert fault({"cannot": ["prefill"], "without": ["seed"], "anything": "else"}) is None


# Whose call it is


def test_a_provider_can_tell_callers_apart_and_not_who_they_are(server: ProviderServer) -> None:
    whose = {"scope": "acme", "token": "job_1-1-1"}
    call = replace(a_call(ASK), **whose)
    assert call.caller["job"] == "job_1"
    assert call.caller == replace(call, token="job_1-2-1").caller
    assert call.caller["tenant"] != replace(call, scope="other").caller["tenant"]
    assert "acme" not in str(call.caller)
    assert re.fullmatch("[0-9a-f]{32}", call.caller["tenant"])
    assert a_call(ASK).caller == {}
    fields = {"anthropic": "metadata", "openai": "safety_identifier"}
    says = {"anthropic": AnthropicDialect().says("Yes."), "openai": OpenAIDialect().says("Yes.")}
    for provider, field in fields.items():
        for options, sent in (({}, False), ({"caller": True}, True)):
            server.answer(Script(says[provider]))
            lookup(provider).invoke(replace(call, endpoint=server.url, options=options))
            assert (field in server.asked[0].body) is sent, "others refuse what they do not know"
            assert (call.caller["tenant"] in json.dumps(server.asked[0].body)) is sent
    official = replace(call, endpoint="https://api.openai.com/v1")
    body = request(official, service(official), prepare(official, OPENAI))
    assert body["safety_identifier"] == call.caller["tenant"]
