"""OpenAI's conversations and their items, over the broker's own.

Source: OpenAI's API reference, "Conversations" and "Items", and the types of its Python package.
"""

from typing import Any, NamedTuple

from broker.doors.reading import Fields, Json, refuse
from broker.doors.response_items import items_as_messages

PREFIX = "conv_"

MOST_ITEMS = 20
"""That are added at once."""


class Made(NamedTuple):
    """A body that makes a conversation, or adds to it: the messages, where each came from, and metadata."""

    messages: list[Json]
    places: dict[str, str]
    metadata: Any


def made_by(body: Any) -> Made:
    """What makes a conversation.

    Raises:
        InvalidRequest: it names the field.
    """
    fields = Fields(body)
    messages, places = _items(fields)
    metadata = fields.take("metadata")
    fields.end()
    return Made(messages, places, {} if metadata is None else metadata)


def added_by(body: Any) -> Made:
    """What is added to one.

    Raises:
        InvalidRequest: it names the field.
    """
    fields = Fields(body)
    messages, places = _items(fields)
    fields.end()
    if not messages:
        refuse("items", "it is needed", "invalid_field")
    return Made(messages, places, {})


def metadata_of(body: Any) -> Any:
    """What is said anew of one.

    Raises:
        InvalidRequest: it names the field.
    """
    fields = Fields(body)
    metadata = fields.need("metadata")
    fields.end()
    return metadata


def _items(fields: Fields) -> tuple[list[Json], dict[str, str]]:
    given = fields.each("items")
    if len(given) > MOST_ITEMS:
        refuse("items", f"it has more than {MOST_ITEMS}", "invalid_field")
    return items_as_messages(given)


def conversation_of(conversation: str, created_at: int, metadata: Json) -> Json:
    """A conversation; `created_at` in milliseconds."""
    known = {"created_at": created_at // 1000, "metadata": metadata}
    return {"id": conversation, "object": "conversation", **known}
