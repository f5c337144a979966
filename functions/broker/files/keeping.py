"""Keeping files: taking, opening, listing and deleting them, within what their tenant may keep.

A file's id is no credential: each is looked for among its tenant's alone, and another's is as unknown as none.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from broker.errors import InvalidRequest, NotFound
from broker.files.ending import TOTAL, TRIES, release
from broker.files.record import (
    PENDING,
    PROCESSED,
    FileBucket,
    FileRecord,
    Stored,
    file_sk,
    files_pk,
    new_file_id,
    object_key,
)
from broker.jobs.cleaning import NOTE, note
from broker.storage import ConditionFailed, Database, Delete, If, Put, Update
from broker.tenants.registry import Tenant

FIRST, LAST = file_sk(""), file_sk("~")
"""Between them are all files of a tenant; the characters of ids sort below `~`."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """What is known of a file before its bytes."""

    tenant: str
    filename: str
    purpose: str
    bytes: int
    until: int
    """Epoch SECONDS at which it is over."""
    sha256: str | None = None
    """In hexadecimal, where it was told."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something of ours is about to be written that becomes a file of a tenant (`Files.place`)."""

    file_id: str
    tenant: str
    bucket: str
    key: str
    until: int


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one deployment's tenants. Times `now` are milliseconds."""

    database: Database
    bucket: FileBucket
    tenant: Callable[[str, int], Tenant]
    """`tenants.registry.Tenants.get`."""

    def open(self, tenant: str, file_id: str, now: int, param: str = "file_id") -> FileRecord:
        """A file whose bytes are there, to read them; `param` is the field of the request that names it.

        Raises:
            NotFound: the tenant has no such file, or has it no more.
            InvalidRequest: its bytes have not come yet, or are not those that were told.
        """
        record = self.settled(self.find(tenant, file_id, now, param), now)
        if record.status == PENDING:
            message = f"{param}: the file's bytes have not come yet."
            raise InvalidRequest(message, code="file_not_uploaded", param=param)
        return record

    def find(self, tenant: str, file_id: str, now: int, param: str = "id") -> FileRecord:
        """A file as it stands, its bytes there or not.

        Raises:
            NotFound: as `open`.
        """
        item = self.database.get("jobs", files_pk(tenant), file_sk(file_id)) if well_formed(file_id) else None
        record = FileRecord.of(item) if item else None
        if record is None or record.is_over(now):
            raise missing(param)
        return record

    def place(self, tenant: str, name: str, made_at: int, until: int) -> Place:
        """A place for a file that the broker itself writes; the same for the same name and time (milliseconds).

        What is written there ends at `until` (epoch SECONDS), whether it becomes a file (`create`) or not.
        """
        file_id = new_file_id(made_at, f"{tenant}/{name}")
        key = object_key(tenant, file_id)
        self.database.write(Put("jobs", note(files_pk(tenant), key, until * 1000)))
        return Place(file_id, tenant, self.bucket.name, key, until)

    def create(self, place: Place, filename: str, purpose: str, now: int) -> FileRecord:
        """Make a file of what was written at a place; a repeat gives the same file.

        It counts, but no bound refuses it: what was paid for is not lost because others are kept.

        Raises:
            NotFound: nothing lies there (any more).
        """
        stored = self.bucket.look(place.key)
        if stored is None:
            raise missing("file_id")
        record = FileRecord(
            *(place.file_id, place.tenant, filename, purpose, stored.bytes, place.bucket, place.key, now, place.until),
            status=PROCESSED,
            etag=stored.etag,
        )
        try:
            self.database.write(*self._adding(record))
        except ConditionFailed:
            return self.find(place.tenant, place.file_id, now, "file_id")
        return record

    def keep(self, new: NewFile, data: bytes, now: int, file_id: str | None = None) -> FileRecord:
        """Take a file whose bytes are here; with an id that was made for it, perhaps once more.

        Raises:
            InvalidRequest: the tenant may keep no more, or the bytes are not those of the digest.
        """
        if new.sha256 not in (None, hashlib.sha256(data).hexdigest()):
            raise InvalidRequest("sha256: the file has another one.", code="file_differs", param="sha256")
        record = self.expect(new, now, file_id=file_id)
        return self.taken(record, Stored(len(data), self.bucket.put(record.key, data)))

    def expect(self, new: NewFile, now: int, *, in_parts: bool = False, file_id: str | None = None) -> FileRecord:
        """Take a file whose bytes are to come; they count from now on. Their note is there before they are.

        With an id that was made for it a repeat gives the file as it stands.

        Raises:
            InvalidRequest: the tenant may keep no more.
        """
        tenant = self.tenant(new.tenant, now)
        file_id = file_id or new_file_id(now)
        key = object_key(new.tenant, file_id)
        record = FileRecord(
            *(file_id, new.tenant, new.filename, new.purpose, new.bytes, self.bucket.name, key, now, new.until),
            sha256=new.sha256,
            in_parts=in_parts,
        )
        bound = (
            If("files", "<", tenant.max_files),
            If("bytes", "<", tenant.max_file_bytes - new.bytes + 1),
        )
        for _ in range(2):
            try:
                self.database.write(*self._adding(record, bound), record.ends())
                return record
            except ConditionFailed as error:
                if 0 in error.failed and (item := self.database.get("jobs", files_pk(new.tenant), file_sk(file_id))):
                    return FileRecord.of(item)
                self._begin_total(new.tenant)
        most = f"{tenant.max_files} files of {tenant.max_file_bytes} bytes together"
        message = f"The tenant keeps {most} at most, and this would be more."
        raise InvalidRequest(message, code="too_many_files", param="file")

    def settled(self, record: FileRecord, now: int) -> FileRecord:
        """A file with its bytes taken, if they have come since it was looked at.

        Raises:
            InvalidRequest: they are not those that were told.
        """
        if record.status != PENDING or record.in_parts:
            return record
        stored = self.bucket.look(record.key)
        if stored is None:
            return record
        if stored.bytes != record.bytes or record.sha256 not in (None, stored.sha256):
            message = "The bytes that came are not those that were told; delete the file and send it again."
            raise InvalidRequest(message, code="file_differs", param="bytes")
        return self.taken(record, stored)

    def taken(self, record: FileRecord, stored: Stored) -> FileRecord:
        """A file whose bytes have come; from now on it ends at its own time.

        Raises:
            NotFound: it was deleted meanwhile.
        """
        done = replace(record, status=PROCESSED, etag=stored.etag)
        change = Update(
            *("jobs", files_pk(record.tenant), file_sk(record.id)),
            set={"status": PROCESSED, "etag": stored.etag},
            when=(If("status", "=", PENDING),),
        )
        try:
            self.database.write(change, done.ends())
        except ConditionFailed:
            item = self.database.get("jobs", files_pk(record.tenant), file_sk(record.id))
            if item is None:
                self.bucket.delete([record.key])
                raise missing("id") from None
            return FileRecord.of(item)
        return done

    def list(
        self, tenant: str, now: int, *, limit: int, after: str | None = None, oldest_first: bool, purpose: str | None
    ) -> tuple[list[FileRecord], bool]:
        """Some files of a tenant by age, from the one behind `after` on, and whether there are more.

        Uploads are none before they are complete.
        """
        found: list[FileRecord] = []
        while len(found) <= limit:
            first, last = (file_sk(after), LAST) if oldest_first and after else (FIRST, LAST)
            if after and not oldest_first:
                last = file_sk(after)
            most = limit + 2  # the one that was asked behind is read too, and one more tells whether there are more
            items = self.database.query_between(
                "jobs", files_pk(tenant), first, last, limit=most, last_first=not oldest_first
            )
            records = [FileRecord.of(item) for item in items if item["sk"] != file_sk(after or "")]
            found += [each for each in records if _is_listed(each, purpose, now)]
            if len(items) < most:
                break
            after = records[-1].id
        return found[:limit], len(found) > limit

    def delete(self, tenant: str, file_id: str, now: int) -> FileRecord:
        """Delete a file and its bytes, and give back what it took.

        Raises:
            NotFound: as `open`.
        """
        for _ in range(TRIES):
            record = self.find(tenant, file_id, now)
            # Of bytes that are there a note makes sure that they go; of those that are awaited there is one.
            at_once = () if record.status == PENDING else (Put("jobs", note(files_pk(tenant), record.key, now)),)
            if release(self.database, record, *at_once):
                break
        else:
            raise missing("id")
        if record.multipart:
            self.bucket.abort(record.key, record.multipart)
        self.bucket.delete([record.key])
        if at_once and now < record.late_at:  # who was told where to put the bytes may put them once more
            self.database.write(Put("jobs", note(files_pk(tenant), record.key, record.late_at)))
        elif at_once:
            self.database.write(Delete("jobs", files_pk(tenant), f"{NOTE}{record.key}"))
        return record

    def _adding(self, record: FileRecord, bound: tuple[If, ...] = ()) -> tuple[Put, Update]:
        count = {"files": 1, "bytes": record.bytes}
        return (
            Put("jobs", record.item(), (If("pk", "absent"),)),
            Update("jobs", files_pk(record.tenant), TOTAL, add=count, when=bound),
        )

    def _begin_total(self, tenant: str) -> None:
        """Make the total of a tenant that has none yet: only one that is there can be held against a bound."""
        nothing = {"pk": files_pk(tenant), "sk": TOTAL, "files": 0, "bytes": 0}
        with suppress(ConditionFailed):
            self.database.write(Put("jobs", nothing, (If("pk", "absent"),)))


def well_formed(file_id: str) -> bool:
    """Whether it may be one of ours; whatever else was sent is not looked for."""
    return len(file_id) <= 64 and file_id.isascii() and file_id.isprintable()


def missing(param: str) -> NotFound:
    """What is said of a file that is not there, or not the tenant's."""
    return NotFound(f"{param}: there is no such file.", code="no_such_file", param=param)


def _is_listed(record: FileRecord, purpose: str | None, now: int) -> bool:
    awaited_parts = record.in_parts and record.status == PENDING
    return not awaited_parts and not record.is_over(now) and purpose in (None, record.purpose)
