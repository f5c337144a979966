"""The turns of a conversation, page by page, as much of them as a reply holds."""

import json
from typing import Any

from broker.clock import iso
from broker.context.conversations import MOST_TURNS, Turns
from broker.errors import InvalidRequest, NotFound
from broker.guardrails.placeholders import restored
from broker.jobs.head import JOB_ID
from broker.json_text import MOST_IN_REPLY, in_reply

LINK_FIELDS = ("messages_url", "messages_bytes", "messages_media_type")
NOT_LINKED: dict[str, Any] = dict.fromkeys(LINK_FIELDS)


def listing(
    turns: Turns, tenant: str, conversation: str, *, limit: int, cursor: str | None, now: int, filled: bool = False
) -> dict[str, Any]:
    """A page of the turns, newest first, in public form; `filled` has the values in the place of their placeholders.

    It ends before a turn that the reply has no more room for; one for which no reply has room is given out by a link.

    Raises:
        InvalidRequest: names the field at fault.
        NotFound: the tenant has no such conversation.
    """
    if not 1 <= limit <= MOST_TURNS:
        raise InvalidRequest(f"limit is from 1 to {MOST_TURNS}.", param="limit")
    if cursor is not None and not JOB_ID.fullmatch(cursor):
        raise InvalidRequest("The cursor is not one of ours.", param="cursor")
    found = turns.newest(tenant, conversation, limit=limit, now=now, before=cursor)
    if not found and cursor is None:
        raise NotFound("There is no such conversation.", code="no_conversation", param="id")
    rows: list[dict[str, Any]] = []
    left, shown = MOST_IN_REPLY, 0
    for kept in found:
        messages = restored(kept.load(), kept.mapping()) if filled else kept.load()
        size = in_reply(json.dumps(messages, ensure_ascii=False))
        linked = None
        if messages and size > MOST_IN_REPLY:
            linked = turns.link(tenant, conversation, kept, messages, filled=filled and bool(kept.mapping()))
            messages, size = [], 0
        if size > left:
            break
        left, shown = left - size, shown + 1
        if messages or linked:
            where = dict(zip(LINK_FIELDS, (linked.url, linked.bytes, linked.media_type), strict=True)) if linked else {}
            rows.append({"job_id": kept.job_id, "at": iso(kept.at), "messages": messages} | NOT_LINKED | where)
    following = found[shown - 1].job_id if shown < len(found) or len(found) == limit else None
    return {"object": "conversation", "id": conversation, "data": rows, "next_cursor": following}
