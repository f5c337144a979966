"""How large the entries of a `PutEvents` may be together: all are refused, not only one that is too large by itself."""

from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import eventbridge

from local.emulator.limits.figures import ENTRIES_BYTES, ENTRY_TIME_BYTES


def patch() -> None:
    """Change MiniStack in memory, before it starts."""
    put = eventbridge._put_events

    def put_events(data: dict[str, Any], *more: Any, **named: Any) -> Any:
        if sum(size(entry) for entry in data.get("Entries", [])) >= ENTRIES_BYTES:
            message = "Total size of the entries in the request is over the limit."
            return error_response_json("ValidationException", message, 400)
        return put(data, *more, **named)

    eventbridge._put_events = put_events


def size(entry: dict[str, Any]) -> int:
    """Bytes of an entry, as EventBridge counts them: no names, no bus."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + (entry.get("Resources") or [])
    return (ENTRY_TIME_BYTES if entry.get("Time") else 0) + sum(len(text.encode()) for text in texts)
