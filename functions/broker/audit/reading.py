"""Finding records again: the newest first, by when they were put on record."""

import re
from dataclasses import dataclass
from typing import Any

from broker.audit.appending import Blocks, end_of
from broker.audit.chain import Block, Unreadable
from broker.audit.record import KINDS, Record
from broker.clock import iso
from broker.errors import InvalidRequest
from broker.storage import Database

MOST_BLOCKS = 50
"""Blocks that one page looks into; a page may be empty and have a cursor."""

MOST_RECORDS = 1_000
AFTER_ALL = 999_999_999
"""A place beyond the last record of any block."""

CURSOR = re.compile(r"([0-9]{1,12})\.([0-9]{1,9})", re.ASCII)


COLUMNS = ("tenant", "by", "key", "subject", "outcome", "reason", "route", "door", "request_id")
"""Facts that a record is shown with, whether it has them or not; its others are `details`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which records; times are milliseconds, `since` included and `until` not."""

    tenant: str | None = None
    kind: str | None = None
    since: int | None = None
    until: int | None = None

    def takes(self, record: Record) -> bool:
        """Whether a record is among them, whatever its time."""
        return self.tenant in (None, record.get("tenant")) and self.kind in (None, record.get("kind"))


@dataclass(frozen=True, slots=True)
class Trail:
    """Reads the trail."""

    database: Database
    blocks: Blocks

    def page(self, asked: Asked, limit: int, cursor: str | None) -> dict[str, Any]:
        """One page in the public form, the newest first.

        Raises:
            InvalidRequest: a cursor that is none, an unknown kind, or more than a page has.
        """
        if asked.kind is not None and asked.kind not in KINDS:
            raise InvalidRequest(f"kind is one of {', '.join(KINDS)}.", param="kind")
        if not 0 < limit <= MOST_RECORDS:
            raise InvalidRequest(f"limit is from 1 to {MOST_RECORDS}.", param="limit")
        number, place = self._begin(asked, cursor)
        data: list[dict[str, Any]] = []
        for _ in range(MOST_BLOCKS):
            block = self._block(number)
            if block is None or (asked.since is not None and 0 < block.at < asked.since):
                return _shown(data, None)
            if asked.until is None or block.at < asked.until:
                for index in range(min(place, len(block.records)) - 1, -1, -1):
                    if not asked.takes(block.records[index]):
                        continue
                    data.append(_public(block, block.records[index]))
                    if len(data) == limit:
                        return _shown(data, f"{number}.{index}" if index or number > 1 else None)
            number, place = number - 1, AFTER_ALL
        return _shown(data, f"{number}.{AFTER_ALL}" if number else None)

    def _begin(self, asked: Asked, cursor: str | None) -> tuple[int, int]:
        if cursor is not None:
            found = CURSOR.fullmatch(cursor)
            if found is None:
                raise InvalidRequest("The cursor is none of this list.", param="cursor")
            return int(found[1]), int(found[2])
        last = end_of(self.database, self.blocks.name).number
        return (last if asked.until is None else self._last_before(asked.until, last)), AFTER_ALL

    def _last_before(self, until: int, last: int) -> int:
        """The last block that was written before a time, or one a little later: by halves, as blocks are in order."""
        low, high = 0, last
        while low < high:
            middle = (low + high + 1) // 2
            block = self._block(middle)
            # One that is over or cannot be read is taken to be old; what is later says how it stands.
            if block is None or block.at < until:
                low = middle
            else:
                high = middle - 1
        return low

    def _block(self, number: int) -> Block | None:
        data = self.blocks.get(number) if number > 0 else None
        if data is None:
            return None
        try:
            return Block.read(data)
        except Unreadable:
            return Block("", number, "", 0, 0, (), "")  # it has nothing to show; `verify` says that it is there


def _public(block: Block, record: Record) -> dict[str, Any]:
    at = record.get("at")
    shown = {name: record.get(name) for name in ("id", "kind", *COLUMNS)}
    shown |= {"at": iso(at) if isinstance(at, int) else None, "recorded_at": iso(block.at), "block": block.number}
    details = {name: value for name, value in record.items() if name not in shown}
    return {"object": "audit.record", **shown, "details": details}


def _shown(data: list[dict[str, Any]], cursor: str | None) -> dict[str, Any]:
    return {"object": "list", "data": data, "next_cursor": cursor}
