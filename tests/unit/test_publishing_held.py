"""Webhooks of jobs that are held: for who asks, once for each hold, and never in the way of what tells of the end."""

import json
from dataclasses import dataclass, field
from typing import Any

from broker.delivery.delivering import Deliver
from broker.delivery.publishing import HeadChange, Publish
from broker.delivery.sending import Sent
from broker.jobs.ending import cancel_job
from broker.jobs.erasing import erase
from broker.jobs.head import Head, Status
from broker.reviews.deciding import Reviewer

from tests.fakes.bus import FakeBus
from tests.fakes.flow import Flow
from tests.fakes.queue import FakeDeliveries
from tests.fakes.reviews import decide_of
from tests.fakes.world import BASE_URL, HOUR, SECOND

HERONS = {"check": "denied_terms", "action": "review", "stages": ["input", "output"], "terms": ["heron"]}
HOOK = {"url": "https://example.com/hook", "events": ["job.held", "job.canceled"]}


@dataclass
class Told:
    """Jobs that go through the workflow, and what a receiver gets to hear of them."""

    flow: Flow = field(default_factory=lambda: Flow([HERONS]))
    queue: FakeDeliveries = field(default_factory=FakeDeliveries)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    observed: list[Status] = field(default_factory=list)
    counted: list[Status] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    done: int = 0

    def job(self, **webhook: Any) -> Head:
        return self.flow({"input": {"text": "A heron."}, "webhook": HOOK | webhook})

    def publish(self, *, again: bool = False) -> None:
        """Tell of all that the stream has, or has anew; or all of it once more."""
        world = self.flow.world
        stream = world.database.stream[0 if again else self.done :]
        self.done = len(world.database.stream)
        changes = [
            HeadChange(str(number), Head.from_item(old) if old else None, Head.from_item(new))
            for number, (old, new) in enumerate(stream)
            if new.get("news")
        ]
        publish = Publish(
            *(world.database, world.jobs, FakeBus(), self.queue, BASE_URL),
            observe=lambda head: self.observed.append(head.status),
            count=lambda head, now: self.counted.append(head.status),
        )
        assert publish(changes, self.flow.now) is None

    def deliver(self) -> list[str]:
        """Attempt all that is asked for; what became of each."""
        world, sent = self.flow.world, self.queue.sent[:]
        self.queue.sent.clear()
        deliver = Deliver(world.database, world.jobs, self.queue, self._receive, lambda *_: None)
        return [deliver(job_id, name, self.flow.now, BASE_URL) for job_id, _, name, _ in sent]

    def _receive(self, tenant: str, url: str, event_id: str, now: int, body: bytes) -> Sent:
        self.received.append((event_id, json.loads(body)))
        return Sent(self.answers.pop(0) if self.answers else 204, None, None, 1)

    def release(self, head: Head, stage: Any) -> Head:
        self.flow.now += SECOND
        world = self.flow.world
        decide_of(world, world.queue).release(head.id, stage, Reviewer("arn:ada"), "fine", self.flow.now)
        return self.flow.run(world.jobs.get(head.id))

    def addresses(self, head: Head) -> list[str]:
        notes = self.flow.world.jobs.notes(head.id).values()
        return [note[name] for note in notes for name in ("webhook_url", "url") if name in note]


def test_each_hold_is_told_once_with_an_id_of_its_own() -> None:
    told = Told()
    head = told.job()
    told.publish()
    told.publish(again=True)
    assert told.deliver() == ["delivered"]
    ended = told.release(head, "input")
    assert ended.is_held
    told.publish()
    told.publish(again=True)
    assert told.deliver() == ["delivered"]
    (first, body), (second, after) = told.received
    assert first != second
    assert (body["type"], body["data"]["status"], body["data"]["job_id"]) == ("job.held", "queued", head.id)
    assert body["data"]["review"]["rules"] == ["denied_terms"]
    assert [each["data"]["review"]["stage"] for each in (body, after)] == ["input", "output"]
    assert "heron" not in json.dumps(told.received), "ids and references, never a text"
    assert [each["event"] for each in told.flow.look(head.id)["delivery"]] == ["job.held", "job.held"]
    assert (told.observed, told.counted) == ([], []), "it has not ended"


def test_who_does_not_ask_is_not_told() -> None:
    told = Told()
    told.job(events=["job.succeeded"])
    head = told.flow({"input": {"text": "A heron."}, "webhook": {"url": HOOK["url"]}})
    told.publish()
    assert (told.queue.sent, "job.held" in head.webhook) == ([], False), "an old receiver hears of ends alone"


def test_what_is_sent_late_tells_of_the_hold_as_it_was() -> None:
    told = Told(answers=[503])
    head = told.job()
    told.publish()
    assert told.deliver() == ["pending"]
    cancel_job(told.flow.world.jobs, head.id, "acme", told.flow.now)
    told.flow.now += HOUR
    assert told.deliver() == ["delivered"]
    (first, body), (second, again) = told.received
    assert (first, body) == (second, again), "a receiver that verifies by its id gets one message"


def test_the_end_is_told_though_the_job_was_erased_before_it_was_published() -> None:
    told = Told()
    head = told.job()
    told.publish()
    world = told.flow.world
    ended = cancel_job(world.jobs, head.id, "acme", told.flow.now)
    erase(world.jobs, world.payloads, lambda job: None, lambda *turn: None, ended)
    told.publish()
    assert sorted(told.deliver()) == ["delivered", "delivered"]
    assert [body["type"] for _, body in told.received] == ["job.held", "job.canceled"]
    assert told.addresses(head) == [], "the address goes with the last attempt"
    assert (told.observed, told.counted) == ([Status.CANCELED], [Status.CANCELED])


def test_of_an_erased_job_the_hold_is_not_told_any_more_and_its_end_is() -> None:
    told = Told()
    head, world = told.job(), told.flow.world
    ended = cancel_job(world.jobs, head.id, "acme", told.flow.now)
    erase(world.jobs, world.payloads, lambda job: None, lambda *turn: None, ended)
    told.publish()
    told.deliver()
    assert [body["type"] for _, body in told.received] == ["job.canceled"]
    assert told.addresses(head) == []


def test_a_tenants_holds_go_to_its_own_receiver() -> None:
    told = Told()
    told.job()
    told.flow({"input": {"text": "A heron."}, "webhook": HOOK | {"url": "https://example.org/other"}}, "other")
    told.publish()
    notes = [each for each in told.flow.world.database.items() if "#job.held#" in each["sk"]]
    assert {(each["tenant"], each["url"]) for each in notes} == {
        ("acme", "https://example.com/hook"),
        ("other", "https://example.org/other"),
    }
