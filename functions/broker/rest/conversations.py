"""Conversations in the form of OpenAI's clients, and their turns in the broker's own.

A conversation is there when it was made, or when it has a turn: a job that names one makes it. Items are those of the
hundred newest turns, which are what a next job would be told.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from broker.clock import new_job_id, now_ms
from broker.context.changing import turn_made_of, turn_with
from broker.context.conversations import MOST_TOKENS, MOST_TURNS, KeptTurn, Turn
from broker.context.fitting import Message
from broker.context.listing import listing
from broker.context.records import Record
from broker.doors.conversations import PREFIX, Made, added_by, conversation_of, made_by, metadata_of
from broker.doors.item_lists import items_of, messages_without, page_of
from broker.doors.reading import renamed
from broker.errors import InvalidRequest, NotCancelable, NotFound
from broker.guardrails.placeholders import restored
from broker.jobs.media_references import check_media
from broker.jobs.request import parse_request, stored_form
from broker.rest.http import Reply, Request

if TYPE_CHECKING:
    from broker.rest.api import Api

KEPT_S = 30 * 86_400
"""How long what no job brings is kept, after the last change."""

TRIES = 4

_NAME = re.compile("[A-Za-z0-9._:-]{1,128}")
_ITEM = re.compile("[a-z]+_([0-9a-f]{32})(?:_.*)?")

Json = dict[str, Any]


def create_conversation(api: "Api", request: Request) -> Reply:
    """`POST /conversations`."""
    now, made = now_ms(), made_by(request.json())
    messages, metadata = _checked(made, request, api.inbox)
    conversation = f"{PREFIX}{new_job_id(now).removeprefix('job_')}"
    api.conversations.keep_record(request.tenant, conversation, Record(now, now // 1000 + KEPT_S, metadata))
    if messages:
        _add(api, request.tenant, conversation, messages, now)
    return Reply(200, conversation_of(conversation, now, metadata))


def get_conversation(api: "Api", request: Request) -> Reply:
    """`GET /conversations/{id}`."""
    return Reply(200, _shown(api, request, now_ms()))


def change_conversation(api: "Api", request: Request) -> Reply:
    """`POST /conversations/{id}`: other metadata."""
    now, given = now_ms(), metadata_of(request.json())
    _, metadata = _checked(Made([], {}, given), request, api.inbox)
    created_at = _found(api, request, now).created_at
    record = Record(created_at, now // 1000 + KEPT_S, metadata)
    api.conversations.keep_record(request.tenant, request.path["id"], record)
    return Reply(200, conversation_of(request.path["id"], created_at, metadata))


def delete_conversation(api: "Api", request: Request) -> Reply:
    """`DELETE /conversations/{id}`: erases its turns, whether there are any or not."""
    _erase(api, request)
    return Reply(200, {"id": request.path["id"], "object": "conversation.deleted", "deleted": True})


def add_conversation_items(api: "Api", request: Request) -> Reply:
    """`POST /conversations/{id}/items`."""
    now, made = now_ms(), added_by(request.json())
    messages, _ = _checked(made, request, api.inbox)
    record = _found(api, request, now)
    kept = replace(record, expires_at=now // 1000 + KEPT_S)
    api.conversations.keep_record(request.tenant, request.path["id"], kept)
    turn = _add(api, request.tenant, request.path["id"], messages, now)
    data = list(items_of(turn.job_id, messages, answered=_is_answered(messages)))
    return Reply(200, page_of(data, limit=len(data), after=None, order="asc", most=len(data)))


def list_conversation_items(api: "Api", request: Request) -> Reply:
    """`GET /conversations/{id}/items`."""
    now, query = now_ms(), request.query
    turns = _turns(api, request, now)
    if not turns:
        _found(api, request, now)
    items = [item for kept in reversed(turns) for item in _items(kept, request)]
    limit, order = request.number("limit", 20), query.get("order") or "desc"
    return Reply(200, page_of(items, limit=limit, after=query.get("after"), order=order))


def get_conversation_item(api: "Api", request: Request) -> Reply:
    """`GET /conversations/{id}/items/{item_id}`."""
    return Reply(200, _item(api, request, now_ms())[1])


def delete_conversation_item(api: "Api", request: Request) -> Reply:
    """`DELETE /conversations/{id}/items/{item_id}`: no later job is told of it; the conversation as it is then."""
    for _ in range(TRIES):
        now = now_ms()
        kept, item = _item(api, request, now)
        messages = kept.load()
        left = messages_without(kept.job_id, messages, item["id"], answered=_is_answered(messages))
        conversation = request.tenant, request.path["id"]
        if not left:
            api.conversations.erase_turn(*conversation, kept.job_id)
            break
        if api.conversations.change(*conversation, kept, turn_with(kept, left)):
            break
    else:
        raise NotCancelable("Others change this turn at the same moment.", code="busy", param="item_id", retry_after=1)
    known = api.conversations.record(request.tenant, request.path["id"], now)
    created_at, metadata = (known.created_at, known.metadata) if known else (kept.at, {})
    return Reply(200, conversation_of(request.path["id"], created_at, metadata))


def list_turns(api: "Api", request: Request) -> Reply:
    """`GET /conversations/{id}/turns`: the turns of a conversation, newest first."""
    asked: Json = {"limit": request.number("limit", 20), "cursor": request.query.get("cursor") or None}
    asked |= {"now": now_ms(), "filled": request.may_see_values()}
    if not _NAME.fullmatch(request.path["id"]):
        raise _missing()
    return Reply(200, listing(api.conversations, request.tenant, request.path["id"], **asked))


def erase_turns(api: "Api", request: Request) -> Reply:
    """`DELETE /conversations/{id}/turns`: erases a conversation, whether there is one or not."""
    _erase(api, request)
    return Reply(204, None)


def _erase(api: "Api", request: Request) -> None:
    if not _NAME.fullmatch(request.path["id"]):
        return  # nothing is kept by such a name, and the table refuses one that is too long
    api.conversations.erase(request.tenant, request.path["id"], now_ms())


def _checked(made: Made, request: Request, inbox: str) -> tuple[list[Json], dict[str, str]]:
    """Messages and metadata as a job would have them; an error names the field as the client sent it."""
    messages = made.messages or [{"role": "user", "content": "None."}]
    try:
        body = {"input": {"messages": messages}, "conversation_id": "any", "metadata": made.metadata}
        document = stored_form(parse_request(body))
        check_media(document, request.tenant, inbox)
    except InvalidRequest as error:
        raise renamed(error, {"input.messages": "items", **made.places}) from None
    return document["input"]["messages"] if made.messages else [], document.get("metadata", {})


def _add(api: "Api", tenant: str, conversation: str, messages: list[Json], now: int) -> Turn:
    turn = turn_made_of(messages, now)
    api.conversations.add(tenant, conversation, turn, now // 1000 + KEPT_S)
    return turn


def _shown(api: "Api", request: Request, now: int) -> Json:
    record = _found(api, request, now)
    return conversation_of(request.path["id"], record.created_at, record.metadata)


def _found(api: "Api", request: Request, now: int) -> Record:
    """The conversation's record, or what its turns tell of it.

    Raises:
        NotFound: the tenant has no such conversation.
    """
    name = request.path["id"]
    if _NAME.fullmatch(name):
        if record := api.conversations.record(request.tenant, name, now):
            return record
        if turns := api.conversations.newest(request.tenant, name, limit=MOST_TURNS, now=now):
            return Record(turns[-1].at, turns[-1].expires_at)
    raise _missing()


def _missing() -> NotFound:
    return NotFound("There is no such conversation.", code="no_conversation", param="id")


def _turns(api: "Api", request: Request, now: int) -> list[KeptTurn]:
    """The newest turns that a next job could be told of, newest first."""
    name, found, tokens = request.path["id"], list[KeptTurn](), 0
    if not _NAME.fullmatch(name):
        return found
    for kept in api.conversations.newest(request.tenant, name, limit=MOST_TURNS, now=now):
        tokens += kept.tokens
        if tokens > MOST_TOKENS:
            break
        found.append(kept)
    return found


def _items(kept: KeptTurn, request: Request) -> list[Json]:
    messages = kept.load()
    if request.may_see_values():
        messages = restored(messages, kept.mapping())
    return list(items_of(kept.job_id, messages, answered=_is_answered(messages)))


def _is_answered(messages: Sequence[Message]) -> bool:
    return bool(messages) and messages[-1]["role"] == "assistant"


def _item(api: "Api", request: Request, now: int) -> tuple[KeptTurn, Json]:
    """An item, and the turn that it belongs to.

    Raises:
        NotFound: the tenant has no such item.
    """
    known = _ITEM.fullmatch(request.path["item_id"])
    for kept in _turns(api, request, now) if known else ():
        if known and kept.job_id == f"job_{known[1]}":
            found = next((item for item in _items(kept, request) if item["id"] == request.path["item_id"]), None)
            if found is not None:
                return kept, found
    raise NotFound("There is no such item.", code="no_item", param="item_id")
