"""`broker reviews` and `broker feedback`: held jobs, and labelled rows of what was said of findings."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from broker.cli.printable import block, on_one_line
from broker.cli.stack import caller, tables_of
from broker.clock import iso, now_ms
from broker.cloud.payloads import PayloadStore
from broker.cloud.queues import JobQueue
from broker.guardrails.policy import Stage
from broker.jobs.head import Head
from broker.jobs.reading import finding
from broker.jobs.store import Jobs
from broker.prompts import experiments
from broker.reviews import feedback, record
from broker.reviews.bodies import parse_claim, parse_decision
from broker.reviews.deciding import Decide, Reviewer, audit_of
from broker.reviews.queue import Wanted, listed
from broker.reviews.record import STATES, shown
from broker.reviews.texts import seen_at, to_judge
from broker.storage import Item
from broker.tenants import ledger

PER_PAGE = 50


def add_reviews(parser: argparse.ArgumentParser) -> None:
    """The arguments of `broker reviews`."""
    actions = parser.add_subparsers(dest="action", required=True)
    one = actions.add_parser("list", help="what is held, the longest first")
    one.add_argument("--tenant")
    one.add_argument("--stage", choices=get_args(Stage))
    one.add_argument("--state", choices=STATES, default=STATES[0])
    actions.add_parser("show", help="one review, with what was found and the texts to judge").add_argument("job")
    one = actions.add_parser("claim", help="keep it to yourself for a quarter of an hour")
    one.add_argument("job")
    one.add_argument("--reviewer", help="your name, where several people have one identity")
    for name, what in (("release", "let the job go on"), ("reject", "end the job as blocked")):
        one = actions.add_parser(name, help=what)
        one.add_argument("job")
        one.add_argument("stage", choices=get_args(Stage), help="what was judged")
        one.add_argument("--reason", required=True, help="for the audit trail")
        one.add_argument("--reviewer", help="your name, if you claimed it by that")


def add_feedback(parser: argparse.ArgumentParser) -> None:
    """The arguments of `broker feedback`."""
    one = parser.add_subparsers(dest="action", required=True).add_parser("export", help="labelled rows, one a line")
    one.add_argument("path", type=Path, help="a .jsonl file, as python -m bench guardrails takes it")


def review(session: Any, outputs: dict[str, str], options: argparse.Namespace) -> str:
    """Do what `broker reviews` was asked; gives what it prints."""
    database, now = tables_of(session, outputs), now_ms()
    if options.action == "list":
        return _list(database, Wanted(options.state, options.tenant, options.stage, PER_PAGE), now)
    jobs, payloads = _jobs(database), _payloads(session, outputs)
    lanes = {"interactive": outputs["InteractiveQueueUrl"], "bulk": outputs["BulkQueueUrl"]}
    unsent: list[Head] = []
    decide = Decide(
        database, jobs, payloads, JobQueue(session.client("sqs"), lanes), lambda head, error: unsent.append(head)
    )
    if options.action == "show":
        head, found = decide.find(options.job)
        texts = seen_at(payloads, head, found["stage"], head.review.get("output"))
        said = [f"--- {on_one_line(str(each.path))}\n{block(each.text)}" for each in to_judge(texts or ())]
        gone = ["The texts are not kept any more."] if texts is None else []
        return "\n".join([_line(found, now), *_known(jobs.notes(head.id)), *said, *gone])
    named = {"reviewer": options.reviewer} if options.reviewer is not None else {}
    if options.action == "claim":
        who = Reviewer(caller(session), parse_claim(named).reviewer)
        return _line(decide.claim(options.job, who, now), now)
    body = parse_decision({"stage": options.stage, "reason": options.reason} | named)
    act = decide.release if options.action == "release" else decide.reject
    line = _line(act(options.job, body.stage, Reviewer(caller(session), body.reviewer), body.reason, now), now)
    return f"{line}; its message could not be sent, so the sweep sends it within a minute" if unsent else line


def _known(notes: dict[str, Item]) -> Iterator[str]:
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


def export_feedback(session: Any, outputs: dict[str, str], path: Path) -> str:
    """Write the rows of all feedback whose texts are still kept; gives what is printed."""
    database = tables_of(session, outputs)
    jobs, payloads = _jobs(database), _payloads(session, outputs)
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


def _list(database: Any, wanted: Wanted, now: int) -> str:
    lines: list[str] = []
    cursor = None
    while True:
        page = listed(database, wanted, cursor, now)
        lines += [_row(each) for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return "\n".join([*lines, f"{len(lines)} {wanted.state}"])


def _line(item: Item, now: int) -> str:
    return _row(shown(item, now))


def _row(review: dict[str, Any]) -> str:
    claim = f", claimed by {review['claim']['by']} until {review['claim']['until']}" if review["claim"] else ""
    rules = ", ".join(review["rules"])
    facts = f"{review['job_id']} {review['state']} at {review['stage']} by {rules}, of {review['tenant']}"
    return f"{facts}, since {review['since']}, until {review['until']}{claim}"


def _jobs(database: Any) -> Jobs:
    return Jobs(database, (ledger.bookings, experiments.endings, record.closings))


def _payloads(session: Any, outputs: dict[str, str]) -> PayloadStore:
    return PayloadStore(
        tables_of(session, outputs),
        outputs["JobsTable"],
        outputs["PayloadsBucket"],
        lambda: session.client("s3"),
        lambda: session.client("dynamodb"),
    )
