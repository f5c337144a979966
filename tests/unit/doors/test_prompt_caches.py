"""Prompt caches of providers through every door, by the clients' own packages."""

import json
from typing import Any

import anthropic
import openai
import pytest
from broker.doors import rows
from broker.doors.responses import response_of
from broker.errors import InvalidRequest
from broker.jobs.request import parse_request
from broker.jobs.store import REQUEST

from tests.unit.doors.case import Server, sent
from tests.unit.doors.test_chat_completions import VIEW
from tests.unit.rest_door import Door

SAID: Any = [{"role": "user", "content": "How are you?"}]
POINT = {"prompt_cache_breakpoint": {"mode": "explicit"}}
MARK = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TEXT = {"type": "text", "text": "A long report."}


def kept(door: Door) -> Any:
    """The request of the one job that came, as it is kept."""
    (head,) = sent(door)
    return door.world.payloads.load(head.id, REQUEST)


def test_openais_wishes_reach_the_job_and_are_told_back(client: openai.OpenAI, door: Door) -> None:
    response = client.responses.create(
        model="small",
        prompt_cache_key="manual",
        prompt_cache_retention="24h",
        input=[{"role": "user", "content": [{"type": "input_text", "text": TEXT["text"]} | POINT]}],  # type: ignore[list-item]
    )
    assert (response.prompt_cache_key, response.prompt_cache_retention) == ("manual", "24h")
    assert response.usage and response.usage.input_tokens_details.cached_tokens == 0
    request = kept(door)
    assert request["prompt_cache"] == {"key": "manual", "ttl": "24h"}
    assert request["input"]["messages"][0]["content"] == [TEXT | {"cache_control": {"type": "ephemeral"}}]


def test_so_they_do_of_completions(client: openai.OpenAI, door: Door) -> None:
    said: Any = [{"role": "user", "content": [TEXT | {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}]}]
    chat = client.chat.completions.create(model="small", messages=said, prompt_cache_options={"ttl": "30m"})
    assert chat.usage and chat.usage.prompt_tokens_details
    assert chat.usage.prompt_tokens_details.cached_tokens == 0
    request = kept(door)
    assert request["prompt_cache"] == {"ttl": "30m"}
    assert request["input"]["messages"][0]["content"] == [TEXT | HOUR]


def test_marks_in_the_form_of_anthropics_pass_openais_door(client: openai.OpenAI, door: Door) -> None:
    said: Any = [{"role": "user", "content": [TEXT | HOUR]}]
    client.chat.completions.create(model="small", messages=said)
    assert kept(door)["input"]["messages"][0]["content"] == [TEXT | HOUR]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"prompt_cache_retention": "forever"}, "prompt_cache_retention"),
        ({"prompt_cache_key": 7}, "prompt_cache_key"),
        ({"prompt_cache_key": "k" * 300}, "prompt_cache_key"),
        ({"prompt_cache_options": {"mode": "explicit"}}, "prompt_cache_options.mode"),
        ({"prompt_cache_options": {"prewarm": True}}, "prompt_cache_options.prewarm"),
        ({"prompt_cache_options": {"ttl": "9d"}}, "prompt_cache_options.ttl"),
        ({"prompt_cache_options": []}, "prompt_cache_options"),
        ({"prompt_cache_options": {"ttl": "30m"}, "prompt_cache_retention": "24h"}, "prompt_cache_options.ttl"),
        (
            {"messages": [{"role": "user", "content": [TEXT | {"prompt_cache_breakpoint": {"mode": "x"}}]}]},
            "messages.0.content.0.prompt_cache_breakpoint.mode",
        ),
        (
            {"messages": [{"role": "user", "content": [TEXT | {"cache_control": {"type": "x"}}]}]},
            "messages.0.content.0.cache_control.type",
        ),
        ({"messages": [{"role": "user", "content": [TEXT | MARK] * 5}]}, "messages.0.content.4.cache_control"),
    ],
)
def test_what_no_cache_knows_is_refused_by_its_name(client: openai.OpenAI, more: Any, field: str) -> None:
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.create(**{"model": "small", "messages": SAID}, extra_body=more)
    assert failure.value.param == field


def test_anthropics_marks_reach_the_job(door: Door) -> None:
    tool = {"name": "look", "input_schema": {"type": "object"}} | HOUR
    said = [{"role": "user", "content": [TEXT | MARK, {"type": "text", "text": "Well?"}]}]
    with Server(door, stage="/v1") as server, anthropic.Anthropic(base_url=server.url, api_key="ib_acme") as client:
        message: Any = client.messages.create(
            **{"model": "small", "max_tokens": 9, "tools": [tool], "messages": said, "system": [TEXT | HOUR]},
            extra_body={"cache_control": {"type": "ephemeral"}},
        )
    assert (message.usage.cache_read_input_tokens, message.usage.input_tokens) == (0, 9)
    given = kept(door)["input"]
    assert given["tools"][0]["cache_control"] == HOUR["cache_control"]
    system, user = given["messages"]
    assert system["content"] == [TEXT | HOUR]
    assert user["content"][1] == {"type": "text", "text": "Well?"}
    assert user["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": [{"role": "user", "content": [TEXT | MARK] * 5}]}, "messages.0.content.4.cache_control"),
        ({"messages": [{"role": "user", "content": [TEXT | MARK, TEXT | HOUR]}]}, "messages.0.content.1.cache_control"),
        ({"messages": SAID, "system": [TEXT | MARK], "cache_control": HOUR["cache_control"]}, "cache_control"),
        (
            {"messages": SAID, "tools": [{"name": "f", "input_schema": {}} | {"cache_control": {"type": "x"}}]},
            "tools.0.cache_control.type",
        ),
        ({"messages": [], "cache_control": MARK["cache_control"]}, "messages"),
    ],
)
def test_an_anthropics_mark_at_fault_is_named_as_it_was_sent(door: Door, body: Any, field: str) -> None:
    with Server(door, stage="/v1") as server, anthropic.Anthropic(base_url=server.url, api_key="ib_acme") as client:
        with pytest.raises(anthropic.BadRequestError) as failure:
            client.post("/v1/messages", body={"model": "small", "max_tokens": 9, **body}, cast_to=object)
    assert isinstance(failure.value.body, dict)
    assert failure.value.body["error"]["details"]["param"] == field


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/chat/completions", {"messages": SAID, "prompt_cache_key": "k"}),
        ("/v1/responses", {"input": SAID, "prompt_cache_key": "k"}),
        ("/v1/messages", {"messages": SAID, "max_tokens": 9, "cache_control": MARK["cache_control"]}),
    ],
)
def test_rows_of_batches_ask_the_same(endpoint: str, body: Any) -> None:
    row = {"method": "POST", "url": endpoint, "body": {"model": "small", **body}}
    request = json.loads(parse_request(rows.job_of(endpoint, "a", row).job).model_dump_json(exclude_none=True))
    marked = request["input"]["messages"][-1].get("cache_control")
    assert request.get("prompt_cache", {}).get("key") == "k" or marked == MARK["cache_control"]


def test_a_response_tells_what_a_cache_had() -> None:
    told = response_of(VIEW | {"ended_at": VIEW["created_at"], "error": None, "conversation_id": None}, {})
    assert told["usage"]["input_tokens_details"] == {"cached_tokens": 5, "cache_write_tokens": 1}
    assert told["prompt_cache_retention"] is None


def test_a_wish_for_what_is_no_chat_is_refused() -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request({"task": "sentiment", "input": "Hi", "prompt_cache": {"key": "k"}})
    assert failure.value.param == "prompt_cache"
