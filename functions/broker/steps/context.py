"""What each step begins with: the run that it was started for, and the job as it stands."""

from dataclasses import dataclass
from typing import Any

from broker.errors import Conflict
from broker.jobs.head import Head, Status
from broker.jobs.store import REDACTED, REQUEST, Jobs, Payloads
from broker.jobs.transitions import Fence, check_fence, take
from broker.steps.token_counter import Material


@dataclass(frozen=True, slots=True)
class Run:
    """The facts that travel through the workflow; a job as its notes need to know it (`jobs.store.NoteOwner`)."""

    id: str
    """The job's."""
    tenant: str
    fence: Fence
    payloads_until: int
    expires_at: int
    """Epoch seconds both, as on the head."""
    until: int = 0
    """Milliseconds: when its time budget and its deadline are over, whichever comes first."""
    held: int | None = None
    """Nano-dollars that were held for its calls when it began; None for no limit."""
    policies: tuple[str, ...] = ()
    """The guardrail policies of its prompt and its route, by id."""
    keeps: bool = False
    """True where the answer is to be kept in the cache."""
    head: Head | None = None
    """The job as it was started, told until the run has changed it; what it decides is refused where it is old."""
    redacted: bool = False
    """True where models may only see what Check Input left of the request."""
    redacts: bool | None = None
    """True where rules took the personal data out of all that models get, found or not: data may leave the residency
    that routes demand. Not so unless Check Input said it; False where it found that a rule has not read all."""
    released: tuple[str, ...] = ()
    """The stages at which a person let the job go on."""

    def left_ms(self, now: int) -> int:
        """The time for its calls, before the first: the whole of its budget, within what is left until the deadline.

        Where the head no longer travels with it, the deadline is taken to be as far off as it was when the run began.
        """
        budget = self.until - (self.fence.claimed_at or now)
        return min(budget, self.head.deadline_at - now) if self.head else budget

    @classmethod
    def of(cls, event: dict[str, Any]) -> "Run":
        """Read them from a state's payload: what `cloud.workflows` started it with, and its `execution`."""
        # The end of an execution's ARN tells it from all others of the run, and is a quarter as long.
        execution = event["execution"].rpartition(":")[2]
        claimed = event.get("claimed_at"), event.get("claimed_by", "")
        fence = Fence(int(event["run"]), execution, event.get("route"), *claimed)
        # A run that was started before the two parted has one.
        ends = event.get("payloads_until", event["expires_at"]), event["expires_at"]
        head = Head.from_item(event["head"]) if event.get("head") else None
        return cls(
            *(event["job_id"], event["tenant"], fence, *ends, event["until"], event.get("held")),
            policies=tuple(event.get("policies", ())),
            keeps=bool(event.get("keep")),
            head=head,
            redacted=bool(event.get("redacted")),
            redacts=event.get("redacts"),
            released=tuple(event.get("released", ())),
        )


def enter(jobs: Jobs, run: Run) -> Head:
    """The head, if this run owns it; it is claimed where it was only started.

    Raises:
        Conflict: it does not.
    """
    head = jobs.get(run.id)
    if head.status is Status.QUEUED:
        head = jobs.change(run.id, lambda current: take(current, run.fence), known=head)
    check_fence(head, run.fence)
    return head


def material(payloads: Payloads, run: Run) -> Material:
    """The job's request as models may see it: as it was prepared, or with what was redacted taken out.

    Raises:
        Conflict: it was erased, so the job has ended.
    """
    if not run.redacted:
        return original(payloads, run.id)
    # A run before this one may have kept another.
    kept = payloads.load(run.id, REDACTED, fresh=True) or {}
    if "request" not in kept:
        raise _without_input(run.id)
    return Material(kept["request"], kept["mapping"])


def original(payloads: Payloads, job_id: str) -> Material:
    """The job's request as it was prepared; for guardrails alone.

    Raises:
        Conflict: it was erased, so the job has ended.
    """
    document: dict[str, Any] | None = payloads.load(job_id, REQUEST)
    if document is None:
        raise _without_input(job_id)
    return Material(document)


def _without_input(job_id: str) -> Conflict:
    return Conflict(f"job {job_id} has no input any more")
