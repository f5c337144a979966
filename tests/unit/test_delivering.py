"""Delivering: one attempt at a time, again by the schedule, every attempt on record."""

import json
from typing import Any

import pytest
from broker.clock import iso
from broker.delivery.client_certificates import Identity
from broker.delivery.schedule import PAUSES_S
from broker.delivery.sending import Sent, make_sender
from broker.delivery.starting import SAFETY_MS
from broker.errors import InvalidRequest, Unavailable
from broker.jobs.reading import view

from tests.fakes.world import BASE_URL, HOUR, JOB_ID, MINUTE, NOW, SECOND
from tests.unit.delivering_case import BROKEN, EVENT_ID, GONE, NAME, Courier


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


def test_the_job_shows_its_deliveries() -> None:
    courier = Courier([BROKEN])
    courier()
    (shown,) = view(courier.world.jobs.get(JOB_ID), courier.world.jobs.notes(JOB_ID), None, BASE_URL)["delivery"]
    assert (shown["id"], shown["event"], shown["state"]) == (EVENT_ID, "job.failed", "pending")
    assert shown["attempts"] == [{"at": "2026-11-18T11:06:40.000Z", "status": 500, "error": None, "latency_ms": 7}]
    assert "url" not in shown


def test_the_sender_signs_what_it_posts_to_the_checked_address() -> None:
    seen: dict[str, Any] = {}

    def post(target: Any, body: bytes, headers: dict[str, str], *, identity: Identity | None) -> Any:
        seen.update(target=target, body=body, headers=headers, identity=identity)
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
    own = {"webhook-id": "evt_forged", "x-shop": "7"}
    send("acme", "https://e/hook", EVENT_ID, NOW, b"{}", secrets=lambda: ["mine"], headers=lambda: own)
    assert (seen["headers"]["webhook-id"], seen["headers"]["x-shop"]) == (EVENT_ID, "7")
    assert seen["headers"]["webhook-signature"].startswith("['mine']")
    assert seen["identity"] is None
    mine = Identity("certificate", "key")
    send("acme", "https://e/hook", EVENT_ID, NOW, b"{}", secrets=lambda: ["mine"], client=lambda: mine)
    assert seen["identity"] is mine


def test_a_doubled_message_brings_no_attempt_forward() -> None:
    courier = Courier([BROKEN])
    courier()
    assert courier(NOW + SECOND) == "pending"
    assert len(courier.posts) == 1


def test_a_message_too_many_meets_the_attempt_that_is_under_way() -> None:
    courier = Courier([BROKEN])
    item = {"pk": f"JOB#{JOB_ID}", "sk": f"NOTE#{NAME}"}
    courier.world.database.meanwhile.append(courier)
    assert courier.deliver.resend(item, NOW + MINUTE)
    assert courier(NOW + SECOND) == "pending"
    assert (len(courier.posts), courier.note["tries"]) == (1, 1)
    assert courier.note["due_at"] < NOW + 7 * SECOND, "the schedule of the attempt holds"


def test_a_message_that_the_sweep_relied_on_and_that_came_too_early_is_not_relied_on() -> None:
    courier = Courier([BROKEN])
    courier()
    (item,) = courier.due(NOW + MINUTE)
    courier.deliver.resend(item, NOW + MINUTE)  # by a clock that is ahead
    assert courier.due(NOW + HOUR) == []
    assert courier(NOW + SECOND) == "pending"
    assert len(courier.due(NOW + 2 * MINUTE)) == 1
    assert (len(courier.posts), courier.note["state"]) == (1, "pending")


def test_the_sweep_takes_nothing_back_that_an_attempt_has_brought() -> None:
    courier = Courier()
    item = {"pk": f"JOB#{JOB_ID}", "sk": f"NOTE#{NAME}"}
    courier.world.database.meanwhile.append(courier)
    assert courier.deliver.resend(item, NOW + MINUTE)
    assert (courier.note["state"], "due_at" in courier.note) == ("delivered", False)


def test_when_the_next_attempt_is_shows_on_the_job() -> None:
    courier = Courier([BROKEN])

    def next_at() -> str | None:
        (shown,) = view(courier.world.jobs.get(JOB_ID), courier.world.jobs.notes(JOB_ID), None, BASE_URL)["delivery"]
        return shown["next_at"]  # type: ignore[no-any-return]

    assert next_at() == iso(NOW + SAFETY_MS)
    (item,) = courier.due(NOW + SAFETY_MS)
    courier.deliver.resend(item, NOW + SAFETY_MS)
    assert next_at() == iso(NOW + SAFETY_MS)
    courier(NOW + 2 * SAFETY_MS)
    assert next_at() == iso(courier.note["due_at"])
    courier(NOW + HOUR)
    assert next_at() is None
