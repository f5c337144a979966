"""Held jobs and what was said of findings, as the operators' shell reads and decides them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broker.cli.printable import on_one_line
from broker.cli.shell import Shell
from broker.cli.stack import tables_of
from broker.clock import iso
from broker.cloud.payloads import PayloadStore
from broker.cloud.queues import JobQueue
from broker.jobs.head import Head
from broker.jobs.reading import finding
from broker.jobs.store import Jobs
from broker.prompts import experiments
from broker.reviews import feedback, record
from broker.reviews.deciding import Decide, audit_of
from broker.reviews.queue import Wanted, listed
from broker.storage import Item
from broker.tenants import ledger

PER_PAGE = 50


def deciding(shell: Shell) -> tuple[Decide, list[Head]]:
    """What decides, and the jobs whose message could not be sent then."""
    lanes = {"interactive": shell.outputs["InteractiveQueueUrl"], "bulk": shell.outputs["BulkQueueUrl"]}
    unsent: list[Head] = []
    database = shell.tables
    payloads = payloads_of(shell.session, shell.outputs)
    queue = JobQueue(shell.session.client("sqs"), lanes)
    return Decide(database, jobs_of(database), payloads, queue, lambda head, error: unsent.append(head)), unsent


def known(notes: dict[str, Item]) -> Iterator[str]:
    """What guardrails found, and what people did with it, in a line each."""
    for note in (note for name, note in sorted(notes.items()) if name.startswith("GUARD#")):
        for each in map(finding, note["findings"]):
            reasons = f" ({', '.join(each['reasons'])})" if each["reasons"] else ""
            facts = (
                f"{each['stage']} {each['rule']}/{each['kind']} {each['action']}, {each['count']} in {each['place']}"
            )
            yield on_one_line(f"{facts}, score {each['score']}, {each['policy']}{reasons}")
    for note in audit_of(notes):
        reason = f": {note['reason']}" if "reason" in note else ""
        yield on_one_line(f"{iso(note['at'])} {note['what']} by {note.get('reviewer') or note['by']}{reason}")


def listed_of(shell: Shell, wanted: Wanted, now: int) -> list[dict[str, Any]]:
    """All reviews that are wanted, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = listed(shell.tables, wanted, cursor, now)
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def line_of(review: dict[str, Any]) -> str:
    """A review in one line."""
    claim = f", claimed by {review['claim']['by']} until {review['claim']['until']}" if review["claim"] else ""
    rules = ", ".join(review["rules"])
    facts = f"{review['job_id']} {review['state']} at {review['stage']} by {rules}, of {review['tenant']}"
    return f"{facts}, since {review['since']}, until {review['until']}{claim}"


def jobs_of(database: Any) -> Jobs:
    """The jobs, with all that follows from their end."""
    return Jobs(database, (ledger.bookings, experiments.endings, record.closings))


def payloads_of(session: Any, outputs: dict[str, str]) -> PayloadStore:
    """What the stack keeps of prompts and answers."""
    return PayloadStore(
        tables_of(session, outputs),
        outputs["JobsTable"],
        outputs["PayloadsBucket"],
        lambda: session.client("s3"),
        lambda: session.client("dynamodb"),
    )


def export_feedback(session: Any, outputs: dict[str, str], path: Path) -> str:
    """Write the rows of all feedback whose texts are still kept; gives what is printed."""
    database = tables_of(session, outputs)
    jobs, payloads = jobs_of(database), payloads_of(session, outputs)
    written, gone, cursor = 0, 0, None
    with path.open("w", encoding="utf-8") as lines:
        while True:
            notes, cursor = feedback.found(database, tenant=None, limit=PER_PAGE, cursor=cursor)
            for row in (feedback.row(jobs, payloads, note) for note in notes):
                if row is None:
                    gone += 1
                    continue
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
                written += 1
            if cursor is None:
                return f"{written} rows written; of {gone} the text is not kept any more"
