"""What a review does to a job's head: held by its run, and released or rejected by a person.

Pure functions from one head to the next, as those of `jobs.transitions`. A held job is `queued`, and yet in no queue:
no message starts it, and the sweep ends it at its deadline. What it holds of the budget stays held, and the call whose
answer is to be looked at stays open, so that the run after the release finds the answer and asks no model again.

`review` of a head has the `state` (`held`, `released`), and of the last time that it was held the `stage`, the `rules`,
`since` when (milliseconds), and after the model the answer's `output` (with its `facts` where it is no call's of the
job); `at`, when it was released; `released`, all stages at which it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from broker.errors import Conflict
from broker.guardrails.policy import Stage
from broker.jobs import calls
from broker.jobs.calls import Facts
from broker.jobs.head import HELD, Head, Status
from broker.jobs.reconciling import UNSENT_MS
from broker.jobs.transitions import Fence, Outcome, finish, owned

RELEASED, REJECTED = "released", "rejected"

AUDIT = "AUDIT#"
"""What the notes of what people did with it begin with, in the order in which they did."""

REVIEW = "review"
"""The `source` of the error of a job that a person rejected."""


def hold_for_review(
    head: Head, fence: Fence, *, stage: Stage, rules: Sequence[str], answer: Mapping[str, Any] | None, now: int
) -> Head:
    """`running → queued` for a run that a person has to look at.

    Args:
        head: the job.
        fence: of the execution.
        stage: at which it is held; not one at which it was released.
        rules: that hold it.
        answer: as Invoke Model gave it; None before a model was asked.
        now: milliseconds.

    Raises:
        Conflict: the fence is stale.
    """
    head = owned(head, fence)
    review: dict[str, Any] = {"state": HELD, "stage": stage, "rules": list(rules), "since": now}
    if released := head.review.get("released"):
        review["released"] = released
    if answer:
        review["output"] = answer["output"]
        if answer.get("given"):
            review["facts"] = dict(answer["facts"])
    return head.next(
        status=Status.QUEUED,
        execution=None,
        claimed_by=None,
        lease_until=None,
        review=review,
        due_at=head.deadline_at,
    )


def let_go(head: Head, *, now: int) -> Head:
    """Let a held job go on; it has to be sent to its queue. The sweep sends it again, should the message be lost.

    Raises:
        Conflict: it is not held, or past its deadline.
    """
    _check_held(head)
    if now >= head.deadline_at:
        raise Conflict(f"job {head.id} is past its deadline; the sweep ends it", code="not_held")
    stages = [*head.review.get("released", ()), head.review["stage"]]
    return head.next(
        review=head.review | {"state": RELEASED, "at": now, "released": stages},
        nudges=0,
        due_at=min(now + UNSENT_MS, head.deadline_at),
    )


def turn_down(head: Head, *, message: str, facts: Facts | None, now: int) -> Head:
    """End a held job as blocked, on a person's word.

    Args:
        head: the job.
        message: for its user.
        facts: of the call whose answer was looked at, which is settled with it; None where there was none, or where it
            was no call of the job.
        now: milliseconds.

    Raises:
        Conflict: it is not held.
    """
    _check_held(head)
    review = head.review
    error = {"type": "blocked", "code": f"blocked_{review['stage']}", "message": message, "source": REVIEW}
    known: Mapping[str, Any] = facts or review.get("facts", {})
    usage = {name: known[name] for name in calls.USAGE if name in known}
    ends = {review["output"].removeprefix("OUTPUT#"): facts} if facts else {}
    return finish(head, Outcome(Status.BLOCKED, known.get("model"), None, usage, error), now=now, ends=ends)


def kept_answer(head: Head) -> str | None:
    """The payload's name of the answer that a person released; None where the job has none."""
    released = "output" in head.review.get("released", ())
    return head.review["output"] if released else None


def state_of(head: Head) -> str:
    """Where the job's last review stands: `held`, or how that ended (`released`, `rejected`, `expired`, `canceled`)."""
    if head.is_held or head.review["state"] == RELEASED:
        return str(head.review["state"])
    return REJECTED if head.status is Status.BLOCKED else head.status.value


def _check_held(head: Head) -> None:
    if not head.is_held:
        raise Conflict(f"The job is not held (any more): it is {head.status}.", code="not_held")
