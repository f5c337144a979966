"""Bodies of Anthropic's messages as jobs."""

from typing import Any

import pytest
from broker.doors.message_blocks import FAILED
from broker.doors.messages import counted_job_of, job_of
from broker.doors.reading import renamed
from broker.errors import InvalidRequest
from broker.jobs.request import parse_request

SAID = [{"role": "user", "content": "How are you?"}]
ASKED = {"model": "small", "max_tokens": 64, "messages": SAID}
JOB: dict[str, Any] = {"model": "small", "input": {"messages": SAID}, "parameters": {"max_output_tokens": 64}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {"name": "look", "description": "Looks.", "input_schema": SCHEMA}
MADE_TOOL = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}}
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
PNG = "iVBORw0KGgo="


def with_input(**more: Any) -> dict[str, Any]:
    return {"input": {"messages": SAID, **more}}


def with_parameters(**more: Any) -> dict[str, Any]:
    return {"parameters": {"max_output_tokens": 64, **more}}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, {}),
        ({"temperature": 0.2, "top_p": 0.9}, with_parameters(temperature=0.2, top_p=0.9)),
        ({"stop_sequences": ["A", "B"]}, with_parameters(stop=["A", "B"])),
        ({"tools": [TOOL]}, with_input(tools=[MADE_TOOL])),
        (
            {"tools": [TOOL | CACHED | {"type": "custom", "defer_loading": False}]},
            with_input(tools=[MADE_TOOL | CACHED]),
        ),
        ({"tools": [TOOL], "tool_choice": {"type": "auto"}}, with_input(tools=[MADE_TOOL], tool_choice="auto")),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}}, with_input(tools=[MADE_TOOL], tool_choice="required")),
        ({"tools": [TOOL], "tool_choice": {"type": "none"}}, with_input(tools=[MADE_TOOL], tool_choice="none")),
        (
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True}},
            with_input(tools=[MADE_TOOL], tool_choice={"type": "function", "function": {"name": "look"}})
            | {"metadata": {"anthropic.disable_parallel_tool_use": "true"}},
        ),
        ({"metadata": {"user_id": "u-1"}}, {"metadata": {"anthropic.user_id": "u-1"}}),
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, {"output_schema": SCHEMA}),
        ({"inference_geo": "eu"}, {"routing": {"regions": ["eu"]}}),
        ({"inference_geo": "global"}, {}),
        ({"service_tier": "auto", "speed": "standard", "stream": False}, {}),
        (CACHED, {"input": {"messages": [SAID[0] | CACHED]}}),
        ({"system": None, "tools": None, "container": None, "top_k": None}, {}),
    ],
)
def test_a_body_is_a_job(given: dict[str, Any], made: dict[str, Any]) -> None:
    asked = job_of(ASKED | given)
    assert asked.job == JOB | made
    assert not asked.streams
    parse_request(asked.job)


def talked(*messages: dict[str, Any], **more: Any) -> list[Any]:
    asked = job_of(ASKED | {"messages": list(messages)} | more)
    parse_request(asked.job)
    return list(asked.job["input"]["messages"])


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_instructions_are_the_first_message() -> None:
    assert talked(*SAID, system="Be brief.") == [{"role": "system", "content": "Be brief."}, *SAID]
    parts = [text("Be brief.") | CACHED, text("Be kind.")]
    assert talked(*SAID, system=parts)[0] == {"role": "system", "content": parts}
    later = {"role": "system", "content": [text("Now in French.")]}
    assert talked(*SAID, {"role": "assistant", "content": "Well."}, *SAID, later)[-1] == later


def test_pictures_and_documents_are_parts() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    linked = {"type": "url", "url": "https://example.com/a.png"}
    plain = {"type": "text", "media_type": "text/plain", "data": "The lamp."}
    inside = {"type": "content", "content": [text("A heron."), {"type": "image", "source": linked}]}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}
    (said,) = talked(
        user(
            {"type": "image", "source": source} | CACHED,
            {"type": "image", "source": linked},
            {"type": "document", "source": plain, "title": "Report", "context": "Of 2026.", "citations": None},
            {"type": "document", "source": inside, "citations": {"enabled": False}},
            {"type": "document", "source": {"type": "content", "content": "Words."}},
            {"type": "document", "source": pdf, "title": "Plan.pdf"},
            {"type": "document", "source": pdf},
            text("Compare them."),
        )
    )
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    file_data = "data:application/pdf;base64,JVBERg=="
    assert said["content"] == [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}} | CACHED,
        picture,
        *(text("Report"), text("Of 2026."), text("The lamp.")),
        *(text("A heron."), picture, text("Words.")),
        {"type": "file", "file": {"filename": "Plan.pdf", "file_data": file_data}},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": file_data}},
        text("Compare them."),
    ]


def test_calls_of_tools_and_their_results_are_messages_of_their_own() -> None:
    used = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": "ä"}, "caller": {"type": "direct"}}
    other = used | {"id": "toolu_2", "input": {}}
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    made = talked(
        *SAID,
        {"role": "assistant", "content": [text("I look."), used, other]},
        user(
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "No.", "is_error": True},
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [text("Seen."), picture]} | CACHED,
            text("Well?"),
        ),
        {"role": "assistant", "content": [used | {"id": "toolu_3"}]},
        user({"type": "tool_result", "tool_use_id": "toolu_3", "is_error": True, "content": []}),
        {"role": "assistant", "content": [used | {"id": "toolu_4"}]},
        user({"type": "tool_result", "tool_use_id": "toolu_4"}),
    )
    calls = [
        {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": '{"a": "ä"}'}},
        {"id": "toolu_2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
    ]
    seen = [text("Seen."), {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
    assert made[1:5] == [
        {"role": "assistant", "content": [text("I look.")], "tool_calls": calls},
        {"role": "tool", "tool_call_id": "toolu_2", "content": f"{FAILED}\nNo."},
        {"role": "tool", "tool_call_id": "toolu_1", "content": seen} | CACHED,
        {"role": "user", "content": [text("Well?")]},
    ]
    assert made[5]["content"] is None
    assert made[6] == {"role": "tool", "tool_call_id": "toolu_3", "content": [text(FAILED)]}
    assert made[-1] == {"role": "tool", "tool_call_id": "toolu_4", "content": []}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}}, "thinking.display"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"top_k": 5}, "top_k"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"context_management": {}}, "context_management"),
        ({"diagnostics": {}}, "diagnostics"),
        ({"speed": "fast"}, "speed"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"inference_geo": 7}, "inference_geo"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format.type"),
        ({"cache_control": {"type": "forever"}}, "cache_control.type"),
        ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ttl"),
        ({"cache_control": True}, "cache_control"),
        ({"metadata": {"colour": "blue"}}, "metadata.colour"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id"),
        ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"name": "look"}]}, "tools.0.input_schema"),
        ({"tools": [TOOL | {"input_examples": [{}]}]}, "tools.0.input_examples"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools.0.defer_loading"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}}, "tool_choice.disable_parallel_tool_use"),
        ({"stream": "yes"}, "stream"),
        ({"system": [{"type": "image", "source": {}}]}, "system.0.type"),
        ({"system": 7}, "system"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [7]}, "messages.0"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "x", "name": "Ann"}]}, "messages.0.name"),
        ({"messages": [user({"type": "search_result"})]}, "messages.0.content.0.type"),
        ({"messages": [user({"type": "thinking", "thinking": "Hm."})]}, "messages.0.content.0.type"),
        ({"messages": [user(text("x") | {"citations": [{}]})]}, "messages.0.content.0.citations"),
        ({"messages": [user(text("x"), {"type": "tool_result", "tool_use_id": "t"})]}, "messages.0.content.1"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "server_tool_use", "id": "s"}]}]},
            "messages.0.content.0.type",
        ),
        (
            {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
            "messages.0.content.0.source.type",
        ),
        (
            {
                "messages": [
                    user({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": ""}})
                ]
            },
            "messages.0.content.0.source.media_type",
        ),
        (
            {"messages": [user({"type": "document", "source": {"type": "url", "url": "https://example.com"}})]},
            "messages.0.content.0.source.type",
        ),
        (
            {"messages": [user({"type": "document", "source": {}, "citations": {"enabled": True}})]},
            "messages.0.content.0.citations",
        ),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_has_no_place_in_a_job_is_refused_by_its_name(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        job_of(ASKED | given)
    assert failure.value.param == field
    assert failure.value.message.startswith(f"{field}: ")
    assert failure.value.status == 400


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_what_is_needed_is_named(name: str) -> None:
    body = {field: value for field, value in ASKED.items() if field != name}
    with pytest.raises(InvalidRequest) as failure:
        job_of(body)
    assert (failure.value.param, failure.value.message) == (name, f"{name}: it is needed")
    if name == "max_tokens":
        assert counted_job_of(body).job == {"model": "small", "input": {"messages": SAID}}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop_sequences": ["A"] * 5}, "stop_sequences"),
        ({"metadata": {"user_id": "u" * 5000}}, "metadata.user_id"),
        ({"system": [text("Be brief."), {"type": "text", "text": 7}]}, "system.1.text"),
        ({"messages": [*SAID, {"role": "user", "content": " "}]}, "messages.1.content"),
        ({"messages": [user(text("Look:"), {"type": "image", "source": {"type": "url", "url": "http://a"}})]}, None),
        ({"messages": [*SAID, user({"type": "tool_result", "tool_use_id": "t"})]}, "messages.1.content.0.tool_use_id"),
        ({"tools": [TOOL, TOOL]}, "tools.1.name"),
        ({"tools": [TOOL | {"input_schema": {"type": "string"}}]}, "tools.0.input_schema"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "lamp"}}, "tool_choice.name"),
        (
            {
                "messages": [
                    *SAID,
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "", "name": "a", "input": {}}]},
                ]
            },
            "messages.1.content.0.id",
        ),
    ],
)
def test_a_field_that_the_job_refuses_is_named_as_it_was_sent(given: dict[str, Any], field: str | None) -> None:
    asked = job_of(ASKED | given)
    with pytest.raises(InvalidRequest) as failure:
        parse_request(asked.job)
    assert renamed(failure.value, asked.places).param == (field or "messages.0.content.1.source")
