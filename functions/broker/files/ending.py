"""Ending files: a record goes once, and with it what it counts in its tenant's total."""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.files.record import PENDING, FileBucket, FileRecord, file_sk, files_pk
from broker.jobs.cleaning import Ending, key_of
from broker.storage import ConditionFailed, Database, Delete, If, Put, Update

TOTAL = "TOTAL"

TRIES = 3
"""Of a change that meets another one of the same file: there are few, and each goes one way."""


@dataclass(frozen=True, slots=True)
class EndFiles:
    """What becomes of records whose objects end: see `cleaning.Clean.release`."""

    database: Database
    bucket: FileBucket

    def __call__(self, endings: Sequence[Ending], now: int) -> list[Ending]:
        """Those of which the objects may go. A file that still stands keeps its own; one that is over gives back."""
        return [each for each in endings if self._lets_go(each, now)]

    def _lets_go(self, ending: Ending, now: int) -> bool:
        if not ending.pk.startswith(files_pk("")):
            return True
        file_id = key_of(ending).rpartition("/")[2]
        for _ in range(TRIES):
            item = self.database.get("jobs", ending.pk, file_sk(file_id))
            if item is None:
                return True
            record = FileRecord.of(item)
            if not record.is_over(now):
                return False
            if record.multipart and record.status == PENDING:  # else its parts would lie there, and count for nobody
                self.bucket.abort(record.key, record.multipart)
            if release(self.database, record):
                return True
        return False


def release(database: Database, record: FileRecord, *beside: Put) -> bool:
    """Take a record out of its tenant's total, once, with what is to be written beside; False where it has changed."""
    pk = files_pk(record.tenant)
    as_read = (If("status", "=", record.status), If("bytes", "=", record.bytes))
    count = {"files": -1, "bytes": -record.bytes}
    try:
        database.write(Delete("jobs", pk, file_sk(record.id), as_read), Update("jobs", pk, TOTAL, add=count), *beside)
    except ConditionFailed:
        return False
    return True
