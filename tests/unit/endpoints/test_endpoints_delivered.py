"""Deliveries to endpoints: signed with their own secrets, disabled when they should be, logged, and sent again."""

from dataclasses import replace
from typing import Any

import pytest
from broker.delivery.schedule import PAUSES_S
from broker.delivery.sending import Sent
from broker.endpoints.record import BY_FAILURE, BY_RECEIVER, Endpoint
from broker.endpoints.registered import FAILING_MS
from broker.jobs.head import Status
from broker.storage import Put

from tests.fakes.database import FakeDatabase
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND, World
from tests.unit.endpoints.endpoints_case import BROKEN, GONE, OK, URL, Shop

DAY = 24 * HOUR


@pytest.fixture
def shop() -> Shop:
    return Shop()


def off(shop: Shop, endpoint: Endpoint) -> str | None:
    return shop.endpoints.get(endpoint.tenant, endpoint.id).off


def counts(shop: Shop, endpoint: Endpoint) -> dict[str, Any]:
    found = shop.endpoints.counts(endpoint.tenant, endpoint.id)
    return {name: found.get(name, 0) for name in ("attempts", "delivered", "failed")}


def test_both_secrets_sign_while_a_rotation_lasts(shop: Shop) -> None:
    mine = shop.register()
    _, new = shop.endpoints.rotate("acme", mine.id, NOW, keeps_old=True)
    shop.end()
    shop.work()
    shop.now += DAY
    shop.end(2)
    shop.work()
    assert [post.secrets for post in shop.posts] == [[new, shop.secrets[mine.id]], [new]]


def test_what_waits_goes_to_the_new_address_signed_anew(shop: Shop) -> None:
    mine = shop.register()
    shop.script[URL] = [BROKEN]
    shop.end()
    shop.work()
    shop.endpoints.change("acme", mine.id, NOW, url="https://new.example.com/")
    _, new = shop.endpoints.rotate("acme", mine.id, NOW, keeps_old=False)
    shop.now += 6 * SECOND
    assert shop.work() == ["delivered"]
    first, second = shop.posts
    assert (first.url, second.url) == (URL, "https://new.example.com/")
    assert (first.event_id, first.body) == (second.event_id, second.body)
    assert second.secrets == [new] and first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


def test_a_job_that_goes_on_changing_is_told_with_the_same_number(shop: Shop) -> None:
    shop.register()
    shop.script[URL] = [BROKEN]
    head = shop.end()
    shop.work()
    shop.world.database.write(Put("jobs", replace(head, rev=9).to_item()))  # a late call was booked
    shop.now += 6 * SECOND
    shop.work()
    assert len({post.body for post in shop.posts}) == 1


@pytest.mark.parametrize("way", ["deleted", "disabled"])
def test_what_waits_for_an_endpoint_that_is_off_is_not_sent(shop: Shop, way: str) -> None:
    mine = shop.register()
    head = shop.end()
    if way == "deleted":
        shop.endpoints.delete("acme", mine.id)
    else:
        shop.endpoints.switch("acme", mine.id, NOW, on=False)
    assert shop.work() == ["disabled"]
    assert shop.posts == []
    note = shop.note(head, mine)
    assert (note["state"], note["attempts"], "due" in note) == ("disabled", [], False)


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (GONE, "disabled"),
        (Sent(410, None, None, 7, "abort-message"), "disabled"),
        (Sent(500, None, None, 7, "disable"), "disabled"),
        (Sent(204, None, None, 7, " Disable "), "delivered"),
    ],
)
def test_a_receiver_that_wants_no_more_disables_its_endpoint(shop: Shop, reply: Sent, state: str) -> None:
    mine = shop.register()
    shop.script[URL] = [reply]
    shop.end()
    assert shop.work() == [state]
    assert off(shop, mine) == BY_RECEIVER
    kind, detail = shop.bus.events[-1]
    assert (kind, detail["data"]["endpoint_id"]) == ("WebhookEndpointDisabled", mine.id)
    assert (detail["data"]["disabled_by"], detail["metadata"]["tenant"]) == (BY_RECEIVER, "acme")
    assert URL not in repr(detail)


@pytest.mark.parametrize("said", ["abort-message", "abort", "ABORT"])
def test_a_receiver_that_aborts_a_message_gets_the_others(shop: Shop, said: str) -> None:
    mine = shop.register()
    shop.script[URL] = [Sent(400, None, None, 7, said)]
    shop.end(1)
    assert shop.work() == ["failed"]
    assert shop.queue.sent == [] and off(shop, mine) is None
    shop.end(2)
    assert shop.work() == ["delivered"]


@pytest.mark.parametrize("said", ["", "retry", "abort-messages", "disabled", None])
def test_other_words_mean_nothing(shop: Shop, said: str | None) -> None:
    mine = shop.register()
    shop.script[URL] = [Sent(500, None, None, 7, said)]
    shop.end()
    assert shop.work() == ["pending"]
    assert off(shop, mine) is None


def test_five_days_of_failures_disable_an_endpoint_and_one_success_begins_anew(shop: Shop) -> None:
    mine = shop.register()
    shop.always[URL] = BROKEN
    began = shop.now
    for hour in range(0, 4 * 24, 12):
        shop.now = began + hour * HOUR
        head = shop.end(hour)
        shop.attempt(head.id, f"DELIVERY#job.succeeded#{mine.id}")
    shop.always[URL] = OK
    shop.now = began + 4 * DAY
    shop.attempt(shop.end(1000).id, f"DELIVERY#job.succeeded#{mine.id}")
    shop.always[URL] = BROKEN
    shop.now += HOUR
    began = shop.now
    for hour in range(0, 5 * 24, 12):
        shop.now = began + hour * HOUR
        shop.attempt(shop.end(2000 + hour).id, f"DELIVERY#job.succeeded#{mine.id}")
        assert off(shop, mine) is None, hour
    shop.now = began + FAILING_MS
    shop.attempt(shop.end(9999).id, f"DELIVERY#job.succeeded#{mine.id}")
    assert off(shop, mine) == BY_FAILURE
    (told,) = [detail["data"] for kind, detail in shop.bus.events if kind == "WebhookEndpointDisabled"]
    assert (told["disabled_by"], told["failing_since"][:10]) == (BY_FAILURE, "2026-11-22")


def test_an_endpoint_that_is_enabled_again_has_five_days_again(shop: Shop) -> None:
    mine = shop.register()
    shop.always[URL] = BROKEN
    shop.attempt(shop.end(1).id, f"DELIVERY#job.succeeded#{mine.id}")
    shop.now += FAILING_MS
    shop.attempt(shop.end(2).id, f"DELIVERY#job.succeeded#{mine.id}")
    assert off(shop, mine) == BY_FAILURE
    shop.endpoints.switch("acme", mine.id, shop.now, on=True)
    shop.now += 10 * SECOND
    shop.attempt(shop.end(3).id, f"DELIVERY#job.succeeded#{mine.id}")
    assert off(shop, mine) is None


def test_the_event_of_an_endpoint_that_is_disabled_is_told_again_where_the_bus_refused_it(shop: Shop) -> None:
    mine = shop.register()
    shop.always[URL] = GONE
    head = shop.end()
    shop.bus.refuse.add(f"evt_{mine.id.removeprefix('we_')}_disabled_1")
    with pytest.raises(AssertionError):
        shop.work()
    assert off(shop, mine) is None
    shop.now += MINUTE + SECOND
    assert shop.attempt(head.id, f"DELIVERY#job.succeeded#{mine.id}") == "disabled"
    assert (off(shop, mine), shop.bus.kinds[-1]) == (BY_RECEIVER, "WebhookEndpointDisabled")


def test_a_delivery_whose_schedule_is_over_is_told_to_the_bus(shop: Shop) -> None:
    mine = shop.register()
    shop.always[URL] = BROKEN
    head = shop.end()
    name = f"DELIVERY#job.succeeded#{mine.id}"
    for _ in PAUSES_S[1:]:
        assert shop.attempt(head.id, name) == "pending"
        shop.now = shop.note(head, mine)["not_before"]
    assert shop.attempt(head.id, name) == "failed"
    kind, detail = shop.bus.events[-1]
    assert kind == "WebhookExhausted"
    assert detail["data"] == {
        "about": head.id,
        "event": "job.succeeded",
        "webhook_id": head.event_id,
        "endpoint_id": mine.id,
        "attempts": len(PAUSES_S),
        "last_status": 500,
        "last_error": None,
    }


def test_statistics(shop: Shop) -> None:
    mine, other = shop.register(), shop.register(url="https://two.example.com/")
    shop.script[URL] = [BROKEN, BROKEN, OK]
    shop.end()
    for _ in range(3):
        shop.work()
        shop.now += HOUR
    assert counts(shop, mine) == {"attempts": 3, "delivered": 1, "failed": 2}
    assert counts(shop, other) == {"attempts": 1, "delivered": 1, "failed": 0}
    assert shop.endpoints.counts("acme", mine.id)["latency_ms"] == 21


class Throttled(FakeDatabase):
    """Counts are not taken now."""

    def write(self, *operations: Any, **options: Any) -> None:
        """See `Database.write`."""
        if any(getattr(each, "sk", "").startswith("COUNTS#") for each in operations):
            raise OSError("throttled")
        FakeDatabase.write(self, *operations, **options)


def test_an_attempt_that_cannot_be_counted_is_made_all_the_same() -> None:
    shop = Shop(World(Throttled()))
    mine = shop.register()
    head = shop.end()
    assert shop.work() == ["delivered"]
    assert shop.uncounted == ["OSError"]
    assert [each["status"] for each in shop.note(head, mine)["attempts"]] == [204]


def test_the_dead_receivers_of_one_tenant_delay_nobody(shop: Shop) -> None:
    """Each asks again by its own schedule, and another's goes out at its first attempt."""
    for number in range(20):
        url = f"https://dead-{number}.example.com/"
        shop.register("other", url)
        shop.always[url] = BROKEN
    shop.register()
    shop.end(1, Status.FAILED, tenant="other")
    shop.end(2)
    became = shop.work()
    assert (became.count("pending"), became.count("delivered")) == (20, 1)
    assert all(delay >= 5 for _, tenant, _, delay in shop.queue.sent if tenant == "other")
