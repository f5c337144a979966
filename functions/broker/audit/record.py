"""One record of the trail: a flat JSON object."""

from typing import Any

Record = dict[str, Any]

JOB_SUBMITTED, JOB_ENDED = "job.submitted", "job.ended"
BATCH_SUBMITTED, BATCH_ENDED = "batch.submitted", "batch.ended"
PAYLOAD_READ, CANCEL_ASKED, ERASE_ASKED = "payload.read", "cancel.asked", "erase.asked"
CALL_DENIED, KEY_USED, KEY_USED_ELSEWHERE = "call.denied", "key.used", "key.used_elsewhere"
KEY_MADE, KEY_REVOKED, KEY_CHANGED = "key.made", "key.revoked", "key.changed"
REGISTRY_CHANGED, REVIEW_READ, REVIEW_DECIDED = "registry.changed", "review.read", "review.decided"
AUDIT_READ, UNREADABLE = "audit.read", "note.unreadable"

KINDS = {
    JOB_SUBMITTED: "a job was accepted, by whichever door",
    JOB_ENDED: "it came to its end, which is the `outcome`",
    BATCH_SUBMITTED: "a batch was accepted; its rows have no records of their own",
    BATCH_ENDED: "it came to its end",
    PAYLOAD_READ: "a prompt, an answer, a turn or a file was given to a caller, or an operator",
    CANCEL_ASKED: "a caller, or an operator, asked that work is canceled",
    ERASE_ASKED: "a caller asked that payloads are erased",
    CALL_DENIED: "a known caller was refused what it may not do; `reason` is the error's code",
    KEY_USED_ELSEWHERE: "an API key was used from a network that it was not used from before",
    KEY_MADE: "an API key was made",
    KEY_REVOKED: "an API key was revoked",
    KEY_CHANGED: "the limits or other facts of an API key were changed",
    REGISTRY_CHANGED: "a version of an entry of the registry was written",
    REVIEW_READ: "an operator read the texts of held jobs or of feedback",
    REVIEW_DECIDED: "an operator claimed, released or rejected a held job",
    AUDIT_READ: "an operator read this trail",
    UNREADABLE: "a note came that nobody can read; `subject` is its SHA-256",
}
"""All kinds that lie in the trail. `key.used` is a note alone: what is new of it becomes `key.used_elsewhere`."""

LONGEST = 512
"""Characters of one fact: a name that a caller chose may be long, and a record is small."""


def record(kind: str, record_id: str, at: int, **facts: Any) -> Record:
    """A record; facts that say nothing are left out.

    Args:
        kind: of `KINDS`, or `key.used`.
        record_id: the same where the same act is told again.
        at: milliseconds.
        facts: ids, names and codes: `tenant`, `by`, `subject`, `outcome`, `reason`, `route` …
    """
    said = {name: value[:LONGEST] if isinstance(value, str) else value for name, value in facts.items()}
    return {"id": record_id[:LONGEST], "at": at, "kind": kind, **{name: each for name, each in said.items() if each}}
