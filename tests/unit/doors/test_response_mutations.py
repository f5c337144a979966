"""Whatever stands in a body of responses or conversations: it is taken, or it is refused; and thoughts of any form."""

import base64
import json
from typing import Any

import pytest
from broker.doors.conversations import added_by, made_by, metadata_of
from broker.doors.item_lists import items_of, messages_without
from broker.doors.messages import job_of as message_job_of
from broker.doors.reading import renamed
from broker.doors.responses import job_of
from broker.doors.thoughts import packed
from broker.errors import InvalidRequest
from broker.jobs.request import parse_request

from tests.unit.doors.test_message_mutations import ODD
from tests.unit.mutations import bent, paths

THOUGHT = {"text": "Hm.", "seal": f"anthropic:t:{'0' * 16}:c2ln"}
ITEMS: list[Any] = [
    {"role": "developer", "content": "Be brief."},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look."}]},
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": packed([THOUGHT]),
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "a heron"}]},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
]
BODY: dict[str, Any] = {
    "model": "small",
    "input": ITEMS,
    "instructions": "Be kind.",
    "previous_response_id": "resp_1",
    "reasoning": {"effort": "high", "summary": "auto", "max_tokens": 5},
    "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 50,
    "store": False,
    "truncation": "auto",
}


def taken(asked: Any) -> Any:
    """The job request; None where it is refused, and the error says what."""
    try:
        return parse_request(asked.job)
    except InvalidRequest as error:
        assert renamed(error, asked.places).message
    return None


def test_the_body_is_a_job_as_it_stands() -> None:
    asked = job_of(BODY)
    assert taken(asked)
    assert asked.job["input"]["messages"][3]["reasoning"] == [THOUGHT]


@pytest.mark.parametrize("path", [*paths(BODY)], ids=lambda path: ".".join(map(str, path)) or "body")
def test_whatever_stands_there_is_a_job_or_is_refused(path: tuple[Any, ...]) -> None:
    for junk in ODD:
        try:
            taken(job_of(bent(BODY, path, junk)))
        except InvalidRequest as error:
            assert error.message


@pytest.mark.parametrize("path", [*paths({"items": ITEMS, "metadata": {"a": "b"}})], ids=str)
def test_whatever_makes_a_conversation_is_one_or_is_refused(path: tuple[Any, ...]) -> None:
    for junk in ODD:
        body = bent({"items": ITEMS, "metadata": {"a": "b"}}, path, junk)
        for mapping in (made_by, added_by, metadata_of):
            try:
                mapping(body)
            except InvalidRequest as error:
                assert error.message


@pytest.mark.parametrize("path", [*paths([THOUGHT])], ids=str)
def test_whatever_was_packed_is_thoughts_or_is_refused(path: tuple[Any, ...]) -> None:
    for junk in ODD:
        try:
            text = base64.b64encode(json.dumps(bent([THOUGHT], path, junk)).encode()).decode()
        except RecursionError:
            continue
        items = [{"type": "reasoning", "summary": [], "encrypted_content": text}, {"role": "assistant", "content": "x"}]
        try:
            taken(job_of({"model": "small", "input": items}))
        except InvalidRequest as error:
            assert error.param == "input.0.encrypted_content"


@pytest.mark.parametrize("path", [*paths({"type": "thinking", "thinking": "Hm.", "signature": "x"})], ids=str)
def test_whatever_is_in_a_block_of_thinking_is_a_job_or_is_refused(path: tuple[Any, ...]) -> None:
    for junk in ODD:
        block = bent({"type": "thinking", "thinking": "Hm.", "signature": "x"}, path, junk)
        said = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": [block]}]
        body = {"model": "small", "max_tokens": 9, "messages": said, "thinking": {"type": "adaptive"}}
        try:
            taken(message_job_of(body))
        except InvalidRequest as error:
            assert error.message


def test_what_is_kept_is_items_of_which_any_may_be_taken_out() -> None:
    messages = job_of({"model": "small", "input": ITEMS}).job["input"]["messages"]
    items = list(items_of("job_1", messages, answered=True))
    assert len({item["id"] for item in items}) == len(items) == len(ITEMS)
    for item in items:
        left = messages_without("job_1", messages, item["id"], answered=True)
        ids = [each["id"] for each in items_of("job_1", left, answered=bool(left) and left[-1]["role"] == "assistant")]
        gone = {item["id"]} | ({items[4]["id"], items[2]["id"]} if item["type"] == "function_call" else set())
        assert ids == [each["id"] for each in items if each["id"] not in gone], item["type"]
