"""How many batches a tenant may have under way: by every way in, and nothing of it is another's."""

from typing import Any

import pytest
from broker.batches.asking.request import parse_batch
from broker.batches.asking.submitting import Taken
from broker.batches.store import Batches
from broker.errors import TooManyAtOnce
from broker.jobs.accepting import Caller

from tests.fakes.batch_door import BatchWorld
from tests.fakes.inbox import Files
from tests.fakes.world import HOUR, NOW, World, a_model
from tests.unit.test_inbox_recipes import one_page, registered

INLINE = {"requests": [{"input": "Hello"}]}
LINES = '{"input": {"text": "Hello"}}\n'


@pytest.fixture
def place() -> BatchWorld:
    world = World()
    world.register(a_model("small"))
    world.tenant(max_batches=2)
    world.tenant("other")
    return BatchWorld(world)


def take(place: BatchWorld, tenant: str = "acme", key: str | None = None, body: Any = INLINE) -> Taken:
    return place.submit()(parse_batch(body), Caller(tenant, "ci", "rest", "r-1"), NOW, key=key)


def end(place: BatchWorld, batch_id: str) -> None:
    Batches(place.world.database).change(batch_id, lambda batch: batch.ended({}, NOW))


def test_a_tenant_has_no_more_under_way_than_it_may_and_the_error_says_so(place: BatchWorld) -> None:
    first = take(place).batch
    take(place)
    before, objects = place.world.database.items(), set(place.rows.objects)
    with pytest.raises(TooManyAtOnce, match="2 batches") as failure:
        take(place)
    assert (failure.value.status, failure.value.code, failure.value.retry_after) == (429, "too_many_batches", 60)
    assert (place.world.database.items(), set(place.rows.objects)) == (before, objects), "nothing is left of it"
    take(place, "other")
    end(place, first.id)
    take(place)


def test_a_repeat_gives_the_batch_that_is_there_however_many_there_are(place: BatchWorld) -> None:
    first = take(place, key="k").batch
    take(place)
    again = take(place, key="k")
    assert (again.batch.id, again.repeated) == (first.id, True)
    with pytest.raises(TooManyAtOnce):
        take(place, key="k2")
    end(place, first.id)
    assert not take(place, key="k2").repeated, "a key that was refused is free"


def test_a_retry_is_one_more(place: BatchWorld) -> None:
    first = take(place).batch
    Batches(place.world.database).change(first.id, lambda batch: batch.planned(1, 1, {}, is_last=True, now=NOW))
    end(place, first.id)
    take(place)
    take(place)
    with pytest.raises(TooManyAtOnce):
        place.submit().again(first.id, Caller("acme", "ci", "rest", "r-1"), NOW + HOUR)


def a_door() -> Files:
    files = Files()
    files.world.tenant(max_batches=1)
    files.world.tenant("other")
    return files


def test_a_file_of_the_inbox_waits_until_there_is_room_and_is_not_refused() -> None:
    files = a_door()
    batches = Batches(files.world.database)
    first, second = files.taken("acme/one.jsonl", LINES), files.taken("acme/two.jsonl", LINES)
    others = files.taken("other/one.jsonl", LINES)
    assert [batch_id for batch_id, _ in files.workflows.started] == [first.batch_id, others.batch_id]
    assert (files.outbox.objects, files.bus.events) == ({}, [])
    (event, delay_s), *_ = files.collects.later
    assert 60 <= delay_s < 120
    files.collects.later.clear()
    files.split(event)
    assert len(files.collects.later) == 1, "and once more"
    batches.change(first.batch_id, lambda batch: batch.ended({}, NOW))
    files.go_on()
    assert files.workflows.started[-1][0] == second.batch_id
    assert batches.get(second.batch_id, "acme")


def test_a_file_that_was_taken_is_no_second_batch_when_it_is_told_of_again() -> None:
    files = a_door()
    event = files.inbox.put("acme/one.jsonl", LINES)
    files.split(event)
    files.split(event)
    assert files.collects.later == []


def test_documents_wait_too_before_and_after_they_are_read() -> None:
    files = a_door()
    registered(files)
    before, after = files.inbox.put("acme/notes/one.md", "One."), files.inbox.put("acme/notes/two.md", "Two.")
    files.split(before)
    assert len(files.readings.asked) == 1
    files.split(files.inbox.put("acme/rows.jsonl", LINES))
    files.split(after)
    assert len(files.readings.asked) == 1, "not even read"
    files.read_for_recipe(one_page)
    read = [event for event, delay_s in files.collects.later if delay_s == 0]
    files.collects.later.clear()
    files.split(*read)
    assert len(files.workflows.started) == 1
    assert [delay_s >= 60 for _, delay_s in files.collects.later] == [True]
    assert files.outbox.objects == {}
