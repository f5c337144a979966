"""Deliveries whose receiver has no slot left: they come again later, and nothing is held against the receiver."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from broker.clock import iso
from broker.delivery.delivering import MOST_PUT_OFF, PUT_OFF_S, QUEUE_MOST_S
from broker.delivery.receivers import Slot
from broker.delivery.starting import SAFETY_MS
from broker.jobs.reading import view
from handlers.batch import records_at_once

from tests.fakes.world import BASE_URL, HOUR, JOB_ID, MINUTE, NOW, SECOND
from tests.unit.delivering_case import NAME, Courier


class Full:
    """No slot, for so many times."""

    def __init__(self, times: int = 10**6) -> None:
        self.times = times

    @contextmanager
    def slot(self, tenant: str, url: str) -> Iterator[Slot | None]:
        """See `Slots.slot`."""
        self.times -= 1
        yield None if self.times >= 0 else Slot(lambda: 0, lambda took_ms: None)


def attempt(courier: Courier, slots: Full, now: int, chance: float = 1.0) -> str:
    return replace(courier.deliver, slots=slots, chance=lambda: chance)(JOB_ID, NAME, now, BASE_URL)


def test_what_has_no_slot_comes_again_and_is_no_failure() -> None:
    courier, slots = Courier(), Full(1)
    assert attempt(courier, slots, NOW) == "pending"
    assert (courier.posts, courier.note["attempts"], courier.note["tries"]) == ([], [], 0)
    assert courier.queue.sent == [(JOB_ID, "acme", NAME, PUT_OFF_S)]
    (shown,) = view(courier.world.jobs.get(JOB_ID), courier.world.jobs.notes(JOB_ID), None, BASE_URL)["delivery"]
    assert shown["next_at"] == iso(NOW + PUT_OFF_S * SECOND)
    assert attempt(courier, slots, NOW + SECOND) == "pending", "another message of it brings nothing forward"
    assert attempt(courier, slots, NOW + PUT_OFF_S * SECOND) == "delivered"
    assert len(courier.posts) == 1


def test_it_waits_for_longer_each_time_but_no_longer_than_a_message_can() -> None:
    courier, slots, now = Courier(), Full(), NOW
    for _ in range(8):
        attempt(courier, slots, now)
        now = courier.note["not_before"]
    assert [delay for *_, delay in courier.queue.sent] == [15, 30, 60, 120, 240, 480, QUEUE_MOST_S, QUEUE_MOST_S]
    sooner = Courier()
    attempt(sooner, slots, NOW, chance=0.0)
    assert sooner.note["not_before"] == NOW + PUT_OFF_S * SECOND // 2, "spread, so that not all come at once"


def test_a_message_that_was_lost_meanwhile_is_found_by_the_sweep() -> None:
    courier = Courier()
    attempt(courier, Full(), NOW)
    then = NOW + PUT_OFF_S * SECOND + SAFETY_MS
    assert courier.due(then - 1) == []
    assert len(courier.due(then)) == 1


def test_it_is_given_up_when_the_whole_schedule_would_be_over() -> None:
    courier, slots, now, states = Courier(), Full(), NOW, []
    for _ in range(MOST_PUT_OFF + 1):
        states.append(attempt(courier, slots, now, chance=0.5))
        now = courier.note["not_before"]
    assert states == ["pending"] * MOST_PUT_OFF + ["failed"]
    assert 72 * HOUR < now - NOW < 96 * HOUR
    assert [each["error"] for each in courier.note["attempts"]] == ["receiver_slow"]
    assert (courier.posts, courier.due(now + 1_000 * HOUR)) == ([], [])
    courier.deliver.redeliver(JOB_ID, now)
    assert attempt(courier, Full(0), now) == "delivered"


def test_a_job_that_was_erased_is_put_off_by_nobody() -> None:
    courier = Courier()
    courier.world.database.meanwhile.append(courier)
    assert attempt(courier, Full(), NOW) == "pending"
    assert (courier.note["state"], courier.queue.sent) == ("delivered", [])


def records(count: int) -> dict[str, Any]:
    return {"Records": [{"messageId": f"m{number}", "body": number} for number in range(count)]}


def test_records_are_done_at_once_and_only_what_failed_or_hangs_comes_again() -> None:
    seen: list[int] = []

    def work(record: dict[str, Any]) -> None:
        if record["body"] == 1:
            raise KeyError
        seen.append(record["body"])

    def all_but_the_last(works: Any, seconds_left: Any) -> None:
        assert seconds_left() == 58.0
        for each in works[:-1]:
            each()

    context = SimpleNamespace(get_remaining_time_in_millis=lambda: MINUTE)
    reply = records_at_once(records(4), context, work, all_but_the_last)
    assert (seen, reply) == ([0, 2], {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m3"}]})
    assert records_at_once(records(4), context, lambda record: None) == {"batchItemFailures": []}
