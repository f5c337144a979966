"""Taking a file of the inbox: one request as a job, lines of them as a batch; or rejecting it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from broker.batches.rows.tries import LINE_S, LineFailed, Pass
from broker.bounds import Overrun, within
from broker.clock import new_job_id
from broker.errors import BrokerError, Forbidden, InvalidRequest, KeyInFlight, TooManyAtOnce, Unavailable
from broker.inbox.counting import Count
from broker.inbox.file_work import REJECTED, FileWork, Outbox, batch_pk, kind_of
from broker.inbox.files import File, request_in
from broker.inbox.lines import TakeLines
from broker.inbox.reading import READ, Readings, has_to_be_read, taken
from broker.inbox.rejecting import Reject
from broker.jobs.head import job_pk
from broker.permissions.who import NOBODY, Member
from broker.storage import ConditionFailed, Contended, Database, If, Update
from broker.tenants.registry import Tenant

if TYPE_CHECKING:
    from broker.inbox.recipes import TakeDocument
    from broker.jobs.accepting import Acceptance, Caller
    from broker.jobs.request import JobRequest

ROOM_S = 60
"""After so many seconds, or up to twice as many, a file is looked at again whose tenant has enough under way."""


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
    """Makes the job of a file, or the batch of a file of requests. It may stop anywhere and be repeated.

    A request that fails as nobody foresaw, or takes too long, is tried again after a pause; after `TRIES` its file is
    rejected.
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
    take_lines: TakeLines
    on_failure: Callable[[str, int, BaseException], None] = lambda batch_id, line, error: None
    """Told of each request that failed as nobody foresaw."""
    line_s: float = LINE_S
    """The time of a request."""
    member_of: Callable[[str, str | None, int], Member] = lambda tenant, application, now: NOBODY
    """As what an application of a tenant asks; raises Forbidden."""

    def __call__(self, event: dict[str, Any], clock: Callable[[], int]) -> Taken | None:
        """Take the file that S3's event tells of; None where it is none.

        Args:
            event: S3's "Object Created", perhaps with `goes_on`.
            clock: gives the milliseconds.

        Raises:
            KeyInFlight: another try at the same file is under way; the message should come again.
            Exception: of the cloud; likewise.
        """
        file = File.of(event)
        if file.is_folder or (file.is_media and file.asked is None):
            return None
        if kind_of(file.key) == "lines" and file.asked is None:
            return self._take_lines(event, file, clock())
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
            done = self._take_one(Pass.of(event, self.line_s), file, data, tenant, batch, clock())
            if event.get(READ):
                self.readings.forget(file.batch_id)
            return done
        except KeyInFlight:
            raise
        except TooManyAtOnce:
            return self._wait(event, file)
        except (InvalidRequest, LineFailed) as error:
            self._reject(file, tenant, error, clock())
            return Taken(file.batch_id, tenant.id if tenant else None, refused=1, error=error.code)

    def _take_lines(self, event: dict[str, Any], file: File, now: int) -> Taken:
        """Make a batch of a file of requests, which goes on by itself."""
        tenant = None
        try:
            tenant = self._tenant(file, now)
            file.check()
            self.take_lines(file, tenant.id, now, self.member_of(tenant.id, tenant.inbox_application, now))
        except TooManyAtOnce:
            return self._wait(event, file)
        except InvalidRequest as error:
            self._say(file, tenant, error, now)
            return Taken(file.batch_id, tenant.id if tenant else None, refused=1, error=error.code)
        return Taken(file.batch_id, tenant.id)

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
        except TooManyAtOnce:
            return self._wait(event, file)
        except InvalidRequest as error:
            self._reject(file, tenant, error, now)
            return Taken(file.batch_id, tenant.id if tenant else None, refused=1, error=error.code)

    def _wait(self, event: dict[str, Any], file: File) -> Taken:
        """Have a file come again that its tenant has no room for: who puts a folder into the inbox is not refused."""
        self.later.again(event, file.tenant, ROOM_S + int(file.batch_id[-2:], 16) % ROOM_S)
        return Taken(file.batch_id, file.tenant)

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

    def _take_one(self, way: Pass, file: File, data: bytes, tenant: Tenant, batch: FileWork | None, now: int) -> Taken:
        begun, prompt = batch is not None, batch.prompt if batch else tenant.document_prompt
        body = request_in(file.key, data, prompt)
        if batch is None:
            batch = self._begin(FileWork.new(file.batch_id, tenant.id, file.key, prompt, 1, now))
        accepted = 0
        try:
            with within(way.patience_s):
                accepted = self._accept(file, batch, body, now, begun, tenant)
        except (KeyInFlight, Unavailable, Contended, InvalidRequest):
            raise  # it says itself that it will pass, or that it never will
        except (Exception, Overrun) as error:
            self.on_failure(batch.id, 1, error)
            if way.is_last:
                raise LineFailed from error
            way.fail(1, error)
            self.later.again(way.next(), batch.tenant, way.pause_s)
            return Taken(batch.id, batch.tenant)
        done = Update("jobs", batch_pk(batch.id), "BATCH", set={"split": True}, when=(If("pk", "exists"),))
        self.database.write(done)
        self.count.finish(batch.id)
        return Taken(batch.id, batch.tenant, accepted)

    def _begin(self, batch: FileWork) -> FileWork:
        try:
            self.database.write(batch.put())
        except ConditionFailed:  # a try at the same time was first, and it is the same batch
            return FileWork.load(self.database, batch.id) or batch
        return batch

    def _accept(self, file: File, batch: FileWork, body: Any, now: int, begun: bool, tenant: Tenant) -> int:
        # With the first request; a document that has yet to be read needs no models of them.
        from broker.jobs.accepting import Caller
        from broker.jobs.request import parse_request

        name = f"file:{batch.id}:1"
        # Its own, however late it is repeated: keys are forgotten after a day, and a message may come later.
        job_id = new_job_id(batch.created_at, name)
        if begun and self.database.get("jobs", job_pk(job_id), "HEAD"):
            return 0
        member = self.member_of(batch.tenant, tenant.inbox_application, now)
        caller = Caller(batch.tenant, f"s3:{file.bucket}", "s3", batch.id, batch.id, 1, member=member)
        return int(not self.accept(parse_request(body), caller, now, name, job_id).repeated)

    def _say(self, file: File, tenant: Tenant | None, error: BrokerError, now: int) -> None:
        facts = {**error.facts(), "param": error.param}
        Reject(self.outbox, self.tell)(file.key, file.batch_id, tenant.id if tenant else None, facts, now)

    def _reject(self, file: File, tenant: Tenant | None, error: BrokerError, now: int) -> None:
        """Say why, beside the file and on the bus; then close the batch, if there is one. May be repeated."""
        self._say(file, tenant, error, now)
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
