"""The port to the tables: a few operations that DynamoDB does in one conditional step.

Values are strings, whole numbers, booleans, None, bytes, lists and maps. Money is whole nano-dollars and time is whole
milliseconds, so there is never a float. `cloud.database` is the adapter, `tests.fakes.database` the fake, and both
pass `tests/adapters/test_database.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Item = dict[str, Any]
TableName = Literal["jobs", "registry", "ledger", "cache"]


@dataclass(frozen=True, slots=True)
class If:
    """A condition on one attribute of the item as it stands before the write."""

    attribute: str
    operator: Literal["=", "<", ">=", "absent", "exists"]
    value: Any = None


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole item (its keys are `pk` and `sk`)."""

    table: TableName
    item: Item
    when: Sequence[If] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """Change attributes of one item; the item comes into being where it is missing and no condition forbids it."""

    table: TableName
    pk: str
    sk: str
    set: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    remove: Sequence[str] = ()
    when: Sequence[If] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one item; one that is not there is as good as deleted, unless a condition says otherwise."""

    table: TableName
    pk: str
    sk: str
    when: Sequence[If] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """Hold an item against conditions, in one transaction with writes to others; it is not changed."""

    table: TableName
    pk: str
    sk: str
    when: Sequence[If]


Operation = Put | Update | Delete | Check


class ConditionFailed(Exception):
    """A condition did not hold; nothing was written. `failed` are the positions of the operations at fault."""

    def __init__(self, failed: Sequence[int]) -> None:
        super().__init__(f"condition failed on operation {list(failed)}")
        self.failed = tuple(failed)


class Unread(Exception):
    """Not all of what was to be read was; it is throttled, and may be asked for again."""


class Contended(Exception):
    """Others wrote the same items at the same moment, at each try; nothing was written, and a repeat may work.

    `met` are the positions of the operations that they met.
    """

    def __init__(self, met: Sequence[int]) -> None:
        super().__init__(f"others write at the same moment what operations {list(met)} write")
        self.met = tuple(met)


TRIES = 10
"""Of a write that others meet: transactions on one item cancel each other, and hold it for some ten milliseconds each.
DynamoDB leaves the repeat to the caller."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an index, and the cursor to the next; None at the end."""

    items: list[Item]
    cursor: Item | None


class Database(Protocol):
    """The tables of one deployment."""

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        """Read one item, as of the last write; `eventual` costs half and may not see the last second's."""
        ...

    def get_many(self, table: TableName, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """Read those of some items that there are, in no order; what the last second wrote may not be seen.

        Raises:
            Unread: DynamoDB would not read them all now.
        """
        ...

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """Read the items of one partition whose `sk` begins with `prefix`, in order of `sk`, as of the last write."""
        ...

    def query_since(self, table: TableName, pk: str, sk: str, limit: int | None = None) -> list[Item]:
        """Read the items of one partition from `sk` on, `limit` at most, in order of `sk`, as of the last write."""
        ...

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
        """Read the items of one partition from `first` to `last`, both included, in order, as of the last write.

        `limit` at most are read; `last_first` turns the order round.
        """
        ...

    def write(self, *operations: Operation, tries: int = TRIES) -> None:
        """Write all or nothing: one operation as a plain write, several as one transaction.

        Raises:
            ConditionFailed: a condition did not hold, and nothing was written.
            Contended: others held one of the items at each of the `tries`.
        """
        ...

    def update(self, operation: Update) -> Item:
        """Write one update; gives the item as it stands after it.

        Raises:
            ConditionFailed: a condition did not hold, and nothing was written.
            Contended: as for `write`.
        """
        ...

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
        """Read keys (`pk`, `sk` and the index's own) from an index of the jobs table.

        Args:
            name: `tenant` (sorted by job id, so by time) or `due` (sorted by `due_at`, milliseconds).
            value: the index's partition.
            limit: at most so many items.
            newest_first: descending order.
            upto: only items with a sort key at or below it (index `due`).
            cursor: where the page before ended.
        """
        ...
