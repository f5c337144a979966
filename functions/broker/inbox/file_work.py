"""The record of a file that is one request: a small item, and one beside it once its job has ended.

    pk BATCH#id   sk BATCH         tenant, key, total, done, state …
                  sk LINE#000001   job_id and status

`done` is the number of the lines' items: both are written in one transaction, so a line counts once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, Self

from broker.jobs.head import Head, Status, due_partition
from broker.storage import Database, If, Item, Put

KEEP_S = 30 * 86_400
"""How long the record is kept: longer than a message may wait in the dead letters (fourteen days), and a job may take
(seven)."""

LOOK_MS = 600_000
"""How often the sweep looks whether an open batch only waits for a message that was lost."""

MOST_LOOK_MS = 86_400_000
"""What a collection that fails again and again is looked at, at least: each time it waits twice as long."""

REJECTED = "rejected"
"""The status of a line that did not become a job, and the state of a file without any."""

ENDINGS = (*(status.value for status in Status if status.terminal), REJECTED)
"""How a line can end."""

Kind = Literal["lines", "request", "document"]

RESULT = ".result.json"
"""What is added to a file's key for its result."""

ERROR = ".error.json"
"""What is added to the key of a file that was rejected as a whole, for the reason."""


class Outbox(Protocol):
    """The bucket that results go into."""

    def put(self, key: str, parts: Iterable[bytes]) -> None:
        """Write an object from its parts, over what was there before."""
        ...


class Collects(Protocol):
    """The queue by which a batch asks to be collected."""

    def send(self, batch_id: str, tenant: str) -> None:
        """Ask for it; may be repeated."""
        ...


@dataclass(frozen=True, slots=True)
class FileWork:
    """One file and how far it has come. Times are milliseconds, `expires_at` SECONDS since the epoch."""

    id: str
    tenant: str
    key: str
    prompt: str
    """The template of its document, as it was when the file was first taken: a repeat makes the same request."""
    total: int
    created_at: int
    expires_at: int
    done: int = 0
    split: bool = False
    """True when each of its lines was accepted or rejected: its file is not needed any more."""
    state: str = "open"
    """`open`, `completed` or `rejected`."""
    completed_at: int | None = None
    due_at: int | None = None
    """When the sweep looks at it; None when all has been told."""
    asked: int = 0
    """How often the sweep asked for its collection."""

    @classmethod
    def new(cls, batch_id: str, tenant: str, key: str, prompt: str, total: int, now: int) -> Self:
        """A batch whose lines are about to be accepted."""
        return cls(batch_id, tenant, key, prompt, total, now, now // 1000 + KEEP_S, due_at=now + LOOK_MS)

    @classmethod
    def load(cls, database: Database, batch_id: str) -> Self | None:
        """The batch as of now; None where there is none."""
        item = database.get("jobs", batch_pk(batch_id), "BATCH")
        if item is None or "total" not in item:  # a document that is worked on by a recipe is a batch of another form
            return None
        return cls(id=batch_id, **{spec.name: item[spec.name] for spec in fields(cls) if spec.name in item})

    def put(self) -> Put:
        """The write that brings it into being, once."""
        # Without its id, which the key has: with it, it would stand in the tenant's index, among the jobs.
        kept = {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.name != "id"}
        keys = {"pk": batch_pk(self.id), "sk": "BATCH", "due": due_partition(self.id)}
        return Put("jobs", keys | {k: v for k, v in kept.items() if v is not None}, (If("pk", "absent"),))

    @property
    def result_key(self) -> str:
        """Where its result is."""
        return self.key + RESULT

    @property
    def is_ready(self) -> bool:
        """True when every line has ended: it is to be collected, or its completion to be told."""
        return self.state != REJECTED and self.done >= self.total


def kind_of(key: str) -> Kind:
    """What a file holds, by its name."""
    name = key.lower()
    return "lines" if name.endswith(".jsonl") else "request" if name.endswith(".json") else "document"


def event_id(batch_id: str, stage: str) -> str:
    """The stable id of an event about a batch, or about a file that did not become one."""
    return f"evt_{batch_id.removeprefix('batch_')}_{stage}"


def batch_pk(batch_id: str) -> str:
    """The partition of a batch."""
    return f"BATCH#{batch_id}"


def batch_id_of(item: Item) -> str:
    """The batch that an item belongs to, from its partition key (all that the indexes hold)."""
    return str(item["pk"]).removeprefix("BATCH#")


def line_item(batch_id: str, line: int, facts: dict[str, Any], now: int) -> Item:
    """The record of a line that has come to its end."""
    kept = {"line": line, "expires_at": now // 1000 + KEEP_S, **facts}
    return {"pk": batch_pk(batch_id), "sk": f"LINE#{line:06}", **kept}


def lines_of(database: Database, batch_id: str) -> list[Item]:
    """The records of the lines that have come to their end, in the order of the file."""
    return sorted(database.query("jobs", batch_pk(batch_id), "LINE#"), key=lambda item: int(item["line"]))


def line_of(head: Head) -> tuple[str, int] | None:
    """The file and line of a job; None where it came alone, or is a row of a batch (`broker.batches`)."""
    return None if head.batch is None or head.line is None or head.row is not None else (head.batch, head.line)
