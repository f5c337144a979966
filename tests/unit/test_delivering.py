"""Delivering: one attempt at a time, again by the schedule, every attempt on record."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from broker.delivery.delivering import Deliver, Sent, make_sender
from broker.delivery.publishing import SAFETY_MS
from broker.delivery.schedule import PAUSES_S
from broker.errors import DeliveryBusy, InvalidRequest, Unavailable
from broker.jobs.head import Status, due_partition
from broker.jobs.reading import erase, view
from broker.storage import Item

from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import HOUR, JOB_ID, MINUTE, NOW, SECOND, World, a_head

NAME = "DELIVERY#job.failed"
EVENT_ID = "evt_1"
OK, GONE, BROKEN = (Sent(status, None, None, 7) for status in (204, 410, 500))


@dataclass
class Courier:
    """A job with a pending webhook, and a receiver that answers by a script, then with 204."""

    script: list[Sent | Exception] = field(default_factory=list)
    world: World = field(default_factory=World)
    queue: FakeDeliveries = field(default_factory=FakeDeliveries)
    posts: list[tuple[str, str, str, int, bytes]] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    observed: list[str] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        head = self.world.put(a_head(status=Status.FAILED, ended_at=NOW, due_at=None))
        pending = {
            "state": "pending",
            "attempts": [],
            "tries": 0,
            "due": due_partition(JOB_ID),
            "due_at": NOW + SAFETY_MS,
        }
        where = {"event_id": EVENT_ID, "event": "job.failed", "url": "https://example.com/hook", "tenant": "acme"}
        self.world.jobs.note(head, NAME, {**where, **pending})

    @property
    def deliver(self) -> Deliver:
        world = self.world
        gone = self.gone.append
        return Deliver(world.database, world.jobs, self.queue, self._send, self._observe, lambda *what: gone(what))

    def __call__(self, now: int = NOW) -> str:
        return self.deliver(JOB_ID, NAME, now)

    def _send(self, tenant: str, url: str, event_id: str, now: int, body: bytes) -> Sent:
        self.posts.append((tenant, url, event_id, now, body))
        self.during()
        reply = self.script.pop(0) if self.script else OK
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _observe(self, note: Item, sent: Sent) -> None:
        self.observed.append(note["state"])

    @property
    def note(self) -> Item:
        return self.world.jobs.notes(JOB_ID)[NAME]

    def due(self, now: int) -> list[Item]:
        """What the sweep finds."""
        return self.world.jobs.due(int(due_partition(JOB_ID).removeprefix("DUE#")), now, 10).items


def test_a_webhook_is_delivered_once() -> None:
    courier = Courier()
    assert courier() == "delivered"
    assert courier(NOW + HOUR) == "delivered"
    ((tenant, url, event_id, at, body),) = courier.posts
    assert (tenant, url, event_id, at) == ("acme", "https://example.com/hook", EVENT_ID, NOW)
    assert json.loads(body)["type"] == "job.failed"
    assert courier.note["attempts"] == [{"at": NOW, "status": 204, "error": None, "latency_ms": 7}]
    assert courier.due(NOW + 1_000 * HOUR) == []
    assert courier.observed == ["delivered"]


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500, 503])
def test_a_failed_attempt_is_on_record_and_comes_again(status: int) -> None:
    courier = Courier([Sent(status, None, None, 7)])
    assert courier() == "pending"
    assert courier.note["attempts"][0]["status"] == status
    ((job_id, tenant, name, delay),) = courier.queue.sent
    assert (job_id, tenant, name) == (JOB_ID, "acme", NAME)
    assert 5 <= delay <= 6
    assert courier(NOW + delay * SECOND) == "delivered"
    assert len(courier.note["attempts"]) == 2


def test_it_is_tried_by_the_schedule_and_then_given_up() -> None:
    courier = Courier([BROKEN] * 20)
    now, states = NOW, []
    for pause in [*PAUSES_S[1:], None]:
        states.append(courier(now))
        if pause is not None:
            following = courier.note["due_at"] - now
            assert pause * SECOND <= following <= pause * SECOND * 1.1
            now += following
    assert states == ["pending"] * (len(PAUSES_S) - 1) + ["failed"]
    assert len(courier.note["attempts"]) == len(PAUSES_S)
    assert courier(now + HOUR) == "failed"
    assert courier.due(now + 1_000 * HOUR) == []


def test_a_later_attempt_than_a_message_can_wait_is_left_to_the_sweep() -> None:
    courier = Courier([BROKEN] * 4)
    now = NOW
    for _ in range(4):
        courier(now)
        now = courier.note["due_at"]
    assert [round(delay / 100) for *_, delay in courier.queue.sent] == [0, 3]
    assert courier.due(now - 1) == []
    (item,) = courier.due(now)
    assert courier.deliver.resend(item, now)
    assert courier(now) == "delivered"


def test_retry_after_is_honoured() -> None:
    courier = Courier([Sent(503, None, 600, 7)])
    courier()
    assert courier.note["due_at"] == NOW + 10 * MINUTE
    assert courier.queue.sent[0][-1] == 600


def test_gone_disables_it() -> None:
    courier = Courier([GONE])
    assert courier() == "disabled"
    assert courier(NOW + HOUR) == "disabled"
    assert len(courier.posts) == 1
    assert (courier.queue.sent, courier.due(NOW + 1_000 * HOUR)) == ([], [])


@pytest.mark.parametrize(
    "error", [Unavailable("No.", code="webhook_unreachable"), InvalidRequest("No.", code="refused")]
)
def test_what_cannot_be_sent_is_on_record_with_its_reason(error: Exception) -> None:
    courier = Courier([error])
    assert courier() == "pending"
    assert courier.note["attempts"][0]["status"] is None
    assert courier.note["attempts"][0]["error"] == error.code  # type: ignore[attr-defined]


def test_of_two_attempts_at_once_one_sends() -> None:
    courier = Courier()
    states: list[str] = []
    courier.during = lambda: states.append(courier())
    assert courier() == "delivered"
    assert states == ["pending"]
    assert len(courier.posts) == 1


def test_of_two_attempts_that_claim_at_once_one_sends() -> None:
    courier = Courier()
    courier.world.database.meanwhile.append(lambda: courier())
    assert courier() == "pending"
    assert len(courier.posts) == 1
    assert courier.note["state"] == "delivered"


def test_an_attempt_that_died_is_made_again() -> None:
    courier = Courier([KeyError("the process ends here")])
    with pytest.raises(KeyError):
        courier()
    assert courier(NOW + SAFETY_MS - 1) == "pending"
    (item,) = courier.due(NOW + SAFETY_MS)
    assert courier.deliver.resend(item, NOW + SAFETY_MS)
    assert courier(NOW + SAFETY_MS) == "delivered"
    assert [event_id for _, _, event_id, _, _ in courier.posts] == [EVENT_ID] * 2


def test_the_sweep_asks_once_for_what_is_due() -> None:
    courier = Courier()
    (item,) = courier.due(NOW + SAFETY_MS)
    assert not courier.deliver.resend(item, NOW + SAFETY_MS - 1)
    assert courier.deliver.resend(item, NOW + SAFETY_MS)
    assert not courier.deliver.resend(item, NOW + SAFETY_MS)
    assert courier.queue.sent == [(JOB_ID, "acme", NAME, 0)]
    courier(NOW + SAFETY_MS)
    assert not courier.deliver.resend(item, NOW + HOUR)


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


def test_the_job_shows_its_deliveries() -> None:
    courier = Courier([BROKEN])
    courier()
    (shown,) = view(courier.world.jobs.get(JOB_ID), courier.world.jobs.notes(JOB_ID), None)["delivery"]
    assert (shown["id"], shown["event"], shown["state"]) == (EVENT_ID, "job.failed", "pending")
    assert shown["attempts"] == [{"at": "2026-11-18T11:06:40.000Z", "status": 500, "error": None, "latency_ms": 7}]
    assert "url" not in shown


def test_the_sender_signs_what_it_posts_to_the_checked_address() -> None:
    seen: dict[str, Any] = {}

    def post(target: Any, body: bytes, headers: dict[str, str]) -> Any:
        seen.update(target=target, body=body, headers=headers)
        return Sent(200, None, 3, 9)

    send = make_sender(
        lambda tenant: [f"new of {tenant}", "old"],
        lambda url: f"checked {url}",
        lambda secrets, event_id, stamp, body: f"{list(secrets)} {event_id} {stamp} {body!r}",
        post,
    )
    assert send("acme", "https://e/hook", EVENT_ID, NOW + 999, b"{}") == Sent(200, None, 3, 9)
    assert (seen["target"], seen["body"]) == ("checked https://e/hook", b"{}")
    stamp = str(NOW // SECOND)
    assert (seen["headers"]["webhook-id"], seen["headers"]["webhook-timestamp"]) == (EVENT_ID, stamp)
    assert seen["headers"]["webhook-signature"] == f"['new of acme', 'old'] {EVENT_ID} {stamp} b'{{}}'"


def test_a_doubled_message_brings_no_attempt_forward() -> None:
    courier = Courier([BROKEN])
    courier()
    assert courier(NOW + SECOND) == "pending"
    assert len(courier.posts) == 1


def test_the_sweep_leaves_alone_what_is_being_attempted() -> None:
    courier = Courier([BROKEN])
    item = {"pk": f"JOB#{JOB_ID}", "sk": f"NOTE#{NAME}"}
    courier.world.database.meanwhile.append(courier)
    assert courier.deliver.resend(item, NOW + MINUTE) is False
    assert len(courier.posts) == 1


# jobs that are gone, or erased


def test_a_delivery_that_went_with_its_job_ends_in_silence() -> None:
    courier = Courier()
    assert courier.deliver("job_none", NAME, NOW) == "gone"
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
