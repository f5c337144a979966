"""The versions of an entry as they stand in the table, and as they are shown."""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from broker.clock import iso
from broker.errors import InvalidRequest
from broker.prompts.texts import Apart, parts_apart
from broker.registry.document import entry_class
from broker.registry.entry import Entry
from broker.storage import Item

Action = Literal["added", "changed", "disabled", "rolled_back"]

MOST_BYTES = 380_000
"""Of one item, without what lies beside the table, which holds 400 KB in an item."""
PACKED_FROM = 50_000
"""Bytes of an entry's text from which it is kept packed."""


@dataclass(frozen=True)
class Record:
    """One version of an entry. `at` is in milliseconds, `by` says who (an ARN)."""

    kind: str
    """As in documents: `models`, …"""
    id: str
    version: int
    at: int
    by: str
    action: str
    fields: tuple[str, ...]
    """What differs from the version before; empty for the first."""
    short: dict[str, Any]
    """The entry as a document has it, without the fields that lie beside the table."""
    omitted: tuple[str, ...] = ()
    """Those fields."""
    read: Callable[[], Mapping[str, Any]] = field(default=dict, compare=False)
    """Gives them; to list versions, nobody has to."""

    @cached_property
    def content(self) -> dict[str, Any]:
        """The entry as a document has it.

        Raises:
            Unavailable: a part of it lies beside the table, and cannot be read.
        """
        return self.short | dict(self.read())

    def to_dict(self) -> dict[str, Any]:
        """The public form."""
        return self._shown(self.content, ())

    def listed(self) -> dict[str, Any]:
        """The public form in a list, which has the short fields."""
        return self._shown(self.short, self.omitted)

    def _shown(self, entry: dict[str, Any], omitted: tuple[str, ...]) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "id": self.id,
            "version": self.version,
            "at": iso(self.at),
            "by": self.by,
            "action": self.action,
            "fields": list(self.fields),
            "entry": entry,
            "omitted": list(omitted),
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


def check_size(change: Change) -> None:
    """Hold a change against what the table takes, before anything is written.

    Raises:
        InvalidRequest: it is too large.
    """
    if max(_size(item) for item in items_of(change, "", 0)) > MOST_BYTES:
        what = f"{change.entry.key!r} among the {change.kind} is too large for the registry."
        raise InvalidRequest(what, code="entry_too_large", param="id")


def items_of(change: Change, by: str, now: int) -> tuple[Item, Item, Item]:
    """The version's record, what the functions read, and the head."""
    entry = change.entry
    current = entry.item() | {"version": change.number, "registered_at": now}
    text = json.dumps(_short(entry.content(), entry.apart()), ensure_ascii=False)
    record: Item = {
        "version": change.number,
        "at": now,
        "by": by,
        "action": change.action,
        "fields": list(change.fields),
        "entry": text if len(text) < PACKED_FROM else zlib.compress(text.encode(), 9),
    }
    pk, sk = place(change.kind, entry.key, change.number)
    pointer = {name: current[name] for name in ("texts",) if name in current}
    head = {"pk": f"ENTRIES#{entry.kind}", "sk": entry.key, **record, **pointer}
    return current | record | {"pk": pk, "sk": sk}, current, head


def _short(content: dict[str, Any], apart: Apart | None) -> dict[str, Any]:
    return content if apart is None else {name: each for name, each in content.items() if name not in apart.parts}


def place(kind: str, entry_id: str, number: int) -> tuple[str, str]:
    """The keys of a version's record."""
    return f"{entry_class(kind).kind}#{entry_id}", f"V#{number:04}"


def record_of(kind: str, entry_id: str, item: Item, read: Callable[[], Mapping[str, Any]]) -> Record:
    """A version, or a head, in its stored form; `read` is for the texts that lie beside the table."""
    text = zlib.decompress(item["entry"]) if isinstance(item["entry"], bytes) else item["entry"]
    omitted = parts_apart(item)
    return Record(
        kind=kind,
        id=entry_id,
        version=item["version"],
        at=item["at"],
        by=item["by"],
        action=item["action"],
        fields=tuple(item["fields"]),
        short=json.loads(text),
        omitted=omitted,
        read=read if omitted else dict,
    )


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
