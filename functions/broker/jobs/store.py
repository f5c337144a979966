"""Reading and changing jobs: every write is conditional on the head that it was decided on."""

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from broker.errors import Conflict, NotFound
from broker.jobs.head import Head, job_pk
from broker.jobs.payloads import OUTPUT as OUTPUT
from broker.jobs.payloads import REDACTED as REDACTED
from broker.jobs.payloads import REQUEST as REQUEST
from broker.jobs.payloads import Linked as Linked
from broker.jobs.payloads import NoteOwner as NoteOwner
from broker.jobs.payloads import Payloads as Payloads
from broker.jobs.payloads import Saved as Saved
from broker.storage import TRIES as WRITE_TRIES
from broker.storage import Check, ConditionFailed, Database, If, Item, Page, Put, Update

TRIES = 8

TOKENS = "tokens"
"""In a stored request: what was counted when it was accepted, by family of tokenizers."""

NEWS = {"news": 1}
"""On a head whose status this very write changed: the stream's filter lets only those through to be published."""

NEWS_OF_REVIEW = {"news": 2}
"""The same on one that was held for a review by it, or released: told whether progress is or not."""


ERASED = "ERASED"
"""The note of a job that was erased."""

FEEDBACK = "FEEDBACK#"
"""What the notes of what somebody said of the job begin with."""

LAST_OUTPUT = "OUTPUT$"
"""Behind them all."""


class Queue(Protocol):
    """The queues of accepted jobs, one for each lane."""

    def send(self, head: Head) -> None:
        """Put the job in its lane, in the fair group of its tenant; may be repeated."""
        ...


class Moved(Exception):
    """A job has changed since it was read: who decided by what it was then has to read it again."""


Participant = Callable[[Head, Head], Sequence[Put | Update]]
"""What joins the commit that leads from one head to the next: the writes that have to come true with it, or none."""


class Look(NamedTuple):
    """A job as one look shows it: its notes by name, and the item of its output for `Payloads.load`."""

    head: Head
    notes: dict[str, Item]
    output: Item | None


class Jobs:
    """The jobs of one deployment."""

    def __init__(self, database: Database, participants: Sequence[Participant]) -> None:
        """`participants` are those of every change of a head: whoever ends jobs books what they cost with them."""
        self._database = database
        self._participants = participants

    def get(self, job_id: str) -> Head:
        """The head as of now.

        Raises:
            NotFound: there is no such job.
        """
        head = self.find(job_id)
        if head is None:
            raise NotFound("There is no such job.", param="id")
        return head

    def find(self, job_id: str) -> Head | None:
        """The head as of now, or None."""
        item = self._database.get("jobs", job_pk(job_id), "HEAD")
        return Head.from_item(item) if item else None

    def create(self, head: Head, *beside: Put | Update, tries: int = WRITE_TRIES) -> None:
        """Write a new head and what must come into being with it.

        Raises:
            ConditionFailed: position 0 is the head (the job exists), others are in order of `beside`.
            Contended: others were at the same items at each of the `tries`.
        """
        self._database.write(Put("jobs", head.to_item() | NEWS, (If("pk", "absent"),)), *beside, tries=tries)

    def change(
        self,
        job_id: str,
        decide: Callable[[Head], Head],
        *beside: Put | Update,
        known: Head | None = None,
        once: bool = False,
    ) -> Head:
        """Read, decide, write; and all of it again when someone else wrote in between.

        Args:
            job_id: the job.
            decide: a transition; what it raises goes through.
            beside: writes that belong to the same commit.
            known: a head as it once was, to spare the first read: nothing is written where it has changed since.
            once: to stop there, for more was decided by `known` than this change.

        Raises:
            Moved: someone else wrote in between, and it was to be tried once.
            Conflict: the job would not hold still, or a condition of `beside` failed.
        """
        for _ in range(TRIES):
            before = known or self.get(job_id)
            after = decide(before)
            token = os.urandom(6).hex()
            joined = [write for each in self._participants for write in each(before, after)]
            item = after.to_item() | {"mark": token} | _news(before, after)
            try:
                self._database.write(Put("jobs", item, (If("rev", "=", before.rev),)), *joined, *beside)
            except ConditionFailed as error:
                if 0 not in error.failed:
                    raise Conflict(f"a write beside job {job_id} was refused") from error
            else:
                return after
            found = self._database.get("jobs", job_pk(job_id), "HEAD")
            if found and found.get("mark") == token:
                return after  # our own write: its reply was lost, and the client's repeat failed on it
            if once:
                raise Moved(f"job {job_id} is no longer at revision {before.rev}")
            known = Head.from_item(found) if found else None
        raise Conflict(f"job {job_id} changed {TRIES} times while it was being changed")

    def write_beside(self, head: Head, *beside: Put | Update) -> bool:
        """Write what depends on the job's standing as it was read; a run that has become stale then writes nothing.

        False where the job changed, or where a condition of `beside` failed.
        """
        try:
            self._database.write(Check("jobs", job_pk(head.id), "HEAD", (If("rev", "=", head.rev),)), *beside)
        except ConditionFailed:
            return False
        return True

    def due(self, shard: int, now: int, limit: int, cursor: Item | None = None) -> Page:
        """A page of the keys of what is due in one shard, oldest first."""
        return self._database.index("due", f"DUE#{shard}", limit=limit, upto=now, cursor=cursor)

    def of_tenant(self, tenant: str, *, limit: int, cursor: Item | None) -> tuple[list[Head], Item | None]:
        """A page of a tenant's jobs, newest first. Jobs deleted by their TTL are left out."""
        page: Page = self._database.index("tenant", tenant, limit=limit, newest_first=True, cursor=cursor)
        found = (self._database.get("jobs", item["pk"], "HEAD") for item in page.items)
        return [Head.from_item(item) for item in found if item], page.cursor

    def ids_of_tenant(self, tenant: str, *, limit: int, cursor: Item | None) -> list[str]:
        """The same, ids alone, and also those whose jobs were deleted by their TTL since."""
        page = self._database.index("tenant", tenant, limit=limit, newest_first=True, cursor=cursor)
        return [str(item["id"]) for item in page.items]

    def standing(self, head: Head, now: int) -> dict[str, Any] | None:
        """Where a queued job stands (`queueing.standing`)."""
        from broker.jobs.queueing import standing  # few ask

        return standing(self._database, head, now)

    def notes(self, job_id: str, prefix: str = "") -> dict[str, Item]:
        """The small items beside the head, by name: `ROUTE#1`, `DELIVERY#…`, `ASKED` and so on."""
        return _notes(self._database.query("jobs", job_pk(job_id), f"NOTE#{prefix}"))

    def look(self, job_id: str) -> Look | None:
        """The head as of now and what stands beside it, by one read; None where there is no such job.

        The keys of a job sort so that its request, which may be large, comes before the head, and outputs come last:
        a head that tells of an output was read before it.
        """
        found = self._database.query_between("jobs", job_pk(job_id), "HEAD", LAST_OUTPUT)
        head = next((Head.from_item(item) for item in found if item["sk"] == "HEAD"), None)
        if head is None:
            return None
        return Look(head, _notes(found), next((item for item in found if item["sk"] == head.output), None))

    def erased(self, job_ids: Sequence[str]) -> set[str]:
        """Which of these jobs were erased; what the last second did may not be seen.

        Raises:
            Unread: the tables are busy.
        """
        names = {job_pk(job_id): job_id for job_id in job_ids}
        found = self._database.get_many("jobs", [(pk, f"NOTE#{ERASED}") for pk in names]) if names else []
        return {names[item["pk"]] for item in found}

    def around(self, head: Head) -> tuple[dict[str, Item], Item | None]:
        """All its notes, and the item of its output for `Payloads.load`, by one read."""
        if head.output is None:
            return self.notes(head.id), None
        found = self._database.query_between("jobs", job_pk(head.id), "NOTE#", head.output)
        return _notes(found), next((item for item in found if item["sk"] == head.output), None)

    def note(self, job: NoteOwner, name: str, facts: dict[str, Any]) -> None:
        """Keep small facts beside the job (its route, its findings); the same name again overwrites."""
        self._database.write(Put("jobs", note_item(job, name, facts)))

    def note_once(self, job: NoteOwner, name: str, facts: dict[str, Any]) -> bool:
        """The same where there is none of that name yet; False where there is, and nothing is written."""
        try:
            self._database.write(Put("jobs", note_item(job, name, facts), (If("pk", "absent"),)))
        except ConditionFailed:
            return False
        return True


def _news(before: Head, after: Head) -> dict[str, int]:
    if before.is_held is not after.is_held and not after.status.terminal:
        return NEWS_OF_REVIEW
    return NEWS if after.status is not before.status else {}


def _notes(items: Sequence[Item]) -> dict[str, Item]:
    return {item["sk"].removeprefix("NOTE#"): item for item in items if item["sk"].startswith("NOTE#")}


def note_item(job: NoteOwner, name: str, facts: dict[str, Any]) -> Item:
    """A note in its stored form, for a write that it joins."""
    return {"pk": job_pk(job.id), "sk": f"NOTE#{name}", "expires_at": job.expires_at, **facts}
