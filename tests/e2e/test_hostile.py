"""What is hostile is refused at the door, and nobody else waits for it."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.client import Client
from tests.e2e.files import Files
from tests.e2e.stack import Stack, chat


def doubling(levels: int) -> dict[str, Any]:
    """A kilobyte of schema that brings in its last rule two to the power of `levels` times."""
    rules: dict[str, Any] = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**rules, f"a{levels}": {"type": "integer"}}}


def test_a_schema_that_doubles_holds_nobody_up(stack: Stack) -> None:
    other = Client(stack.base_url, stack.seeded.other_key)
    job = other.submit(chat()).body
    with ThreadPoolExecutor() as pool:
        refused = [pool.submit(stack.api.submit, chat(output_schema=doubling(20))) for _ in range(2)]
        looked = pool.submit(other.call, "GET", f"/jobs/{job['id']}")
        answers = [each.result() for each in refused]
    # Followed rule by rule, it would hold the function until API Gateway gives up: a 504.
    assert looked.result().status == 200
    assert {answer.status for answer in answers} == {400}
    assert {answer.body["error"]["code"] for answer in answers} == {"schema_too_large"}
    assert {answer.body["error"]["param"] for answer in answers} == {"output_schema"}
    assert other.finished(job["id"])["status"] == "succeeded"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "assistant", "content": "x", "tool_calls": 5}, "input.messages.1.tool_calls"),
        ({"role": "tool", "content": "x", "tool_call_id": "nobody"}, "input.messages.1.tool_call_id"),
        ({"role": "user", "content": " "}, "input.messages.1.content"),
    ],
)
def test_a_malformed_message_is_named(stack: Stack, message: Any, param: str) -> None:
    answer = stack.api.submit({"input": {"messages": [{"role": "user", "content": "Hi"}, message]}})
    assert (answer.status, answer.body["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"parameters": {"max_output_tokens": "5"}}, "parameters.max_output_tokens"),
        ({"coalesce": "yes"}, "coalesce"),
        ({"conversation_id": "a b"}, "conversation_id"),
    ],
)
def test_what_is_almost_right_is_named_in_words(stack: Stack, more: Any, param: str) -> None:
    answer = stack.api.submit(chat(**more))
    assert (answer.status, answer.body["error"]["param"]) == (400, param)
    assert answer.body["error"]["message"].startswith(f"{param}: it has to be ")


def test_a_body_above_the_limit_is_told_in_the_errors_form(stack: Stack) -> None:
    answer = stack.api.submit({"input": "x" * 5_000_001})
    error = answer.body["error"]
    assert (answer.status, error["code"], error["param"]) == (413, "body_too_large", None)


def test_a_line_that_is_too_deep_or_hostile_is_one_rejected_line(stack: Stack) -> None:
    files = Files(stack)
    lines = [
        json.dumps({**chat("Summarize: one."), "custom_id": "first"}),
        '{"custom_id": "deep", "task": "custom", "input": {"body": ' + "[" * 63 + "]" * 63 + "}}",
        "[" * 20_000,
        json.dumps({**chat(output_schema=doubling(20)), "custom_id": "doubling"}),
        json.dumps({**chat("Summarize: two."), "custom_id": "last"}),
    ]
    rows = files.rows(files.put("hostile.jsonl", "\n".join(lines)))
    assert [row["custom_id"] for row in rows] == ["first", "deep", None, "doubling", "last"]
    codes = [row["error"]["code"] if "error" in row else row["job"]["status"] for row in rows]
    assert codes == ["succeeded", "too_deep", "too_deep", "schema_too_large", "succeeded"]


def test_a_pdf_that_is_none_is_told_of_and_a_sound_is_no_document(stack: Stack) -> None:
    files = Files(stack)
    cases = {"scan.pdf": ("%PDF-1.7", "broken_document"), "call.mp3": (b"ID3\x04\xff\xfe", "unsupported_document")}
    for name, (data, code) in cases.items():
        error = json.loads(files.text(f"{files.put(name, data)}.error.json"))["error"]
        assert (error["code"], error["type"]) == (code, "invalid_request")
