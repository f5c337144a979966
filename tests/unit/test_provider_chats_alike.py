"""What several chat providers do alike: batches of embeddings, pictures by address, usage that is not told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import BadOutput, BrokerError, Rejected, Throttled
from broker.providers.wire.several_requests import in_batches

from tests.unit.chats_case import LINK, ask, body
from tests.unit.dialects.anthropic import AnthropicDialect
from tests.unit.dialects.cohere import CohereDialect
from tests.unit.dialects.gemini import GeminiDialect
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.mark.parametrize(
    ("provider", "most", "reply"),
    [
        ("cohere", 96, CohereDialect().vectors([[1, 2]] * 96)),
        ("gemini", 100, GeminiDialect().vectors([[1, 2]] * 100)),
        ("huggingface", 32, [[1, 2]] * 32),
    ],
)
def test_many_texts_are_embedded_in_several_requests(
    server: ProviderServer, provider: str, most: int, reply: Any
) -> None:
    answer = ask(server, provider, reply, task="embed", input={"text": ["a"] * most * 2})
    assert len(answer.output["embeddings"]) == most * 2
    assert len(server.asked) == 2
    with pytest.raises(BrokerError) as caught:
        ask(server, provider, reply, task="embed", input={"text": ["a"] * (most + 1)})
    assert (type(caught.value), caught.value.maybe_paid, len(server.asked)) == (BadOutput, True, 2)


@pytest.mark.parametrize(("timeout", "code"), [(20.0, "slow_down"), (0.0, "timeout")])
def test_a_request_that_fails_after_another_was_answered_may_have_been_paid_for(timeout: float, code: str) -> None:
    def answer(some: list[str], left: float) -> int:
        if some == ["c"]:
            raise Throttled("Slowly.", code="slow_down")
        return len(some)

    batches = in_batches(["a", "b", "c"], 2, timeout, answer)  # the first is asked in any case
    assert next(batches) == 2
    with pytest.raises(BrokerError) as caught:
        next(batches)
    assert (caught.value.code, caught.value.maybe_paid) == (code, True)
    with pytest.raises(Throttled) as first:
        next(in_batches(["c"], 2, 20, answer))
    assert not first.value.maybe_paid


@pytest.mark.parametrize(
    ("provider", "said", "fetches"),
    [
        ("anthropic", AnthropicDialect().says("A cat."), False),
        ("azure", OpenAIDialect().says("A cat."), True),
        ("cohere", CohereDialect().says("A cat."), False),
        ("gemini", GeminiDialect().says("A cat."), False),
        ("huggingface", OpenAIDialect().says("A cat."), False),
        ("mistral", OpenAIDialect().says("A cat."), True),
        ("openai", OpenAIDialect().says("A cat."), False),
    ],
)
def test_only_providers_that_fetch_are_sent_a_pictures_address(
    server: ProviderServer, provider: str, said: Any, fetches: bool
) -> None:
    given = {"messages": [LINK]}
    if fetches or provider != "gemini":
        ask(server, provider, said, options={"links": True}, input=given)
        assert "https://example.com/a.png" in json.dumps(body(server))
    if not fetches:
        with pytest.raises(Rejected) as caught:
            ask(server, provider, said, input=given)
        assert (caught.value.param, server.asked) == ("input.messages.0.content", [])


@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
def test_instructions_take_no_pictures(server: ProviderServer, provider: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    given = {"messages": [{"role": "user", "content": "Hm?"}, {"role": "system", "content": content}]}
    with pytest.raises(Rejected) as caught:
        ask(server, provider, b"", input=given)
    assert (caught.value.param, server.asked) == ("input.messages.1.content", [])


def test_a_picture_counts_as_one_where_usage_is_not_told(server: ProviderServer) -> None:
    large = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 400_000}"}}
    given = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hm?"}, large]}]}
    answer = ask(server, "openai", OpenAIDialect().says("A cat.") | {"usage": None}, input=given)
    assert 1600 < answer.input_tokens < 2000
