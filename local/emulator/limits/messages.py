"""How large messages may be, beside their bodies.

The entries of a `PutEvents` count together: all are refused, not only one that is too large by itself. Of a queue's
message its attributes count, each by name, type and value (SQS Developer Guide, "Message metadata"); MiniStack counts
the body only, and not at all what a rule hands on: what is too large for its queue is too large for the rule's dead
letters as well, and lost.
"""

import logging
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import eventbridge, sqs

from local.emulator.limits.figures import ENTRIES_BYTES, ENTRY_TIME_BYTES, MESSAGE_BYTES
from local.emulator.rewriting import rewrite

logger = logging.getLogger(__name__)

BODY = """    body_bytes = len(body_text.encode("utf-8"))
"""


def patch() -> None:
    """Change MiniStack in memory, before it starts.

    Raises:
        DoesNotFit: this MiniStack is not the one that was patched.
    """
    counted = BODY.rstrip() + " + size_of_attributes(data)\n"
    rewrite(sqs, "_act_send_message", (BODY, counted))
    sqs.size_of_attributes = size_of_attributes
    put = eventbridge._put_events

    def put_events(data: dict[str, Any], *more: Any, **named: Any) -> Any:
        if sum(size(entry) for entry in data.get("Entries", [])) >= ENTRIES_BYTES:
            message = "Total size of the entries in the request is over the limit."
            return error_response_json("ValidationException", message, 400)
        return put(data, *more, **named)

    eventbridge._put_events = put_events
    hand_on = eventbridge._dispatch_to_sqs

    def dispatch_to_sqs(spec: Any, payload: str, *more: Any, **named: Any) -> None:
        if len(payload.encode()) > MESSAGE_BYTES:
            logger.warning("an event is too large for %s", spec)
            return
        hand_on(spec, payload, *more, **named)

    eventbridge._dispatch_to_sqs = dispatch_to_sqs


def size(entry: dict[str, Any]) -> int:
    """Bytes of an entry, as EventBridge counts them: no names, no bus."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + (entry.get("Resources") or [])
    return (ENTRY_TIME_BYTES if entry.get("Time") else 0) + sum(len(text.encode()) for text in texts)


def size_of_attributes(message: dict[str, Any]) -> int:
    """Bytes of a message's attributes."""
    return sum(
        len(name.encode()) + sum(len(str(part).encode()) for part in attribute.values())
        for name, attribute in (message.get("MessageAttributes") or {}).items()
    )
