"""Files that come in parts, as an upload (the shape of OpenAI's Uploads API): begun, given its parts, completed.

A part comes through the API, and is an object until all are joined; or it is put to the bucket itself, where S3 has it
as a part of a multipart upload. An upload is the record of the file that it becomes, and has its id but for the word in
front.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from broker.clock import new_id
from broker.errors import InvalidRequest, NotFound, TooLarge
from broker.files.keeping import Files, NewFile
from broker.files.record import PENDING, FileRecord, Part, Stored, Target, file_sk, files_pk
from broker.jobs.cleaning import NOTE, note
from broker.storage import ConditionFailed, If, Put, Update

MOST_JOINED = 64_000_000
"""Bytes of an upload whose parts come through the API: what is joined within the time that a call has."""

MOST_UPLOADED = 8_000_000_000
"""Of any upload."""

PART_BYTES = 16 * 1024 * 1024
"""Of each part that is put to the bucket, but for the last. We say it, so that parts hold no more than was told."""

MOST_PARTS = 1_000
"""Of any upload: more than the largest has."""

PART_ID = re.compile(r"part_[0-9a-f]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Uploads:
    """The uploads of one deployment's tenants. Times `now` are milliseconds."""

    files: Files

    def begin(self, new: NewFile, now: int, file_id: str | None = None) -> FileRecord:
        """Begin one; its bytes count from now on. `file_id` as for `Files.expect`.

        Raises:
            InvalidRequest: the tenant may keep no more.
        """
        return self.files.expect(new, now, in_parts=True, file_id=file_id)

    def find(self, tenant: str, upload_id: str, now: int) -> FileRecord:
        """One that was begun, complete or not.

        Raises:
            NotFound: the tenant has no such upload, or has it no more.
        """
        kind, _, number = upload_id.partition("_")
        record = None
        if kind == "upload":
            with suppress(NotFound):
                record = self.files.find(tenant, f"file-{number}", now)
        if record is None or not record.in_parts:
            raise NotFound("There is no such upload.", code="no_such_upload", param="id")
        return record

    def add(self, tenant: str, upload_id: str, data: bytes, now: int, part_id: str | None = None) -> str:
        """Take a part; gives its id. Parts may come at once, and in any order.

        With an id that was made for it a repeat counts once.

        Raises:
            NotFound: as `find`.
            InvalidRequest: the upload does not take it, or is too large to be sent so.
        """
        record = self._open(tenant, upload_id, now)
        if record.multipart:
            raise _other_way("data")
        if record.bytes > MOST_JOINED:
            message = (
                f"An upload of more than {MOST_JOINED} bytes is not sent through the API: ask with "
                '{"number"} as JSON where to put each part.'
            )
            raise TooLarge(message, code="upload_too_large", param="data")
        part_id = part_id or new_part_id(now)
        key = _part_key(record, part_id)
        # Once more than was told, for a client that has no reply sends its part again.
        room = If("received", "<", 2 * record.bytes - len(data) + 1)
        pk = files_pk(tenant)
        count = Update(
            *("jobs", pk, file_sk(record.id)),
            add={"received": len(data)},
            when=(If("status", "=", PENDING), room, If("multipart", "absent")),
        )
        try:
            self.files.database.write(count, Put("jobs", note(pk, key, record.late_at), (If("pk", "absent"),)))
        except ConditionFailed as error:
            if 1 not in error.failed:
                message = f"data: the upload was begun for {record.bytes} bytes, or has ended."
                raise InvalidRequest(message, code="upload_full", param="data") from None
        self.files.bucket.put(key, data)
        return part_id

    def has(self, tenant: str, upload_id: str, part_id: str, now: int) -> bool:
        """Whether a part is there that came through the API.

        Raises:
            NotFound: as `find`.
        """
        return self.files.bucket.look(_part_key(self.find(tenant, upload_id, now), part_id)) is not None

    def target(self, tenant: str, upload_id: str, number: int, now: int) -> Target:
        """Where a part may be put to the bucket itself; it may be asked for, and put, again.

        It has `PART_BYTES`; the last has the rest.

        Raises:
            NotFound: as `find`.
            InvalidRequest: the upload is complete, or has parts that came through the API.
        """
        record = self._open(tenant, upload_id, now)
        if record.received:
            raise _other_way("number")
        size = min(PART_BYTES, record.bytes - (number - 1) * PART_BYTES)
        if size < 1:
            message = f"number: the upload has {record.bytes} bytes, and each part {PART_BYTES}."
            raise InvalidRequest(message, code="invalid_field", param="number")
        if not record.multipart:
            record = self._start(record)
        assert record.multipart  # noqa: S101 - of `_start`
        return self.files.bucket.part_target(record.key, record.multipart, number, size)

    def parts(self, record: FileRecord) -> list[Part]:
        """Those that the bucket has; none of a complete upload."""
        if not record.multipart or record.status != PENDING:
            return []
        return self.files.bucket.parts(record.key, record.multipart)

    def complete(
        self,
        tenant: str,
        upload_id: str,
        part_ids: Sequence[str],
        md5: str | None,
        now: int,
        time_left: Callable[[], bool] = lambda: True,
    ) -> FileRecord:
        """Make the file of its parts, in this order; may be repeated.

        Raises:
            NotFound: as `find`.
            InvalidRequest: a part is not there, or they are not what was told; all stays as it was.
            Unavailable: there was no time for it.
        """
        record = self.find(tenant, upload_id, now)
        if record.status != PENDING:
            return record
        if len(set(part_ids)) < len(part_ids) or not all(map(PART_ID.fullmatch, part_ids)):
            raise InvalidRequest("part_ids: each is one of ours, and once.", code="no_such_part", param="part_ids")
        if record.multipart:
            return self.files.taken(record, self._finished(record, record.multipart, part_ids, md5))
        try:
            stored = self._joined(record, part_ids, md5, time_left)
        except InvalidRequest:
            there = self.find(tenant, upload_id, now)
            if there.status != PENDING:  # another try of the call was faster, and the parts went with it
                return there
            self.files.bucket.delete([record.key])
            raise
        done = self.files.taken(record, stored)
        self.files.bucket.delete(self._part_keys(record))
        return done

    def cancel(self, tenant: str, upload_id: str, now: int) -> FileRecord:
        """Give an upload up, with its parts.

        Raises:
            NotFound: as `find`.
            InvalidRequest: it is complete.
        """
        record = self._open(tenant, upload_id, now)
        self.files.delete(tenant, record.id, now)
        self.files.bucket.delete(self._part_keys(record))
        return record

    def _open(self, tenant: str, upload_id: str, now: int) -> FileRecord:
        record = self.find(tenant, upload_id, now)
        if record.status != PENDING:
            raise InvalidRequest("The upload is complete.", code="upload_complete", param="id")
        return record

    def _start(self, record: FileRecord) -> FileRecord:
        started = self.files.bucket.start(record.key)
        change = Update(
            *("jobs", files_pk(record.tenant), file_sk(record.id)),
            set={"multipart": started},
            when=(If("status", "=", PENDING), If("multipart", "absent"), If("received", "=", 0)),
        )
        try:
            self.files.database.write(change)
        except ConditionFailed:
            self.files.bucket.abort(record.key, started)
            item = self.files.database.get("jobs", files_pk(record.tenant), file_sk(record.id))
            if item is None or not item.get("multipart"):
                raise _other_way("number") from None
            return FileRecord.of(item)
        return replace(record, multipart=started)

    def _joined(
        self, record: FileRecord, part_ids: Sequence[str], md5: str | None, time_left: Callable[[], bool]
    ) -> Stored:
        keys = [_part_key(record, part_id) for part_id in part_ids]
        stored, digest = self.files.bucket.join(record.key, keys, time_left)
        _check_size(record, stored.bytes)
        if md5 is not None and md5.lower() != digest:
            raise InvalidRequest("md5: the parts have another one.", code="file_differs", param="md5")
        return stored

    def _finished(self, record: FileRecord, upload: str, part_ids: Sequence[str], md5: str | None) -> Stored:
        if md5 is not None:
            message = "md5: of parts that were put to the bucket it is not known; S3 checks each by its Content-MD5."
            raise InvalidRequest(message, code="invalid_field", param="md5")
        there = {f"part_{part.number}": part for part in self.files.bucket.parts(record.key, upload)}
        if there:
            if set(part_ids) - there.keys():
                raise InvalidRequest("part_ids: a part is not there.", code="no_such_part", param="part_ids")
            parts = [there[part_id] for part_id in part_ids]
            _check_size(record, sum(part.bytes for part in parts))
            self.files.bucket.finish(record.key, upload, parts)
        stored = self.files.bucket.look(record.key)
        if stored is None:
            raise InvalidRequest("part_ids: no part is there.", code="no_such_part", param="part_ids")
        return stored

    def _part_keys(self, record: FileRecord) -> list[str]:
        """Of all that came through the API, by their notes; these go when `clean` finds nothing beneath them."""
        prefix = f"{NOTE}{_part_key(record, '')}"
        found = self.files.database.query("jobs", files_pk(record.tenant), prefix)
        return [item["sk"].removeprefix(NOTE) for item in found]


def new_part_id(now: int) -> str:
    """An id for a part that comes through the API."""
    return new_id("part_", now)


def upload_id_of(record: FileRecord) -> str:
    """The id of the upload that a file comes by."""
    return f"upload_{record.id.removeprefix('file-')}"


def _part_key(record: FileRecord, part_id: str) -> str:
    return f"{record.key}/{part_id}"


def _check_size(record: FileRecord, size: int) -> None:
    if size != record.bytes:
        message = f"part_ids: the parts have {size} bytes together, and the upload was begun for {record.bytes}."
        raise InvalidRequest(message, code="file_differs", param="part_ids")


def _other_way(param: str) -> InvalidRequest:
    message = "All parts of an upload go the same way: through the API, or to the bucket."
    return InvalidRequest(message, code="mixed_parts", param=param)
