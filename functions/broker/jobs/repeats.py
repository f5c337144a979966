"""Repeats of a request by clients that give it no key, but say which try it is.

Such clients send a request again, byte for byte, when its reply did not come or told them to, and count the tries from
0. A mark stands for each call: the job that it is, and which of its tries have come. A repeat finds the newest mark of
an equal request that no try of its number came for; so two equal calls that were both wanted stay two, also when both
are repeated. Which of the two a repeat is of, nothing that it says tells: each gets one of their jobs, and a repeat
whose first try never got here gets that of an equal call, where there was one.

A try that comes late is looked up as well, for a repeat may have been handled before it: its client gave up while the
try waited for a function. All others with the number 0 only leave their mark, by one write.
"""

import hashlib
from dataclasses import dataclass

from broker.storage import ConditionFailed, Database, If, Item, Put, Update

KEEP_MS = 600_000
"""How long a repeat finds the call."""

LATE_MS = 300
"""From when a first try may have been repeated already: clients wait three eighths of a second before they do."""

PAGE = 20
"""Marks that are read at once: the newest equal calls."""

ABOVE = 1 << 48
"""Above all milliseconds that an id can tell."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call: of equal requests (`fingerprint`) the one with this `number`, from 0."""

    fingerprint: str
    number: int
    waited_ms: int = 0
    """How long it was under way before it was handled."""


@dataclass(frozen=True, slots=True)
class Mark:
    """That a call has this job; `is_new` where no other try of it was told so."""

    pk: str
    sk: str
    job_id: str
    is_new: bool


def fingerprint(principal: str, path: str, body: bytes) -> str:
    """What equal requests of one tenant have in common: who asks, where, and every byte of what."""
    parts = (principal.encode(), path.encode(), body)
    return hashlib.sha256(b"".join(b"%d:%s" % (len(each), each) for each in parts)).hexdigest()


def take(database: Database, tenant: str, attempt: Attempt, job_id: str, now: int) -> Mark:
    """The mark of the call that this is a try of.

    Args:
        database: the tables.
        tenant: marks of different tenants never meet.
        attempt: which try of what.
        job_id: what a new call's job is to be called.
        now: milliseconds.
    """
    pk = f"CALL#{tenant}#{attempt.fingerprint}"
    if attempt.number or attempt.waited_ms >= LATE_MS:
        if found := _claimed(database, pk, attempt.number, job_id, now):
            return found
    mark = Mark(pk, f"{ABOVE - now:012x}#{job_id}", job_id, is_new=True)
    item = {"pk": pk, "sk": mark.sk, "job_id": job_id, _came(attempt.number): job_id}
    database.write(Put("jobs", item | {"expires_at": (now + KEEP_MS) // 1000 + 1}))
    return mark


def _claimed(database: Database, pk: str, number: int, job_id: str, now: int) -> Mark | None:
    """The newest mark that no try of this number came for, which is this try's from now on."""
    oldest = f"{ABOVE - now + KEEP_MS:012x}~"
    after = "0"
    while True:
        marks = database.query_since("jobs", pk, after, limit=PAGE)
        for item in marks:
            if item["sk"] > oldest:
                return None
            if _came(number) not in item and (mark := _claim(database, item, number, job_id)):
                return mark
        if len(marks) < PAGE:
            return None
        after = f"{marks[-1]['sk']}\0"


def _claim(database: Database, item: Item, number: int, job_id: str) -> Mark | None:
    """Take a mark for a try; where its first job was refused, with the id of a new one. None where another try has."""
    came, refused = _came(number), "refused" in item
    write = Update(
        "jobs",
        item["pk"],
        item["sk"],
        set={came: job_id} | ({"job_id": job_id} if refused else {"shared": True}),
        remove=("refused",) if refused else (),
        when=(If("job_id", "=", item["job_id"]), If(came, "absent"), If("refused", "exists" if refused else "absent")),
    )
    try:
        database.write(write)
    except ConditionFailed:
        found = database.get("jobs", item["pk"], item["sk"])
        if found is None or found.get(came) != job_id:
            return None
        # Our own write: its reply was lost, and the client's repeat failed on it.
    return Mark(item["pk"], item["sk"], job_id if refused else item["job_id"], is_new=refused)


def free(database: Database, mark: Mark) -> bool:
    """Say that the job of a new mark was refused; False where another try was told of it meanwhile."""
    alone = (If("job_id", "=", mark.job_id), If("shared", "absent"))
    try:
        database.write(Update("jobs", mark.pk, mark.sk, set={"refused": True}, when=alone))
    except ConditionFailed:
        return False
    return True


def _came(number: int) -> str:
    return f"came_{number}"
