"""Whatever write a function dies at, each endpoint is told of each event at least once, with one id."""

from typing import Any

import pytest
from broker.delivery.publishing import HeadChange
from broker.delivery.starting import SAFETY_MS
from broker.jobs.head import SHARDS, Status

from tests.fakes.database import Crash
from tests.fakes.world import BASE_URL, MINUTE, a_head
from tests.unit.endpoints.endpoints_case import Shop


def swept(shop: Shop) -> None:
    """What the sweep asks for again, attempted."""
    for shard in range(SHARDS):
        for item in shop.world.jobs.due(shard, shop.now, 100).items:
            if item["sk"] != "HEAD":
                shop.deliver.resend(item, shop.now)
    asked, shop.queue.sent = shop.queue.sent, []
    for owner, _, name, _ in asked:
        shop.deliver(owner, name, shop.now, BASE_URL)


@pytest.mark.parametrize("many", [1, 2, 3])
@pytest.mark.parametrize("point", range(20))
def test_a_crash_at_any_write_loses_nothing(many: int, point: int) -> None:
    shop = Shop()
    made = [shop.register(url=f"https://{number}.example.com/") for number in range(many)]
    before = a_head(status=Status.RUNNING, run=1, started_at=shop.now, rev=2)
    head = shop.world.put(before.next(status=Status.FAILED, ended_at=shop.now))
    change = HeadChange("s-1", before, head)

    def survive(work: Any) -> None:
        try:
            work()
        except Crash:
            shop.world.database.crash_in = None

    shop.world.database.crash_in = point
    for _ in range(3):  # the stream gives again what was not done
        survive(lambda: shop.publish(change))
    for _ in range(3):
        survive(shop.work)
        shop.now += SAFETY_MS + MINUTE
        survive(lambda: swept(shop))
    shop.world.database.crash_in = None
    swept(shop)
    assert {post.url for post in shop.posts} == {f"https://{number}.example.com/" for number in range(many)}
    assert {post.event_id for post in shop.posts} == {head.event_id}
    for endpoint in made:
        assert shop.note(head, endpoint)["state"] == "delivered"
        (logged,), more = shop.log.page(endpoint, limit=5, after=None)
        assert (logged.view()["state"], more) == ("delivered", False)
    left = [item for shard in range(SHARDS) for item in shop.world.jobs.due(shard, shop.now * 2, 100).items]
    assert [item["sk"] for item in left if item["sk"] != "HEAD"] == []
