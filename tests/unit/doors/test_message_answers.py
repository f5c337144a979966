"""Jobs as Anthropic's messages, and as the events that lead to them."""

import json
from typing import Any

import pytest
from broker.doors.messages import job_of, message_instead, message_of
from broker.doors.streaming import message_stream
from broker.jobs.request import parse_request

SAID = [{"role": "user", "content": "How are you?"}]
ASKED = {"model": "small", "max_tokens": 64, "messages": SAID}

VIEW: dict[str, Any] = {
    "id": "job_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c",
    "status": "succeeded",
    "model": "small",
    "output": {"text": "Well.", "finish_reason": "stop"},
    "usage": {
        "input_tokens": 9,
        "output_tokens": 4,
        "reasoning_tokens": 2,
        "cached_tokens": 5,
        "cache_write_tokens": 1,
        "cost_usd": 0.1,
    },
    "error": None,
    "metadata": {},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": "b"}'}}
CALLED: dict[str, Any] = {"text": "I look.", "tool_calls": [CALL], "finish_reason": "tool_calls"}
USED = {"type": "tool_use", "id": "call_1", "name": "look", "input": {"a": "b"}}


def test_an_answer_is_a_message() -> None:
    """Without `citations`, which some clients take as a list only."""
    assert message_of(VIEW) == {
        "id": "msg_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c",
        "type": "message",
        "role": "assistant",
        "model": "small",
        "content": [{"type": "text", "text": "Well."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "output_tokens": 4,
            "output_tokens_details": {"thinking_tokens": 2},
            "cache_creation_input_tokens": 1,
            "cache_read_input_tokens": 5,
            "service_tier": "standard",
        },
    }


@pytest.mark.parametrize(
    ("output", "content", "reason"),
    [
        (CALLED, [{"type": "text", "text": "I look."}, USED], "tool_use"),
        ({"tool_calls": [CALL], "finish_reason": "tool_calls", "text": ""}, [USED], "tool_use"),
        ({"text": "We", "finish_reason": "length"}, [{"type": "text", "text": "We"}], "max_tokens"),
        (
            {"json": {"a": "ä"}, "finish_reason": "stop"},
            [{"type": "text", "text": '{"a": "ä"}'}],
            "end_turn",
        ),
    ],
)
def test_what_was_said_are_blocks(output: dict[str, Any], content: list[Any], reason: str) -> None:
    message = message_of(VIEW | {"output": output})
    assert (message["content"], message["stop_reason"]) == (content, reason)


def test_of_several_calls_one_is_given_where_one_was_wanted() -> None:
    view = VIEW | {"output": CALLED | {"tool_calls": [CALL, CALL | {"id": "call_2"}]}}
    assert len(message_of(view)["content"]) == 3
    metadata = {"metadata": {"anthropic.disable_parallel_tool_use": "true"}}
    assert [block.get("id") for block in message_of(view | metadata)["content"]] == [None, "call_1"]


@pytest.mark.parametrize(
    ("kind", "reason"), [("refused", "refusal"), ("truncated", "max_tokens"), ("blocked", None), ("throttled", None)]
)
def test_a_refusal_is_an_answer_in_which_nothing_is_said(kind: str, reason: str | None) -> None:
    view = VIEW | {"status": "failed", "output": None, "error": {"type": kind, "code": kind, "message": "No."}}
    told = message_instead(view)
    assert (told and (told["content"], told["stop_reason"])) == (reason and ([], reason))


def test_a_stream_has_every_event_of_the_protocol_in_order() -> None:
    message = message_of(VIEW | {"output": CALLED})
    events = [
        (each.split("\n")[0].removeprefix("event: "), json.loads(each.split("\n")[1].removeprefix("data: ")))
        for each in message_stream(message).rstrip("\n").split("\n\n")
    ]
    assert all(name == event["type"] for name, event in events)
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert [name for name, _ in events] == ["message_start", *block, *block, "message_delta", "message_stop"]
    begun = events[0][1]["message"]
    assert (begun["content"], begun["stop_reason"], begun["usage"]["output_tokens"]) == ([], None, 0)
    assert events[4][1]["content_block"]["input"] == {}
    assert json.loads(events[5][1]["delta"]["partial_json"]) == {"a": "b"}
    assert events[-2][1]["delta"]["stop_reason"] == "tool_use"
    assert events[-2][1]["usage"]["output_tokens"] == 4


def test_what_was_answered_may_be_sent_back() -> None:
    answer = message_of(VIEW | {"output": CALLED})
    back = {"role": answer["role"], "content": answer["content"]}
    result = {"type": "tool_result", "tool_use_id": "call_1", "content": "Seen."}
    asked = job_of(ASKED | {"messages": [*SAID, back, {"role": "user", "content": [result]}]})
    parse_request(asked.job)
    assert asked.job["input"]["messages"][1]["tool_calls"] == CALLED["tool_calls"]
