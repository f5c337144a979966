"""What clients send over a connection, read; and what they are answered, as JSON.

    {"action": "subscribe" | "unsubscribe", "job": id | "batch": id [, "rows": true] | "all": true}
    {"action": "ping"}

Each may have a `ref`, which its answer has too.
"""

import json
from dataclasses import dataclass
from typing import Any

from broker import json_text
from broker.errors import BrokerError, InvalidRequest, TooLarge
from broker.jobs.head import JOB_ID

MOST_BYTES = 4_096
"""Of a message of a client. API Gateway ends the connection at 128 KiB, or a frame of 32 KiB (its quotas)."""

LONGEST_REF = 64

SUBJECTS = ("job", "batch", "all")


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    action: str
    kind: str = ""
    """One of `SUBJECTS`; empty where the action has none."""
    id: str = ""
    """Of the job or batch."""
    rows: bool = False


def ref_of(text: str) -> str | None:
    """By what a client tells answers apart, where its message can be read so far; so errors have it too."""
    try:
        document = json_text.read(text) if len(text) <= MOST_BYTES else None
    except InvalidRequest:
        return None
    ref = document.get("ref") if isinstance(document, dict) else None
    return ref if isinstance(ref, str) and len(ref) <= LONGEST_REF else None


def parse(text: str) -> Message:
    """Read a message.

    Raises:
        TooLarge: it has more than `MOST_BYTES`.
        InvalidRequest: it is none; `param` names the field.
    """
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise TooLarge(f"A message has {MOST_BYTES} bytes at most.", code="message_too_large")
    document = json_text.read(text)
    if not isinstance(document, dict):
        raise InvalidRequest("A message is a JSON object.", code="invalid_message")
    action = document.get("action")
    subjects = ACTIONS.get(action) if isinstance(action, str) else None
    if subjects is None:
        raise InvalidRequest(f"action is one of {', '.join(ACTIONS)}.", code="invalid_field", param="action")
    known = {"action", "ref", *subjects, *(("rows",) if subjects else ())}
    if strange := sorted(document.keys() - known):
        raise InvalidRequest(
            f"{strange[0][:LONGEST_REF]} is no field of {action}.",
            code="unknown_field",
            param=strange[0][:LONGEST_REF],
        )
    if "ref" in document and ref_of(text) is None:
        raise InvalidRequest(f"ref is a text of {LONGEST_REF} characters at most.", code="invalid_field", param="ref")
    return _about(str(action), document) if subjects else Message(str(action))


def _about(action: str, document: dict[str, Any]) -> Message:
    named = [kind for kind in SUBJECTS if kind in document]
    if len(named) != 1:
        raise InvalidRequest("Name one of job, batch and all.", code="invalid_message", param=(named or ["job"])[-1])
    (kind,) = named
    value = document[kind]
    if kind == "all":
        if value is not True:
            raise InvalidRequest("all is true, or left out.", code="invalid_field", param="all")
        value = ""
    elif not isinstance(value, str) or not JOB_ID.fullmatch(value):
        raise InvalidRequest(f"{kind} is the id of a {kind}.", code="invalid_field", param=kind)
    rows = document.get("rows", False)
    if not isinstance(rows, bool) or ("rows" in document and kind != "batch"):
        raise InvalidRequest("rows is true or false, of a batch.", code="invalid_field", param="rows")
    return Message(action, kind, value, rows)


ACTIONS: dict[str, tuple[str, ...]] = {"subscribe": SUBJECTS, "unsubscribe": SUBJECTS, "ping": ()}
"""What each may be about."""


def answer(kind: str, ref: str | None, **facts: Any) -> str:
    """An answer."""
    return json.dumps({"type": kind, **({"ref": ref} if ref is not None else {}), **facts}, separators=(",", ":"))


def error_answer(error: BrokerError, ref: str | None, request_id: str) -> str:
    """An error in its public form (`schemas/error.json`)."""
    later = {} if error.retry_after is None else {"retry_after": error.retry_after}
    facts = {**error.facts(), "param": error.param, "request_id": request_id, **later}
    return answer("error", ref, error=facts)
