"""The record of a file: a small item of its tenant's, beside the total of them all.

    pk FILES#tenant   sk FILE#id       what it is, where it lies, until when
                      sk TOTAL         what all take: `files` and `bytes`, also of those that are still awaited
                      sk ENDS#key      when its object ends (`jobs.cleaning`)

A record comes and goes in one transaction with the total, so that the total is exact whoever else writes. It has no TTL
of the table's own, which would take it without the total.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal, Protocol, Self

from broker.clock import new_id
from broker.jobs.cleaning import note
from broker.storage import Item, Put

Status = Literal["pending", "processed"]

PENDING: Status = "pending"
PROCESSED: Status = "processed"

AWAITED_MS = 3_600_000
"""How long the bytes of a file are waited for."""

LATE_MS = 600_000
"""What is not here by then is given up so much later: what came at the last moment is not deleted under its record."""

PREFIX = "files/"
"""Where they lie in the bucket, each below its tenant's name."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file."""

    id: str
    tenant: str
    filename: str
    purpose: str
    bytes: int
    """As it was told while it is awaited; else as it is."""
    bucket: str
    key: str
    created_at: int
    """Milliseconds."""
    until: int
    """Epoch SECONDS at which it is over."""
    status: Status = PENDING
    etag: str | None = None
    """Of the object that was taken for it; None while it is awaited."""
    version: str | None = None
    """Of the object, where its bucket has versions."""
    sha256: str | None = None
    """In hexadecimal, where it was told."""
    in_parts: bool = False
    """It comes, or came, as parts of an upload."""
    received: int = 0
    """Bytes of the parts that came through the API."""
    multipart: str | None = None
    """S3's id of the upload, where its parts go to the bucket themselves."""

    @classmethod
    def of(cls, item: Item) -> Self:
        """As it was stored."""
        kept = {spec.name: item[spec.name] for spec in fields(cls) if spec.name in item}
        return cls(id=file_id_of(item), tenant=str(item["pk"]).removeprefix("FILES#"), **kept)

    def item(self) -> Item:
        """As it is stored."""
        kept = {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.name not in ("id", "tenant")}
        return {"pk": files_pk(self.tenant), "sk": file_sk(self.id)} | {k: v for k, v in kept.items() if v is not None}

    @property
    def awaited_until(self) -> int:
        """Milliseconds until which its bytes may come."""
        return self.created_at + AWAITED_MS

    @property
    def late_at(self) -> int:
        """Milliseconds from which no bytes of it come any more: no address to put them to works longer."""
        return self.awaited_until + LATE_MS

    def is_over(self, now: int) -> bool:
        """True when its time has ended, though it may still be there."""
        return now >= (self.awaited_until if self.status == PENDING else self.until * 1000)

    def ends(self) -> Put:
        """The note of when its object ends, as the record stands."""
        due_at = self.late_at if self.status == PENDING else self.until * 1000
        return Put("jobs", note(files_pk(self.tenant), self.key, due_at))


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it lies in the bucket; `sha256` in hexadecimal where S3 knows it of the whole."""

    bytes: int
    etag: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where the bytes go: a request by PUT, with just these headers."""

    url: str
    headers: dict[str, str]
    seconds: int
    """How long it works."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that lies in the bucket; S3 counts them from 1."""

    number: int
    bytes: int
    etag: str


class FileBucket(Protocol):
    """The bucket that files lie in. A link or a target works for who has it."""

    name: str

    def put(self, key: str, data: bytes) -> str:
        """Write an object, over what was there before; gives its etag."""
        ...

    def look(self, key: str) -> Stored | None:
        """How an object lies there; None where there is none."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; may be repeated."""
        ...

    def read(self, key: str) -> bytes | None:
        """An object's bytes; None where there is none."""
        ...

    def link(self, key: str, filename: str, seconds: int) -> str:
        """Where an object may be read, as a file of that name."""
        ...

    def target(self, key: str, size: int, sha256: str | None, seconds: int) -> Target:
        """Where an object may be written once: so many bytes, and only these where their digest is told (hex)."""
        ...

    def join(self, key: str, sources: Sequence[str], time_left: Callable[[], bool]) -> tuple[Stored, str]:
        """Write an object from others, one behind the other; gives it, and its MD5 in hexadecimal.

        Raises:
            Unavailable: there was no time for all of it (`time_left` says False).
        """
        ...

    def start(self, key: str) -> str:
        """Begin an object of parts; gives the id of the upload."""
        ...

    def part_target(self, key: str, upload: str, number: int, size: int) -> Target:
        """Where a part of so many bytes may be written, again and again."""
        ...

    def parts(self, key: str, upload: str) -> list[Part]:
        """The parts that are there, in order; none where there is no such upload any more."""
        ...

    def finish(self, key: str, upload: str, parts: Sequence[Part]) -> None:
        """Make the object of its parts; one that was made is left as it is.

        Raises:
            InvalidRequest: S3 does not take them together: one but the last is too small.
        """
        ...

    def abort(self, key: str, upload: str) -> None:
        """Forget an upload and its parts; may be repeated."""
        ...


def new_file_id(now: int, name: str | None = None) -> str:
    """`file-` and a UUIDv7; with a name, the same for the same name and time."""
    return new_id("file-", now, name)


def files_pk(tenant: str) -> str:
    """The partition of a tenant's files."""
    return f"FILES#{tenant}"


def file_sk(file_id: str) -> str:
    """The key of a file in its tenant's partition."""
    return f"FILE#{file_id}"


def file_id_of(item: Item) -> str:
    """The file that an item is of."""
    return str(item["sk"]).removeprefix("FILE#")


def object_key(tenant: str, file_id: str) -> str:
    """Where a file lies in the bucket."""
    return f"{PREFIX}{tenant}/{file_id}"
