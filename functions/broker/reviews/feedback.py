"""Feedback on what guardrails found, kept beside the job; and labelled rows of it for the next tuning.

The text of a row is that of the job as models and clients saw it, as long as it is kept: what was redacted stays out of
it, and of what is gone there is no row.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broker.clock import iso
from broker.errors import Conflict, InvalidRequest
from broker.guardrails.checks import BY_ENGINES, CHECKS, SIZE
from broker.guardrails.walk import Seen
from broker.jobs.erasing import without_comment
from broker.jobs.head import Head, job_id_of, job_pk
from broker.jobs.store import ERASED, FEEDBACK, Jobs, Look, Payloads
from broker.reviews.bodies import Feedback
from broker.reviews.queue import page
from broker.reviews.record import partition, partition_of_tenant
from broker.reviews.texts import seen_at
from broker.storage import Database, Item

MOST = 20
"""Of one job."""

KIND = "FEEDBACK"
"""What its partitions of the indexes begin with, as those of reviews do."""

MISSED = "missed"

RULES = (*sorted({*CHECKS, *BY_ENGINES, SIZE}),)
"""All checks, as findings name them."""

NO_FINDING = "no_such_finding"

KINDS: Mapping[str, str] = {
    "secrets": "secret",
    "card_numbers": "pii-number",
    "personal_data": "pii-number",
    "injection": "injection",
}
"""What `python -m bench guardrails` calls what a check finds."""

ORDINARY, OTHER = "benign", "other"


def give(jobs: Jobs, head: Head, said: Feedback, by: str, now: int) -> Item:
    """Keep what somebody says of a job, with its record; of one that was erased, without the comment. Gives the note.

    Raises:
        InvalidRequest: of a false positive, the job has no such finding; of what was missed, there is no such check.
        Conflict: there is enough of it.
    """
    notes = jobs.notes(head.id)
    if said.verdict == MISSED:
        _check_known(said)
    else:
        _check_found(notes, said)
    facts = said.model_dump(exclude_none=True) | {"at": now, "by": by, "of": head.tenant}
    places = {
        "due": partition(KIND, head.id),
        "due_at": now,
        "tenant": partition_of_tenant(KIND, head.tenant),
        "id": head.id,
    }
    if ERASED in notes:
        facts = without_comment(facts)
    for number in range(sum(name.startswith(FEEDBACK) for name in notes), MOST):
        name = f"{FEEDBACK}{number:02d}"
        if not jobs.note_once(head, name, facts | places):
            continue  # of two at once, one has the next place
        if "comment" in facts and ERASED in jobs.notes(head.id, ERASED):  # it was erased meanwhile
            facts = without_comment(facts)
            jobs.note(head, name, facts | places)
        return {"pk": job_pk(head.id), **facts}
    raise Conflict(f"A job has {MOST} pieces of feedback at most.", code="feedback_full")


def _check_known(said: Feedback) -> None:
    if said.rule is not None and said.rule not in RULES:
        raise InvalidRequest(f"rule is one of {', '.join(RULES)}.", code=NO_FINDING, param="rule")


def _check_found(notes: Mapping[str, Item], said: Feedback) -> None:
    """Hold what is said against what was found: a row of it would teach something about a text that nobody judged."""
    from broker.guardrails.pipeline import MOST_FINDINGS  # with what runs checks, which this function else does not

    kept = list(_findings(notes))
    if any(len(some) >= MOST_FINDINGS and some[0]["stage"] == said.stage for some in kept):
        return  # there were more, which were not kept
    found = [each for some in kept for each in some]
    for name in ("stage", "rule", "kind"):
        wanted = getattr(said, name)
        of_it = [each for each in found if wanted in (None, each.get(name, ""))]
        if not of_it:
            there = sorted({each.get(name, "") for each in found})
            what = f"; of {name} there is {', '.join(there)}" if there else ""
            message = f"Guardrails found nothing of the job with the {name} {wanted}{what}."
            raise InvalidRequest(message, code=NO_FINDING, param=name)
        found = of_it


def _findings(notes: Mapping[str, Item]) -> Iterator[Sequence[Item]]:
    """What was found, by the note that keeps it: of a stage of a run, and of engines apart."""
    return (note["findings"] for name, note in notes.items() if name.startswith("GUARD#"))


def shown(note: Item) -> dict[str, Any]:
    """In its public form."""
    told = {name: note.get(name) for name in ("about", "verdict", "stage", "rule", "kind", "comment")}
    return {"object": "feedback", "job_id": job_id_of(note), "at": iso(note["at"]), "by": note["by"], **told}


def found(database: Database, *, tenant: str | None, limit: int, cursor: str | None) -> tuple[list[Item], str | None]:
    """A page of feedback, the newest first, of all tenants or of one; and the cursor to the next.

    Raises:
        InvalidRequest: the cursor is none of this list's.
    """
    of_tenant = partition_of_tenant(KIND, tenant) if tenant else None
    keys, following = page(database, KIND, of_tenant, limit, cursor, newest_first=True)
    notes = (database.get("jobs", key["pk"], key["sk"]) for key in keys)
    return [note for note in notes if note], following


def row(jobs: Jobs, payloads: Payloads, note: Item) -> dict[str, Any] | None:
    """A labelled row, as the bench and the detector's trainer take it; None where the text is not kept any more."""
    seen = jobs.look(job_id_of(note))
    text = _text(payloads, seen, note) if seen else None
    if text is None:
        return None
    missed, rule = note["verdict"] == MISSED, note.get("rule", "")
    kind = KINDS.get(rule, note.get("kind") if note.get("kind") in KINDS.values() else OTHER) if missed else ORDINARY
    return {
        "text": text,
        "label": int(missed),
        "kind": kind,
        "source": f"feedback-{note['of']}",
        "family": rule or note.get("kind", ""),
        "lang": "",
    }


def _text(payloads: Payloads, seen: Look, note: Item) -> str | None:
    """The texts where the check found something; where it found nothing, all that are not the operators' own."""
    head, stage = seen.head, note["stage"]
    output = head.output or head.review.get("output") or _last_answer(head)
    texts = seen_at(payloads, head, stage, output)
    if texts is None:
        return None
    places = _places(seen.notes, stage, note.get("rule"))
    chosen = [each for each in texts if str(each.path) in places] or [each for each in texts if _is_theirs(each)]
    return "\n\n".join(each.text for each in chosen) or None


def _last_answer(head: Head) -> str | None:
    """Of a job that was blocked for its answer: that of the last call that gave one."""
    return next((f"OUTPUT#{key}" for key, call in reversed(head.calls.items()) if call.get("o") == "succeeded"), None)


def _places(notes: Mapping[str, Item], stage: str, rule: str | None) -> set[str]:
    found = (each for some in _findings(notes) for each in some)
    return {each["place"] for each in found if (each["stage"], each["rule"]) == (stage, rule)}


def _is_theirs(seen: Seen) -> bool:
    """True for words of users, models and tools; the names of fields and of roles are nobody's."""
    return seen.source != "operator" and not seen.is_key and seen.path.name != "role"
