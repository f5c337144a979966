"""Reasoning at the doors, as OpenAI's and Anthropic's own packages ask for it, read it, and send it back."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from broker.jobs.store import REQUEST
from broker.providers.wire.reasoning import EFFORTS, hidden, thought

from tests.fakes.world import a_model
from tests.unit.doors import case
from tests.unit.doors.case import Server, answering, says, sent
from tests.unit.rest_door import Door

SAID: Any = [{"role": "user", "content": "How are you?"}]
THOUGHTS = [thought("Hm.", "anthropic", "c2ln"), hidden("anthropic", "aGlk")]
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


@pytest.fixture(autouse=True)
def thinker(door: Door) -> None:
    door.world.register(a_model("thinker", capabilities=["reasoning", "tools", "json"], max_output_tokens=30_000))
    answering(door).answer = says(reasoning=THOUGHTS)


@pytest.fixture
def claude(door: Door) -> Iterator[anthropic.Anthropic]:
    with Server(door, stage="/v1") as server, anthropic.Anthropic(base_url=server.url, api_key="ib_acme") as made:
        yield made


def asked(door: Door) -> Any:
    """The newest job's request."""
    return door.world.payloads.load(sent(door)[-1].id, REQUEST) or {}


def test_a_response_has_an_item_for_what_was_thought(client: openai.OpenAI, door: Door) -> None:
    response = client.responses.create(
        model="thinker",
        input="Hi.",
        reasoning={"effort": "high", "summary": "auto"},
        include=["reasoning.encrypted_content"],
    )
    assert asked(door)["parameters"]["reasoning"] == {"effort": "high", "summary": "auto"}
    item, message = response.output
    assert item.type == "reasoning" and [part.text for part in item.summary] == ["Hm."]
    assert item.encrypted_content and message.type == "message"
    assert response.reasoning and response.reasoning.effort == "high"
    plain = client.responses.create(model="thinker", input="Hi.", reasoning={"effort": "low"})
    assert plain.output[0].type == "reasoning" and plain.output[0].summary == []


def test_it_goes_back_by_the_client_and_by_a_chain(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = says("", "tool_calls", tool_calls=[CALL], reasoning=THOUGHTS)
    tool: Any = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}
    known: Any = {"model": "thinker", "tools": [tool], "reasoning": {"effort": "high"}}
    first = client.responses.create(input="Look.", **known)
    given: Any = {"type": "function_call_output", "call_id": "call_1", "output": "a heron"}
    items: Any = [{"role": "user", "content": "Look."}, *[item.to_dict() for item in first.output], given]
    client.responses.create(input=items, **known)
    by_client = asked(door)["input"]["messages"]
    client.responses.create(input=[given], previous_response_id=first.id, **known)
    by_chain = asked(door)["input"]["messages"]
    wanted = {"role": "assistant", "tool_calls": [CALL], "reasoning": THOUGHTS}
    assert by_client[1] == wanted
    assert by_chain[1] == {**wanted, "content": ""}
    listed = client.responses.input_items.list(client.responses.create(input="So?", **known).id)
    assert [item.type for item in listed] == ["message"]


def test_another_services_encrypted_thoughts_are_refused(client: openai.OpenAI) -> None:
    for text in ("gAAAAAB", "W10=", "e30=", "WzFd"):
        items: Any = [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": text}, *SAID]
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model="thinker", input=items)
        assert refused.value.param == "input.0.encrypted_content"
    bare: Any = [{"type": "reasoning", "id": "rs_1", "summary": []}, *SAID]
    assert client.responses.create(model="thinker", input=bare).output_text == "Hello to you"


def test_a_stream_of_a_response_tells_its_summary(client: openai.OpenAI) -> None:
    with client.responses.stream(
        model="thinker", input="Hi.", reasoning={"effort": "low", "summary": "auto"}
    ) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_response()
    assert "response.reasoning_summary_text.delta" in events and events[-1] == "response.completed"
    assert final.output[0].type == "reasoning" and final.output[0].summary[0].text == "Hm."


def test_chats_have_an_effort_and_tell_tokens(
    client: openai.OpenAI, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case, "USAGE", {"input_tokens": 9, "output_tokens": 40, "reasoning_tokens": 30})
    chat = client.chat.completions.create(model="thinker", messages=SAID, reasoning_effort="high")
    assert asked(door)["parameters"]["reasoning"] == {"effort": "high"}
    assert chat.usage and chat.usage.completion_tokens == 40 and chat.usage.completion_tokens_details
    assert chat.usage.completion_tokens_details.reasoning_tokens == 30
    response = client.responses.create(model="thinker", input="Hi.", reasoning={"effort": "low"})
    assert response.usage and response.usage.output_tokens_details.reasoning_tokens == 30
    assert response.usage.output_tokens == 40, "they are told apart, and counted once"


@pytest.mark.parametrize("effort", EFFORTS)
def test_every_effort_of_a_dialect_is_one_of_the_contract(client: openai.OpenAI, door: Door, effort: Any) -> None:
    client.responses.create(model="thinker", input="Hi.", reasoning={"effort": effort})
    assert asked(door)["parameters"]["reasoning"]["effort"] == effort


def test_models_that_have_no_reasoning_are_refused_or_passed_over(client: openai.OpenAI, door: Door) -> None:
    with pytest.raises(openai.BadRequestError, match="lacks reasoning"):
        client.responses.create(model="small", input="Hi.", reasoning={"effort": "low"})
    with pytest.raises(openai.BadRequestError, match="lacks reasoning"):
        client.chat.completions.create(model="small", messages=SAID, reasoning_effort="low")
    client.responses.create(model="auto", input="Hi.", reasoning={"effort": "low"})
    client.responses.create(model="small", input="Hi.", reasoning={"effort": "none"})
    assert len(sent(door)) == 2


@pytest.mark.parametrize(
    ("reasoning", "param"),
    [
        ({"effort": "hardest"}, "reasoning.effort"),
        ({"summary": "long"}, "reasoning.summary"),
        ({"max_tokens": 0}, "reasoning.max_tokens"),
        ({"max_tokens": 500}, "reasoning.max_tokens"),
        ("high", "reasoning"),
        ({"effort": ["low"]}, "reasoning.effort"),
    ],
)
def test_what_is_none_is_refused_by_its_place(client: openai.OpenAI, reasoning: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="thinker", input="Hi.", max_output_tokens=500, reasoning=reasoning)
    assert refused.value.param == param


def test_a_message_has_blocks_for_what_was_thought_and_takes_them_back(claude: anthropic.Anthropic, door: Door) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 2_000}
    message = claude.messages.create(model="thinker", max_tokens=4_000, messages=SAID, thinking=thinking)
    assert asked(door)["parameters"]["reasoning"] == {"max_tokens": 2_000, "summary": "auto"}
    assert [block.type for block in message.content] == ["thinking", "redacted_thinking", "text"]
    assert message.content[0].type == "thinking" and message.content[0].thinking == "Hm."
    talk: Any = [*SAID, {"role": "assistant", "content": message.content}, {"role": "user", "content": "Sure?"}]
    claude.messages.create(model="thinker", max_tokens=4_000, messages=talk, thinking=thinking)
    assert asked(door)["input"]["messages"][1]["reasoning"] == THOUGHTS


@pytest.mark.parametrize(
    ("more", "reasoning"),
    [
        ({"thinking": {"type": "adaptive"}}, {"effort": "high", "summary": "auto"}),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            {"effort": "low", "summary": "auto"},
        ),
        ({"output_config": {"effort": "max"}}, {"effort": "max"}),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, {"effort": "none"}),
    ],
)
def test_anthropics_ways_are_one_contract(claude: anthropic.Anthropic, door: Door, more: Any, reasoning: Any) -> None:
    claude.messages.create(model="thinker", max_tokens=4_000, messages=SAID, **more)
    assert asked(door)["parameters"]["reasoning"] == reasoning


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 4_000}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": "x"}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "hardest"}}, "output_config.effort"),
    ],
)
def test_anthropics_errors_name_its_own_fields(claude: anthropic.Anthropic, more: Any, param: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=param.replace(".", r"\.")):
        claude.messages.create(model="thinker", max_tokens=4_000, messages=SAID, **more)


def test_a_stream_of_a_message_has_its_thinking(claude: anthropic.Anthropic) -> None:
    thinking: Any = {"type": "adaptive"}
    with claude.messages.stream(model="thinker", max_tokens=4_000, messages=SAID, thinking=thinking) as stream:
        deltas = [event.delta.type for event in stream if event.type == "content_block_delta"]
        final = stream.get_final_message()
    assert deltas == ["thinking_delta", "signature_delta", "text_delta"]
    assert [block.type for block in final.content] == ["thinking", "redacted_thinking", "text"]
    assert final.content[0].type == "thinking" and final.content[0].signature == THOUGHTS[0]["seal"]


def test_a_job_tells_what_was_thought_apart(client: openai.OpenAI, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = {"input_tokens": 9, "output_tokens": 40, "reasoning_tokens": 30}
    monkeypatch.setattr(case, "USAGE", usage)
    client.responses.create(model="thinker", input="Hi.", reasoning={"effort": "low"})
    body: Any = door("GET", "/jobs/{id}", job_id=sent(door)[-1].id).body
    assert (
        body["usage"] == {**usage, "cached_tokens": 0, "cache_write_tokens": 0, "cost_usd": 0.0}
        and body["output"]["reasoning"] == THOUGHTS
    )
