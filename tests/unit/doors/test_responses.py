"""Bodies of responses as jobs, and jobs as responses."""

from typing import Any

import pytest
from broker.doors.responses import job_of, response_of
from broker.errors import InvalidRequest
from broker.jobs.request import parse_request

from tests.unit.doors.test_chat_completions import SCHEMA, VIEW

ASKED = {"model": "small", "input": "How are you?"}
SAID = [{"role": "user", "content": "How are you?"}]
JOB: dict[str, Any] = {"model": "small", "input": {"messages": SAID}}
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True}
OURS = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}, "strict": True}}


def with_input(**more: Any) -> dict[str, Any]:
    return {"input": {"messages": SAID, **more}}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, {}),
        (
            {"instructions": "Be brief."},
            {"input": {"messages": [{"role": "system", "content": "Be brief."}, *SAID]}},
        ),
        ({"temperature": 0.2, "max_output_tokens": 5}, {"parameters": {"temperature": 0.2, "max_output_tokens": 5}}),
        ({"tools": [TOOL]}, with_input(tools=[OURS])),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "name": "look"}},
            with_input(tools=[OURS], tool_choice={"type": "function", "function": {"name": "look"}}),
        ),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"text": {"format": {"type": "json_object"}, "verbosity": "medium"}}, {"output_schema": {"type": "object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "A", "schema": SCHEMA, "strict": True}}},
            {"output_schema": {"title": "A", **SCHEMA}},
        ),
        ({"conversation": "conv-1"}, {"conversation_id": "conv-1"}),
        ({"conversation": {"id": "conv-1"}}, {"conversation_id": "conv-1"}),
        ({"truncation": "auto"}, {"context": {"strategy": "truncate_oldest"}}),
        ({"truncation": "disabled", "store": True, "include": [], "stream": False}, {}),
        (
            {"store": False},
            {"ttl_seconds": 600, "deadline_seconds": 600, "context": {"continuable": False}},
        ),
        ({"previous_response_id": "resp_1"}, {"previous_job_id": "job_1"}),
        ({"previous_response_id": "chatcmpl-1"}, {"previous_job_id": "none"}),
        ({"service_tier": "flex", "background": True}, {"priority": "bulk"}),
        (
            {"safety_identifier": "s", "prompt_cache_key": "p"},
            {
                "metadata": {"openai.safety_identifier": "s", "openai.prompt_cache_key": "p"},
                "prompt_cache": {"key": "p"},
            },
        ),
    ],
)
def test_a_body_is_a_job(given: dict[str, Any], made: dict[str, Any]) -> None:
    asked = job_of(ASKED | given)
    assert asked.job == JOB | made
    assert asked.waits is not given.get("background", False)
    parse_request(asked.job)


@pytest.mark.parametrize(
    ("given", "prompt"),
    [
        ({"id": "shorten", "version": "3"}, {"id": "shorten", "version": 3, "variables": {}}),
        ({"id": "shorten", "version": "staging"}, {"id": "shorten", "label": "staging", "variables": {}}),
        (
            {"id": "shorten", "variables": {"a": "x", "b": {"type": "input_text", "text": "y"}}},
            {"id": "shorten", "variables": {"a": "x", "b": "y"}},
        ),
    ],
)
def test_a_stored_prompt_is_one_of_ours(given: dict[str, Any], prompt: dict[str, Any]) -> None:
    assert job_of({"prompt": given}).job == {"prompt": prompt}
    parse_request({"prompt": prompt})


def test_items_are_messages_and_calls_belong_to_the_turn_before() -> None:
    items = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look."},
                {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
            ],
        },
        # As they were given out, with what is theirs.
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}],
        },
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "c1",
            "name": "look",
            "arguments": "{}",
            "status": "completed",
        },
        {"type": "function_call", "call_id": "c2", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "a heron"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "a lamp"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]},
        {"role": "user", "content": "Go on."},
    ]
    calls = [{"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}} for name in ("c1", "c2")]
    made = job_of({"model": "small", "input": items}).job
    assert made["input"]["messages"] == [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look."},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}], "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "a heron"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "a lamp"}]},
        {"role": "assistant", "content": None, "refusal": "I will not."},
        {"role": "user", "content": "Go on."},
    ]
    parse_request(made)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"stream": True, "background": True}, "stream"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options"),
        ({"previous_response_id": "resp_1", "conversation": "c-1"}, "previous_response_id"),
        ({"previous_response_id": 17}, "previous_response_id"),
        ({"reasoning": {"effort": "high", "mode": "pro"}}, "reasoning.mode"),
        ({"reasoning": {"depth": 3}}, "reasoning.depth"),
        ({"include": ["file_search_call.results"]}, "include.0"),
        ({"background": "yes"}, "background"),
        ({"background": 1}, "background"),
        ({"background": True, "store": False}, "store"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [TOOL | {"colour": "blue"}]}, "tools.0.colour"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"truncation": "middle"}, "truncation"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"prompt": {"id": "a", "colour": "blue"}}, "prompt.colour"),
        ({"prompt": {"version": "1"}}, "prompt.id"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.type"),
        ({"input": [{"type": "reasoning", "summary": [], "encrypted_content": "x"}]}, "input.0.encrypted_content"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input.0.type"),
        ({"input": [{"role": "robot", "content": "Hi"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "input.0.content.0.type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input.0.content.0.file_id",
        ),
        ({"input": [{"role": "user", "content": 7}]}, "input.0.content"),
        ({"input": ["Hi"]}, "input.0"),
        ({"input": 7}, "input"),
        ({"input": None}, "input"),
        ({"instructions": ["Hi"]}, "instructions"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_has_no_place_in_a_job_is_refused_by_its_name(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        job_of(ASKED | given)
    assert failure.value.param == field
    assert failure.value.message.startswith(f"{field}: ")


SHOWN = VIEW | {"ended_at": "2026-11-18T11:06:42.000Z", "error": None, "conversation_id": None}


def test_an_answer_is_a_response() -> None:
    asked = job_of(ASKED | {"tools": [TOOL], "temperature": 0.2, "service_tier": "flex"}).job
    told = response_of(SHOWN, asked)
    assert told["output"] == [
        {
            "type": "message",
            "id": "msg_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Well.", "annotations": [], "logprobs": []}],
        }
    ]
    assert (told["id"], told["status"]) == ("resp_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c", "completed")
    assert (told["created_at"], told["completed_at"]) == (1_795_000_000, 1_795_000_002)
    assert told["usage"]["total_tokens"] == 13
    assert (told["tools"], told["tool_choice"], told["temperature"]) == ([TOOL], "auto", 0.2)
    assert (told["service_tier"], told["metadata"], told["user"]) == ("flex", {"order": "17"}, "u-1")


@pytest.mark.parametrize(
    ("status", "error", "told", "code"),
    [
        ("queued", None, "queued", None),
        ("running", None, "in_progress", None),
        ("canceled", {"type": "canceled"}, "cancelled", None),
        ("failed", {"type": "unavailable"}, "failed", "server_error"),
        ("failed", {"type": "throttled"}, "failed", "rate_limit_exceeded"),
        ("failed", {"type": "context_exceeded"}, "failed", "invalid_prompt"),
        ("expired", {"type": "expired"}, "failed", "server_error"),
        ("blocked", {"type": "blocked"}, "failed", "invalid_prompt"),
    ],
)
def test_a_status_is_told_in_openais_words(status: str, error: Any, told: str, code: str | None) -> None:
    facts = error and error | {"code": "c", "message": "Why."}
    shown = response_of(SHOWN | {"status": status, "output": None, "error": facts}, {})
    assert (shown["status"], shown["output"]) == (told, [])
    assert (shown["error"] or {}).get("code") == code
    assert not code or shown["error"]["message"] == "Why."


def test_what_is_not_whole_says_why() -> None:
    cut = response_of(SHOWN | {"output": {"text": "We", "finish_reason": "length"}}, {})
    assert (cut["status"], cut["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert cut["output"][0]["status"] == "incomplete"
    facts = {"type": "refused", "code": "model_refused", "message": "The model refused to answer."}
    refused = response_of(SHOWN | {"status": "blocked", "output": None, "error": facts}, {})
    assert (refused["status"], refused["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert refused["output"][0]["content"] == [{"type": "refusal", "refusal": "The model refused to answer."}]


def test_calls_of_tools_are_items_of_their_own() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    told = response_of(SHOWN | {"output": {"text": "", "finish_reason": "tool_calls", "tool_calls": [call]}}, {})
    (item,) = told["output"]
    assert (item["type"], item["call_id"], item["name"], item["arguments"]) == ("function_call", "call_1", "look", "{}")
    two = {"text": "", "finish_reason": "tool_calls", "tool_calls": [call, call | {"id": "call_2"}]}
    alone = response_of(SHOWN | {"output": two, "metadata": {"openai.parallel_tool_calls": "false"}}, {})
    assert (len(alone["output"]), alone["parallel_tool_calls"], alone["metadata"]) == (1, False, {})
    # It can be sent back as it is.
    sent = [*SAID, item, {"type": "function_call_output", "call_id": "call_1", "output": "a heron"}]
    parse_request(job_of({"model": "small", "input": sent}).job)
