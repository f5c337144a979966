"""What of a call is for the audit trail: reads, wishes to cancel and erase, denials, and where keys are used.

Told where a route is answered, so it holds for what lies behind other doors too: tools of agents are calls of routes.
"""

import ipaddress
import re

from broker.audit import record as kinds
from broker.audit.notes import is_on, note
from broker.errors import Forbidden
from broker.rest.http import Reply, Request

ANSWERING = (
    *("/jobs", "/prompts/{id}/run", "/responses", "/chat/completions", "/embeddings", "/moderations", "/messages"),
    *("/images/generations", "/audio/speech", "/audio/transcriptions"),
)
"""What is posted there may be answered at once: such a reply is a read too."""

CANCELING = ("/jobs/{id}/cancel", "/responses/{id}/cancel")
"""What had ended when it was to be canceled may be told as it stands, with its answer."""

READS = {
    ("GET", "/jobs/{id}"),
    ("GET", "/responses/{id}"),
    ("GET", "/responses/{id}/input_items"),
    ("GET", "/chat/completions/{id}"),
    ("GET", "/messages/{id}"),
    ("GET", "/conversations/{id}/items"),
    ("GET", "/conversations/{id}/items/{item_id}"),
    ("GET", "/conversations/{id}/turns"),
    ("GET", "/files/{id}/content"),
    ("GET", "/batches/{id}/results"),
    ("GET", "/messages/batches/{id}/results"),
    *(("POST", resource) for resource in ANSWERING),
    *(("POST", resource) for resource in CANCELING),
}
"""Routes whose replies hold prompts or answers, or lead to them."""

GIVING = (200, 303, 307)
"""Statuses of replies that have a payload, or lead to where the bucket gives it to whoever follows."""

BULK = ("POST", "/jobs/bulk")

WISHES = {
    ("POST", "/jobs/{id}/cancel"): kinds.CANCEL_ASKED,
    ("POST", "/responses/{id}/cancel"): kinds.CANCEL_ASKED,
    ("POST", "/batches/{id}/cancel"): kinds.CANCEL_ASKED,
    ("POST", "/messages/batches/{id}/cancel"): kinds.CANCEL_ASKED,
    BULK: kinds.CANCEL_ASKED,
    ("DELETE", "/jobs/{id}"): kinds.ERASE_ASKED,
    ("DELETE", "/responses/{id}"): kinds.ERASE_ASKED,
    ("DELETE", "/chat/completions/{id}"): kinds.ERASE_ASKED,
    ("DELETE", "/conversations/{id}"): kinds.ERASE_ASKED,
    ("DELETE", "/conversations/{id}/items/{item_id}"): kinds.ERASE_ASKED,
    ("DELETE", "/conversations/{id}/turns"): kinds.ERASE_ASKED,
    ("DELETE", "/files/{id}"): kinds.ERASE_ASKED,
    ("DELETE", "/batches/{id}"): kinds.ERASE_ASKED,
    ("DELETE", "/messages/batches/{id}"): kinds.ERASE_ASKED,
}

OF_OPERATORS = {
    ("GET", "/admin/jobs/{job_id}/payload"): kinds.PAYLOAD_READ,
    ("POST", "/admin/jobs/{job_id}/cancel"): kinds.CANCEL_ASKED,
    ("GET", "/admin/reviews"): kinds.REVIEW_READ,
    ("GET", "/admin/reviews/{job_id}"): kinds.REVIEW_READ,
    ("GET", "/admin/feedback"): kinds.REVIEW_READ,
    ("GET", "/admin/feedback/rows"): kinds.REVIEW_READ,
    ("POST", "/admin/reviews/{job_id}/claim"): kinds.REVIEW_DECIDED,
    ("POST", "/admin/reviews/{job_id}/release"): kinds.REVIEW_DECIDED,
    ("POST", "/admin/reviews/{job_id}/reject"): kinds.REVIEW_DECIDED,
    ("GET", "/admin/audit"): kinds.AUDIT_READ,
}

ID = re.compile(r"[!-~]{1,128}", re.ASCII)
"""What ids may be like. A path may have anything in the place of one, and what is on record stays there for years."""

TOGETHER = {4: 24, 6: 48}
"""Bits of an address that make a place, by the version of IP: who moves within them is not told as elsewhere."""


def note_reply(request: Request, reply: Reply) -> None:
    """Note what a route's reply gives out, or what was asked for by it."""
    route = request.method, request.resource
    if route == BULK and not _cancels(reply):
        return  # those that are run again are on record as jobs
    read = kinds.PAYLOAD_READ if route in READS and _gives(request, reply) else None
    for kind in (read, WISHES.get(route) or OF_OPERATORS.get(route)):
        if kind is not None and reply.status < 400:
            _note(request, kind, subject=_subject(request, reply), outcome=str(reply.status))


def note_denial(request: Request, error: Forbidden) -> None:
    """Note that a known caller was refused, and by which permission where it was one."""
    rule = error.beside.get("permission", {}).get("rule")
    why = {"reason": error.code, "param": error.param, "rule": rule}
    _note(request, kinds.CALL_DENIED, subject=_subject(request, None), **why)


def note_key(request: Request, address: str) -> None:
    """Note from where a key is used, once for each process: who writes the trail knows what is new of it."""
    if is_on() and request.key and address and (place := place_of(address)) and _is_first(request.key, place):
        facts = {"tenant": request.tenant, "by": request.principal, "key": request.key}
        note(kinds.KEY_USED, request.request_id, **facts, place=place)


def place_of(address: str) -> str:
    """The network of an address; empty for what is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, TOGETHER[found.version]), strict=False))


_seen: set[tuple[str, str]] = set()
MOST_SEEN = 10_000


def _is_first(key: str, place: str) -> bool:
    if (key, place) in _seen:
        return False
    if len(_seen) >= MOST_SEEN:
        _seen.clear()
    _seen.add((key, place))
    return True


def _gives(request: Request, reply: Reply) -> bool:
    """Whether a reply has a payload: a job that has not ended, or that was erased, has none."""
    if reply.status not in GIVING:
        return False
    body = reply.body
    if isinstance(body, dict) and body.get("object") == "job":
        return bool(body.get("output") is not None or body.get("output_url"))
    return request.resource not in CANCELING or bool(body.get("output"))


def _cancels(reply: Reply) -> bool:
    """Whether a bulk operation is to cancel, and not to run again or to count."""
    return isinstance(reply.body, dict) and reply.body.get("action") == "cancel" and not reply.body.get("dry_run")


def _subject(request: Request, reply: Reply | None) -> str:
    named = next(iter(request.path.values()), "") if request.path else ""
    return (reply.job_id if reply else None) or (named if ID.fullmatch(named) else "")


def _note(request: Request, kind: str, **facts: str | None) -> None:
    route = f"{request.method} {request.resource}"
    by = {"tenant": request.tenant, "by": request.principal, "key": request.key}
    by["application"] = request.member.application
    note(kind, request.request_id, **by, route=route, **facts)
