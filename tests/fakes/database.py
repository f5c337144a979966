"""The tables in memory: conditions, transactions and indexes as DynamoDB has them."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Literal

from broker.storage import (
    TRIES,
    ConditionFailed,
    Contended,
    Delete,
    If,
    Item,
    Operation,
    Page,
    Put,
    TableName,
    Update,
)

MOST_AT_ONCE = 100
"""Operations of one transaction."""

INDEX_KEYS = {"tenant": ("tenant", "id"), "due": ("due", "due_at")}

Key = tuple[TableName, str, str]


class Crash(BaseException):
    """The process ends here; like the real thing, it is not for `except Exception`."""


@dataclass(slots=True)
class FakeDatabase:
    """See `broker.storage.Database`. A test may also let the process die at a write, or write in between."""

    stream: list[tuple[Item | None, Item]] = field(default_factory=list)
    """Every change of a job's head, old and new, as the table's stream tells it."""
    crash_in: int | None = None
    """So many writes are still done; the next one raises `Crash` instead."""
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    """What others do right before the next write; each is done once."""
    lose_reply_of: str | None = None
    """The reply to the next write of an item with this `sk` is lost, and the client makes it again."""
    held: Counter[str] = field(default_factory=Counter)
    """At how many tries others hold the items of a partition (`pk`)."""
    _items: dict[Key, Item] = field(default_factory=dict)
    _keys: dict[tuple[TableName, str], set[str]] = field(default_factory=dict)
    """The `sk` of the items of each partition."""
    _lock: Any = field(default_factory=RLock)
    """Each read and write is one step, for threads too."""

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        """See `Database.get`."""
        found = self._items.get((table, pk, sk))
        return None if found is None else _copy(found)

    def get_many(self, table: TableName, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """See `Database.get_many`."""
        if len(set(keys)) < len(keys):
            raise ValueError("an item is read once")
        return [_copy(found) for key in keys if (found := self._items.get((table, *key))) is not None]

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`."""
        return self._matching(table, pk, lambda key: key.startswith(prefix))

    def query_since(self, table: TableName, pk: str, sk: str, limit: int | None = None) -> list[Item]:
        """See `Database.query_since`."""
        return self._matching(table, pk, lambda key: key >= sk)[:limit]

    def query_between(
        self,
        table: TableName,
        pk: str,
        first: str,
        last: str,
        *,
        limit: int | None = None,
        last_first: bool = False,
    ) -> list[Item]:
        """See `Database.query_between`."""
        found = self._matching(table, pk, lambda key: first <= key <= last)
        return (found[::-1] if last_first else found)[:limit]

    def _matching(self, table: TableName, pk: str, wanted: Callable[[str], bool]) -> list[Item]:
        with self._lock:
            found = sorted(sk for sk in self._keys.get((table, pk), ()) if wanted(sk))
            return [_copy(self._items[table, pk, sk]) for sk in found]

    def update(self, operation: Update) -> Item:
        """See `Database.update`."""
        with self._lock:
            self.write(operation)
            return dict(_copy(self._items[_key(operation)]))

    def write(self, *operations: Operation, tries: int = TRIES) -> None:
        """See `Database.write`."""
        with self._lock:
            self._meet(operations, tries)
            self._write(operations)
            if self.lose_reply_of in [_key(operation)[2] for operation in operations]:
                self.lose_reply_of = None
                self._write(operations)

    def _meet(self, operations: Sequence[Operation], tries: int) -> None:
        keys = [_key(operation)[1] for operation in operations]
        for _ in range(tries):
            met = [place for place, pk in enumerate(keys) if self.held[pk] > 0]
            self.held.subtract(keys[place] for place in met)
            if not met:
                return
        raise Contended(met)

    def _write(self, operations: Sequence[Operation]) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.crash_in is not None:
            if self.crash_in == 0:
                raise Crash
            self.crash_in -= 1
        keys = [_key(operation) for operation in operations]
        if len(set(keys)) < len(keys):
            raise ValueError("a transaction touches an item once")
        if not 1 <= len(operations) <= MOST_AT_ONCE:
            raise ValueError(f"a transaction has 1 to {MOST_AT_ONCE} operations")
        after = [self._apply(operation) if isinstance(operation, Put | Update) else None for operation in operations]
        failed = [
            place
            for place, operation in enumerate(operations)
            if not all(_holds(condition, self._items.get(keys[place], {})) for condition in operation.when)
        ]
        if failed:
            raise ConditionFailed(failed)
        for key, item, operation in zip(keys, after, operations, strict=True):
            if item is None:
                if isinstance(operation, Delete):
                    self.delete(*key)
                continue
            if key[0] == "jobs" and key[2] == "HEAD":
                self.stream.append((self._items.get(key), _copy(item)))
            self._items[key] = item
            self._keys.setdefault(key[:2], set()).add(key[2])

    def items(self) -> list[Item]:
        """All that is kept, in all tables."""
        return [_copy(item) for item in self._items.values()]

    def delete(self, table: TableName, pk: str, sk: str) -> None:
        """Delete one item, as the table's TTL and the payload store do it."""
        if self._items.pop((table, pk, sk), None) is not None:
            self._keys[table, pk].discard(sk)

    def age(self, now: int) -> None:
        """What the tables' TTL deletes until then (milliseconds)."""
        ended = [key for key, item in self._items.items() if "expires_at" in item and item["expires_at"] * 1000 <= now]
        for key in ended:
            self.delete(*key)

    def index(
        self,
        name: Literal["tenant", "due"],
        value: str,
        *,
        limit: int,
        newest_first: bool = False,
        upto: int | None = None,
        cursor: Item | None = None,
    ) -> Page:
        """See `Database.index`. Items without the index's keys are not in it."""
        if limit < 1:
            raise ValueError("a limit is 1 at least")
        hash_key, range_key = INDEX_KEYS[name]
        shown = ("pk", "sk", hash_key, range_key)

        def place(item: Item) -> tuple[Any, str, str]:
            return item[range_key], item["pk"], item["sk"]

        found = [
            {each: item[each] for each in shown}
            for (table, _, _), item in self._items.items()
            if table == "jobs" and item.get(hash_key) == value and range_key in item
        ]
        found = [item for item in found if upto is None or item[range_key] <= upto]
        if cursor is not None:
            found = [i for i in found if (place(i) < place(cursor) if newest_first else place(i) > place(cursor))]
        page = sorted(found, key=place, reverse=newest_first)[:limit]
        return Page(page, dict(page[-1]) if len(page) == limit else None)

    def _apply(self, operation: Put | Update) -> Item:
        if isinstance(operation, Put):
            return dict(_copy(operation.item))
        if not (operation.set or operation.add or operation.remove):
            raise ValueError("an update changes something")
        item: Item = _copy(self._items.get(_key(operation), {"pk": operation.pk, "sk": operation.sk}))
        item |= _copy(dict(operation.set))
        for name, amount in operation.add.items():
            item[name] = item.get(name, 0) + amount
        for name in operation.remove:
            item.pop(name, None)
        return item


def _key(operation: Operation) -> Key:
    if isinstance(operation, Put):
        return operation.table, operation.item["pk"], operation.item["sk"]
    return operation.table, operation.pk, operation.sk


def _holds(condition: If, item: Item) -> bool:
    if condition.operator == "absent":
        return condition.attribute not in item
    if condition.attribute not in item:
        return False
    value = item[condition.attribute]
    match condition.operator:
        case "exists":
            return True
        case "=":
            return type(value) is type(condition.value) and bool(value == condition.value)
        case "<":
            return bool(value < condition.value)
        case ">=":
            return bool(value >= condition.value)


def _copy(value: Any) -> Any:
    """A deep copy of what the tables hold; anything else is refused."""
    match value:
        case None | bool() | int() | bytes():
            return value
        case str():
            return str(value)
        case list() | tuple():
            return [_copy(each) for each in value]
        case dict():
            return {name: _copy(each) for name, each in value.items()}
    raise TypeError(f"the tables hold no {type(value).__name__}")
