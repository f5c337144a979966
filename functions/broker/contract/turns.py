"""The replies of the routes of conversations."""

from typing import Any, Literal

from broker.contract.common import Count, JobId, Shown, Time


class ConversationTurn(Shown):
    """What one job added to a conversation."""

    job_id: JobId
    at: Time
    """When the job was accepted."""
    messages: list[dict[str, Any]]
    """Its messages without instructions, and its answer, in the form that OpenAI's clients send; none where they are
    too large (`messages_url`)."""
    messages_url: str | None
    """Where messages of more than about 4 MB are, for a quarter of an hour: a `GET` without any credential gives the
    list."""
    messages_bytes: Count | None
    messages_media_type: str | None


class Conversation(Shown):
    """Turns that are kept of a conversation, newest first."""

    id: str
    object: Literal["conversation"]
    data: list[ConversationTurn]
    next_cursor: str | None
    """For the next page; null on the last."""
