"""Deliveries of jobs that are erased meanwhile: what is under way ends, and keeps no address."""

import pytest
from broker.delivery.sending import Sent
from broker.errors import InvalidRequest
from broker.jobs.erasing import erase

from tests.fakes.world import BASE_URL, HOUR, JOB_ID, NOW
from tests.unit.delivering_case import BROKEN, GONE, NAME, OK, Courier


def test_a_delivery_that_went_with_its_job_ends_in_silence() -> None:
    courier = Courier()
    assert courier.deliver("job_none", NAME, NOW, BASE_URL) == "gone"
    assert (courier.gone, courier.posts, courier.queue.sent) == ([("job_none", NAME)], [], [])


def test_a_delivery_whose_job_went_first_ends_in_silence_and_is_no_longer_due() -> None:
    courier = Courier()
    courier.world.database.delete("jobs", f"JOB#{JOB_ID}", "HEAD")  # the table's TTL takes one item after the other
    assert courier() == "gone"
    assert (courier.gone, courier.posts, courier.observed) == ([(JOB_ID, NAME)], [], [])
    assert courier.due(NOW + HOUR) == []
    assert courier() == "failed", "a doubled message changes nothing"


def erased(courier: Courier) -> None:
    world = courier.world
    erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, world.jobs.get(JOB_ID))


def test_the_address_of_a_delivery_that_ended_goes_when_its_job_is_erased() -> None:
    courier = Courier()
    courier()
    erased(courier)
    assert "url" not in courier.note
    assert courier.note["state"] == "delivered"
    with pytest.raises(InvalidRequest) as failure:
        courier.deliver.redeliver(JOB_ID, NOW)
    assert failure.value.code == "no_deliveries"


def test_a_delivery_of_an_erased_job_keeps_its_address_until_its_last_attempt() -> None:
    courier = Courier([BROKEN])
    courier()
    erased(courier)
    erased(courier)
    assert courier.note["url"] == "https://example.com/hook"
    assert courier(courier.note["not_before"]) == "delivered"
    assert (len(courier.posts), "url" in courier.note) == (2, False)


@pytest.mark.parametrize("reply", [OK, GONE])
def test_an_attempt_that_is_under_way_at_the_erasure_forgets_the_address(reply: Sent) -> None:
    courier = Courier([reply])
    courier.during = lambda: erased(courier)
    courier()
    assert "url" not in courier.note
    assert courier.note["attempts"][0]["status"] == reply.status


def test_an_attempt_that_fails_during_the_erasure_is_made_again() -> None:
    courier = Courier([BROKEN])
    courier.during = lambda: erased(courier)
    assert courier() == "pending"
    courier.during = lambda: None
    assert courier(courier.note["not_before"]) == "delivered"
    assert "url" not in courier.note


def test_erasing_meets_an_attempt_that_begins() -> None:
    courier = Courier()
    meanwhile = courier.world.database.meanwhile
    meanwhile += [lambda: None] * 2  # of the payloads and notes
    meanwhile.append(lambda: courier())
    erased(courier)
    assert courier.posts
    assert "url" not in courier.note
