"""Answers in webhooks have placeholders in the place of what guardrails took out, as for who may not see values."""

from dataclasses import replace

from broker.delivery.publishing import HeadChange
from broker.jobs.head import Head

from tests.fakes.flow import Flow
from tests.fakes.world import BASE_URL
from tests.unit.endpoints.endpoints_case import URL, Shop

ANN = "Ann Lee"


def test_an_answer_in_a_webhook_has_placeholders() -> None:
    flow = Flow([{"check": "denied_terms", "action": "redact", "terms": [ANN]}])
    shop = Shop(flow.world, now=flow.now)
    made = shop.register(events=["job.succeeded"])
    shop.endpoints.change("acme", made.id, shop.now, full=True)
    head = flow({"input": {"text": f"Write to {ANN}."}, "model": "small"})
    assert shop.publish(HeadChange("s-1", None, head)) is None

    def answer(of: Head) -> object:
        return flow.world.payloads.load(of.id, str(of.output))

    ((owner, _, name, _),) = shop.queue.sent
    assert replace(shop.deliver, answer=answer)(owner, name, shop.now, BASE_URL) == "delivered"
    (post,) = shop.posts
    assert post.url == URL
    assert post.told["data"]["output"]["text"] == "You: Write to <DENIED_TERM_1>."
    assert ANN not in post.body.decode()
