"""Kept as long as promised: a job's record outlives its prompt and answer until all is told and counted."""

import json
from typing import Any

import pytest
from broker.delivery.publishing import HeadChange, Publish
from broker.delivery.schedule import JITTER, LONGEST_S, PAUSES_S
from broker.jobs.head import RECORD_S, Head, Status
from broker.jobs.sweeping import Sweep
from broker.jobs.transitions import Outcome, finish
from broker.rest.http import Reply

from tests.contract.world import World as Door
from tests.fakes.bus import FakeBus
from tests.fakes.inbox import Files
from tests.fakes.queue import FakeDeadLetters, FakeDeliveries
from tests.fakes.world import BASE_URL, CHAT, HOUR, MINUTE, NOW, SECOND, World, a_model

DAY = 24 * HOUR
SHORT = {**CHAT, "ttl_seconds": 60}
HOOK = {"url": "https://example.com/hook", "events": ["job.succeeded", "job.expired"]}


@pytest.fixture
def world() -> World:
    made = World()
    made.tenant()
    made.register(a_model("small"))
    return made


def sweep(world: World, now: int) -> None:
    Sweep(world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: False)(now)


def succeed(world: World, head: Head) -> Head:
    world.payloads.save(head, "OUTPUT#1.1", {"text": "Fine."})
    outcome = Outcome(Status.SUCCEEDED, model="small", output="OUTPUT#1.1")
    return world.jobs.change(head.id, lambda current: finish(current, outcome, now=NOW + SECOND))


def test_the_record_outlives_the_longest_schedule_of_a_webhook() -> None:
    longest = sum(max(pause * (1 + JITTER), LONGEST_S) for pause in PAUSES_S[1:])
    told_late = 86_400  # the stream holds what is not told for a day
    assert longest + told_late < RECORD_S


def test_a_jobs_items_outlive_its_deadline(world: World) -> None:
    head = world.accept({**CHAT, "ttl_seconds": 3600, "deadline_seconds": 3600}).head
    # The sweep runs each minute and can expire it at the deadline only.
    assert head.expires_at * 1000 > head.deadline_at + 5 * MINUTE


def test_a_job_whose_time_is_over_still_ends_and_is_told(world: World) -> None:
    head = world.accept({**SHORT, "webhook": HOOK, "metadata": {"order": "17"}}).head
    world.age(NOW + 2 * DAY)
    assert world.payloads.load(head.id, "BODY") is None
    sweep(world, NOW + 2 * DAY)
    ended = world.jobs.get(head.id)
    assert ended.status is Status.EXPIRED
    bus, deliveries = FakeBus(), FakeDeliveries()
    publish = Publish(world.database, world.jobs, bus, deliveries, BASE_URL, lambda head: None)
    world.age(NOW + 2 * DAY + MINUTE)
    assert publish([HeadChange("s-1", head, ended)], NOW + 2 * DAY + MINUTE) is None
    assert bus.kinds == ["JobExpired"]
    assert len(deliveries.sent) == 1, "its webhook is under way"
    world.age(NOW + 5 * DAY)
    (delivery,) = world.jobs.notes(head.id, "DELIVERY#").values()
    assert delivery["url"] == HOOK["url"], "and is kept for as long as it may take"


def test_a_repeat_finds_a_job_whose_time_is_over(world: World) -> None:
    first = world.accept(SHORT, key="k").head
    succeed(world, first)
    later = NOW + DAY - MINUTE
    world.age(later)
    again = world.accept(SHORT, key="k", now=later)
    assert (again.repeated, again.head.id, again.head.status) == (True, first.id, Status.SUCCEEDED)
    assert world.payloads.load(first.id, "BODY") is None


def test_a_file_whose_time_is_over_is_counted_and_collected() -> None:
    files = Files()
    taken = files.taken("acme/a.json", json.dumps(SHORT))
    (short,) = files.jobs(taken.batch_id)
    ended = files.end(short, Status.SUCCEEDED, "1")
    files.world.age(NOW + HOUR)
    files.publish(ended)
    files.world.age(NOW + 2 * HOUR)
    files.collect(taken.batch_id, NOW + 2 * HOUR)
    (job,) = files.rows("acme/a.json.result.json")
    assert (job["status"], job["output"], job["erased"]) == ("succeeded", None, True)


def test_in_the_end_nothing_is_left(world: World) -> None:
    head = world.accept({**SHORT, "webhook": HOOK, "metadata": {"order": "17"}}, key="k").head
    succeed(world, head)
    world.age((head.expires_at - 1) * SECOND)
    assert world.jobs.find(head.id) is not None
    world.age(head.expires_at * SECOND)
    assert world.database.query("jobs", f"JOB#{head.id}") == []


def aged(door: Door, head: Head) -> None:
    door.payloads.now = head.payloads_until * 1000


def get(door: Door, head: Head) -> Reply:
    return door.call("GET", "/jobs/{id}", path={"id": head.id})


def test_an_answer_that_was_kept_no_longer_is_gone_and_the_record_is_shown() -> None:
    door = Door()
    head = door.ended(Status.SUCCEEDED)
    before = get(door, head)
    assert before.status == 200
    aged(door, head)
    reply = get(door, head)
    assert (reply.status, reply.body["error"]["type"], reply.body["error"]["code"]) == (410, "gone", "payload_expired")
    assert (reply.body["output"], reply.body["erased"]) == (None, True)
    same = ("id", "status", "model", "usage", "attempts", "route", "metadata", "ended_at")
    assert {name: reply.body[name] for name in same} == {name: before.body[name] for name in same}


def test_an_answer_that_was_erased_says_so() -> None:
    door = Door()
    head = door.ended(Status.SUCCEEDED)
    answer = json.dumps(get(door, head).body["output"])
    for _ in range(2):
        assert door.call("DELETE", "/jobs/{id}", path={"id": head.id}).status == 204
        reply = get(door, head)
        assert (reply.status, reply.body["error"]["code"], reply.body["metadata"]) == (410, "erased", {})
        assert answer not in json.dumps(reply.body)


def test_what_is_left_can_be_erased_when_the_answer_is_gone() -> None:
    door = Door()
    head = door.ended(Status.SUCCEEDED)
    aged(door, head)
    assert door.call("DELETE", "/jobs/{id}", path={"id": head.id}).status == 204
    assert door.payloads.names(head.id) == []
    assert get(door, head).body["error"]["code"] == "erased"


def test_another_tenant_does_not_learn_that_something_was_here() -> None:
    door = Door()
    head = door.ended(Status.SUCCEEDED)
    aged(door, head)
    with pytest.raises(Exception, match="no such job"):
        door.call("GET", "/jobs/{id}", path={"id": head.id}, tenant="other")


@pytest.mark.parametrize("status", [Status.FAILED, Status.BLOCKED, Status.CANCELED])
def test_a_job_without_an_answer_is_shown_as_ever(status: Status) -> None:
    door = Door()
    head = door.ended(status)
    before: Any = get(door, head).body
    aged(door, head)
    assert get(door, head) == Reply(200, before)
