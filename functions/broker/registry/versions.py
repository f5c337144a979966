"""The entries as they stand, and every version that they had.

Table `registry`, for an entry of the kind MODEL with the id `small`, written in one transaction:

    MODELS / small              what the functions read (each kind has its own place), with `version`
    MODEL#small / V#0002        the same as it was then, with who, when and what changed; never written again
    ENTRIES#MODEL / small       the newest version in the document's form: what is listed, compared and fenced by
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from broker.clock import iso
from broker.errors import Conflict, InvalidRequest, NotFound
from broker.registry.document import entry_class
from broker.registry.entry import Entry
from broker.storage import ConditionFailed, Database, If, Item, Put

Action = Literal["added", "changed", "disabled", "rolled_back"]

MOST_BYTES = 380_000
"""Of one record: an item of the table holds 400 KB."""
PACKED_FROM = 50_000
"""Bytes of an entry's text from which it is kept packed: a long prompt stands in its record twice."""


@dataclass(frozen=True, slots=True)
class Record:
    """One version of an entry. `at` is in milliseconds, `by` says who (an ARN)."""

    kind: str
    """As in documents: `models`, …"""
    id: str
    version: int
    at: int
    by: str
    content: dict[str, Any]
    """The entry as a document has it."""
    action: str
    fields: tuple[str, ...] = ()
    """What differs from the version before; empty for the first."""

    def to_dict(self) -> dict[str, Any]:
        """The public form."""
        return {
            "kind": self.kind,
            "id": self.id,
            "version": self.version,
            "at": iso(self.at),
            "by": self.by,
            "action": self.action,
            "fields": list(self.fields),
            "entry": self.content,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """A version that is to be written over the one that was read."""

    kind: str
    entry: Entry
    action: Action
    base: int
    """The version that was read; 0 for none."""
    number: int
    """The version to write; at or below `base` only for an older version of a prompt that was missing."""
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """Old and new value of each field that differs; None for what is not there."""


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Old and new value of each field that differs."""
    names = dict.fromkeys([*new, *old])
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


class Registry:
    """All entries of the deployment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, kind: str) -> dict[str, Record]:
        """The entries of a kind as they stand, by id.

        Raises:
            NotFound: there is no such kind.
        """
        items = self._database.query("registry", f"ENTRIES#{entry_class(kind).kind}")
        return {item["sk"]: _record(kind, item["sk"], item) for item in items}

    def get(self, kind: str, entry_id: str) -> Record:
        """One entry as it stands.

        Raises:
            NotFound: there is none, or no such kind.
        """
        record = self.find(kind, entry_id)
        if record is None:
            raise NotFound(f"There is no {entry_id!r} among the {kind}.", code="unknown_entry", param="id")
        return record

    def find(self, kind: str, entry_id: str) -> Record | None:
        """One entry as it stands; None where there is none.

        Raises:
            NotFound: there is no such kind.
        """
        item = self._database.get("registry", f"ENTRIES#{entry_class(kind).kind}", entry_id)
        return None if item is None else _record(kind, entry_id, item)

    def version(self, kind: str, entry_id: str, number: int) -> Record | None:
        """One version; None where there is none."""
        item = self._database.get("registry", *_place(kind, entry_id, number))
        return None if item is None or "entry" not in item else _record(kind, entry_id, item)

    def history(self, kind: str, entry_id: str) -> list[Record]:
        """All versions of an entry, the newest first.

        Raises:
            NotFound: there is none, or no such kind.
        """
        items = self._database.query("registry", f"{entry_class(kind).kind}#{entry_id}", "V#")
        records = [_record(kind, entry_id, item) for item in reversed(items) if "entry" in item]
        if not records:
            raise NotFound(f"There is no {entry_id!r} among the {kind}.", code="unknown_entry", param="id")
        return records

    def write(self, change: Change, by: str, now: int) -> Record:
        """Write a change, if the entry still stands as it was read.

        Raises:
            Conflict: it was changed meanwhile; nothing was written.
        """
        version, current, head = _items(change, by, now)
        # A prompt that was registered before versions had records of who and when is registered anew.
        operations = [Put("registry", version, (If("entry", "absent"),))]
        if change.number > change.base:
            stands = If("version", "=", change.base) if change.base else If("pk", "absent")
            operations += [Put("registry", head, (stands,)), Put("registry", current)]
        key = change.entry.key
        try:
            self._database.write(*operations)
        except ConditionFailed:
            what = f"{key!r} among the {change.kind} was changed meanwhile; nothing was written. Look and repeat."
            raise Conflict(what, code="changed_meanwhile") from None
        return _record(change.kind, key, head)


def check_size(change: Change) -> None:
    """Hold a change against what the table takes, before anything is written.

    Raises:
        InvalidRequest: it is too large.
    """
    if max(_size(item) for item in _items(change, "", 0)) > MOST_BYTES:
        what = f"{change.entry.key!r} among the {change.kind} is too large for the registry."
        raise InvalidRequest(what, code="entry_too_large", param="id")


def _items(change: Change, by: str, now: int) -> tuple[Item, Item, Item]:
    """The version's record, what the functions read, and the head."""
    entry = change.entry
    text = json.dumps(entry.content(), ensure_ascii=False)
    record: Item = {
        "version": change.number,
        "at": now,
        "by": by,
        "action": change.action,
        "fields": list(change.fields),
        "entry": text if len(text) < PACKED_FROM else zlib.compress(text.encode(), 9),
    }
    pk, sk = _place(change.kind, entry.key, change.number)
    current = entry.item() | {"version": change.number}
    head = {"pk": f"ENTRIES#{entry.kind}", "sk": entry.key, **record}
    return current | record | {"pk": pk, "sk": sk}, current, head


def _size(value: Any) -> int:
    """About as DynamoDB counts: texts in UTF-8, names too, and a little for all else."""
    match value:
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case dict():
            return sum(_size(name) + _size(each) + 1 for name, each in value.items())
        case list():
            return sum(_size(each) + 1 for each in value)
    return 21


def _place(kind: str, entry_id: str, number: int) -> tuple[str, str]:
    return f"{entry_class(kind).kind}#{entry_id}", f"V#{number:04}"


def _record(kind: str, entry_id: str, item: Item) -> Record:
    text = zlib.decompress(item["entry"]) if isinstance(item["entry"], bytes) else item["entry"]
    return Record(
        kind=kind,
        id=entry_id,
        version=item["version"],
        at=item["at"],
        by=item["by"],
        content=json.loads(text),
        action=item["action"],
        fields=tuple(item["fields"]),
    )
