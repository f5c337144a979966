"""Taking a batch, or one that tries the rows of another again: all of it is checked before anything is kept."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from broker.batches.asking.hours import OffPeak
from broker.batches.asking.request import BatchRequest, asked_of
from broker.batches.batch import BEGUN_MS, BY_KEY, BY_MEMBER, KEEP_S, MESSAGES, Batch, BatchStatus, is_document
from broker.batches.ports import BatchWorkflows, RowBytes
from broker.batches.rows.planning import MOST_BYTES
from broker.batches.store import Batches
from broker.clock import uuid7_hex
from broker.errors import Conflict, Gone, InvalidRequest
from broker.jobs.accepting import Caller
from broker.jobs.head import Status
from broker.jobs.media_references import SCHEME, owned
from broker.jobs.once import once
from broker.tenants.registry import Tenant
from broker.tenants.room import Room

MOST_KEY_BYTES = 960
"""Of `output.key`. S3 takes 1,024; the ending, and in a retry its id, are added."""

GIVEN = "given.jsonl"
"""Where the rows of a body are kept, as a file of them would be written."""


@dataclass(frozen=True, slots=True)
class Found:
    """One version of an object; `version` is None where its bucket keeps none."""

    bucket: str
    key: str
    etag: str
    version: str | None
    bytes: int

    @property
    def source(self) -> dict[str, Any]:
        """As a batch keeps it, and `RowBytes.lines` takes it."""
        return {"bucket": self.bucket, "key": self.key, "etag": self.etag, "version": self.version}


class Finds(Protocol):
    """What is known of files before they are read."""

    def object(self, bucket: str, key: str) -> Found | None:
        """The newest version of an object of the inbox; None where there is none."""
        ...

    def file(self, tenant: str, file_id: str, now: int) -> Found:
        """An uploaded file.

        Raises:
            NotFound: the tenant has no such file.
            InvalidRequest: its bytes have not come yet.
        """
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """The batch, and whether it was there already (an idempotent repeat)."""

    batch: Batch
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Submit:
    """Keeps a batch and starts its workflow; what a crash leaves between the two, the sweep starts."""

    batches: Batches
    tenant_of: Callable[[str, int], Tenant]
    """Raises Forbidden."""
    finds: Finds
    rows: RowBytes
    workflows: BatchWorkflows
    check_webhook: Callable[[str], None]
    check_names: Callable[[BatchRequest, Caller, Tenant, int], None]
    """Raises where a prompt or model that all rows are to have is not there for who asks."""
    inbox: str
    """The bucket that requests may point into."""
    room: Room
    """How many batches a tenant may have under way."""
    on_lost_start: Callable[[Batch, Exception], None] = lambda batch, error: None

    def __call__(
        self, request: BatchRequest, caller: Caller, now: int, more: dict[str, Any] | None = None, **told: Any
    ) -> Taken:
        """Take one; once for what is `told` of repeats (`jobs.once`: `key`, `keep_ms`, `attempt`).

        Args:
            request: the request.
            caller: who asks.
            now: milliseconds.
            more: what its door keeps with it beside that (`Batch.asked`).
            told: see above.

        Raises:
            InvalidRequest: and its kin, naming the field at fault; nothing is kept then.
            TooManyAtOnce: the tenant has as many under way as it may have.
        """
        document = {"batch": request.model_dump(mode="json", exclude_unset=True), **(more or {})}
        return self._once(
            document, caller, now, told, lambda batch_id: self._new(request, batch_id, caller, now, more or {})
        )

    def again(self, batch_id: str, caller: Caller, now: int, **told: Any) -> Taken:
        """Take those rows of an ended batch again that did not succeed, as a batch of their own.

        Raises:
            NotFound: the tenant has no such batch.
            Conflict: it has not ended.
            Gone: it was erased, and with it what it said of its rows.
            InvalidRequest: all of its rows succeeded, or it never had any; or its hours begin when its time is over.
        """

        def make(new_id: str) -> Batch:
            first = self.batches.get(batch_id, caller.tenant)
            if is_document(first):
                message = "A document is not tried again in parts: put it into the inbox once more."
                raise InvalidRequest(message, code="document_not_retried", param="id")
            if not first.status.terminal:
                raise Conflict("The batch has not ended; cancel it first.", code="not_ended")
            if first.erased_at is not None:
                raise Gone("The batch was erased.", code="erased", param="id")
            succeeded = first.sums.counts.get(Status.SUCCEEDED.value, 0)
            if not first.is_planned or first.sums.ended <= succeeded:
                raise InvalidRequest("The batch has no row that did not succeed.", code="nothing_to_retry")
            asked = {name: value for name, value in first.asked.items() if name not in OF_ITS_TIME}
            asked["retry_of"] = first.id
            if MESSAGES in asked:
                asked[MESSAGES] = first.rows - succeeded
            _check_hours(asked.get("window"), now, asked["completion_window_s"])
            if key := asked["output"].get("key"):
                asked["output"] = {**asked["output"], "key": _beside(key, first.id, new_id)}
            return self._made(new_id, caller, now, {"kind": "retry", "batch": first.id}, asked, now)

        return self._once({"retry_of": batch_id}, caller, now, told, make)

    def _once(
        self, document: dict[str, Any], caller: Caller, now: int, told: dict[str, Any], make: Callable[[str], Batch]
    ) -> Taken:
        def kept(batch_id: str) -> Taken:
            self.room.check(caller.tenant, now)
            return self._keep(make(batch_id))

        def find(batch_id: str) -> Taken | None:
            there = self.batches.find(batch_id)
            if there and there.status is BatchStatus.VALIDATING:
                self._start(there)  # perhaps the first try was kept from it
            return Taken(there, repeated=True) if there else None

        own, database = f"batch_{uuid7_hex(now)}", self.batches.database
        return once(database, caller.tenant, document, own, now, find, kept, **told).made

    def check(self, request: BatchRequest, caller: Caller, now: int) -> dict[str, Any]:
        """Look at all that a batch says beside its rows; gives it as a batch keeps it (`Batch.asked`).

        Raises:
            InvalidRequest: and its kin.
        """
        tenant = self.tenant_of(caller.tenant, now)
        begins_at = request.begins_at(now)
        _check_hours(request.window(tenant.off_peak), begins_at, request.window_s)
        if request.webhook:
            self.check_webhook(request.webhook.url)
        if request.output.key is not None:
            owned_key(request.output.key, tenant.id)
        self.check_names(request, caller, tenant, now)
        return asked_of(request, now, tenant.off_peak)

    def found(self, request: BatchRequest, tenant: str, now: int) -> Found | None:
        """The file of its rows; None where the body has them.

        Raises:
            InvalidRequest: and its kin: there is none for this tenant, or it is empty or too large.
        """
        if request.inline is not None:
            return None
        if request.input_file_id is not None:
            found, param = self.finds.file(tenant, request.input_file_id, now), "input_file_id"
        else:
            found, param = self._object(request.s3 or "", tenant), "s3"
        if not found.bytes:
            raise InvalidRequest(f"{param}: the file is empty.", code="empty_file", param=param)
        if found.bytes > MOST_BYTES:
            message = f"{param}: the file has more than {MOST_BYTES} bytes."
            raise InvalidRequest(message, code="file_too_large", param=param)
        return found

    def _new(self, request: BatchRequest, batch_id: str, caller: Caller, now: int, more: dict[str, Any]) -> Batch:
        asked = self.check(request, caller, now) | more
        found = self.found(request, caller.tenant, now)
        source = found.source if found else self.rows.write(batch_id, GIVEN, _lines(request.inline or ()))
        return self._made(batch_id, caller, now, {"kind": "object", **source}, asked, request.begins_at(now))

    def _object(self, address: str, tenant: str) -> Found:
        found = self.finds.object(*owned(address, tenant, self.inbox, "s3"))
        if found is None:
            raise InvalidRequest("s3: there is no such file in the inbox.", code="file_not_found", param="s3")
        return found

    def _made(
        self, batch_id: str, caller: Caller, now: int, source: dict[str, Any], asked: dict[str, Any], begins_at: int
    ) -> Batch:
        return Batch(
            id=batch_id,
            tenant=caller.tenant,
            principal=caller.principal,
            created_at=now,
            expires_at=now // 1000 + KEEP_S,
            ends_at=begins_at + asked["completion_window_s"] * 1000,
            source=source,
            asked=asked | by_whom(caller),
            due_at=now + BEGUN_MS,
        )

    def _keep(self, batch: Batch) -> Taken:
        made = self.batches.create(batch)
        kept = batch if made else self.batches.get(batch.id)  # a repeat of a try that crashed after its commit
        self._start(batch)
        return Taken(kept, repeated=not made)

    def _start(self, batch: Batch) -> None:
        try:
            self.workflows.start(batch.id)
        except Exception as error:  # it is kept: the sweep starts what was never started
            self.on_lost_start(batch, error)


OF_ITS_TIME = ("not_before", "max_cost", BY_KEY, BY_MEMBER)
"""What is not taken over by a retry: the time has come, the money was for the first, and another may ask for it."""


def by_whom(caller: Caller) -> dict[str, Any]:
    """What a batch keeps of who asked for it, beside the principal."""
    member = caller.member.kept()
    return ({BY_KEY: caller.key} if caller.key else {}) | ({BY_MEMBER: member} if member else {})


def _beside(key: str, first_id: str, new_id: str) -> str:
    """Where results of a retry go: what is there of the first was paid for. A key of the inbox may be too long."""
    kept = key.removesuffix(f".{first_id}").encode()[:MOST_KEY_BYTES]
    return f"{kept.decode(errors='ignore')}.{new_id}"


def _check_hours(window: dict[str, Any] | None, begins_at: int, seconds: int) -> None:
    if window and OffPeak.of(window).opens_at(begins_at) >= begins_at + seconds * 1000:
        message = "off_peak: the hours begin only when the completion_window is over"
        raise InvalidRequest(message, code="invalid_field", param="off_peak")


def owned_key(key: str, tenant: str) -> None:
    """Hold a key of the outbox to the rules of keys of the inbox.

    Raises:
        InvalidRequest: it is not below the tenant's own prefix, or too long.
    """
    if not key.startswith(f"{tenant}/"):
        message = "output.key: results go to the outbox bucket below the tenant's own prefix."
        raise InvalidRequest(message, code="key_not_yours", param="output.key")
    if len(key.encode()) > MOST_KEY_BYTES:
        message = f"output.key: it has {MOST_KEY_BYTES} bytes at most"
        raise InvalidRequest(message, code="invalid_field", param="output.key")
    owned(f"{SCHEME}outbox/{key}", tenant, "outbox", "output.key")


def _lines(rows: Iterable[Any]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"
