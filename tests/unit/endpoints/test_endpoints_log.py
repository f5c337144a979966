"""The log of an endpoint: each delivery with its attempts, one sent again, a range recovered."""

import pytest
from broker.delivery.sending import Sent
from broker.endpoints.log import MOST_RECOVERED
from broker.errors import DeliveryBusy, InvalidRequest, NotFound

from tests.fakes.world import HOUR, MINUTE, NOW, SECOND
from tests.unit.endpoints.endpoints_case import BROKEN, GONE, OK, URL, Shop


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_the_log_has_each_delivery_the_newest_first(shop: Shop) -> None:
    mine, theirs = shop.register(), shop.register("other")
    shop.script[URL] = [BROKEN]
    heads = []
    for number in range(5):
        heads.append(shop.end(number))
        shop.work()
        shop.now += SECOND
    shop.end(9, tenant="other")
    shop.work()
    found, more = shop.log.page(mine, limit=2, after=None)
    assert ([each.entry["owner"] for each in found], more) == ([heads[4].id, heads[3].id], True)
    rest, more = shop.log.page(mine, limit=9, after=found[-1].id)
    assert ([each.entry["owner"] for each in rest], more) == ([heads[2].id, heads[1].id, heads[0].id], False)
    view = rest[-1].view()
    assert (view["event_id"], view["about"], view["state"]) == (heads[0].event_id, heads[0].id, "pending")
    assert [each["status"] for each in view["attempts"]] == [500]
    with pytest.raises(NotFound):
        shop.log.find(theirs, rest[-1].id)
    with pytest.raises(InvalidRequest):
        shop.log.page(mine, limit=2, after="LOG#1")


def test_one_delivery_is_sent_again_with_its_id(shop: Shop) -> None:
    mine = shop.register()
    head = shop.end()
    shop.work()
    (entry,), _ = shop.log.page(mine, limit=9, after=None)
    shop.log.redeliver(mine, entry.id, shop.now)
    assert shop.work() == ["delivered"]
    assert {post.event_id for post in shop.posts} == {head.event_id} and len(shop.posts) == 2
    note = shop.note(head, mine)
    shop.world.jobs.note(head, f"DELIVERY#job.succeeded#{mine.id}", note | {"busy_until": shop.now + 1})
    with pytest.raises(DeliveryBusy):
        shop.log.redeliver(mine, entry.id, shop.now)
    shop.world.database.delete("jobs", note["pk"], note["sk"])
    assert shop.log.find(mine, entry.id).view()["state"] == "gone"
    with pytest.raises(NotFound) as failure:
        shop.log.redeliver(mine, entry.id, shop.now)
    assert failure.value.code == "gone"


def test_a_range_is_recovered_with_what_was_kept_back_while_the_endpoint_was_off(shop: Shop) -> None:
    mine = shop.register()
    shop.script[URL] = [OK, GONE]
    shop.end(1), shop.work()
    shop.now += HOUR
    began = shop.now
    shop.end(2), shop.work()
    for number in range(3, 6):
        shop.now += MINUTE
        shop.end(number)
        assert shop.work() == ["disabled"]
    shop.endpoints.switch("acme", mine.id, shop.now, on=True)
    shop.posts.clear()
    assert shop.log.recover(mine, began, shop.now + HOUR, shop.now, lambda: True) == (4, None)
    assert shop.work() == ["delivered"] * 4
    assert shop.log.recover(mine, began, shop.now + HOUR, shop.now, lambda: True) == (0, None)


def test_a_range_is_bounded_on_both_sides(shop: Shop) -> None:
    mine = shop.register()
    shop.always[URL] = Sent(400, None, None, 7, "abort")
    for number in range(4):
        shop.end(number), shop.work()
        shop.now += MINUTE
    first = NOW + 9
    assert shop.log.recover(mine, first + MINUTE, first + 2 * MINUTE, shop.now, lambda: True) == (2, None)


def test_a_recovery_that_has_no_time_left_says_from_when_on_to_go_on(shop: Shop) -> None:
    mine = shop.register()
    shop.always[URL] = Sent(400, None, None, 7, "abort")
    for number in range(4):
        shop.end(number), shop.work()
        shop.now += MINUTE
    left = iter([True, True, False])
    sent, further = shop.log.recover(mine, NOW, shop.now, shop.now, lambda: next(left))
    assert (sent, further) == (2, NOW + 9 + 2 * MINUTE)
    assert shop.log.recover(mine, int(further or 0), shop.now, shop.now, lambda: True) == (2, None)
    assert MOST_RECOVERED == 1_000
