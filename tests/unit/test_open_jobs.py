"""How many jobs of a tenant, or of a key, have not ended: at every door, and always given back."""

from typing import Any

import pytest
from broker.errors import TooManyAtOnce
from broker.jobs.ending import cancel_job
from broker.jobs.event_consumer import EventConsumer
from broker.tenants.registry import Sender

from tests.fakes.world import NOW, World
from tests.unit.limits_case import CHAT, Limited
from tests.unit.test_budget_rules import a_world, ask


def ended(limited: Limited, job_id: str) -> None:
    cancel_job(limited.world.jobs, job_id, "acme", NOW)


def test_a_refusal_says_which_limit_and_another_tenant_is_not_refused() -> None:
    limited = Limited()
    limited.limit(queued_jobs=2)
    first, _ = limited(), limited()
    reply = limited()
    assert (reply.status, reply.body["error"]["code"]) == (429, "too_many_queued_jobs")
    told = {"name": "queued_jobs", "scope": "tenant", "id": "acme", "amount": 2, "left": 0, "asked": 1, "free_at": None}
    assert reply.body["error"]["limit"] == told
    assert (reply.headers["retry-after"], reply.headers["x-should-retry"]) == ("5", "true")
    assert (reply.headers["ratelimit-policy"], reply.headers["ratelimit"]) == (
        '"queued_jobs";q=2;qu="jobs"',
        '"queued_jobs";r=0',
    )
    assert limited(tenant="other").status == 202
    ended(limited, first.body["id"])
    assert limited().status == 202


def test_a_key_has_its_own_beside_its_tenants() -> None:
    limited = Limited()
    limited.limit(queued_jobs=3)
    mine = {"key": "0123456789abcdef", "limits": {"queued_jobs": 1}}
    assert limited(**mine).status == 202
    reply = limited(**mine)
    assert (reply.status, reply.headers["ratelimit"]) == (429, '"key_queued_jobs";r=0')
    assert [limited().status for _ in range(3)] == [202, 202, 429]
    rows = limited("GET", "/limits", None, **mine).body["data"]
    assert [(row["scope"], row["amount"], row["left"], row["full_at"]) for row in rows] == [
        ("tenant", 3, 0, None),
        ("key", 1, 0, None),
    ]


def test_a_repeat_takes_no_second_place_and_a_refused_one_none() -> None:
    limited = Limited()
    limited.limit(queued_jobs=2)
    for _ in range(3):
        assert limited(idempotency_key="k-1").status == 202
    assert limited(body={"input": {"text": "Hi"}, "model": "nobody"}).status == 400
    assert limited().status == 202


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("/responses", {"model": "small", "input": "Hello", "background": True}),
        ("/chat/completions", CHAT),
        ("/messages", CHAT),
        ("/embeddings", {"model": "vectors", "input": "Hello"}),
        ("/prompts/{id}/run", {"variables": {"document": "Hello"}}),
    ],
)
def test_every_form_is_refused_in_the_same_way(resource: str, body: Any) -> None:
    limited = Limited()
    limited.limit(queued_jobs=0)
    reply = limited(resource=resource, body=body, path={"id": "shorten"} if "{id}" in resource else None)
    assert (reply.status, reply.body["error"]["code"]) == (429, "too_many_queued_jobs")


def test_an_event_without_a_place_is_rejected_by_name() -> None:
    world, told = a_world(limits={"queued_jobs": 0}), list[dict[str, Any]]()
    world.register({"pk": "SOURCE#123456789012#shop", "sk": "SOURCE", "tenant": "acme"})

    class Rejections:
        def send(self, body: str, reason: str) -> None:
            assert reason.startswith("too_many_queued_jobs")

    consumer = EventConsumer(
        world.accepting(), lambda *_: Sender("acme"), Rejections(), lambda kind, detail: told.append(detail)
    )
    event = '{"id": "e-1", "account": "123456789012", "source": "shop", "detail": {"input": {"text": "Hello"}}}'
    assert consumer(event, NOW) is None
    assert told[0]["data"]["error"]["code"] == "too_many_queued_jobs"


def test_rows_of_batches_take_none() -> None:
    world = a_world(limits={"queued_jobs": 0})
    assert not ask(world, batch="batch_1", row=0).head.holds
    with pytest.raises(TooManyAtOnce):
        ask(world)


def kept(world: World) -> list[str]:
    return [name for job in world.payloads.owners() for name in world.payloads.names(job)]


def test_nothing_is_left_of_a_request_that_found_no_place() -> None:
    world = a_world(limits={"queued_jobs": 0})
    with pytest.raises(TooManyAtOnce):
        ask(world, metadata={"order": "17"})
    assert not kept(world)
