"""What is shown of a job: the view and the timeline."""

from typing import Any

from broker.clock import iso, usd
from broker.errors import Gone, NotFound
from broker.jobs import calls
from broker.jobs.explained import unpacked
from broker.jobs.head import JOB_ID, Head, Status, job_url
from broker.jobs.reviewing import AUDIT, state_of
from broker.jobs.store import ERASED, Jobs, Linked, Look
from broker.storage import Item

READ = "READ#"
"""What the notes begin with of operators who looked at what the job was asked and answered."""

LINK_FIELDS = ("output_url", "output_bytes", "output_media_type")


def owned(jobs: Jobs, job_id: str, tenant: str) -> Head:
    """The job, if it is this tenant's; any other is not found, whether it exists or not.

    Raises:
        NotFound: no such job of this tenant.
    """
    head = jobs.find(job_id) if JOB_ID.fullmatch(job_id) else None
    if head is None or head.tenant != tenant:
        raise NotFound("There is no such job.", param="id")
    return head


def looked_at(jobs: Jobs, job_id: str, tenant: str) -> Look:
    """The same with what stands beside it.

    Raises:
        NotFound: no such job of this tenant.
    """
    seen = jobs.look(job_id) if JOB_ID.fullmatch(job_id) else None
    if seen is None or seen.head.tenant != tenant:
        raise NotFound("There is no such job.", param="id")
    return seen


def view(
    head: Head, notes: dict[str, Item], output: Any | Linked | None, base_url: str, *, whole_route: bool = False
) -> dict[str, Any]:
    """The job in its public form (`schemas/job.json`), with its answer or a link to it.

    Args:
        head: the job.
        notes: what stands beside it.
        output: its answer, where there is one, or the link.
        base_url: of the REST API, as whoever reads this reaches it.
        whole_route: tell of every registered model, and not of those alone that were taken.
    """
    asked = notes.get("ASKED", {})
    return {
        "id": head.id,
        "object": "job",
        "status": head.status.value,
        "task": head.task,
        "model": head.model or head.asked,
        "application": head.application,
        "created_at": iso(head.created_at),
        "started_at": iso(head.started_at),
        "ended_at": iso(head.ended_at),
        **answer_fields(output),
        "error": head.error,
        "usage": {
            "input_tokens": head.usage.get("input_tokens", 0),
            "output_tokens": head.usage.get("output_tokens", 0),
            "reasoning_tokens": head.usage.get("reasoning_tokens", 0),
            "cached_tokens": head.usage.get("cached_tokens", 0),
            "cache_write_tokens": head.usage.get("cache_write_tokens", 0),
            "cost_usd": usd(head.spent),
        },
        "attempts": [_attempt(key, call) for key, call in in_order(head)],
        "route": _route(head, notes, whole_route),
        "guardrails": [
            finding(each)
            for name, note in sorted(notes.items())
            if name.startswith("GUARD#")
            for each in note["findings"]
        ],
        "review": _review(head),
        "cache": _cache(notes.get("CACHE")),
        "delivery": [delivery_view(note) for name, note in sorted(notes.items()) if name.startswith("DELIVERY#")],
        "prompt": head.prompt,
        "context": _context(notes.get(f"CONTEXT#{head.run}")),
        "conversation_id": head.conversation,
        "retry_of": head.retry_of,
        "batch_id": head.batch,
        "metadata": asked.get("metadata", {}),
        "erased": ERASED in notes or is_gone(head, output),
        "urls": {
            "get": job_url(head, base_url),
            "cancel": f"{job_url(head, base_url)}/cancel",
            "events": f"{job_url(head, base_url)}/events",
        },
    }


def answer_fields(output: Any | Linked | None) -> dict[str, Any]:
    """A job's answer, or where it is, by the names of `schemas/job.json`."""
    if not isinstance(output, Linked):
        return {"output": output, **dict.fromkeys(LINK_FIELDS)}
    return {"output": None, **link_fields(output)}


def link_fields(linked: Linked) -> dict[str, Any]:
    """Where an answer is that is too large for a reply, as jobs and webhooks tell it."""
    return dict(zip(LINK_FIELDS, (linked.url, linked.bytes, linked.media_type), strict=True))


def finding(note: Item) -> dict[str, Any]:
    """A finding in its public form; one that an earlier release kept tells less."""
    known: dict[str, Any] = {"kind": "", "score": 1000, "policy": "default", "version": "1"}
    known |= {"hidden": "", "reasons": [], "shadow": False, **note}
    return known | {"score": known["score"] / 1000, "action": "flag" if note["action"] == "note" else note["action"]}


def is_gone(head: Head, output: Any | None) -> bool:
    """True where the job had an answer, and it was erased or its `ttl_seconds` are over."""
    return head.output is not None and output is None


def gone(notes: dict[str, Item]) -> Gone:
    """The error of who asks for an answer that is not there any more, by what became of it."""
    if ERASED in notes:
        return Gone("The job's prompt and answer were erased.", code="erased")
    return Gone("The job's answer was kept no longer than its ttl_seconds.", code="payload_expired")


def _route(head: Head, notes: dict[str, Item], whole: bool) -> list[dict[str, Any]]:
    """The reasons as they were when models were selected, and why one was passed over when its turn came.

    Of the models that were taken or whose turn came, unless the `whole` is asked for; where there is none, why is all
    that there is to tell.
    """
    skipped = {note["model"]: note["why"] for name, note in notes.items() if name.startswith(f"SKIPPED#{head.run}#")}
    rows = [
        row | {"why": f"{row['why']}; passed over: {skipped[row['model']]}"} if row["model"] in skipped else row
        for row in unpacked({"route": head.route} if head.route else notes.get(f"ROUTE#{head.run}", {}))
    ]
    short = [row for row in rows if row["taken"] or row["model"] in skipped]
    return rows if whole else short or rows


def _context(note: Item | None) -> dict[str, Any] | None:
    shown = ("strategy", "dropped_turns", "tokens_before", "tokens_after", "model")
    return {name: note[name] for name in shown} | {"summary": note.get("summary")} if note else None


def in_order(head: Head) -> list[tuple[str, dict[str, Any]]]:
    """The calls of a job, by their keys, as they were made."""
    return sorted(head.calls.items(), key=lambda pair: int(pair[0].split(".")[1]))


def _attempt(key: str, call: dict[str, Any]) -> dict[str, Any]:
    known = calls.described(call)
    # An open call is under way, or was when its function died: it may have been paid for.
    return {
        "id": key,
        "model": known["model"],
        "outcome": known.get("outcome", calls.UNKNOWN),
        "error": known.get("error"),
        "latency_ms": known.get("latency_ms"),
        "cost_usd": usd(known.get("cost", known["reserved"])),
        "reasoning_tokens": known.get("reasoning_tokens", 0),
        "cached_tokens": known.get("cached_tokens", 0),
        "cache_write_tokens": known.get("cache_write_tokens", 0),
        "paid": known.get("paid", calls.UNKNOWN),
        "model_version": known.get("version"),
        "operation": known.get("operation", "answer"),
        "prompt": known.get("prompt"),
        "credential": known.get("credential"),
        "request_id": known.get("request_id"),
        "dropped": known.get("dropped", []),
        "times": known.get("times", 1),
    }


def _review(head: Head) -> dict[str, Any] | None:
    if not head.review:
        return None
    known = {name: head.review[name] for name in ("stage", "rules")}
    until = iso(head.deadline_at) if head.is_held else None
    return {"state": state_of(head), **known, "since": iso(head.review["since"]), "until": until}


def _cache(note: Item | None) -> dict[str, Any] | None:
    if note is None:
        return None
    alike = note.get("similarity") if note["hit"] else None
    return {
        "hit": note["hit"],
        "kind": note.get("kind"),
        "age_seconds": note["age_ms"] // 1000 if note["hit"] else None,
        "similarity": None if alike is None else alike / 10_000,
        "saved_usd": usd(note["saved"]) if note["hit"] else None,
    }


def delivery_view(note: Item) -> dict[str, Any]:
    """A webhook in its public form: what it told, how it stands, and every attempt."""
    return {
        "id": note["event_id"],
        "event": note["event"],
        "endpoint_id": note.get("endpoint"),
        "state": note["state"],
        "next_at": iso(_next_attempt(note)),
        "attempts": [{**each, "at": iso(each["at"])} for each in note["attempts"]],
    }


def _next_attempt(note: Item) -> int | None:
    """Where the sweep asked for it, when it looks again says nothing: the message waits its turn."""
    if "due_at" not in note:
        return None
    return int(note.get("not_before") or note.get("asked_at") or note["due_at"])


def timeline(head: Head, notes: dict[str, Item]) -> list[dict[str, Any]]:
    """What happened to the job, in order: `{"at", "event", …}`."""
    seen: list[tuple[int, str, dict[str, Any]]] = [(head.created_at, "job.accepted", {"door": head.door})]
    if head.started_at:
        seen.append((head.started_at, "job.started", {"runs": head.run}))
    if head.waits:
        waiting = head.status is Status.QUEUED and not head.nudges and not head.is_held
        facts = {
            "times": head.waits["times"],
            "until": iso(head.due_at) if waiting else None,
            "reason": head.waits_for,
        }
        seen.append((head.waits["since"], "job.waiting", facts))
    for call in (calls.described(each) for each in head.calls.values()):
        if "ended_at" in call:
            facts = {name: call.get(name) for name in ("model", "outcome", "latency_ms")}
            if "times" in call:
                facts |= {"times": call["times"], "since": iso(call["first_ended_at"])}
            seen.append((call["ended_at"], "attempt.ended", facts))
    for name, note in notes.items():
        if name.startswith("REVIEW#"):
            seen.append((note["since"], "job.held", {"stage": note["stage"], "rules": note["rules"]}))
        elif name.startswith(AUDIT):
            seen.append((note["at"], f"job.{note['what']}", {"stage": note["stage"]}))
        elif name.startswith(READ):
            seen.append((note["at"], "job.read", {}))
        elif name.startswith("DELIVERY#"):
            for each in note["attempts"]:
                seen.append(
                    (each["at"], "delivery.attempted", {"event_id": note["event_id"], "status": each["status"]})
                )
    if head.ended_at:
        seen.append((head.ended_at, f"job.{head.status.value}", {"event_id": head.event_id}))
    return [{"at": iso(at), "event": event, **facts} for at, event, facts in sorted(seen, key=lambda each: each[0])]
