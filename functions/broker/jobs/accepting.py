"""Accepting a job: the same for every door."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from broker.clock import new_job_id
from broker.errors import BrokerError, BudgetExceeded, TooManyAtOnce
from broker.jobs import idempotency, repeats
from broker.jobs.fields import Task
from broker.jobs.head import Head, Status, record_until
from broker.jobs.holding import Holding, Prepared
from broker.jobs.reconciling import UNSENT_MS
from broker.jobs.request import JobRequest, stored_form, times
from broker.jobs.store import REQUEST, Jobs, Payloads, Queue
from broker.permissions.who import ASKED_BY, NOBODY, Member, Who
from broker.storage import ConditionFailed, Contended, Database, Put, Update
from broker.tenants.budgets import TRIES, Budgets, Crossed
from broker.tenants.limiting import Limits, Taken
from broker.tenants.limits import Limit
from broker.tenants.rules import Subject, UsedUp

POLICIES = "policies"
"""In a document that is to be prepared: the guardrail policies that it came with. No request has such a field."""


LEAVE_NOTHING = (BudgetExceeded, TooManyAtOnce, Contended)
"""What refuses a request after it was kept."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, through which door, and what ties the request to others."""

    tenant: str
    principal: str
    door: str
    correlation_id: str
    batch: str | None = None
    line: int | None = None
    """Of the batch, where the request came with a file."""
    custom_id: str | None = None
    """What the client calls the line."""
    row: int | None = None
    """Its number among the rows of the batch, from 0."""
    policies: tuple[str, ...] = ()
    """Guardrail policies that hold for what comes this way, on top of all others."""
    retry_of: str | None = None
    """The job whose request this is once more."""
    prepared: Mapping[str, Any] = field(default_factory=dict)
    """Of such a request, what was made of it when it was prepared first, and no client can say."""
    limits: Callable[[], Sequence[Limit]] = tuple
    """Those that hold for what comes this way; not asked for a repeat."""
    key: str = ""
    """The id of the API key."""
    queued_jobs: int | None = None
    """How many jobs by this key may not have ended."""
    user: str = ""
    """Which of the caller's own users it is for, where the caller is believed."""
    member: Member = NOBODY
    """As what it asks: of which application, in which groups and roles."""

    @property
    def who(self) -> Who:
        """Who asks, as permissions know it, but for the organisation, which the registry says."""
        return Who(self.tenant, "", self.member, self.principal, self.key, self.door)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The job, and whether it was there already (an idempotent repeat)."""

    head: Head
    repeated: bool
    taken: Taken | None = None
    """Of its caller's limits; None for a repeat."""


class _Refused(NamedTuple):
    """A job that there will not be, as far as its notes need to know it (`jobs.store.NoteOwner`)."""

    id: str
    payloads_until: int
    expires_at: int


class Accept:
    """Write a job and send it on; what a crash leaves between the two, the sweep sends."""

    def __init__(
        self,
        database: Database,
        budgets: Budgets,
        jobs: Jobs,
        payloads: Payloads,
        queue: Queue,
        prepare: Callable[[str, dict[str, Any], int], Prepared],
        check_webhook: Callable[[str], None],
        on_lost_send: Callable[[Head, Exception], None],
        quiet_doors: Collection[str] = (),
    ) -> None:
        """Of a job that comes in by one of the `quiet_doors` the bus is told only where its request asks for that."""
        self._database = database
        self._budgets = budgets
        self._jobs = jobs
        self._payloads = payloads
        self._queue = queue
        self._prepare = prepare
        self._check_webhook = check_webhook
        self._on_lost_send = on_lost_send
        self._quiet_doors = quiet_doors
        self._limits = Limits(database)

    def __call__(
        self,
        request: JobRequest,
        caller: Caller,
        now: int,
        key: str | None = None,
        job_id: str | None = None,
        attempt: repeats.Attempt | None = None,
        keep_ms: int = idempotency.KEEP_MS,
    ) -> Acceptance:
        """Accept one request; with a `key`, once. A `job_id` is for a request that has its own, whoever repeats it.

        The key is remembered for `keep_ms`. With an `attempt` and no key, all tries of one call get one job.

        What is left of a request that is refused for its budget goes at once. Only where a repeat came between that may
        be accepted under the same id, or where it was a crash that left the id, does it stay until its TTL.

        Raises:
            InvalidRequest: and its kin: unknown model, refused address, no budget, a key misused.
            RateLimited: a limit of the caller's does not allow it now; what others allowed was not taken.
            Contended: others held the tenant's budget all the time; nothing is left of the request.
        """
        document = stored_form(request)
        mine, job_id = job_id is None, job_id or new_job_id(now)
        if key is None and attempt is not None:
            return self._accept_try(request, document, caller, attempt, now)
        if key is None:
            try:
                return self._make(job_id, request, document, caller, now)
            except LEAVE_NOTHING:
                if mine:
                    self._drop(job_id, request, caller, now)
                raise
        fingerprint = idempotency.fingerprint(document)
        held = idempotency.reserve(self._database, caller.tenant, key, fingerprint, job_id, now, keep_ms)
        if held.accepted:
            if there := self._jobs.find(held.job_id):
                return Acceptance(there, repeated=True)
            # Its record is gone before its key: nobody has the answer any more.
            held = idempotency.renew(self._database, held, job_id, now, keep_ms)
        if held.job_id != job_id and (there := self._jobs.find(held.job_id)):
            # The first try crashed after its commit. What it wrote stands, whatever the registry says by now.
            idempotency.settle(self._database, held)
            return Acceptance(there, repeated=True)
        try:
            made = self._make(held.job_id, request, document, caller, now)
        except (BrokerError, Contended) as error:
            alone = idempotency.free(self._database, held, job_id) and mine
            if alone and isinstance(error, LEAVE_NOTHING):  # all else is refused before it is kept
                self._drop(job_id, request, caller, now)
            raise
        idempotency.settle(self._database, held)
        return made

    def _accept_try(
        self, request: JobRequest, document: dict[str, Any], caller: Caller, attempt: repeats.Attempt, now: int
    ) -> Acceptance:
        mark = repeats.take(self._database, caller.tenant, attempt, new_job_id(now), now)
        if not mark.is_new and (there := self._jobs.find(mark.job_id)):
            return Acceptance(there, repeated=True)
        try:  # of two tries of one call that are here at once, one writes the job and both get it
            return self._make(mark.job_id, request, document, caller, now)
        except LEAVE_NOTHING:
            if mark.is_new and repeats.free(self._database, mark):
                self._drop(mark.job_id, request, caller, now)
            raise

    def _drop(self, job_id: str, request: JobRequest, caller: Caller, now: int) -> None:
        """Delete what was kept for a job that there will not be, under an id that nobody else has."""
        self._payloads.drop(job_id, REQUEST)
        if request.metadata or request.webhook or caller.custom_id:
            until = now // 1000 + request.ttl_seconds
            self._jobs.note(_Refused(job_id, until, until), "ASKED", {})

    def _make(self, job_id: str, request: JobRequest, document: dict[str, Any], caller: Caller, now: int) -> Acceptance:
        if request.webhook:
            self._check_webhook(request.webhook.url)
        document = as_asked(document, caller)
        used_up, asked = set[str](), request.model
        while True:
            prepared = self._prepare(caller.tenant, document, now)
            holding = Holding.of(
                prepared, caller.tenant, subject_of(caller, request, asked), caller.queued_jobs, used_up, now
            )
            taken = self._limits.take(caller.tenant, caller.limits(), prepared.most_tokens, now)
            try:
                head = self._written(job_id, request, prepared, caller, holding, now)
                return Acceptance(head, repeated=False, taken=taken)
            except UsedUp as error:
                self._limits.give_back(taken)
                used_up.add(error.rule.id)
                asked = str(error.rule.degrade_to)
                document = document | {"model": asked}
            except (BrokerError, Contended):
                self._limits.give_back(taken)
                raise

    def _written(
        self, job_id: str, request: JobRequest, prepared: Prepared, caller: Caller, holding: Holding, now: int
    ) -> Head:
        budget, within = times(request, prepared.timeout_s)
        deadline = now + within * 1000
        payloads_until = now // 1000 + request.ttl_seconds
        head = Head(
            id=job_id,
            tenant=caller.tenant,
            principal=caller.principal,
            door=caller.door,
            task=request.task.value,
            status=Status.QUEUED,
            lane=request.priority.value,
            asked=holding.asked,
            created_at=now,
            deadline_at=deadline,
            due_at=min(now + UNSENT_MS, deadline),
            payloads_until=payloads_until,
            expires_at=record_until(payloads_until, deadline),
            timeout_s=budget,
            correlation_id=caller.correlation_id,
            batch=caller.batch,
            line=caller.line,
            row=caller.row,
            retry_of=caller.retry_of,
            webhook=tuple(request.webhook.events) if request.webhook else (),
            quiet=self._is_quiet(request, caller.door) or None,
            cloud_events=prepared.cloud_events or None,
            limit=holding.limit,
            holds=dict(holding.wanted),
            groups=dict(holding.groups),
            prompt=prepared.document.get("prompt_used"),
            policies=prepared.policies,
            application=caller.member.application or None,
            conversation=request.conversation_id if request.task is Task.CHAT else None,
        )
        self._payloads.save(head, REQUEST, prepared.kept)
        asked = {"webhook_url": request.webhook.url} if request.webhook else {}
        if caller.custom_id:
            asked["custom_id"] = caller.custom_id
        if request.metadata or asked:
            self._jobs.note(head, "ASKED", {**asked, "metadata": request.metadata})
        try:
            head = self._create_with(head, holding)
        except (ConditionFailed, Contended):
            # A crashed first try got this far, or this one: its reply was lost, and the client's repeat failed on it.
            there = self._jobs.find(job_id)
            if there is None:
                raise
            head = there
            if head.status is not Status.QUEUED:
                return head
        try:
            self._queue.send(head)
        except Exception as error:
            # The job is accepted: its head is written, and the sweep sends what was never sent.
            self._on_lost_send(head, error)
        return head

    def _is_quiet(self, request: JobRequest, door: str) -> bool:
        return door in self._quiet_doors if request.bus_events is None else not request.bus_events

    def _create_with(self, head: Head, holding: Holding) -> Head:
        """Write the head and its holds; gives it as written, with the slices that it holds from.

        Raises:
            ConditionFailed: the job exists.
            BudgetExceeded: and its kin: a bucket does not cover it.
            Contended: others were at one of them all the time.
        """
        if not holding.wanted:
            self._jobs.create(head)
            return head
        made = head

        def write(names: Mapping[str, str], writes: Sequence[Put | Update], crossed: Crossed) -> None:
            nonlocal made
            holds = {names[bucket]: amount for bucket, amount in holding.wanted.items()}
            told = {bucket: holding.percent(bucket, number) for bucket, number in crossed}
            made = replace(head, holds=holds, crossed=told)
            self._jobs.create(made, *writes, tries=TRIES)

        holding.open(self._budgets)
        self._budgets.hold_all(holding.wanted, head.id, write, holding.refusals, holding.marks)
        return made


def subject_of(caller: Caller, request: JobRequest, asked: str) -> Subject:
    """What budgets go by, of one request, which asks for a model or has another one asked."""
    batch = caller.batch if caller.row is not None else None
    who = caller.key, caller.principal, caller.user
    return Subject(*who, model=asked, batch=batch or "", tags=request.metadata)


def as_asked(document: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """A stored request on its way to be prepared, with what it comes with: who asks, and guardrail policies."""
    policies = {POLICIES: list(caller.policies)} if caller.policies else {}
    return {**document, **caller.prepared, ASKED_BY: caller.who.kept(), **policies}
