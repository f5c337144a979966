"""Publishing: what happened is told in order, again until it went out, under ids that never change."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from broker.delivery.delivering import Deliver
from broker.delivery.events import event_of, webhook_body
from broker.delivery.publishing import HeadChange, Publish
from broker.delivery.sending import Sent
from broker.delivery.starting import SAFETY_MS
from broker.jobs.erasing import erase
from broker.jobs.head import Head, Status, due_partition

from tests.fakes.bus import FakeBus
from tests.fakes.queue import Down, FakeDeliveries
from tests.fakes.world import BASE_URL, JOB_ID, NOW, World, a_head

QUEUED = a_head(webhook=("job.succeeded",))
RUNNING = replace(QUEUED, status=Status.RUNNING, run=1, started_at=NOW + 5, rev=2)
DONE = replace(
    RUNNING,
    status=Status.SUCCEEDED,
    ended_at=NOW + 9,
    model="small",
    rev=3,
    calls={"1.1": {"m": "small", "r": 9, "c": 5}},
)
NAME = "DELIVERY#job.succeeded"


@dataclass
class Outbox:
    """The use case and all it tells."""

    world: World = field(default_factory=World)
    bus: FakeBus = field(default_factory=FakeBus)
    deliveries: FakeDeliveries = field(default_factory=FakeDeliveries)
    observed: list[str] = field(default_factory=list)
    stopped: list[tuple[str, str]] = field(default_factory=list)

    gone: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)

    def __call__(self, *changes: HeadChange, time_left: Callable[[], bool] = lambda: True) -> str | None:
        def observe(head: Head) -> None:
            self.observed.append(head.id)

        def on_failure(head: Head, error: Exception) -> None:
            self.stopped.append((head.id, type(error).__name__))

        world = self.world
        publish = Publish(
            *(world.database, world.jobs, self.bus, self.deliveries, BASE_URL, observe),
            on_failure=on_failure,
            on_gone=lambda head: self.gone.append(head.id),
            leave_undone=lambda head: self.undone.append(head.id),
        )
        return publish(changes, NOW, time_left)

    def add(self, job_id: str = JOB_ID) -> HeadChange:
        """The end of a job that has a webhook."""
        head = self.world.put(replace(DONE, id=job_id))
        self.world.jobs.note(head, "ASKED", {"webhook_url": "https://example.com/hook", "metadata": {}})
        return HeadChange(f"s-{job_id}", replace(RUNNING, id=job_id), head)


@pytest.fixture
def publish() -> Outbox:
    return Outbox()


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, QUEUED, "JobAccepted"),
        (QUEUED, RUNNING, "JobStarted"),
        (RUNNING, DONE, "JobSucceeded"),
        *(
            (RUNNING, replace(DONE, status=status), f"Job{status.value.capitalize()}")
            for status in (Status.FAILED, Status.BLOCKED, Status.CANCELED, Status.EXPIRED)
        ),
        (QUEUED, replace(QUEUED, status=Status.CANCELED), "JobCanceled"),
        (QUEUED, replace(QUEUED, nudges=1), None),
        (RUNNING, replace(RUNNING, rev=3), None),
        (RUNNING, replace(QUEUED, rev=3), None),
        (DONE, replace(DONE, rev=4), None),
    ],
)
def test_each_change_of_status_is_one_event(before: Head | None, after: Head, kind: str | None) -> None:
    event = event_of(before, after, BASE_URL)
    assert (event and event[0]) == kind


def test_an_event_is_the_fact_with_ids_and_no_payload(publish: Outbox) -> None:
    publish(publish.add())
    ((kind, detail),) = publish.bus.events
    assert kind == "JobSucceeded"
    assert detail["metadata"] == {
        "version": "1",
        "event_id": DONE.event_id,
        "correlation_id": "corr-1",
        "tenant": "acme",
        "created_at": "2026-11-18T11:06:40.009Z",
    }
    assert detail["data"]["job_id"] == JOB_ID
    assert detail["data"]["usage"]["cost_usd"] == 5e-9
    assert {"output", "input", "metadata"}.isdisjoint(detail["data"])
    assert "//example.com" not in json.dumps(detail), "the webhook's address"


def test_changes_go_out_in_their_order(publish: Outbox) -> None:
    assert publish(HeadChange("1", None, QUEUED), HeadChange("2", QUEUED, RUNNING), publish.add()) is None
    assert publish.bus.kinds == ["JobAccepted", "JobStarted", "JobSucceeded"]
    assert publish.observed == [JOB_ID]


def test_nothing_to_tell_is_told_to_nobody(publish: Outbox) -> None:
    assert (
        publish(HeadChange("1", QUEUED, replace(QUEUED, nudges=1)), HeadChange("2", RUNNING, replace(QUEUED, rev=4)))
        is None
    )
    assert (publish.bus.events, publish.deliveries.sent, publish.observed) == ([], [], [])


def test_a_terminal_event_starts_its_webhook(publish: Outbox) -> None:
    publish(publish.add())
    assert publish.deliveries.sent == [(JOB_ID, "acme", NAME, 0)]
    note = publish.world.jobs.notes(JOB_ID)[NAME]
    assert (note["event_id"], note["state"], note["tries"], note["attempts"]) == (DONE.event_id, "pending", 0, [])
    assert (note["url"], note["due"], note["due_at"]) == (
        "https://example.com/hook",
        due_partition(JOB_ID),
        NOW + SAFETY_MS,
    )


@pytest.mark.parametrize("wanted", [(), ("job.failed",)])
def test_a_webhook_is_sent_for_what_it_wants_only(publish: Outbox, wanted: tuple[str, ...]) -> None:
    change = publish.add()
    publish(replace(change, after=replace(change.after, webhook=wanted)))
    assert publish.deliveries.sent == []
    assert NAME not in publish.world.jobs.notes(JOB_ID)


def test_a_repeat_tells_the_same_ids_and_starts_no_second_webhook(publish: Outbox) -> None:
    change = publish.add()
    publish(change)
    publish(change)
    assert publish.bus.ids == [DONE.event_id] * 2
    assert len(publish.deliveries.sent) == 1


def test_a_refused_event_comes_again_from_there(publish: Outbox) -> None:
    changes = [publish.add(f"job_{number}") for number in range(3)]
    publish.bus.refuse = {changes[1].after.event_id}
    assert publish(*changes) == "s-job_1"
    assert publish(*changes[1:]) is None
    assert set(publish.bus.ids) == {change.after.event_id for change in changes}


def test_what_went_out_before_a_refused_event_also_starts_its_webhooks(publish: Outbox) -> None:
    changes = [publish.add(f"job_{number}") for number in range(3)]
    publish.bus.refuse = {changes[1].after.event_id}
    again = publish(*changes)
    publish(*changes[[change.sequence for change in changes].index(str(again)) :])  # what the stream gives again
    assert sorted({job_id for job_id, *_ in publish.deliveries.sent}) == ["job_0", "job_1", "job_2"]
    assert sorted(set(publish.observed)) == ["job_0", "job_1", "job_2"]


def _fail() -> None:
    raise Down


def test_a_webhook_that_cannot_be_started_comes_again(publish: Outbox) -> None:
    changes = [publish.add(f"job_{number}") for number in range(2)]
    publish.world.database.meanwhile += [lambda: None, _fail]
    assert publish(*changes) == "s-job_1"
    assert publish.stopped == [("job_1", "Down")]
    assert publish(*changes[1:]) is None
    assert [job_id for job_id, *_ in publish.deliveries.sent] == ["job_0", "job_1"]
    assert sorted(set(publish.observed)) == ["job_0", "job_1"]


class Poisoned(FakeDeliveries):
    """A queue that one job's message never gets into."""

    def send(self, job_id: str, tenant: str, name: str, delay_s: int = 0) -> None:
        if job_id == "job_poison":
            raise ValueError("nobody foresaw it")
        FakeDeliveries.send(self, job_id, tenant, name, delay_s)


def test_a_job_that_can_never_be_told_of_does_not_keep_those_after_it(publish: Outbox) -> None:
    publish.deliveries = Poisoned()
    changes = [publish.add(job_id) for job_id in ("job_0", "job_poison", "job_2")]
    assert publish(*changes) == "s-job_poison"
    assert [job_id for job_id, *_ in publish.deliveries.sent] == ["job_0", "job_2"]
    assert publish.observed == ["job_0"], "what comes again is measured then"
    assert publish.stopped == [("job_poison", "ValueError")]


def test_a_lost_message_leaves_the_webhook_to_the_sweep(publish: Outbox) -> None:
    change = publish.add()
    publish.deliveries.down = True
    publish(change)
    publish.deliveries.down = False
    publish(change)
    (found,) = publish.world.jobs.due(int(due_partition(JOB_ID).removeprefix("DUE#")), NOW + SAFETY_MS, 10).items[-1:]
    assert found["sk"] == f"NOTE#{NAME}"


def test_a_job_erased_at_once_still_gets_its_webhook(publish: Outbox) -> None:
    change = publish.add()
    world = publish.world
    erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, change.after)
    assert publish(change) is None
    assert len(publish.deliveries.sent) == 1


def addresses(world: World) -> list[str]:
    """Every address that is kept of the job."""
    return [note[name] for note in world.jobs.notes(JOB_ID).values() for name in ("webhook_url", "url") if name in note]


def test_an_erased_job_keeps_its_webhooks_address_only_until_it_is_sent(publish: Outbox) -> None:
    change = publish.add()
    world = publish.world
    erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, change.after)
    assert addresses(world) == ["https://example.com/hook"]
    publish(change)
    assert addresses(world) == ["https://example.com/hook"], "in the delivery, for its attempts"
    deliver = Deliver(
        *(world.database, world.jobs, publish.deliveries, lambda *a: Sent(204, None, None, 1), lambda *a: None)
    )
    assert deliver(JOB_ID, NAME, NOW, BASE_URL) == "delivered"
    assert addresses(world) == []
    assert publish(change) is None
    assert (len(publish.deliveries.sent), publish.gone) == (1, [])


def test_an_address_that_is_for_another_end_goes_at_once(publish: Outbox) -> None:
    change = publish.add()
    world = publish.world
    failed = replace(change.after, status=Status.FAILED)
    erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, failed)
    assert addresses(world) == []


def test_a_job_that_is_gone_stops_nobody(publish: Outbox) -> None:
    gone, kept = publish.add("job_gone"), publish.add()
    publish.world.database.delete("jobs", "JOB#job_gone", "NOTE#ASKED")
    assert publish(gone, kept) is None
    assert [job_id for job_id, *_ in publish.deliveries.sent] == [JOB_ID]
    assert (publish.gone, publish.stopped, publish.observed) == (["job_gone"], [], ["job_gone", JOB_ID])


def test_publishing_goes_on_from_where_its_time_was_over(publish: Outbox) -> None:
    first, second = publish.add("job_a"), publish.add("job_b")
    left = iter([True, False])
    assert publish(first, second, time_left=lambda: next(left)) == second.sequence
    assert [job_id for job_id, *_ in publish.deliveries.sent] == ["job_a"]


def test_a_webhooks_body_is_the_fact() -> None:
    body = webhook_body(replace(DONE, status=Status.FAILED, error={"type": "t", "code": "c", "message": "m"}), BASE_URL)
    assert (body["type"], body["timestamp"]) == ("job.failed", "2026-11-18T11:06:40.009Z")
    assert (body["data"]["job_id"], body["data"]["error"]["code"]) == (JOB_ID, "c")


def test_the_bus_is_not_told_of_a_quiet_job_and_all_else_goes_on(publish: Outbox) -> None:
    change = publish.add()
    assert publish(replace(change, after=replace(change.after, quiet=True))) is None
    assert publish.bus.events == []
    assert (publish.observed, [name for _, _, name, _ in publish.deliveries.sent]) == ([JOB_ID], [NAME])


def test_an_event_that_is_refused_among_quiet_jobs_comes_again_with_what_follows(publish: Outbox) -> None:
    first, loud, last = (publish.add(name) for name in ("job_1", "job_2", "job_3"))
    changes = [replace(first, after=replace(first.after, quiet=True)), loud, last]
    publish.bus.refuse.add(loud.after.event_id)
    assert publish(*changes) == loud.sequence
    assert publish.observed == ["job_1"]
    assert publish(*changes[1:]) is None
    assert publish.observed == ["job_1", "job_2", "job_3"]


@pytest.mark.parametrize("before", [RUNNING, QUEUED])
def test_what_a_provider_goes_on_with_is_left_undone_when_its_job_ends(publish: Outbox, before: Head) -> None:
    goes_on = {"1.1": {"m": "small", "r": 9, "h": {"job": "t-1"}, "s": NOW}}
    ended = replace(DONE, status=Status.CANCELED, calls=goes_on)
    publish(HeadChange("1", replace(before, calls=goes_on), ended))
    assert publish.undone == [JOB_ID]


@pytest.mark.parametrize(
    ("status", "call"),
    [
        (Status.SUCCEEDED, {"c": 5}),
        (Status.CANCELED, {}),
        (Status.CANCELED, {"c": 5, "h": {"job": "t-1"}}),
        (Status.QUEUED, {"h": {"job": "t-1"}}),
    ],
)
def test_nobody_is_asked_to_stop_where_nobody_goes_on(publish: Outbox, status: Status, call: dict[str, Any]) -> None:
    publish(HeadChange("1", RUNNING, replace(DONE, status=status, calls={"1.1": {"m": "small", "r": 9, **call}})))
    assert publish.undone == []
