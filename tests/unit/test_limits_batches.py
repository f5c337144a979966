"""Limits of a tenant or key and batches: their rows wait for their turn, but their bodies are no larger than others."""

from typing import Any

import pytest

from tests.unit.limits_case import Limited

SAID = [{"role": "user", "content": "Hello " * 100}]
NATIVE = {"requests": [{"custom_id": "a", "input": "Hello " * 100}]}
OF_CHAT = {"method": "POST", "url": "/v1/chat/completions", "body": {"model": "small", "messages": SAID}}
OPENAI = {
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
    "requests": [{"custom_id": "a", **OF_CHAT}],
}
ANTHROPIC = {"requests": [{"custom_id": "a", "params": {"model": "small", "max_tokens": 9, "messages": SAID}}]}

FORMS = [("/batches", NATIVE), ("/batches", OPENAI), ("/messages/batches", ANTHROPIC)]


@pytest.mark.parametrize(("resource", "body"), FORMS, ids=["native", "openai", "anthropic"])
def test_a_batch_in_a_body_is_held_to_the_size_of_a_body(resource: str, body: Any) -> None:
    limited = Limited()
    limited.limit(body_bytes=300)
    reply = limited("POST", resource, body)
    assert (reply.status, reply.body["error"]["code"]) == (413, "body_bytes")
    of_key = limited("POST", resource, body, tenant="other", key="k1", limits={"body_bytes": 300})
    assert (of_key.status, of_key.body["error"]["code"]) == (413, "body_bytes")
    assert limited("GET", "/batches", None).body["data"] == []
    assert limited("POST", resource, body, tenant="other").status in (200, 202)


@pytest.mark.parametrize(("resource", "body"), FORMS, ids=["native", "openai", "anthropic"])
def test_batches_take_from_no_limit_by_time(resource: str, body: Any) -> None:
    limited = Limited()
    limited.limit(requests_per_minute=1, tokens_per_minute=1)
    for _ in range(3):
        assert limited("POST", resource, body).status in (200, 202)
