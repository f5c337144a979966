"""OpenAI's webhook endpoints: bodies as registrations, and endpoints as its clients read them.

Source: OpenAI's API reference, "Webhook endpoints", and the types of its Python package.
"""

from typing import Any

from broker.doors.reading import Fields, Json, refuse

MOST_TEXT = 256


def registration(body: Any) -> Json:
    """`url`, `events` and `name` of `POST /webhook_endpoints`.

    Raises:
        InvalidRequest: names the field at fault.
    """
    fields = Fields(body)
    for name in ("url", "event_types", "name"):
        if name not in fields.names:
            refuse(name, "it is needed", "invalid_field")
    return _read(fields)


def change(body: Any) -> Json:
    """The same of `POST /webhook_endpoints/{id}`, as far as they are there."""
    return _read(Fields(body))


def rotation(body: Any) -> bool:
    """Whether the old secret signs for another day."""
    fields = Fields(body)
    keeps = fields.truth("keep_old_secret_active_for_24_hours")
    fields.end()
    return keeps


def tested_event(body: Any) -> str:
    """The event of a test."""
    fields = Fields(body)
    if "event_type" not in fields.names:
        refuse("event_type", "it is needed", "invalid_field")
    event = fields.text("event_type") or ""
    fields.end()
    return event


def endpoint_of(known: Json, secret: str | None = None) -> Json:
    """An endpoint (`id`, `name`, `url`, `events`, times in milliseconds, `hint`) in OpenAI's words."""
    shown = {
        "id": known["id"],
        "object": "webhook_endpoint",
        "name": known["name"],
        "url": known["url"],
        "event_types": list(known["events"]),
        "created_at": known["created_at"] // 1000,
        "updated_at": known["updated_at"] // 1000,
        "signing_secret_hint": known["hint"],
    }
    return shown if secret is None else shown | {"signing_secret": secret}


def _read(fields: Fields) -> Json:
    found: Json = {}
    if (url := fields.text("url")) is not None:
        found["url"] = _bounded("url", url, 2048)
    if (name := fields.text("name")) is not None:
        found["name"] = _bounded("name", name, MOST_TEXT)
    if "event_types" in fields.names:
        events = fields.each("event_types")
        for place, event in events:
            if not isinstance(event, str):
                refuse(place, "it has to be a text", "invalid_field")
        if not 1 <= len(events) <= 40:
            refuse("event_types", "it has to have 1 to 40 entries", "invalid_field")
        found["events"] = [event for _, event in events]
    fields.end()
    return found


def _bounded(name: str, text: str, most: int) -> str:
    if not 1 <= len(text) <= most or any(letter < " " or "\ud800" <= letter <= "\udfff" for letter in text):
        refuse(name, f"it has to be a text of 1 to {most} characters", "invalid_field")
    return text
