"""Limits as callers of the REST API meet them: what counts, what an error says, which headers there are."""

import json
import re
from typing import Any

import pytest
from broker.contract.errors import Error
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.rest.spoken import in_dialect

from tests.unit.limits_case import CHAT, HELLO, Limited


def statuses(limited: Limited, count: int, *arguments: Any, **options: Any) -> list[int]:
    return [limited(*arguments, **options).status for _ in range(count)]


def test_a_tenant_is_told_which_limit_whose_how_much_and_until_when() -> None:
    limited = Limited()
    limited.limit(requests_per_minute=3)
    assert statuses(limited, 3) == [202, 202, 202]
    reply = limited()
    Error.model_validate(reply.body)
    error = reply.body["error"]
    assert reply.status == 429 and error["type"] == error["code"] == "rate_limit_exceeded"
    told = error["limit"]
    assert (told["name"], told["scope"], told["id"]) == ("requests_per_minute", "tenant", "acme")
    assert (told["amount"], told["left"], told["asked"]) == (3, 0, 1)
    assert told["free_at"] in error["message"] and "3 requests a minute" in error["message"]
    assert 1 <= int(reply.headers["retry-after"]) <= 20 and reply.headers["x-should-retry"] == "true"
    assert int(reply.headers["retry-after-ms"]) <= int(reply.headers["retry-after"]) * 1000


def test_another_tenant_and_one_without_limits_are_not_touched() -> None:
    limited = Limited()
    limited.limit(requests_per_minute=2)
    limited.limit("third", requests_per_minute=5)
    assert statuses(limited, 200).count(202) == 2
    assert statuses(limited, 5, tenant="third") == [202] * 5
    replies = [limited(tenant="other") for _ in range(20)]
    assert {reply.status for reply in replies} == {202}
    assert not any("ratelimit" in name for reply in replies for name in reply.headers)
    assert not [item for item in limited.world.database.items() if item["pk"] == "LIMITS#other"]


def test_a_key_has_limits_of_its_own_within_its_tenants() -> None:
    limited = Limited()
    limited.limit(requests_per_minute=4)
    assert statuses(limited, 5, key="k1", limits={"requests_per_minute": 2}) == [202, 202, 429, 429, 429]
    error = limited(key="k1", limits={"requests_per_minute": 2}).body["error"]
    assert (error["limit"]["scope"], error["limit"]["id"]) == ("key", "k1") and "API key k1" in error["message"]
    assert statuses(limited, 3, key="k2", limits={"requests_per_minute": 9}) == [202, 202, 429]
    assert limited(key="k2", limits={"requests_per_minute": 9}).body["error"]["limit"]["scope"] == "tenant"


def test_tokens_count_by_the_input_and_the_most_that_the_answer_may_have() -> None:
    limited = Limited()
    limited.limit(tokens_per_minute=1_000)
    first = limited()
    left = int(re.search(r'"tokens_per_minute";r=(\d+)', first.headers["ratelimit"]).group(1))  # type: ignore[union-attr]
    assert 850 <= left < 900
    reply = limited(body={**HELLO, "parameters": {"max_output_tokens": 499}})
    assert reply.status == 202
    error = limited(body={**HELLO, "parameters": {"max_output_tokens": 499}}).body["error"]
    assert error["limit"]["asked"] > 499 > error["limit"]["left"]
    assert "its input, and the most that its answer may have" in error["message"]


def test_vectors_count_by_their_input_alone() -> None:
    limited = Limited()
    limited.limit(tokens_per_minute=40)
    assert statuses(limited, 2, body={"task": "embed", "input": {"text": "Hello there"}}) == [202, 202]


def test_a_job_that_no_pause_lets_in_is_not_to_be_sent_again() -> None:
    limited = Limited()
    limited.limit(tokens_per_day=100)
    reply = limited(body={**HELLO, "parameters": {"max_output_tokens": 400}})
    assert reply.status == 429 and reply.body["error"]["limit"]["free_at"] is None
    assert reply.headers["x-should-retry"] == "false" and "retry-after" not in reply.headers


def test_a_long_wait_is_said_in_the_body_and_clients_do_not_repeat_by_themselves() -> None:
    limited = Limited()
    limited.limit(requests_per_month=1)
    limited()
    reply = limited()
    assert int(reply.headers["retry-after"]) <= 120
    if int(reply.headers["retry-after"]) == 120:
        assert reply.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("headers", [{"idempotency_key": "a"}, {"x_stainless_retry_count": "1"}])
def test_a_repeat_counts_nothing(headers: dict[str, str]) -> None:
    limited = Limited()
    limited.limit(requests_per_minute=2)
    first = limited(**(headers if "idempotency_key" in headers else {"x_stainless_retry_count": "0"}))
    for number in range(5):
        again = headers if "idempotency_key" in headers else {"x_stainless_retry_count": str(number + 1)}
        assert limited(**again).body["id"] == first.body["id"]
    assert statuses(limited, 2) == [202, 429]


@pytest.mark.parametrize("headers", [{"idempotency_key": "a"}, {"x_stainless_retry_count": "0"}])
def test_what_a_limit_refused_may_be_repeated_and_is_then_one_job(headers: dict[str, str]) -> None:
    limited = Limited()
    limited.limit(requests_per_minute=1)
    assert statuses(limited, 1) == [202]
    assert limited(**headers).status == 429
    limited.limit()
    later = headers | ({"x_stainless_retry_count": "1"} if "x_stainless_retry_count" in headers else {})
    first = limited(**later)
    again = later | ({"x_stainless_retry_count": "2"} if "x_stainless_retry_count" in headers else {})
    assert first.status == 202 and limited(**again).body["id"] == first.body["id"]


@pytest.mark.parametrize("body", [{"colour": "blue"}, "{", {"input": {"text": "x"}, "model": "none"}])
def test_what_is_refused_for_another_reason_counts_nothing(body: Any) -> None:
    limited = Limited()
    limited.limit(requests_per_minute=1)
    assert all(400 <= status < 429 for status in statuses(limited, 3, body=body))
    assert statuses(limited, 2) == [202, 429]


def test_what_the_budget_does_not_cover_counts_nothing() -> None:
    limited = Limited()
    document = {"tenants": [{"id": "poor", "monthly_budget_usd": 0.0, "limits": {"requests_per_day": 2}}]}
    apply(limited.world.registry, parse_registry(document), by="tests", now=1)
    limited.world.api.tenants.forget("poor")
    assert statuses(limited, 4, tenant="poor") == [402] * 4


def test_a_body_may_be_no_larger_than_its_callers_limit() -> None:
    limited = Limited()
    limited.limit(body_bytes=300)
    assert limited().status == 202
    large = {"input": {"text": "ä" * 200}}
    reply = limited(body=json.dumps(large, ensure_ascii=False))
    assert (reply.status, reply.body["error"]["code"]) == (413, "body_bytes") and "300" in reply.body["error"][
        "message"
    ]
    assert limited(tenant="other", body=large).status == 202
    assert limited(tenant="other", body=large, key="k1", limits={"body_bytes": 100}).status == 413


def test_replies_tell_how_all_limits_stand() -> None:
    limited = Limited()
    limited.limit(requests_per_minute=60, tokens_per_day=10_000)
    reply = limited(key="k1", limits={"requests_per_second": 10})
    assert reply.headers["ratelimit-policy"].split(", ") == [
        '"requests_per_minute";q=60;w=60',
        '"tokens_per_day";q=10000;w=86400;qu="tokens"',
        '"key_requests_per_second";q=10;w=1',
    ]
    states = re.fullmatch(
        r'"requests_per_minute";r=59;t=1, "tokens_per_day";r=98\d\d;t=(\d+), "key_requests_per_second";r=9;t=1',
        reply.headers["ratelimit"],
    )
    assert states and int(states.group(1)) <= 86_400
    assert not any(name.startswith(("x-ratelimit", "anthropic")) for name in reply.headers)


@pytest.mark.parametrize("resource", ["/chat/completions", "/responses"])
def test_openais_clients_are_told_in_their_words(resource: str) -> None:
    limited = Limited()
    limited.limit(requests_per_minute=2, tokens_per_minute=100_000)
    body = CHAT if resource == "/chat/completions" else {"model": "small", "input": "Hello", "background": True}
    if resource == "/responses":
        reply = limited(resource=resource, body=body)
        assert reply.status == 200
        assert reply.headers["x-ratelimit-limit-requests"] == "2"
        assert reply.headers["x-ratelimit-remaining-requests"] == "1"
        assert re.fullmatch(r"\d+s", reply.headers["x-ratelimit-reset-requests"])
        assert reply.headers["x-ratelimit-limit-tokens"] == "100000"
    limited.limit(requests_per_minute=1)
    limited()
    reply = limited(resource=resource, body=body)
    assert reply.status == 429 and reply.body["error"]["code"] == "rate_limit_exceeded"
    assert reply.headers["x-ratelimit-remaining-requests"] == "0"


def test_anthropics_clients_are_told_in_theirs() -> None:
    limited = Limited()
    limited.limit(requests_per_minute=1, tokens_per_day=1_000)
    limited()
    reply = limited(resource="/messages", body=CHAT)
    assert reply.status == 429 and reply.headers["anthropic-ratelimit-requests-limit"] == "1"
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert re.fullmatch(r"\d{4}-.*Z", reply.headers["anthropic-ratelimit-requests-reset"])
    told = in_dialect("/messages", {}, reply).body
    assert told["type"] == "error" and told["error"]["type"] == "rate_limit_error"
    assert told["error"]["details"]["limit"]["name"] == "requests_per_minute"


def test_the_limits_can_be_looked_at_by_who_has_them() -> None:
    limited = Limited()
    limited.limit(requests_per_minute=60, tokens_per_day=1_000, body_bytes=900)
    limited.limit("third", requests_per_minute=7)
    own = {"key": "k1", "limits": {"requests_per_day": 5}}
    limited(**own)
    rows = limited("GET", "/limits", None, **own).body["data"]
    assert [(row["name"], row["scope"], row["id"]) for row in rows] == [
        ("requests_per_minute", "tenant", "acme"),
        ("tokens_per_day", "tenant", "acme"),
        ("requests_per_day", "key", "k1"),
    ]
    assert [row["left"] for row in rows[::2]] == [59, 4] and rows[1]["left"] < 900
    assert rows[2]["full_at"].endswith("T00:00:00.000Z")
    assert limited("GET", "/limits", None, key="k2", limits={"requests_per_day": 5}).body["data"][-1]["left"] == 5
    (third,) = limited("GET", "/limits", None, tenant="third").body["data"]
    assert (third["amount"], third["left"]) == (7, 7)
    assert limited("GET", "/limits", None, tenant="other").body["data"] == []


def test_every_way_to_submit_counts() -> None:
    limited = Limited()
    limited.limit(requests_per_minute=3)
    response = {"model": "small", "input": "Hello", "background": True}
    run = {"variables": {"document": "The lamp."}}
    assert limited().status == 202
    assert limited(resource="/prompts/{id}/run", path={"id": "shorten"}, body=run).status == 202
    assert limited(resource="/responses", body=response).status == 200
    assert limited().status == 429
    assert limited(resource="/prompts/{id}/run", path={"id": "shorten"}, body=run).status == 429
    assert limited(resource="/responses", body=response).status == 429
    assert limited(resource="/chat/completions", body=CHAT).status == 429
    assert limited(resource="/messages", body=CHAT).status == 429
    assert limited(resource="/embeddings", body={"model": "vectors", "input": "Hello"}).status == 429
    assert limited("GET", "/jobs", None).status == 200, "a look is no submission"
