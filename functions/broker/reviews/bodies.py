"""What calls say of reviews and of findings: the bodies of their routes."""

from typing import Annotated, Any, Literal

from pydantic import Field

from broker.guardrails.policy import Stage
from broker.jobs.field_errors import Spelled
from broker.jobs.fields import Strict
from broker.jobs.request import parsed

Word = Annotated[str, Field(min_length=1, max_length=64)]

Kind = Annotated[str, Field(min_length=1, max_length=200)]
"""Of a finding: topics are told in the words of their policy."""


class Claim(Strict):
    """Keeping a review to oneself for a while."""

    reviewer: Word | None = None
    """Who looks at it, where several people have one identity."""


class Decision(Strict):
    """Releasing or rejecting a held job."""

    stage: Stage
    """What was judged: the request, or the answer."""
    reason: Annotated[
        str, Field(min_length=1, max_length=1000), Spelled(r"\S", "it has to say something, in 1000 characters")
    ]
    """For the audit trail; the job's user is not told."""
    reviewer: Word | None = None
    """As it was claimed."""


class Feedback(Strict):
    """What somebody thinks of what guardrails found of a job, or did not find."""

    about: Literal["guardrails"]
    verdict: Literal["false_positive", "missed"]
    stage: Stage = "input"
    """Of the request, or of the answer."""
    rule: Word | None = None
    """The check, as findings name it."""
    kind: Kind | None = None
    """What it found, as findings tell it, or what it should have."""
    comment: Annotated[str, Field(min_length=1, max_length=1000)] | None = None


def parse_claim(body: Any) -> Claim:
    """Check a body against the contract.

    Raises:
        InvalidRequest: names the first field at fault.
    """
    return parsed(Claim, body)


def parse_decision(body: Any) -> Decision:
    """The same of a decision."""
    return parsed(Decision, body)


def parse_feedback(body: Any) -> Feedback:
    """The same of feedback."""
    return parsed(Feedback, body)
