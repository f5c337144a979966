"""Lists of batches: by time, whatever their ids are, and how many of a tenant have not ended."""

from dataclasses import replace

from broker.batches.batch import Batch
from broker.batches.listing import Listed, Place
from broker.batches.store import Batches
from broker.storage import Put

from tests.fakes.batches import a_batch
from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW, SECOND

HASHES = [f"batch_{digit * 32}" for digit in "f0a35c"]
"""Ids that follow from files tell nothing of time."""


def made(batches: Batches, count: int = 6, tenant: str = "acme") -> list[str]:
    """Batches made one second after the other; their ids, newest first."""
    for number, batch_id in enumerate(HASHES[:count]):
        at = NOW + number * SECOND
        batches.create(replace(a_batch(), id=f"{batch_id[:-1]}{tenant[0]}", tenant=tenant, created_at=at))
    return [f"{batch_id[:-1]}{tenant[0]}" for batch_id in reversed(HASHES[:count])]


def paged(batches: Batches, limit: int, tenant: str = "acme") -> list[str]:
    found: list[str] = []
    cursor: Place | None = None
    while True:
        page, cursor = batches.of_tenant(tenant, limit=limit, cursor=cursor)
        assert len(page) <= limit
        found += [batch.id for batch in page]
        if cursor is None:
            return found


def ended(batch: Batch) -> Batch:
    return batch.ended({}, NOW + 60 * SECOND)


def test_batches_of_files_are_listed_by_time_whatever_their_ids_are() -> None:
    batches = Batches(FakeDatabase())
    mine, others = made(batches), made(batches, 3, "other")
    for limit in (1, 2, 3, 100):
        assert paged(batches, limit) == mine
    assert paged(batches, 2, "other") == others


def test_those_that_ended_stay_where_they_were_among_the_others() -> None:
    batches = Batches(FakeDatabase())
    mine = made(batches)
    for batch_id in (mine[0], mine[3], mine[4]):
        batches.change(batch_id, ended)
    for limit in (1, 2, 4, 100):
        assert paged(batches, limit) == mine


def test_a_page_goes_on_where_it_was_when_its_last_batch_has_ended_meanwhile() -> None:
    batches = Batches(FakeDatabase())
    mine = made(batches)
    page, cursor = batches.of_tenant("acme", limit=2, cursor=None)
    for batch in page:
        batches.change(batch.id, ended)
    rest, _ = batches.of_tenant("acme", limit=10, cursor=cursor)
    assert [batch.id for batch in (*page, *rest)] == mine


def test_a_record_keeps_its_id_and_tenant_whatever_the_index_has() -> None:
    batches = Batches(FakeDatabase())
    batch = replace(a_batch(), id=HASHES[0])
    batches.create(batch)
    assert batches.get(HASHES[0], "acme") == batch
    _, after = batches.change(HASHES[0], ended)
    assert (after.id, after.tenant) == (HASHES[0], "acme")


def test_only_what_has_not_ended_counts_and_only_of_its_tenant() -> None:
    database = FakeDatabase()
    batches, listed = Batches(database), Listed(database)
    mine = made(batches, 4)
    made(batches, 3, "other")
    assert [listed.open_of_tenant(*each) for each in (("acme", 100), ("acme", 2), ("nobody", 9))] == [4, 2, 0]
    batches.change(mine[0], ended)
    batches.change(mine[1], lambda batch: batch.failed({"code": "empty_file"}, NOW))
    assert (listed.open_of_tenant("acme", 100), listed.open_of_tenant("other", 100)) == (2, 3)


def test_those_of_one_moment_are_in_the_order_of_their_ids() -> None:
    batches = Batches(FakeDatabase())
    ids = [f"batch_{NOW:012x}7{number:03}8" + "0" * 15 for number in range(3)]
    for batch_id in ids:
        batches.create(replace(a_batch(), id=batch_id, created_at=NOW))
    assert paged(batches, 2) == ids[::-1]


def test_a_batch_of_before_lists_were_by_time_is_listed_by_its_id_and_counts_once_it_changes() -> None:
    """Its keys of the index were the tenant's one list and its own id, whether it had ended or not."""
    database = FakeDatabase()
    batches, listed = Batches(database), Listed(database)
    old = replace(a_batch(), id=HASHES[3], created_at=NOW)
    database.write(Put("jobs", old.to_item() | {"tenant": "acme#batches", "id": old.id}))
    (new,) = made(batches, 1)
    assert set(paged(batches, 1)) == {old.id, new} and batches.get(old.id, "acme") == old
    assert listed.open_of_tenant("acme", 9) == 1
    batches.change(old.id, lambda batch: replace(batch, looks=batch.looks + 1))
    assert listed.open_of_tenant("acme", 9) == 2 and sorted(paged(batches, 1)) == sorted([old.id, new])
