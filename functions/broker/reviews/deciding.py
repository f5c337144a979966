"""Deciding on held jobs: claim, release, reject. Each is on record with who did it, when and why.

Who did it is the identity of the signed call, never what a body says; where several people work behind one identity, a
`reviewer` may be named beside it. Of two who decide at once, or of a decision and the end of the job from elsewhere,
one wins: all are changes of the head.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from broker.errors import Conflict, NotFound
from broker.guardrails.policy import Stage
from broker.jobs.head import HELD, JOB_ID, Head
from broker.jobs.reviewing import AUDIT, REJECTED, RELEASED, let_go, turn_down
from broker.jobs.store import TRIES, Jobs, Payloads, Queue, note_item
from broker.reviews.record import PREFIX
from broker.storage import ConditionFailed, Database, If, Item, Put, Update

CLAIM_MS = 15 * 60_000
"""How long who claimed a review has it; claiming it again begins anew."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who decides."""

    by: str
    """The identity of the call: an ARN."""
    name: str | None = None
    """Of the person behind it, as the call says it."""

    def facts(self) -> dict[str, Any]:
        """As the record and the audit trail keep it."""
        return {"by": self.by} | ({"reviewer": self.name} if self.name else {})


@dataclass(frozen=True, slots=True)
class Decide:
    """What reviewers do."""

    database: Database
    jobs: Jobs
    payloads: Payloads
    queue: Queue
    not_sent: Callable[[Head, Exception], None]
    """Told of a released job that could not be sent to its queue; the sweep sends it."""

    def claim(self, job_id: str, who: Reviewer, now: int) -> Item:
        """Keep a held job to oneself for a while; claiming it again begins anew. Gives the record.

        Raises:
            NotFound: the job was never held.
            Conflict: it is not held any more, or somebody else has it.
        """
        for _ in range(TRIES):
            head, record = self.find(job_id)
            if not head.is_held:
                raise _is_over(record)
            _check_free(record, who, now)
            until = {"claimed_by": who.by, "claimed_until": now + CLAIM_MS, "reviewer": who.name}
            changed = (If("changes", "=", record["changes"]), If("state", "=", HELD))
            write = Update("jobs", record["pk"], record["sk"], set=until, add={"changes": 1}, when=changed)
            with suppress(ConditionFailed):  # somebody was faster: look again
                self.database.write(write, _audit(head, "claimed", record["stage"], who, now))
                return record | until
        raise Conflict(f"The review of job {job_id} would not hold still.", code="changed_meanwhile")

    def release(self, job_id: str, stage: Stage, who: Reviewer, reason: str, now: int) -> Item:
        """Let a held job go on from where it stopped; once it was released, a repeat changes nothing.

        Args:
            job_id: the job.
            stage: at which it is held. A job may be held at both, one after the other, and a decision is of one.
            who: decides.
            reason: for the audit trail.
            now: milliseconds.

        Raises:
            NotFound: the job was never held at this stage.
            Conflict: it is not held there any more, or somebody else has it.
        """
        head, record = self._held_at(job_id, stage, RELEASED, who, now)
        if record["state"] != HELD:
            return record
        released = self._change(head, record, RELEASED, who, reason, now, lambda current: let_go(current, now=now))
        if released is not None:
            try:
                self.queue.send(released)
            except Exception as error:
                self.not_sent(released, error)
        return self._record(job_id, stage)

    def reject(self, job_id: str, stage: Stage, who: Reviewer, reason: str, now: int) -> Item:
        """End a held job as blocked; what its answer cost is settled with it. A repeat changes nothing.

        Raises:
            NotFound, Conflict: as `release`.
        """
        head, record = self._held_at(job_id, stage, REJECTED, who, now)
        if record["state"] != HELD:
            return record

        def end(current: Head) -> Head:
            output = current.review.get("output")
            paid = self.payloads.facts(job_id, output) if output and "facts" not in current.review else None
            return turn_down(current, message=record["message"], facts=paid, now=now)

        self._change(head, record, REJECTED, who, reason, now, end)
        return self._record(job_id, stage)

    def find(self, job_id: str) -> tuple[Head, Item]:
        """A job and the record of its last review.

        Raises:
            NotFound: it was never held.
        """
        head = self.jobs.find(job_id) if JOB_ID.fullmatch(job_id) else None
        records = list(self.jobs.notes(job_id, PREFIX).values()) if head and head.review else []
        if head is None or not records:
            raise NotFound("There is no such review.", param="job_id")
        return head, max(records, key=lambda record: record["since"])

    def _record(self, job_id: str, stage: Stage) -> Item:
        """The last record of a stage.

        Raises:
            NotFound: the job was never held there.
        """
        found = [each for each in self.jobs.notes(job_id, PREFIX).values() if each["stage"] == stage]
        if not found:
            raise NotFound(f"The job was never held at the stage {stage}.", param="stage")
        return max(found, key=lambda record: record["since"])

    def _held_at(self, job_id: str, stage: Stage, decision: str, who: Reviewer, now: int) -> tuple[Head, Item]:
        head, _ = self.find(job_id)
        record = self._record(job_id, stage)
        if record["state"] not in (HELD, decision):
            raise _is_over(record)
        if record["state"] == HELD:
            _check_free(record, who, now)
        return head, record

    def _change(
        self,
        head: Head,
        record: Item,
        what: str,
        who: Reviewer,
        reason: str,
        now: int,
        decide: Callable[[Head], Head],
    ) -> Head | None:
        """The head after it; None where the same was decided meanwhile."""
        audit = _audit(head, what, record["stage"], who, now, reason)

        def decide_as_judged(current: Head) -> Head:
            """Somebody else may have released it meanwhile, and then it is held at a stage that nobody has judged."""
            if current.is_held and current.review["stage"] != record["stage"]:
                raise _is_over(record | {"state": RELEASED})
            return decide(current)

        try:
            return self.jobs.change(head.id, decide_as_judged, audit, known=head)
        except Conflict as error:
            after = self._record(head.id, record["stage"])
            if after["state"] == what:
                return None
            raise error if after["state"] == HELD else _is_over(after) from None


def audit_of(notes: dict[str, Item]) -> list[Item]:
    """What people did with a job's reviews, from its notes, in order."""
    return [note for name, note in sorted(notes.items()) if name.startswith(AUDIT)]


def _audit(head: Head, what: str, stage: str, who: Reviewer, now: int, reason: str | None = None) -> Put:
    """An entry of the audit trail, which is written once and lives as long as the job's record."""
    facts = {"at": now, "what": what, "stage": stage, **who.facts()} | ({"reason": reason} if reason else {})
    return Put("jobs", note_item(head, f"{AUDIT}{now:013d}#{what}", facts), (If("pk", "absent"),))


def _check_free(record: Item, who: Reviewer, now: int) -> None:
    if record.get("claimed_until", 0) <= now:
        return
    if (record["claimed_by"], record.get("reviewer")) != (who.by, who.name):
        wait_s = (record["claimed_until"] - now) / 1000
        raise Conflict("Somebody else has claimed this review.", code="claimed", retry_after=wait_s)


def _is_over(record: Item) -> Conflict:
    return Conflict(f"The job is no longer held: {record['state']}.", code="not_held")
