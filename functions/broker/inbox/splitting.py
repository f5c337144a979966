"""Splitting a file into jobs, and rejecting one that cannot be split."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from broker.batches.tries import LINE_S, LineFailed, Pass
from broker.bounds import Overrun, within
from broker.clock import new_job_id
from broker.envelope import envelope
from broker.errors import BrokerError, Forbidden, InvalidRequest, KeyInFlight, Unavailable
from broker.inbox.counting import Count
from broker.inbox.file_work import ERROR, REJECTED, FileWork, Outbox, batch_pk, event_id, kind_of, lines_of
from broker.inbox.files import LINE, MAX_KEY_BYTES, File, FileLine, custom_id_of, entries
from broker.inbox.reading import READ, Readings, has_to_be_read, taken
from broker.jobs.head import job_pk
from broker.storage import ConditionFailed, Contended, Database, If, Update
from broker.tenants.registry import Tenant

if TYPE_CHECKING:
    from broker.inbox.recipes import TakeDocument
    from broker.jobs.accepting import Acceptance, Caller
    from broker.jobs.request import JobRequest


class Inbox(Protocol):
    """The bucket that files come into."""

    def read(self, bucket: str, key: str, etag: str, version: str | None) -> bytes:
        """One version of one object.

        Raises:
            NotFound: it was deleted, or overwritten where no versions are kept.
        """
        ...


class Later(Protocol):
    """The queue of files, for what is left of one."""

    def again(self, event: dict[str, Any], tenant: str, delay_s: int) -> None:
        """Have an event come again after a pause; may be repeated."""
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
    """Makes the jobs of a file. It may stop anywhere and be repeated: what was done is found, the rest is done.

    No line keeps the others waiting. One that fails as nobody foresaw, or takes too long, is passed over, and tried
    again when the others are done; after `TRIES` it is rejected. What is left when the time is over is left to another
    message, which says how far this one came (`goes_on`).
    """

    database: Database
    inbox: Inbox
    outbox: Outbox
    tenant_of: Callable[[str, int], Tenant]
    """The tenant by its id; raises Forbidden."""
    accept: "Callable[[JobRequest, Caller, int, str | None, str | None], Acceptance]"
    """See `jobs.accepting`."""
    count: Count
    tell: Callable[[str, dict[str, Any]], None]
    """Puts an event on the bus: detail-type and detail."""
    later: Later
    readings: Readings
    documents: "TakeDocument"
    on_failure: Callable[[str, int, BaseException], None] = lambda batch_id, line, error: None
    """Told of each line that failed as nobody foresaw."""
    line_s: float = LINE_S
    """The time of a line."""

    def __call__(
        self, event: dict[str, Any], clock: Callable[[], int], time_left: Callable[[], bool] = lambda: True
    ) -> Taken | None:
        """Take the file that S3's event tells of; None where it is none.

        Args:
            event: S3's "Object Created", perhaps with `goes_on`.
            clock: gives the milliseconds; it is asked for each line, for a thousand of them take a while.
            time_left: False when the rest should go on in another message.

        Raises:
            KeyInFlight: another try at the same file is under way; the message should come again.
            Exception: of the cloud; likewise.
        """
        file = File.of(event)
        if file.is_folder or (file.is_media and file.asked is None):
            return None
        batch = FileWork.load(self.database, file.batch_id)
        if batch is None and (taken := self._by_recipe(event, file, clock())) is not None:
            return taken
        if batch is not None and (batch.split or batch.state != "open"):
            self.count.finish(batch.id)
            return Taken(batch.id, batch.tenant)
        tenant = None
        try:
            tenant = self._tenant(file, clock())
            data = self._data(event, file, tenant)
            if data is None:
                return Taken(file.batch_id, tenant.id)
            done = self._split(Pass.of(event, self.line_s), file, data, tenant, batch, clock, time_left)
            if event.get(READ):
                self.readings.forget(file.batch_id)
            return done
        except KeyInFlight:
            raise
        except (InvalidRequest, LineFailed) as error:
            self._reject(file, tenant, error, clock())
            return Taken(file.batch_id, tenant.id if tenant else None, refused=1, error=error.code)

    def _by_recipe(self, event: dict[str, Any], file: File, now: int) -> Taken | None:
        """Take a document that there is a recipe for; None where there is none."""
        tenant = None
        try:
            tenant = self._tenant(file, now)
            wanted = self.documents.wants(event, file, tenant, now)
            if wanted is None:
                return None
            begun = self.documents(event, file, tenant, wanted, now)
            return Taken(file.batch_id, tenant.id, accepted=int(begun))
        except InvalidRequest as error:
            self._reject(file, tenant, error, now)
            return Taken(file.batch_id, tenant.id if tenant else None, refused=1, error=error.code)

    def _tenant(self, file: File, now: int) -> Tenant:
        if not file.tenant:
            raise Forbidden("The key does not begin with a tenant.", code="unknown_tenant")
        return self.tenant_of(file.tenant, now)

    def _data(self, event: dict[str, Any], file: File, tenant: Tenant) -> bytes | None:
        """The file as a text; None while a document is still to be read."""
        file.check()
        is_document = kind_of(file.key) == "document"
        if is_document and event.get(READ) and (facts := self.readings.load(file.batch_id)):
            return taken(facts)
        data = self.inbox.read(file.bucket, file.key, file.etag, file.version)
        if is_document and has_to_be_read(file.key, data):
            self.readings.ask(event, tenant.id)
            return None
        return data

    def _split(
        self,
        way: Pass,
        file: File,
        data: bytes,
        tenant: Tenant,
        batch: FileWork | None,
        clock: Callable[[], int],
        time_left: Callable[[], bool],
    ) -> Taken:
        prompt = batch.prompt if batch else tenant.document_prompt
        found = entries(file.key, data, prompt)
        begun = batch is not None
        counted = {item["line"] for item in lines_of(self.database, file.batch_id)} if batch else set()
        if batch is None:
            batch = self._begin(FileWork.new(file.batch_id, tenant.id, file.key, prompt, len(found), clock()))
        ends: Counter[str] = Counter()
        todo = [entry for entry in found if entry.line not in counted and way.has(entry.line)]
        if way.is_backwards:
            todo.reverse()
        held: Exception | None = None
        for place, entry in enumerate(todo):
            if not time_left():
                self.later.again(way.cut(entry.line for entry in todo[place:]), batch.tenant, 0)
                return Taken(batch.id, batch.tenant, ends["accepted"], ends[REJECTED])
            try:
                with within(way.patience_s):
                    ends[self._take(file, batch, entry, clock(), begun)] += 1
                way.succeed()
            except (KeyInFlight, Unavailable, Contended) as error:
                held = error  # it says itself that it will pass
                way.held.append(entry.line)
            except InvalidRequest:
                raise
            except (Exception, Overrun) as error:
                self.on_failure(batch.id, entry.line, error)
                way.fail(entry.line, error)
                if way.is_last:
                    ends[self._end(batch, entry, LineFailed(), clock())] += 1
        if way.failed and not way.is_last:
            self.later.again(way.next(), batch.tenant, way.pause_s)
        elif held:
            raise held
        else:
            done = Update("jobs", batch_pk(batch.id), "BATCH", set={"split": True}, when=(If("pk", "exists"),))
            self.database.write(done)
            self.count.finish(batch.id)
        return Taken(batch.id, batch.tenant, ends["accepted"], ends[REJECTED])

    def _begin(self, batch: FileWork) -> FileWork:
        try:
            self.database.write(batch.put())
        except ConditionFailed:  # a try at the same time was first, and it is the same batch
            return FileWork.load(self.database, batch.id) or batch
        return batch

    def _take(self, file: File, batch: FileWork, entry: FileLine, now: int, begun: bool) -> str:
        # With the first request; a document that has yet to be read needs no models of them.
        from broker.jobs.accepting import Caller
        from broker.jobs.request import parse_request

        name = f"file:{batch.id}:{entry.line}"
        # The line's own, however late it is repeated: keys are forgotten after a day, and a message may come later.
        job_id = new_job_id(batch.created_at, name)
        if begun and self.database.get("jobs", job_pk(job_id), "HEAD"):
            return "repeated"
        custom_id = None
        try:
            body = entry.body()
            if batch.kind == "lines":
                custom_id, body = custom_id_of(body)
                body = {**LINE, **body} if isinstance(body, dict) else body
            caller = Caller(batch.tenant, f"s3:{file.bucket}", "s3", batch.id, batch.id, entry.line, custom_id)
            accepted = self.accept(parse_request(body), caller, now, name, job_id)
        except KeyInFlight:
            raise
        except InvalidRequest as error:
            return self._end(batch, entry, error, now)
        return "repeated" if accepted.repeated else "accepted"

    def _end(self, batch: FileWork, entry: FileLine, error: BrokerError, now: int) -> str:
        """Reject a line, or, by raising its error, the whole file that is this one request."""
        if batch.kind != "lines":
            raise error
        custom_id = None
        with suppress(InvalidRequest):
            custom_id, _ = custom_id_of(entry.body())
        facts = {"status": REJECTED, "error": {**error.facts(), "param": error.param}, "custom_id": custom_id}
        self.count.add(batch.id, entry.line, facts, now)
        return REJECTED

    def _reject(self, file: File, tenant: Tenant | None, error: BrokerError, now: int) -> None:
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
