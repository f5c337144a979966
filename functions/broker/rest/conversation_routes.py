"""The routes of conversations, OpenAI's and our own (`…/turns`); what answers them is loaded for a call about them."""

CONVERSATION_ROUTES: dict[tuple[str, str], tuple[str, str]] = {
    ("POST", "/conversations"): ("jobs:write", "create_conversation"),
    ("GET", "/conversations/{id}"): ("jobs:read", "get_conversation"),
    ("POST", "/conversations/{id}"): ("jobs:write", "change_conversation"),
    ("DELETE", "/conversations/{id}"): ("jobs:write", "delete_conversation"),
    ("POST", "/conversations/{id}/items"): ("jobs:write", "add_conversation_items"),
    ("GET", "/conversations/{id}/items"): ("jobs:read", "list_conversation_items"),
    ("GET", "/conversations/{id}/items/{item_id}"): ("jobs:read", "get_conversation_item"),
    ("DELETE", "/conversations/{id}/items/{item_id}"): ("jobs:write", "delete_conversation_item"),
    ("GET", "/conversations/{id}/turns"): ("jobs:read", "list_turns"),
    ("DELETE", "/conversations/{id}/turns"): ("jobs:write", "erase_turns"),
}
"""By method and resource: the scope that is needed, and the answer's name in `rest.conversations`."""
