"""How MiniStack 1.5.33 holds what DynamoDB stores, in a fifth of the memory.

An item is a tree of small dicts there, of which a job leaves some forty: 19 KB where DynamoDB bills 3. Here a
partition holds each of its items as bytes, and gives a new tree whenever it is asked for one; MiniStack itself changes
copies only. Of a transaction, what its token stands for is kept for ten minutes: here a digest of it, for a second
request is only ever compared with the first.
"""

import hashlib
import json
import marshal
from typing import Any

from ministack.services import dynamodb

from local.emulator.rewriting import rewrite

Item = dict[str, Any]


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    rewrite(
        dynamodb,
        "_set_item",
        ('table["items"].setdefault(pk_val, {})[sk_val] = item', '_partition(table["items"], pk_val)[sk_val] = item'),
    )
    rewrite(
        dynamodb,
        "_transact_write_items",
        (
            'signature = {k: v for k, v in data.items() if k != "ClientRequestToken"}',
            'signature = _signature({k: v for k, v in data.items() if k != "ClientRequestToken"})',
        ),
    )
    dynamodb._partition = partition
    dynamodb._signature = signature


def partition(items: dict[Any, Any], key: Any) -> "Partition":
    """The partition of a table's items that a write goes to; one that was loaded from a file becomes one of these."""
    found = items.get(key)
    if not isinstance(found, Partition):
        found = items[key] = Partition(found or {})
    return found


def signature(request: Item) -> bytes:
    """The same of equal requests."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()


class Partition(dict[Any, Any]):
    """Items by their sort keys, each in bytes."""

    __slots__ = ()

    def __init__(self, items: dict[Any, Item]) -> None:
        super().__init__()
        for key, item in items.items():
            self[key] = item

    def __setitem__(self, key: Any, item: Item) -> None:
        super().__setitem__(key, marshal.dumps(item))

    def __getitem__(self, key: Any) -> Item:
        return _read(super().__getitem__(key))

    def get(self, key: Any, default: Any = None) -> Any:
        """An item, or the default."""
        found = super().get(key)
        return default if found is None else _read(found)

    def pop(self, key: Any, *default: Any) -> Any:
        """Take an item out, or give the default."""
        found = super().pop(key, *default)
        return _read(found) if isinstance(found, bytes) else found

    def values(self) -> Any:
        """All items."""
        return [_read(each) for each in super().values()]

    def items(self) -> Any:
        """All items with their keys."""
        return [(key, _read(each)) for key, each in super().items()]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Partition":
        copied = Partition({})
        copied.update(super().copy())
        return copied

    def __reduce__(self) -> Any:
        return dict, (self.items(),)


def _read(held: bytes) -> Item:
    item: Item = marshal.loads(held)  # noqa: S302 - what this process wrote
    return item
