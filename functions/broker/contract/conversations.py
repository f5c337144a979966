"""Conversations in the form of OpenAI's clients: bodies, replies, and what may be asked."""

from typing import Annotated, Any, Literal

from pydantic import Field

from broker.contract.common import Count, Shown
from broker.contract.openai import ItemList, Metadata, Object
from broker.contract.openai_operations import ITEM_PAGES, TAG
from broker.contract.operation import Operation, parameter
from broker.doors.conversations import MOST_ITEMS
from broker.jobs.fields import Strict

Items = Annotated[list[Object], Field(max_length=MOST_ITEMS)]


class OpenAIConversation(Shown):
    """A conversation."""

    id: str
    object: Literal["conversation"]
    created_at: Count
    metadata: dict[str, str]


class DeletedConversation(Shown):
    """That a conversation is erased."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class ConversationItem(Shown):
    """A message, a call of a function or what it gave, or what a model thought."""

    id: str
    type: Literal["message", "function_call", "function_call_output", "reasoning"]
    role: str | None = None
    status: str | None = None
    content: list[Object] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: Any = None
    summary: list[Object] | None = None
    encrypted_content: str | None = None


class MadeConversation(Strict):
    """The body of `POST /v1/conversations`."""

    items: Items | None = None
    """As those of a response's `input`."""
    metadata: Metadata | None = None


class ChangedConversation(Strict):
    """The body of `POST /v1/conversations/{id}`."""

    metadata: Metadata


class AddedItems(Strict):
    """The body of `POST /v1/conversations/{id}/items`."""

    items: Annotated[Items, Field(min_length=1)]


ID = parameter("path", "id", "The conversation.", {"type": "string"}, required=True)
ITEM_ID = parameter("path", "item_id", "The item.", {"type": "string"}, required=True)

CONVERSATION_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/conversations"): Operation(
        "Make a conversation", TAG, {200: OpenAIConversation}, errors=(400, 413), body=MadeConversation
    ),
    ("GET", "/conversations/{id}"): Operation(
        "Get a conversation", TAG, {200: OpenAIConversation}, errors=(404,), parameters=(ID,)
    ),
    ("POST", "/conversations/{id}"): Operation(
        "Change a conversation's metadata",
        TAG,
        {200: OpenAIConversation},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=ChangedConversation,
    ),
    ("DELETE", "/conversations/{id}"): Operation(
        "Erase a conversation", TAG, {200: DeletedConversation}, parameters=(ID,)
    ),
    ("POST", "/conversations/{id}/items"): Operation(
        "Add items to a conversation",
        TAG,
        {200: ItemList},
        errors=(400, 404, 413),
        parameters=(ID,),
        body=AddedItems,
    ),
    ("GET", "/conversations/{id}/items"): Operation(
        "List a conversation's items", TAG, {200: ItemList}, errors=(400, 404, 413), parameters=(ID, *ITEM_PAGES)
    ),
    ("GET", "/conversations/{id}/items/{item_id}"): Operation(
        "Get an item of a conversation", TAG, {200: ConversationItem}, errors=(404,), parameters=(ID, ITEM_ID)
    ),
    ("DELETE", "/conversations/{id}/items/{item_id}"): Operation(
        "Take an item out of a conversation", TAG, {200: OpenAIConversation}, errors=(404,), parameters=(ID, ITEM_ID)
    ),
}
"""By method and path, as `rest.conversation_routes`."""
