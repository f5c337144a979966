"""Lists of batches and the slots of their steps, on DynamoDB as on its fake: order, pages, counts and leases."""

from dataclasses import replace

from broker.batches.flow.slots import LEASE_MS, NEXT_S, Slots
from broker.batches.listing import Listed, Place
from broker.batches.store import Batches
from broker.storage import Database

from tests.fakes.batches import a_batch
from tests.fakes.world import NOW, SECOND

IDS = [f"batch_{digit * 32}" for digit in "f0a35c19"]


def test_open_and_ended_batches_are_one_list_by_time_page_by_page(database: Database) -> None:
    batches, listed = Batches(database), Listed(database)
    for number, batch_id in enumerate(IDS):
        batches.create(replace(a_batch(), id=batch_id, created_at=NOW + number * SECOND))
        batches.create(replace(a_batch(), id=f"{batch_id[:-1]}z", tenant="other", created_at=NOW))
    for batch_id in IDS[1:6:2]:
        batches.change(batch_id, lambda batch: batch.ended({}, NOW))
    for limit in (1, 2, 3, 8, 100):
        found: list[str] = []
        cursor: Place | None = None
        while True:
            page, cursor = batches.of_tenant("acme", limit=limit, cursor=cursor)
            found += [batch.id for batch in page]
            if cursor is None:
                break
        assert found == IDS[::-1], limit
    assert (listed.open_of_tenant("acme", 100), listed.open_of_tenant("acme", 3)) == (5, 3)


def test_a_slot_is_had_kept_given_back_and_run_out(database: Database) -> None:
    batches = Batches(database)
    turns, made = Slots(batches, "plan"), [replace(a_batch(), id=each, due_at=NOW) for each in IDS[:4]]
    for batch in made:
        batches.create(batch)
    one, two, three, four = made
    assert [turns.claim(batch, NOW) for batch in (one, two, one, three)] == [0, 0, 0, NEXT_S]
    turns.give_back(two, NOW)
    turns.give_back(two, NOW)
    assert (turns.claim(three, NOW), turns.claim(four, NOW)) == (0, NEXT_S)
    assert turns.claim(four, NOW + LEASE_MS) == 0
    assert (batches.get(four.id).due_at or 0) > NOW + LEASE_MS
