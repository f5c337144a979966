"""The replies of the routes of reviews and feedback."""

from typing import Annotated, Literal

from pydantic import Field

from broker.contract.common import JobId, OneOf, Shown, Time
from broker.contract.replies import Finding
from broker.guardrails.policy import Stage
from broker.reviews.record import STATES


class ReviewClaim(Shown):
    """Who has a review, and until when."""

    by: str
    """The identity of the call that claimed it: an ARN."""
    reviewer: str | None
    until: Time


class Review(Shown):
    """One time that a job was held."""

    object: Literal["review"]
    job_id: JobId
    tenant: str
    task: str
    state: Annotated[str, OneOf(STATES)]
    stage: Stage
    rules: list[str]
    """The checks that held it."""
    since: Time
    until: Time
    """The job's deadline."""
    closed_at: Time | None
    claim: ReviewClaim | None
    """Null where nobody has it."""


class ReviewList(Shown):
    """A page of reviews."""

    object: Literal["list"]
    data: list[Review]
    next_cursor: str | None


class ReviewText(Shown):
    """One text of the request or of the answer."""

    place: str
    """As findings name it."""
    text: str


class ReviewPicture(Shown):
    """One picture of the request or of the answer."""

    place: str
    url: str | None
    """Where it is, for a quarter of an hour; the address itself of one that the request has at somebody's own. Null for
    what is gone."""


class ReviewAction(Shown):
    """What somebody did with a review."""

    at: Time
    what: Literal["claimed", "released", "rejected"]
    stage: Stage
    by: str
    """The identity of the call: an ARN."""
    reviewer: str | None
    reason: str | None


class ReviewDetail(Review):
    """A job's last review, with what there is to judge."""

    findings: list[Finding]
    texts: list[ReviewText]
    """Of the request as models see it, and of the answer where that is held. What was redacted has placeholders."""
    complete: bool
    """False where the texts are too long for one reply."""
    pictures: list[ReviewPicture]
    """Those of the request, and those of the answer where that is held."""
    gone: bool
    """True where the texts are not kept any more."""
    audit: list[ReviewAction]


class FeedbackGiven(Shown):
    """What somebody said of what guardrails found."""

    object: Literal["feedback"]
    job_id: JobId
    at: Time
    by: str
    """The credential's name."""
    about: Literal["guardrails"]
    verdict: Literal["false_positive", "missed"]
    stage: Stage
    rule: str | None
    kind: str | None
    comment: str | None


class FeedbackOfTenant(FeedbackGiven):
    """The same, with whose it is."""

    tenant: str


class FeedbackList(Shown):
    """A page of feedback, the newest first."""

    object: Literal["list"]
    data: list[FeedbackOfTenant]
    next_cursor: str | None


class LabelledRow(Shown):
    """A row as `python -m bench guardrails` and `bench.train_detector` take it."""

    text: str
    label: Annotated[int, Field(ge=0, le=1)]
    kind: str
    source: str
    family: str
    lang: str


class LabelledRows(Shown):
    """A page of rows, of the newest feedback first."""

    object: Literal["list"]
    data: list[LabelledRow]
    gone: list[JobId]
    """Jobs whose texts are not kept any more: there are no rows of them."""
    next_cursor: str | None
