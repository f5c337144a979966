"""Splitting a file into jobs, and rejecting one that cannot be split."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from broker.batches.batch import ERROR, REJECTED, Batch, Outbox, batch_pk, event_id, lines_of
from broker.batches.counting import Count
from broker.batches.files import MAX_KEY_BYTES, Entry, File, custom_id_of, entries
from broker.envelope import envelope
from broker.errors import Forbidden, InvalidRequest, KeyInFlight
from broker.jobs.accepting import Accept, Caller
from broker.jobs.request import parse_request
from broker.storage import ConditionFailed, Database, If, Update
from broker.tenants.registry import Tenant


class Inbox(Protocol):
    """The bucket that files come into."""

    def read(self, bucket: str, key: str, etag: str, version: str | None) -> bytes:
        """One version of one object.

        Raises:
            NotFound: it was deleted, or overwritten where no versions are kept.
        """
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file; counts are of this time, not of repeats."""

    batch_id: str
    tenant: str | None
    accepted: int = 0
    refused: int = 0
    error: str | None = None
    """The code, where the file was rejected as a whole."""


@dataclass(frozen=True, slots=True)
class Split:
    """Makes the jobs of a file. It may stop anywhere and be repeated: what was done is found, the rest is done."""

    database: Database
    inbox: Inbox
    outbox: Outbox
    tenant_of: Callable[[str, int], Tenant]
    """The tenant by its id; raises Forbidden."""
    accept: Accept
    count: Count
    tell: Callable[[str, dict[str, Any]], None]
    """Puts an event on the bus: detail-type and detail."""

    def __call__(self, event: dict[str, Any], clock: Callable[[], int]) -> Taken | None:
        """Take the file that S3's event tells of; None where it is none.

        Args:
            event: S3's "Object Created".
            clock: gives the milliseconds; it is asked for each line, for a thousand of them take a while.

        Raises:
            KeyInFlight: another try at the same file is under way; the message should come again.
            Exception: of the cloud; likewise.
        """
        file = File.of(event)
        if file.is_folder or file.is_media:
            return None
        batch = Batch.load(self.database, file.batch_id)
        if batch is not None and (batch.split or batch.state != "open"):
            self.count.finish(batch.id)
            return Taken(batch.id, batch.tenant)
        tenant = None
        try:
            tenant = self._tenant(file, clock())
            return self._split(file, tenant, batch, clock)
        except KeyInFlight:
            raise
        except InvalidRequest as error:
            self._reject(file, tenant, error, clock())
            return Taken(file.batch_id, tenant.id if tenant else None, refused=1, error=error.code)

    def _tenant(self, file: File, now: int) -> Tenant:
        if not file.tenant:
            raise Forbidden("The key does not begin with a tenant.", code="unknown_tenant")
        return self.tenant_of(file.tenant, now)

    def _split(self, file: File, tenant: Tenant, batch: Batch | None, clock: Callable[[], int]) -> Taken:
        file.check()
        data = self.inbox.read(file.bucket, file.key, file.etag, file.version)
        prompt = batch.prompt if batch else tenant.document_prompt
        found = entries(file.key, data, prompt)
        counted = {item["line"] for item in lines_of(self.database, file.batch_id)} if batch else set()
        if batch is None:
            batch = Batch.new(file.batch_id, tenant.id, file.key, prompt, len(found), clock())
            self._begin(batch)
        taken = [self._take(file, batch, entry, clock()) for entry in found if entry.line not in counted]
        done = Update("jobs", batch_pk(batch.id), "BATCH", set={"split": True}, when=(If("pk", "exists"),))
        self.database.write(done)
        self.count.finish(batch.id)
        return Taken(batch.id, batch.tenant, taken.count("accepted"), taken.count(REJECTED))

    def _begin(self, batch: Batch) -> None:
        try:
            self.database.write(batch.put())
        except ConditionFailed:
            return  # a try at the same time was first, and it is the same batch

    def _take(self, file: File, batch: Batch, entry: Entry, now: int) -> str:
        custom_id = None
        try:
            body = entry.body()
            if batch.kind == "lines":
                custom_id, body = custom_id_of(body)
            caller = Caller(batch.tenant, f"s3:{file.bucket}", "s3", batch.id, batch.id, entry.line, custom_id)
            accepted = self.accept(parse_request(body), caller, now, key=f"file:{batch.id}:{entry.line}")
        except KeyInFlight:
            raise
        except InvalidRequest as error:
            if batch.kind != "lines":
                raise  # the whole file is this one request
            facts = {"status": REJECTED, "error": {**error.facts(), "param": error.param}, "custom_id": custom_id}
            self.count.add(batch.id, entry.line, facts, now)
            return REJECTED
        return "repeated" if accepted.repeated else "accepted"

    def _reject(self, file: File, tenant: Tenant | None, error: InvalidRequest, now: int) -> None:
        """Say why, beside the file and on the bus; then close the batch, if there is one. May be repeated."""
        facts = {**error.facts(), "param": error.param}
        if len(file.key.encode()) <= MAX_KEY_BYTES:
            body = json.dumps({"error": {**facts, "request_id": file.batch_id}}, ensure_ascii=False)
            self.outbox.put(file.key + ERROR, [body.encode()])
        data = {"source": "aws.s3", "key": file.key, "error": facts}
        whose = tenant.id if tenant else None
        self.tell("RequestRejected", envelope(event_id(file.batch_id, REJECTED), file.batch_id, whose, now, data))
        closed = Update(
            "jobs",
            batch_pk(file.batch_id),
            "BATCH",
            set={"state": REJECTED},
            remove=("due", "due_at"),
            when=(If("state", "=", "open"),),
        )
        try:
            self.database.write(closed)
        except ConditionFailed:
            return  # it never became a batch
