"""The record of a shard: its rows' bytes, and how each row has ended.

    pk BATCH#id#000017   sk SHARD     where its bytes are, and an attribute r0 … r99 for each row that has ended
                         sk ROW#042   of a row that is no job of its own: why it was rejected, or whose answer it takes

To set an attribute is to count a row: a second time changes nothing, and no two writers meet that would have to add.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from broker.clock import new_job_id
from broker.jobs.head import Head, Status
from broker.storage import Item

ROWS = 100
"""Of a shard, but for the last. An item of a hundred ends has some two kilobytes, so counting a row is two write units
on the average; and a hundred rows are some seconds' work for the one who accepts them."""

STEPS = 20
"""Of the progress that is told of a batch: a twentieth of its rows each."""

MODELS = "models"
"""In `Batch.rows_in`, those that rows in OpenAI's form name: two at most, for more would tell no more."""

LIGHT_PART = 10
"""A shard is light when no more than this part of its rows is open: another begins in its place, for one row that takes
an hour should not keep the others waiting."""

REJECTED = "rejected"
"""The end of a row that did not become a job, for its own fault."""

PASSED_OVER = "passed_over"
"""The end of a row that was not begun, for its batch stopped before."""

ENDINGS = (*(status.value for status in Status if status.terminal), REJECTED, PASSED_OVER)
"""How a row can end."""

LETTERS = {ending[0]: ending for ending in ENDINGS}
"""Each begins with another letter, and that is what is kept of it."""


@dataclass(frozen=True, slots=True)
class RowEnd:
    """How one row ended, and what it took. Of a row that takes another's answer, nothing."""

    status: str
    cost: int = 0
    """Nano-dollars."""
    input_tokens: int = 0
    output_tokens: int = 0

    @classmethod
    def of(cls, head: Head) -> Self:
        """The end of a job."""
        usage = head.usage
        return cls(head.status.value, head.spent, usage.get("input_tokens", 0), usage.get("output_tokens", 0))

    @classmethod
    def read(cls, text: str) -> Self:
        """From the stored form."""
        letter, *numbers = text.split()
        return cls(LETTERS[letter], *map(int, numbers))

    def __str__(self) -> str:
        """The stored form: `s 12000 120 30`, and of a row that took nothing `f`."""
        took = (self.cost, self.input_tokens, self.output_tokens)
        return " ".join([self.status[0], *(map(str, took) if any(took) else ())])


@dataclass(frozen=True, slots=True)
class Sums:
    """What rows came to, together."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """Rows by how they ended (`ENDINGS`)."""
    cost: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    duplicates: int = 0
    """Rows among them that took another's answer."""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """From the stored form."""
        return cls(**{spec.name: kept[spec.name] for spec in fields(cls) if spec.name in kept})

    @property
    def kept(self) -> dict[str, Any]:
        """The stored form."""
        return {spec.name: value for spec in fields(self) if (value := getattr(self, spec.name))}

    @property
    def ended(self) -> int:
        """Rows, in all."""
        return sum(self.counts.values())

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            dict(Counter(self.counts) + Counter(other.counts)),
            self.cost + other.cost,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.duplicates + other.duplicates,
        )


@dataclass(frozen=True, slots=True)
class Shard:
    """Some rows of a batch that stand together. `ends` are those that have ended, by their place in the shard."""

    batch: str
    number: int
    rows: int
    offset: int
    """Of its first byte in the object that has the batch's rows (`Batch.rows_in`)."""
    length: int
    line: int
    """The number of its first line, from 1."""
    expires_at: int
    doubles: tuple[int, ...] = ()
    """Places of rows whose `custom_id` an earlier row of the batch has."""
    lease_until: int | None = None
    """Until when someone runs its rows, and nobody else does; past or 0 once that is over, None before the first."""
    is_sent: bool = False
    """True when each of its rows is a job, was rejected or passed over: its bytes need not be read to run it."""
    followers: tuple[int, ...] = ()
    """Places of rows that take another row's answer (`batches.duplicates`), once all of its rows are sent."""
    reserved: int = 0
    """Of the batch's `max_cost`, as `Batch.reserved`; nano-dollars."""
    settled: int = 0
    """As `Batch.settled`."""
    ends: Mapping[int, RowEnd] = field(default_factory=dict)

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        known = {spec.name: item[spec.name] for spec in fields(cls) if spec.name in item}
        ends = {int(name[1:]): RowEnd.read(value) for name, value in item.items() if is_end(name)}
        for name in ("doubles", "followers"):
            known[name] = tuple(item.get(name, ()))
        return cls(**known, ends=ends)

    def to_item(self) -> Item:
        """The stored form."""
        item: Item = {"pk": shard_pk(self.batch, self.number), "sk": "SHARD"}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.name != "ends" and value is not None and value is not False and value != ():
                item[spec.name] = list(value) if isinstance(value, tuple) else value
        return item | {end_name(place): str(end) for place, end in self.ends.items()}

    @property
    def first_row(self) -> int:
        """The number of its first row in the batch, from 0."""
        return self.number * ROWS

    @property
    def running(self) -> int:
        """Rows that have not ended, but for those that only wait for another's answer."""
        return self.rows - len(self.ends.keys() | set(self.followers))

    @property
    def is_light(self) -> bool:
        """True when few of its rows are to be run."""
        return self.running * LIGHT_PART <= self.rows

    @property
    def is_turning(self) -> bool:
        """True at the very row by which it has got light, and at the last: somebody has to look at it then."""
        return self.running in (0, self.rows // LIGHT_PART)

    @property
    def is_telling(self) -> bool:
        """True at every twentieth of its rows, of the first shards of a batch. Those of more have ended one by one."""
        return self.number < STEPS and len(self.ends) % max(1, self.rows // STEPS) == 0

    @property
    def is_over(self) -> bool:
        """True when all of its rows have ended."""
        return len(self.ends) >= self.rows

    @property
    def sums(self) -> Sums:
        """Of the rows that have ended."""
        ends = self.ends.values()
        return Sums(
            dict(Counter(end.status for end in ends)),
            sum(end.cost for end in ends),
            sum(end.input_tokens for end in ends),
            sum(end.output_tokens for end in ends),
            len(self.followers),
        )


def shard_pk(batch_id: str, number: int) -> str:
    """The partition of a shard."""
    return f"BATCH#{batch_id}#{number:06}"


def place_of_row(row: int) -> tuple[int, int]:
    """The shard of a row, and its place there."""
    return divmod(row, ROWS)


def end_name(place: int) -> str:
    """The attribute of a row's end."""
    return f"r{place}"


def is_end(name: str) -> bool:
    """True for the attribute of a row's end."""
    return name[0] == "r" and name[1:].isdecimal()


def row_job_id(batch_id: str, created_at: int, row: int) -> str:
    """The id of a row's job: the same whoever makes it, however often."""
    return new_job_id(created_at, f"batch:{batch_id}:{row}")
