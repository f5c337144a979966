"""What OpenAI's package keeps at the broker: chains, conversations, and what models thought, of two tenants."""

from typing import Any

import openai
import pytest

from tests.e2e.stack import Stack
from tests.e2e.test_openai_clients import client, stranger

__all__ = ["client", "stranger"]

THINKING: Any = {"model": "thinker", "max_output_tokens": 4_000, "reasoning": {"effort": "low", "summary": "auto"}}


def said(items: Any) -> list[str]:
    """The texts of messages among items."""
    return [item.content[0].text for item in items if item.type == "message"]


def test_a_chain_and_a_conversation_keep_what_was_said_and_thought(
    stack: Stack, client: openai.OpenAI, stranger: openai.OpenAI
) -> None:
    first = client.responses.create(input="I am Ann.", **THINKING)
    assert [item.type for item in first.output] == ["reasoning", "message"]
    assert first.output[0].type == "reasoning" and first.output[0].summary[0].text
    assert first.usage and first.usage.output_tokens > first.usage.output_tokens_details.reasoning_tokens > 0
    second = client.responses.create(input="Who am I?", previous_response_id=first.id, **THINKING)
    assert second.status == "completed", "what was thought came back as it was signed"
    items = list(client.responses.input_items.list(second.id, order="asc"))
    assert said(items) == ["I am Ann.", first.output_text, "Who am I?"]
    with pytest.raises(openai.BadRequestError) as lost:
        stranger.responses.create(model="echoes", input="Who am I?", previous_response_id=first.id)
    assert lost.value.code == "previous_response_not_found"

    made = client.conversations.create(items=[{"type": "message", "role": "user", "content": "I like herons."}])
    for text in ("Why?", "Since when?"):
        answer = client.responses.create(input=text, conversation=made.id, **THINKING)
        assert answer.status == "completed"
    listed = list(client.conversations.items.list(made.id, order="asc", limit=3))
    assert said(listed)[0:2] == ["I like herons.", "Why?"] and len(listed) == 7
    client.conversations.items.delete(listed[0].id, conversation_id=made.id)
    assert said(client.conversations.items.list(made.id, order="asc"))[0] == "Why?"
    for attempt in (stranger.conversations.retrieve, stranger.conversations.items.list):
        with pytest.raises(openai.NotFoundError):
            attempt(made.id)
    stranger.conversations.delete(made.id)
    assert client.conversations.retrieve(made.id).id == made.id
    assert client.conversations.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.list(made.id)
    assert stack.api.call("GET", f"/conversations/{made.id}/turns").status == 404
