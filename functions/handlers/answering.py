"""What the doors of the REST API share: an error that is not ours becomes `503` where it passes by itself, else `500`.

Neither has its text.
"""

from collections.abc import Callable
from dataclasses import replace

from broker.audit.notes import is_on
from broker.audit.record import AUDIT_READ, PAYLOAD_READ, REVIEW_READ, Record
from broker.errors import BrokerError, Unavailable
from broker.observability import place_of, warn
from broker.rest.http import Reply, Request, error_reply


def answered(request: Request, door: Callable[[Request], Reply]) -> Reply:
    """The door's reply, or that of the error."""
    reply = _answered(request, door)
    return replace(reply, headers=reply.headers | request.told) if request.told else reply


WITHHELD = {PAYLOAD_READ, REVIEW_READ, AUDIT_READ}
"""Reads that are on record or do not happen. What else was noted is done, and its reply goes out."""


def on_record(request: Request, reply: Reply, send: Callable[[], list[Record]] | None = None) -> Reply:
    """Send the call's notes to the audit trail, where there is one; gives the reply, which may be that this failed.

    A job whose answer is withheld is there: its call is not to be repeated where that might make another.
    """
    if not is_on():
        return reply
    unsent = _send() if send is None else send()
    if not {each["kind"] for each in unsent} & WITHHELD or reply.status >= 400:
        return reply
    what = f"; ask for the answer of {reply.job_id} later" if reply.job_id and request.method == "POST" else ""
    error = Unavailable(f"The audit trail cannot be told now{what}.", code="audit_unavailable", retry_after=5)
    told = error_reply(error, request.request_id)
    if request.method == "POST":
        again = "true" if _is_known_when_repeated(request) else "false"
        told = replace(told, headers=told.headers | {"x-should-retry": again}, job_id=reply.job_id)
    return told


def _is_known_when_repeated(request: Request) -> bool:
    """Whether the same call once more gets what this one made: it has a key, or its client counts its tries."""
    from broker.rest.tries import asked_once

    return bool(asked_once(request, lambda: 0))


def _send() -> list[Record]:
    from broker.bootstrap.auditing import send_notes

    return send_notes()


def _answered(request: Request, door: Callable[[Request], Reply]) -> Reply:
    try:
        return door(request)
    except BrokerError as error:
        return error_reply(error, request.request_id)
    except Exception as error:
        from broker.cloud.overload import unavailable

        passes = unavailable(error)
        what = "unexpected error" if passes is None else "answered that it is busy"
        warn(what, error=type(error).__name__, at=place_of(error), route=request.resource)
        told = passes or BrokerError("Something went wrong on our side.")
        return error_reply(told, request.request_id)
