"""What becomes of a history on its way to a provider: mended where it is broken, said otherwise where it has to be."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import InvalidRequest, Rejected
from broker.providers.openai.format import request
from broker.providers.openai.provider import service
from broker.providers.wire.dialects import ANTHROPIC, COMPATIBLE, GEMINI, MISTRAL, OPENAI, Dialect
from broker.providers.wire.history import prepare

from tests.unit.dialects.base import JPEG
from tests.unit.dialects.requests import url
from tests.unit.history_case import ASK, a_call, made, result, shown, use, uses


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


def test_pictures_of_a_result_are_shown_by_the_user_where_results_have_none() -> None:
    picture = {"type": "image_url", "image_url": {"url": url(JPEG.data, "image/png")}}
    talk = [ASK, uses(use()), result(content=[{"type": "text", "text": "See:"}, picture])]
    assert made(*talk, dialect=ANTHROPIC).turns[2].results[0].parts == ["See:", JPEG]
    _, _, results, seen = made(*talk, dialect=OPENAI).turns
    assert results.results[0].parts == ["See:"]
    assert seen.parts[1] == {"type": "image_url", "image_url": {"url": url(JPEG.data, "image/jpeg")}}


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
