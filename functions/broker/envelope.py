"""The envelope of every event that the broker sends: `metadata` about the event, and `data`, the fact."""

from typing import Any

from broker.clock import iso

SOURCE = "inference.broker"
"""The `source` of all events of the broker."""

VERSION = "1"


def envelope(
    event_id: str, correlation_id: str, tenant: str | None, created_at: int, data: dict[str, Any]
) -> dict[str, Any]:
    """The `detail` of every event of the broker (`schemas/event.json`)."""
    return {
        "metadata": {
            "version": VERSION,
            "event_id": event_id,
            "correlation_id": correlation_id,
            "tenant": tenant,
            "created_at": iso(created_at),
        },
        "data": data,
    }
