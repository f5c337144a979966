"""Redelivering: the same event once more, with a schedule of its own."""

import pytest
from broker.delivery.sending import Sent
from broker.delivery.starting import SAFETY_MS
from broker.errors import DeliveryBusy, InvalidRequest

from tests.fakes.world import HOUR, JOB_ID, NOW, SECOND, a_head
from tests.unit.delivering_case import BROKEN, EVENT_ID, GONE, NAME, OK, Courier


@pytest.mark.parametrize("script", [[OK], [GONE], [BROKEN]])
def test_a_redelivery_has_the_same_id_and_a_schedule_of_its_own(script: list[Sent]) -> None:
    courier = Courier([*script, BROKEN])
    courier()
    courier.queue.sent.clear()
    assert courier.deliver.redeliver(JOB_ID, NOW + HOUR) == [EVENT_ID]
    assert courier.queue.sent == [(JOB_ID, "acme", NAME, 0)]
    assert courier(NOW + HOUR) == "pending"
    assert 5 * SECOND <= courier.note["due_at"] - NOW - HOUR <= 6 * SECOND
    assert courier(NOW + 2 * HOUR) == "delivered"
    assert len(courier.note["attempts"]) == 3
    assert {event_id for _, _, event_id, _, _ in courier.posts} == {EVENT_ID}


def test_a_redelivery_waits_for_the_attempt_that_is_under_way() -> None:
    courier = Courier()

    def redeliver() -> None:
        with pytest.raises(DeliveryBusy):
            courier.deliver.redeliver(JOB_ID, NOW)

    courier.during = redeliver
    assert courier() == "delivered"
    assert courier.queue.sent == []


def test_a_redelivery_that_meets_an_attempt_is_busy() -> None:
    courier = Courier()
    courier.world.database.meanwhile.append(lambda: courier())
    with pytest.raises(DeliveryBusy) as failure:
        courier.deliver.redeliver(JOB_ID, NOW)
    assert (failure.value.status, failure.value.retry_after) == (409, 1)


def test_a_lost_redelivery_is_found_by_the_sweep() -> None:
    courier = Courier()
    courier()
    courier.deliver.redeliver(JOB_ID, NOW + HOUR)
    assert len(courier.due(NOW + HOUR + SAFETY_MS)) == 1


def test_there_is_nothing_to_redeliver_without_a_webhook() -> None:
    courier = Courier()
    courier.world.put(a_head(id="job_none"))
    with pytest.raises(InvalidRequest) as failure:
        courier.deliver.redeliver("job_none", NOW)
    assert failure.value.code == "no_deliveries"
