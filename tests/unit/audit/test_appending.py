"""Appending: whoever writes at once, comes twice or dies in between, there is one whole chain with all records."""

import pytest
from broker.audit.appending import PK, Append, ChainBroken, end_of
from broker.audit.chain import Block, verify
from broker.audit.record import KEY_USED, KEY_USED_ELSEWHERE, Record, record
from broker.storage import Put

from tests.fakes.audit import FakeBlocks
from tests.fakes.database import FakeDatabase

NOW = 1_790_000_000_000


def some(*ids: str) -> list[Record]:
    return [record("payload.read", each, NOW, tenant="acme") for each in ids]


class Trail:
    """A chain, and its writers."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.blocks = FakeBlocks()
        self.broken: list[int] = []

    def writer(self, name: str = "one") -> Append:
        return Append(self.database, self.blocks, name, self.broken.append)

    def ids(self) -> list[str]:
        return [each["id"] for data in self.blocks.kept.values() for each in Block.read(data).records]

    def faults(self) -> list[str]:
        end = end_of(self.database, self.blocks.name)
        return [str(each) for each in verify(self.blocks.all(), end, NOW, 30)]


@pytest.fixture
def trail() -> Trail:
    return Trail()


def test_records_are_written_in_their_order_and_the_end_is_known(trail: Trail) -> None:
    write = trail.writer()
    write(some("a", "b"), NOW)
    write(some("c"), NOW + 5)
    assert (trail.ids(), trail.faults()) == (["a", "b", "c"], [])
    assert end_of(trail.database, trail.blocks.name).number == 2


def test_nothing_is_written_of_nothing(trail: Trail) -> None:
    assert trail.writer()([], NOW) is None
    assert trail.blocks.kept == {}


def test_a_writer_that_died_before_it_moved_the_end_is_gone_on_from(trail: Trail) -> None:
    trail.writer()(some("a"), NOW)
    end = trail.database.get("ledger", PK, trail.blocks.name)
    assert end is not None
    trail.writer()(some("b"), NOW)
    trail.database.write(Put("ledger", end))
    assert trail.faults() == [], "one block ahead is no fault"
    trail.writer("another")(some("c"), NOW)
    assert (trail.ids(), trail.faults(), trail.broken) == (["a", "b", "c"], [], [])


def test_a_write_whose_answer_was_lost_is_not_made_twice(trail: Trail) -> None:
    trail.writer()(some("a"), NOW)
    trail.blocks.lost_answers = 1
    trail.writer()(some("b"), NOW)
    assert (trail.ids(), trail.faults()) == (["a", "b"], [])


def test_a_writer_that_died_with_the_first_block_is_gone_on_from_by_a_process_of_another_name(trail: Trail) -> None:
    class Died(Exception):
        pass

    put = trail.blocks.put

    def dies(number: int, data: bytes) -> bool:
        put(number, data)
        raise Died

    trail.blocks.put = dies  # type: ignore[method-assign]
    with pytest.raises(Died):
        trail.writer("one")(some("a"), NOW)
    trail.blocks.put = put  # type: ignore[method-assign]
    assert trail.faults() == [], "one block ahead is no fault, of the first too"
    trail.writer("two")(some("b"), NOW)
    assert (trail.ids(), trail.faults(), trail.broken) == (["a", "b"], [], [])


def test_of_two_that_begin_a_chain_at_once_one_names_it_and_both_write(trail: Trail) -> None:
    first, second = trail.writer("one"), trail.writer("two")
    put, began = trail.blocks.put, []

    def while_another_begins(number: int, data: bytes) -> bool:
        if not began:
            began.append(number)
            second(some("b"), NOW)
        return put(number, data)

    trail.blocks.put = while_another_begins  # type: ignore[method-assign]
    first(some("a"), NOW)
    assert (sorted(trail.ids()), trail.faults(), trail.broken) == (["a", "b"], [], [])


def test_a_block_that_s3_still_takes_is_waited_for_and_no_break(trail: Trail) -> None:
    """S3 refuses the second of two at once (409) before there is an object of the first."""
    put, refused = trail.blocks.put, []

    def refuses_once(number: int, data: bytes) -> bool:
        if not refused:
            refused.append(number)
            return False
        return put(number, data)

    trail.blocks.put = refuses_once  # type: ignore[method-assign]
    trail.writer()(some("a"), NOW)
    assert (trail.ids(), trail.faults(), trail.broken) == (["a"], [], [])


def test_a_chain_whose_end_is_gone_is_not_begun_anew(trail: Trail) -> None:
    trail.writer("one")(some("a"), NOW)
    trail.database = FakeDatabase()
    with pytest.raises(ChainBroken):
        trail.writer("two")(some("b"), NOW)
    assert trail.broken == [1], "two chains in one bucket are for an operator to look at"


def test_a_bucket_that_takes_the_place_of_another_has_a_whole_chain_of_its_own(trail: Trail) -> None:
    """As after `Audit=off`, which leaves the bucket and the table, and `Audit=on`, which makes a new bucket."""
    trail.writer("one")(some("a"), NOW)
    before, trail.blocks = trail.blocks, FakeBlocks("another")
    trail.writer("two")(some("b"), NOW)
    assert (trail.ids(), trail.faults()) == (["b"], [])
    trail.blocks = before
    assert (trail.ids(), trail.faults()) == (["a"], []), "what was left can be verified still"


def test_what_is_put_at_the_end_by_others_stops_the_trail(trail: Trail) -> None:
    trail.writer()(some("a"), NOW)
    trail.blocks.kept[2] = trail.blocks.kept[1]
    with pytest.raises(ChainBroken):
        trail.writer()(some("b"), NOW)
    assert (trail.broken, len(trail.blocks.kept)) == ([2], 2)


def test_a_key_is_told_of_once_for_each_place(trail: Trail) -> None:
    def used(place: str, at: str) -> Record:
        return record(KEY_USED, at, NOW, tenant="acme", key="k1", place=place)

    write = trail.writer()
    write([used("192.0.2.0/24", "a"), used("192.0.2.0/24", "b")], NOW)
    assert write([used("192.0.2.0/24", "c")], NOW) is None
    write([used("198.51.100.0/24", "d")], NOW)
    assert trail.ids() == ["a", "d"]
    kinds = {each["kind"] for data in trail.blocks.kept.values() for each in Block.read(data).records}
    assert kinds == {KEY_USED_ELSEWHERE}
