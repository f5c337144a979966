"""Finding records again: by tenant, kind and time, page by page, and nothing of another tenant's."""

from typing import Any

import pytest
from broker.audit.appending import Append
from broker.audit.reading import MOST_BLOCKS, Asked, Trail
from broker.audit.record import record
from broker.clock import iso
from broker.errors import InvalidRequest

from tests.fakes.audit import FakeBlocks
from tests.fakes.database import FakeDatabase

NOW = 1_790_000_000_000
MINUTE = 60_000


class Kept:
    """Blocks of a minute each, with a record of two tenants in each."""

    def __init__(self, blocks: int) -> None:
        self.database, self.blocks = FakeDatabase(), FakeBlocks()
        write = Append(self.database, self.blocks, "ours", lambda number: None)
        for number in range(blocks):
            both = [
                record("payload.read", f"{who}{number}", NOW, tenant=who, by="ann", task="t")
                for who in ("acme", "globex")
            ]
            write(both, NOW + number * MINUTE)
        self.trail = Trail(self.database, self.blocks)

    def ids(self, limit: int = 1_000, **asked: Any) -> list[str]:
        found: list[str] = []
        cursor = None
        while True:
            page = self.trail.page(Asked(**asked), limit, cursor)
            found += [each["id"] for each in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1_000])
def test_pages_have_all_once_and_the_newest_first(limit: int) -> None:
    kept = Kept(9)
    assert kept.ids(limit) == [f"{who}{number}" for number in range(8, -1, -1) for who in ("globex", "acme")]
    assert kept.ids(limit, tenant="acme") == [f"acme{number}" for number in range(8, -1, -1)]


def test_more_blocks_than_a_page_looks_into_are_gone_through() -> None:
    kept = Kept(MOST_BLOCKS * 2 + 3)
    assert kept.ids(tenant="globex") == [f"globex{number}" for number in range(MOST_BLOCKS * 2 + 2, -1, -1)]
    assert kept.ids(tenant="nobody") == kept.ids(kind="key.made") == []


def test_by_time_it_begins_where_that_is_and_reads_no_others() -> None:
    kept = Kept(40)
    read: list[int] = []
    get = kept.blocks.get
    kept.blocks.get = lambda number: read.append(number) or get(number)  # type: ignore[method-assign,func-returns-value]
    found = kept.ids(since=NOW + 10 * MINUTE, until=NOW + 12 * MINUTE, tenant="acme")
    assert found == ["acme11", "acme10"]
    assert len(read) <= 10, "by halves"


def test_a_record_says_when_it_was_done_and_when_it_was_written() -> None:
    (found,) = Kept(1).trail.page(Asked(tenant="acme"), 10, None)["data"]
    assert (found["at"], found["recorded_at"], found["block"], found["by"]) == (iso(NOW), iso(NOW), 1, "ann")
    assert (found["details"], found["reason"]) == ({"task": "t"}, None)


def test_a_block_that_cannot_be_read_hides_no_other() -> None:
    kept = Kept(5)
    kept.blocks.kept[3] = b"x"
    assert kept.ids(tenant="acme", since=NOW) == ["acme4", "acme3", "acme1", "acme0"]


@pytest.mark.parametrize(
    ("asked", "limit", "cursor", "param"),
    [({"kind": "x"}, 5, None, "kind"), ({}, 0, None, "limit"), ({}, 1_001, None, "limit"), ({}, 5, "x", "cursor"),
     ({}, 5, "1.2.3", "cursor"), ({}, 5, "-1.2", "cursor"), ({}, 5, "\u0661.1", "cursor")],
)  # fmt: skip
def test_what_is_wrong_is_named(asked: dict[str, Any], limit: int, cursor: str | None, param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        Kept(1).trail.page(Asked(**asked), limit, cursor)
    assert failure.value.param == param


@pytest.mark.parametrize("cursor", ["999999999999.999999999", "0.0", "3.0"])
def test_a_cursor_that_was_made_up_leads_to_nothing_strange(cursor: str) -> None:
    assert Kept(3).trail.page(Asked(tenant="nobody"), 5, cursor)["data"] == []
