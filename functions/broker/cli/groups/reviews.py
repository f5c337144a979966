"""`broker reviews`: jobs that guardrails hold until somebody has looked at them."""

from typing import Annotated, Literal

from typer import Argument, Option

from broker.cli.command import changes, group, reads
from broker.cli.printable import block, on_one_line
from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cli.shown import Columns, Shown, table
from broker.clock import now_ms

app = group("Look at jobs that guardrails hold, and decide on them.")

Job = Annotated[str, Argument(help="The job's id.")]
Stage = Literal["input", "output"]
Judged = Annotated[Stage, Argument(help="What was judged.")]
Reason = Annotated[str, Option(help="For the audit trail.")]
Reviewer = Annotated[str | None, Option(metavar="NAME", help="Yours, where several people have one identity.")]

COLUMNS: Columns = {
    "job": lambda row: row["job_id"],
    "state": lambda row: row["state"],
    "of": lambda row: row["stage"],
    "rules": lambda row: ", ".join(row["rules"]),
    "tenant": lambda row: row["tenant"],
    "since": lambda row: row["since"],
    "until": lambda row: row["until"],
    "claimed by": lambda row: row["claim"]["by"] if row["claim"] else None,
}


@reads(app, "list")
def list_reviews(
    shell: Shell,
    tenant: Annotated[str | None, Option(help="Only of this tenant.")] = None,
    stage: Annotated[Stage | None, Option(help="Only requests, or only answers.")] = None,
    state: Annotated[
        Literal["held", "released", "rejected", "expired", "canceled"], Option(help="Only those that stand so.")
    ] = "held",
) -> Shown:
    """List what is held, the longest first."""
    from broker.cli.reviewing import PER_PAGE, line_of, listed_of
    from broker.reviews.queue import Wanted

    found = listed_of(shell, Wanted(state, tenant, stage, PER_PAGE), now_ms())
    cells = [[on_one_line(str(of(each) or "")) for of in COLUMNS.values()] for each in found]
    lines = [*map(line_of, found), f"{len(found)} {state}"]
    return Shown(found, "\n".join(lines), lambda: table([*COLUMNS], cells))


@reads(app)
def show(shell: Shell, job: Job) -> Shown:
    """Show one review, with what was found and the texts to judge."""
    from broker.cli.reviewing import deciding, jobs_of, known, line_of, payloads_of
    from broker.reviews.record import shown
    from broker.reviews.texts import seen_at, to_judge

    decide, _ = deciding(shell)
    head, found = decide.find(job)
    review = shown(found, now_ms())
    texts = seen_at(payloads_of(shell.session, shell.outputs), head, found["stage"], head.review.get("output"))
    judged = [{"path": str(each.path), "text": each.text} for each in to_judge(texts or ())]
    said = [f"--- {on_one_line(each['path'])}\n{block(each['text'])}" for each in judged]
    gone = ["The texts are not kept any more."] if texts is None else []
    findings = list(known(jobs_of(shell.tables).notes(head.id)))
    return Shown(
        review | {"findings": findings, "texts": None if texts is None else judged},
        "\n".join([line_of(review), *findings, *said, *gone]),
    )


@changes(app)
def claim(shell: Shell, job: Job, reviewer: Reviewer = None) -> Shown:
    """Keep it to yourself for a quarter of an hour."""
    from broker.cli.reviewing import deciding, line_of
    from broker.cli.stack import caller
    from broker.reviews.bodies import parse_claim
    from broker.reviews.deciding import Reviewer
    from broker.reviews.record import shown

    named = parse_claim({"reviewer": reviewer} if reviewer is not None else {}).reviewer
    if shell.dry_run:
        raise DryRun(f"nothing was done; it would claim the review of {job}", job_id=job)
    now = now_ms()
    review = shown(deciding(shell)[0].claim(job, Reviewer(caller(shell.session), named), now), now)
    return Shown(review, line_of(review))


@changes(app)
def release(shell: Shell, job: Job, stage: Judged, reason: Reason, reviewer: Reviewer = None) -> Shown:
    """Let the job go on."""
    return _decided(shell, job, stage, reason, reviewer, released=True)


@changes(app)
def reject(shell: Shell, job: Job, stage: Judged, reason: Reason, reviewer: Reviewer = None) -> Shown:
    """End the job as blocked."""
    return _decided(shell, job, stage, reason, reviewer, released=False)


def _decided(shell: Shell, job: str, stage: Stage, reason: str, reviewer: str | None, *, released: bool) -> Shown:
    from broker.cli.reviewing import deciding, line_of
    from broker.cli.stack import caller
    from broker.reviews.bodies import parse_decision
    from broker.reviews.deciding import Reviewer
    from broker.reviews.record import shown

    named = {"reviewer": reviewer} if reviewer is not None else {}
    body = parse_decision({"stage": stage, "reason": reason} | named)
    if shell.dry_run:
        raise DryRun(f"nothing was done; it would {'release' if released else 'reject'} {job}", job_id=job)
    decide, unsent = deciding(shell)
    now, act = now_ms(), decide.release if released else decide.reject
    review = shown(act(job, body.stage, Reviewer(caller(shell.session), body.reviewer), body.reason, now), now)
    later = "; its message could not be sent, so the sweep sends it within a minute" if unsent else ""
    return Shown(review, f"{line_of(review)}{later}")
