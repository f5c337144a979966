"""What follows from an error, by who has to change something. One table decides; steps, circuits and alarms obey it.

A step of the workflow never lets the workflow judge: it says what comes next (`Next`), which is this table's answer for
the calls that the run has made. The workflow's own failures (a function that died) are `AdapterFailed` to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from broker import errors

Whose = Literal["caller", "operator", "provider", "model", "us", "nobody"]
"""Who has to change something."""

Repeat = Literal["no", "once", "repair", "pause"]
"""The same model again: `once`, `once` with a word of what was wrong, or after the pause that it asked for."""

Then = Literal["end", "next", "wait", "stop"]
"""After repeats: the job ends with the error, the next candidate is asked, the provider is asked after its work again,
or the run stops in silence."""

Circuit = Literal["silent", "answered", "failed", "opens", "opens_longer"]
"""What a call that ended so says of the model: nothing (it was not asked, or had not the time), that it answers, that
it fails, or that each further call would fail as well."""

Paid = Literal["no", "as_told", "unknown_once_sent"]
"""`as_told`: what the reply says, and the worst case where it says nothing."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """One row."""

    whose: Whose
    then: Then
    circuit: Circuit
    repeat: Repeat = "no"
    paid: Paid = "no"
    alarm: bool = False


TABLE: Mapping[type[errors.BrokerError], Consequence] = {
    errors.InvalidRequest: Consequence("caller", "end", "silent"),
    errors.RateLimited: Consequence("caller", "end", "silent"),
    # Where our own adapter kept it back, the circuit is told nothing: `steps.outcomes.seen_of`.
    errors.Rejected: Consequence("caller", "next", "answered"),
    errors.ModelGone: Consequence("operator", "next", "opens_longer", alarm=True),
    errors.CredentialRejected: Consequence("operator", "next", "opens", alarm=True),
    errors.PolicyMissing: Consequence("operator", "end", "silent"),
    errors.Refused: Consequence("nobody", "end", "answered", paid="as_told"),
    errors.Throttled: Consequence("provider", "next", "failed", repeat="pause"),
    errors.Unavailable: Consequence("provider", "next", "failed", repeat="once", paid="unknown_once_sent"),
    errors.ModelTimedOut: Consequence("provider", "next", "failed", paid="unknown_once_sent"),
    errors.CircuitOpen: Consequence("provider", "next", "silent"),
    errors.CutShort: Consequence("caller", "next", "silent", paid="unknown_once_sent"),
    errors.TimedOut: Consequence("caller", "end", "silent", paid="unknown_once_sent"),
    # Only a larger window is asked next: `steps.invoking` passes the others over.
    errors.ContextExceeded: Consequence("caller", "next", "answered"),
    errors.Truncated: Consequence("caller", "end", "answered", paid="as_told"),
    errors.BadOutput: Consequence("model", "next", "answered", repeat="repair", paid="as_told"),
    errors.AdapterFailed: Consequence("us", "next", "silent", paid="unknown_once_sent", alarm=True),
    errors.Pending: Consequence("nobody", "wait", "silent"),
    errors.Conflict: Consequence("nobody", "stop", "silent"),
    errors.BrokerError: Consequence("us", "next", "silent", paid="unknown_once_sent", alarm=True),
}
"""Each kind of error has the row of its nearest ancestor that has one."""

SUCCEEDED = "succeeded"
"""The outcome of a call that gave what was asked for; all others are names of errors."""

ANSWERED = Consequence("nobody", "end", "answered", paid="as_told")


def consequence(kind: type[errors.BrokerError]) -> Consequence:
    """The row of an error."""
    return next(TABLE[each] for each in kind.__mro__ if each in TABLE)


def whose(kind: str) -> Whose:
    """Who has to change something after a job's error, by its `type`; ours where nobody else is known."""
    found = (each for each in errors.tree() if each.type == kind)
    return consequence(next(found, errors.BrokerError)).whose


def of_outcome(outcome: str) -> Consequence:
    """The row of a call's outcome: an error's name, or `SUCCEEDED`. One that is unknown is a fault of ours."""
    if outcome == SUCCEEDED:
        return ANSWERED
    kind = getattr(errors, outcome, None)
    known = isinstance(kind, type) and issubclass(kind, errors.BrokerError)
    return consequence(kind if known else errors.BrokerError)  # type: ignore[arg-type]
