"""What a client may ask for; an error names its field."""

import json
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.jobs.fields import Task
from broker.jobs.idempotency import fingerprint
from broker.jobs.request import parse_request, stored_form
from broker.json_text import DEEPEST, read

from tests.fakes.world import CHAT

URL = "https://example.com/hook"
USER = {"role": "user", "content": "Hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
TOOL = {"type": "function", "function": {"name": "look_up"}}

GOOD: list[dict[str, Any]] = [
    CHAT,
    {"input": {"text": "Hi"}},
    {"prompt": {"id": "greet"}},
    {"prompt": {"id": "greet", "version": 2, "variables": {"name": "Ann"}}, "input": {}},
    {"prompt": {"id": "greet", "label": "staging", "variables": {"age": 5, "tags": ["a"]}}},
    {"task": "embed", "input": {"text": ["a", "b"]}},
    {"task": "sentiment", "input": {"text": "Fine."}},
    {"task": "classify", "input": {"text": "Fine.", "labels": ["good", "bad"]}},
    {"task": "translate", "input": {"text": "Fine.", "target_language": "pt-BR"}},
    {"task": "extract_text", "input": {"file": {"s3": "s3://inbox/demo/a.pdf"}, "features": ["forms"]}},
    {"task": "analyze_image", "input": {"file": {"data": "aGVsbG8=", "media_type": "image/png"}}},
    {"task": "moderate", "input": {"text": ["Hm.", "Ah."]}},
    {"task": "moderate", "input": {"file": {"s3": "s3://inbox/demo/a.png"}}},
    {"task": "moderate", "input": {"text": "Hm.", "stage": "output", "documents": ["A page."], "query": "Why?"}},
    {"task": "custom", "input": {"body": {"instances": [1]}}},
    {**CHAT, "cache": {"mode": "refresh", "similarity": 0.9}, "coalesce": True, "conversation_id": "c:1"},
    {"input": {"messages": [USER, CALLS, {"role": "tool", "content": None, "tool_call_id": "c1"}]}},
    {"conversation_id": "c", "input": {"messages": [{"role": "tool", "content": "5", "tool_call_id": "c1"}, USER]}},
    {"input": "Hi"},
    {"input": {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}},
    {"input": {"messages": [USER], "tools": [TOOL], "tool_choice": "auto"}},
    {**CHAT, "routing": {"fallbacks": ["a", "b", "c"], "max_cost_usd": 0.02}},
    {**CHAT, "parameters": {"temperature": 0, "top_p": 1, "max_output_tokens": 1, "stop": ["."], "seed": 7}},
    {**CHAT, "webhook": {"url": URL, "events": ["job.failed"]}},
    {**CHAT, "metadata": {f"k{number}": "v" * 512 for number in range(16)}},
    {**CHAT, "output_schema": {"type": "object"}},
]

BAD: list[tuple[str, Any, str]] = [
    ("an unknown field", {**CHAT, "modle": "x"}, "modle"),
    ("an unknown task", {**CHAT, "task": "sing"}, "task"),
    ("an empty model", {**CHAT, "model": ""}, "model"),
    ("a model that is a number", {**CHAT, "model": 5}, "model"),
    ("an unknown lane", {**CHAT, "priority": "high"}, "priority"),
    ("no deadline", {**CHAT, "deadline_seconds": 0}, "deadline_seconds"),
    ("a deadline after a week", {**CHAT, "deadline_seconds": 604_801}, "deadline_seconds"),
    ("a time budget over a week", {**CHAT, "timeout_seconds": 604_801}, "timeout_seconds"),
    ("a life below a minute", {**CHAT, "ttl_seconds": 59}, "ttl_seconds"),
    ("an objective that nobody knows", {**CHAT, "routing": {"objective": "beauty"}}, "routing.objective"),
    ("a blank text", {"input": {"text": " \n"}}, "input.text"),
    ("an empty text among others", {"input": {"text": ["a", ""]}}, "input.text.1"),
    ("a blank text among others", {"task": "embed", "input": {"text": ["a", " "]}}, "input.text.1"),
    ("a hundred unknown inputs", {"input": {f"x{n}": n for n in range(101)}}, "input"),
    ("events without end", {**CHAT, "webhook": {"url": URL, "events": ["job.failed"] * 13}}, "webhook.events"),
    ("no messages", {"input": {"messages": []}}, "input.messages"),
    ("an unknown role", {"input": {"messages": [USER, {**USER, "role": "robot"}]}}, "input.messages.1.role"),
    ("no role", {"input": {"messages": [{"content": "Hi"}]}}, "input.messages.0.role"),
    ("content of a wrong kind", {"input": {"messages": [{"role": "user", "content": 5}]}}, "input.messages.0.content"),
    (
        "parts of a wrong kind",
        {"input": {"messages": [{"role": "user", "content": [5]}]}},
        "input.messages.0.content.0",
    ),
    ("text of a wrong kind", {"input": {"text": 5}}, "input.text"),
    ("an unknown input", {"input": {"txt": "Hi"}}, "input.txt"),
    ("input that is a number", {"input": 5}, "input"),
    ("input that is a blank text", {"input": " "}, "input"),
    ("a hot temperature", {**CHAT, "parameters": {"temperature": 2.1}}, "parameters.temperature"),
    (
        "a temperature that is no number",
        {**CHAT, "parameters": {"temperature": float("nan")}},
        "parameters.temperature",
    ),
    ("no tokens", {**CHAT, "parameters": {"max_output_tokens": 0}}, "parameters.max_output_tokens"),
    ("tokens as a text", {**CHAT, "parameters": {"max_output_tokens": "5"}}, "parameters.max_output_tokens"),
    ("half a token", {**CHAT, "parameters": {"max_output_tokens": 5.5}}, "parameters.max_output_tokens"),
    ("a temperature that is true", {**CHAT, "parameters": {"temperature": True}}, "parameters.temperature"),
    ("a truth that is a word", {**CHAT, "coalesce": "yes"}, "coalesce"),
    ("a truth that is a number", {**CHAT, "coalesce": 1}, "coalesce"),
    ("a field of another API", {**CHAT, "stream": "yes"}, "stream"),
    ("a fifth stop", {**CHAT, "parameters": {"stop": list("abcde")}}, "parameters.stop"),
    ("a fourth fallback", {**CHAT, "routing": {"fallbacks": list("abcd")}}, "routing.fallbacks"),
    ("an empty fallback", {**CHAT, "routing": {"fallbacks": ["a", ""]}}, "routing.fallbacks.1"),
    ("nothing to spend", {**CHAT, "routing": {"max_cost_usd": 0}}, "routing.max_cost_usd"),
    ("endless money", {**CHAT, "routing": {"max_cost_usd": float("inf")}}, "routing.max_cost_usd"),
    ("a prompt without id", {"prompt": {"version": 1}}, "prompt.id"),
    ("version zero", {"prompt": {"id": "greet", "version": 0}}, "prompt.version"),
    ("a picture that is not there", {"task": "analyze_image"}, "input.file"),
    ("a picture in two places", {"input": {"text": "Hi", "file": {"s3": "s3://b/k", "data": "aaaa"}}}, "input.file"),
    ("bytes of no kind", {"task": "extract_text", "input": {"file": {"data": "aaaa"}}}, "input.file"),
    ("an object that is no address", {"task": "transcribe", "input": {"file": {"s3": "b/k"}}}, "input.file.s3"),
    ("classes without a text", {"task": "classify", "input": {"labels": ["a", "b"]}}, "input.text"),
    ("one class", {"task": "classify", "input": {"text": "Hi", "labels": ["a"]}}, "input.labels"),
    ("no language to translate into", {"task": "translate", "input": {"text": "Hi"}}, "input.target_language"),
    ("two texts to speak", {"task": "speak", "input": {"text": ["a", "b"]}}, "input.text"),
    ("a prompt that is spoken", {"task": "speak", "input": {"text": "a"}, "prompt": {"id": "x"}}, "prompt"),
    ("nothing to judge", {"task": "moderate", "input": {"stage": "input"}}, "input.text"),
    (
        "a text and a picture to judge",
        {"task": "moderate", "input": {"text": "Hm.", "file": {"s3": "s3://b/k"}}},
        "input.file",
    ),
    ("a stage of nobody", {"task": "moderate", "input": {"text": "Hm.", "stage": "middle"}}, "input.stage"),
    ("a document of blanks", {"task": "moderate", "input": {"text": "Hm.", "documents": [" "]}}, "input.documents.0"),
    (
        "a library to judge",
        {"task": "moderate", "input": {"text": "Hm.", "documents": ["x"] * 101}},
        "input.documents",
    ),
    ("nothing at all", {}, "input"),
    ("a life that is shorter than the job's", {**CHAT, "ttl_seconds": 60, "deadline_seconds": 61}, "ttl_seconds"),
    ("a cache for a moment", {**CHAT, "cache": {"ttl_seconds": 1}}, "cache.ttl_seconds"),
    ("a strategy of nobody", {**CHAT, "context": {"strategy": "hope"}}, "context.strategy"),
    ("a conversation with a space", {**CHAT, "conversation_id": "a b"}, "conversation_id"),
    ("a webhook without url", {**CHAT, "webhook": {}}, "webhook.url"),
    ("a webhook for nothing", {**CHAT, "webhook": {"url": URL, "events": []}}, "webhook.events"),
    ("an unknown event", {**CHAT, "webhook": {"url": URL, "events": ["job.failed", "jobXfailed"]}}, "webhook.events.1"),
    ("an event with more", {**CHAT, "webhook": {"url": URL, "events": ["job.failed\n"]}}, "webhook.events.0"),
    ("a long value", {**CHAT, "metadata": {"k": "v" * 513}}, "metadata.k"),
    ("a value that is a number", {**CHAT, "metadata": {"k": 5}}, "metadata.k"),
    ("a seventeenth entry", {**CHAT, "metadata": {f"k{n}": "v" for n in range(17)}}, "metadata"),
    (
        "content that is an object",
        {"input": {"messages": [{"role": "user", "content": {"a": 1}}]}},
        "input.messages.0.content",
    ),
    ("a choice of a wrong kind", {"input": {"text": "Hi", "tool_choice": 5}}, "input.tool_choice"),
    ("a long name", {**CHAT, "metadata": {"k" * 65: "v"}}, "metadata." + "k" * 65),
]


@pytest.mark.parametrize("body", GOOD)
def test_takes_what_the_contract_allows(body: dict[str, Any]) -> None:
    assert parse_request(body).task is Task(body.get("task", "chat"))


@pytest.mark.parametrize(("body", "param"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_names_the_field_at_fault(body: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request(body)
    assert failure.value.param == param
    assert failure.value.message.startswith(f"{param}: ")
    assert (failure.value.code, failure.value.status) == ("invalid_field", 400)


@pytest.mark.parametrize(
    "body",
    [None, [], "text", 5, True, {"input": {"text": "\ud800"}}, {**CHAT, "output_schema": {"minimum": float("nan")}}],
)
def test_takes_json_objects_only(body: Any) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request(body)
    assert failure.value.code == "invalid_body"


def test_a_body_has_so_many_levels_and_no_more() -> None:
    def custom(body: str) -> dict[str, Any]:
        return {"task": "custom", "input": {"body": json.loads(body)}}

    inner = DEEPEST - 2
    assert parse_request(custom("[" * inner + "]" * inner))
    for levels in (inner + 1, 900):
        with pytest.raises(InvalidRequest) as failure:
            parse_request(custom("[" * levels + "]" * levels))
        assert (failure.value.code, failure.value.param) == ("too_deep", None)
        assert failure.value.message == "The body is nested deeper than 64 levels."
    with pytest.raises(InvalidRequest) as failure:
        read("[" * 100_000)
    assert failure.value.message == "The body is nested deeper than 64 levels."


def test_an_empty_text_beside_other_material_is_none() -> None:
    assert parse_request({**CHAT, "input": {**CHAT["input"], "text": ""}}).input.text is None
    assert stored_form(parse_request({"prompt": {"id": "greet"}, "input": {"text": ""}})).get("input", {}) == {}


def test_a_text_is_an_input() -> None:
    assert stored_form(parse_request({"input": "Hi"})) == {"task": "chat", "input": {"text": "Hi"}}
    assert parse_request({"task": "embed", "input": "Hi"}).input.text == "Hi"


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, "input.messages, input.text or prompt"),
        ({"input": {"text": ""}}, "input.messages, input.text or prompt"),
        ({"task": "embed", **CHAT}, "input.text: it is needed"),
        ({"task": "embed", "prompt": {"id": "greet"}}, "input.text: it is needed"),
    ],
)
def test_says_which_material_is_needed(body: dict[str, Any], missing: str) -> None:
    with pytest.raises(InvalidRequest, match=missing):
        parse_request(body)


def test_counts_the_other_faults() -> None:
    with pytest.raises(InvalidRequest, match=r"\(2 more fields are at fault\)"):
        parse_request({"input": {"text": 5}, "b": 2, "c": 3})


def test_never_quotes_what_was_sent() -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request({"input": {"text": {"a": "my secret"}}, "task": "my secret", "model": ["my secret"]})
    assert "my secret" not in str(failure.value.facts())


def test_keeps_what_was_asked_and_no_defaults() -> None:
    assert stored_form(parse_request(CHAT)) == {**CHAT, "task": "chat"}
    asked = {"task": "embed", "input": {"text": "Hi"}, "parameters": {"seed": 0}, "output_schema": {"a": None}}
    assert stored_form(parse_request(asked)) == asked


def test_keeps_what_it_does_not_know_of_a_message() -> None:
    called = {**CALL, "extra_content": {"google": {"thought_signature": "abc"}}, "index": 0}
    said = {"role": "assistant", "content": "", "tool_calls": [called], "annotations": [], "reasoning_content": "Hm."}
    body = {"input": {"messages": [USER, said, {"role": "tool", "content": "5", "tool_call_id": "c1"}]}}
    assert stored_form(parse_request(body))["input"] == body["input"]


def test_the_same_request_has_the_same_fingerprint() -> None:
    one = stored_form(parse_request({"model": "a", "input": {"text": "é"}, "metadata": {"x": "1", "y": "2"}}))
    two = stored_form(parse_request({"metadata": {"y": "2", "x": "1"}, "input": {"text": "é"}, "model": "a"}))
    other = stored_form(parse_request({"metadata": {"y": "2", "x": "2"}, "input": {"text": "é"}, "model": "a"}))
    assert fingerprint(one) == fingerprint(two) != fingerprint(other)


def test_a_prompt_is_not_gone_before_the_deadline() -> None:
    with pytest.raises(InvalidRequest, match="ttl_seconds: it is less"):
        parse_request({**CHAT, "ttl_seconds": 600, "deadline_seconds": 601})
    assert parse_request({**CHAT, "ttl_seconds": 600, "deadline_seconds": 600}).ttl_seconds == 600
    assert parse_request({**CHAT, "ttl_seconds": 600}).ttl_seconds == 600, "a deadline that is not named follows"
