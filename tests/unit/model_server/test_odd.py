"""Odd replies of the local model server: each format has its own, and nobody else takes the order."""

import json
from typing import Any

import pytest

from local.client import Client
from local.model_server.misbehaviour import ODD
from local.model_server.odd import bedrock
from local.model_server.odd.ordering import REPLIES
from local.model_server.server import ModelServer

SAID = [{"role": "user", "content": "Hi"}]
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": ("/v1/chat/completions", {"messages": SAID}),
    "anthropic": ("/v1/messages", {"messages": SAID, "max_tokens": 9}),
    "gemini": ("/v1beta/models/{model}:generateContent", {"contents": [{"parts": [{"text": "Hi"}]}]}),
    "cohere": ("/v2/chat", {"messages": SAID}),
    "mistral": ("/mistral/v1/chat/completions", {"messages": SAID}),
    "embeddings": ("/v1/embeddings", {"input": "Hi"}),
}
NAMES = ("openai", "anthropic", "gemini", "cohere", "mistral")
FORMATS = dict(zip(NAMES, (replies for _, replies in REPLIES), strict=True))
CASES = [(form, order) for form, replies in FORMATS.items() for order in replies]


def asked(server: ModelServer, form: str, order: str, **more: Any) -> tuple[int, Any]:
    path, body = REQUESTS[form]
    model = f"small!{order}"
    client = Client(server.url, None)
    reply = client.call(
        "POST", path.format(model=model), body | {"model": model} | more, {"anthropic-version": "2023-06-01"}
    )
    client.pool.clear()
    return reply.status, reply.body


@pytest.mark.parametrize(("form", "order"), CASES)
def test_an_odd_reply_comes_as_it_was_ordered(server: ModelServer, form: str, order: str) -> None:
    status, body = asked(server, form, order)
    wanted = FORMATS[form][order]
    assert (status, body) == (wanted.status, wanted.body)
    if order[-3:].isdecimal():
        assert status == int(order[-3:]), "the order says so"


def test_each_order_is_known_to_a_format_and_refused_by_the_others(server: ModelServer) -> None:
    assert set().union(*FORMATS.values(), bedrock.CONVERSE, bedrock.INVOKE) == ODD
    for form in REQUESTS:
        for order in ODD - FORMATS.get(form, {}).keys():
            status, body = asked(server, form, order)
            assert (status, "no meaning here" in json.dumps(body)) == (400, True)


def test_a_request_that_breaks_the_rules_is_refused_before_that(server: ModelServer) -> None:
    status, body = asked(server, "openai", "thinking", messages=[{"role": "nobody", "content": "Hi"}])
    assert (status, "nobody" in body["error"]["message"]) == (400, True)
