"""Bodies of chat completions as jobs, and jobs as chat completions."""

from typing import Any

import pytest
from broker.doors.chat_completions import completion_of, job_of
from broker.errors import InvalidRequest
from broker.jobs.request import parse_request

SAID = [{"role": "user", "content": "How are you?"}]
ASKED = {"model": "small", "messages": SAID}
JOB: dict[str, Any] = {"model": "small", "input": {"messages": SAID}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def with_input(**more: Any) -> dict[str, Any]:
    return {"input": {"messages": SAID, **more}}


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, {}),
        ({"temperature": 0.2, "top_p": 0.9, "seed": 7}, {"parameters": {"temperature": 0.2, "top_p": 0.9, "seed": 7}}),
        ({"max_tokens": 5}, {"parameters": {"max_output_tokens": 5}}),
        ({"max_completion_tokens": 5, "max_tokens": 5}, {"parameters": {"max_output_tokens": 5}}),
        ({"stop": "END"}, {"parameters": {"stop": ["END"]}}),
        ({"stop": ["A", "B"]}, {"parameters": {"stop": ["A", "B"]}}),
        ({"tools": [TOOL], "tool_choice": "required"}, with_input(tools=[TOOL], tool_choice="required")),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"output_schema": {"type": "object"}}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "A", "schema": SCHEMA, "strict": True},
                }
            },
            {"output_schema": {"title": "A", **SCHEMA}},
        ),
        ({"service_tier": "flex"}, {"priority": "bulk"}),
        ({"service_tier": "auto"}, {}),
        ({"metadata": {"order": "17"}}, {"metadata": {"order": "17"}}),
        ({"user": "u-1", "metadata": {"a": "b"}}, {"metadata": {"a": "b", "openai.user": "u-1"}}),
        ({"n": 1, "stream": False, "logprobs": False, "frequency_penalty": 0, "presence_penalty": 0.0}, {}),
        ({"store": True, "parallel_tool_calls": True, "modalities": ["text"], "logit_bias": {}}, {}),
        ({"parallel_tool_calls": False}, {"metadata": {"openai.parallel_tool_calls": "false"}}),
        # What packages send for an option that was not given.
        ({"temperature": None, "tools": None, "stream_options": None, "reasoning_effort": None}, {}),
    ],
)
def test_a_body_is_a_job(given: dict[str, Any], made: dict[str, Any]) -> None:
    asked = job_of(ASKED | given)
    assert asked.job == JOB | made
    parse_request(asked.job)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stream": True, "stream_options": {"colour": "blue"}}, "stream_options.colour"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": []}, "functions"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "A"}}},
            "response_format.json_schema.schema",
        ),
        ({"response_format": "json"}, "response_format"),
        ({"user": 7}, "user"),
        ({"metadata": "17"}, "metadata"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_has_no_place_in_a_job_is_refused_by_its_name(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        job_of(ASKED | given)
    assert failure.value.param == field
    assert failure.value.message.startswith(f"{field}: ")
    assert failure.value.status == 400


@pytest.mark.parametrize("name", ["model", "messages"])
def test_what_is_needed_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        job_of({field: value for field, value in ASKED.items() if field != name})
    assert (failure.value.param, failure.value.message) == (name, f"{name}: it is needed")


VIEW: dict[str, Any] = {
    "id": "job_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c",
    "status": "succeeded",
    "model": "small",
    "created_at": "2026-11-18T11:06:40.250Z",
    "output": {"text": "Well.", "finish_reason": "stop"},
    "usage": {
        "input_tokens": 9,
        "output_tokens": 4,
        "reasoning_tokens": 2,
        "cached_tokens": 5,
        "cache_write_tokens": 1,
        "cost_usd": 0.1,
    },
    "metadata": {"order": "17", "openai.user": "u-1"},
}


def test_an_answer_is_a_completion() -> None:
    assert completion_of(VIEW, {"priority": "bulk"}) == {
        "id": "chatcmpl-019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": "small",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "logprobs": None,
                "message": {"role": "assistant", "content": "Well.", "refusal": None, "annotations": []},
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 4,
            "total_tokens": 13,
            "completion_tokens_details": {"reasoning_tokens": 2},
            "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 1},
        },
        "service_tier": "flex",
        "metadata": {"order": "17"},
        "user": "u-1",
    }


def test_calls_of_tools_and_answers_in_form_are_told() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    output = {"text": "", "finish_reason": "tool_calls", "tool_calls": [call]}
    (choice,) = completion_of(VIEW | {"output": output}, {})["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    assert choice["message"]["tool_calls"] == [call]
    two = VIEW | {"output": output | {"tool_calls": [call, call | {"id": "call_2"}]}}
    assert len(completion_of(two, {})["choices"][0]["message"]["tool_calls"]) == 2
    (choice,) = completion_of(two | {"metadata": {"openai.parallel_tool_calls": "false"}}, {})["choices"]
    assert choice["message"]["tool_calls"] == [call], "one at most was asked for"
    picked = {"text": "", "finish_reason": "stop", "json": {"a": "ü"}}
    (choice,) = completion_of(VIEW | {"output": picked}, {})["choices"]
    assert choice["message"]["content"] == '{"a": "ü"}'
