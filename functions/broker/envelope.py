"""The envelope of every event that the broker sends: `metadata` about the event, and `data`, the fact."""

from typing import Any

from broker.clock import iso

SOURCE = "inference.broker"
"""The `source` of all events of the broker."""

VERSION = "1"


CLOUD_EVENTS = "1.0"
"""The version of CloudEvents that envelopes may have instead."""


def cloud_event(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An event of ours as a CloudEvents envelope in structured JSON, for tenants that want these.

    Source: CloudEvents 1.0.2, "Context Attributes" and "JSON Event Format"; names of extensions are small letters.

    Args:
        kind: the detail-type.
        detail: as `envelope` gave it.
    """
    metadata, data = detail["metadata"], detail["data"]
    about = next((data[name] for name in ("job_id", "batch_id", "endpoint_id", "about") if data.get(name)), None)
    return {
        "specversion": CLOUD_EVENTS,
        "id": metadata["event_id"],
        "source": SOURCE,
        "type": f"{SOURCE}.{kind}",
        **({"subject": about} if about else {}),
        "time": metadata["created_at"],
        "datacontenttype": "application/json",
        "version": metadata["version"],
        "correlationid": metadata["correlation_id"],
        **({"tenant": metadata["tenant"]} if metadata["tenant"] else {}),
        "data": data,
    }


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
