"""Which routes files and uploads have; `rest.files` answers them, and is loaded by the first call of one."""

from collections.abc import Callable
from typing import Any

from broker.rest.http import Reply, Request
from broker.rest.spoken import VERSION


def in_either_form(name: str) -> Callable[[Any, Request], Reply]:
    """The answer in OpenAI's form, or in Anthropic's for its clients."""

    def answered(door: Any, request: Request) -> Reply:
        if VERSION in request.headers:
            from broker.rest import anthropic_files

            theirs: Reply = getattr(anthropic_files, name)(door, request)
            return theirs
        ours: Reply = getattr(door, name)(request)
        return ours

    answered.__name__ = name
    return answered


FILE_ROUTES: dict[tuple[str, str], tuple[str, str | Callable[[Any, Request], Reply]]] = {
    ("POST", "/files"): ("files:write", in_either_form("create_file")),
    ("GET", "/files"): ("files:read", in_either_form("list_files")),
    ("GET", "/files/{id}"): ("files:read", in_either_form("get_file")),
    ("GET", "/files/{id}/content"): ("files:read", in_either_form("get_content")),
    ("DELETE", "/files/{id}"): ("files:write", in_either_form("delete_file")),
    ("POST", "/uploads"): ("files:write", "create_upload"),
    ("GET", "/uploads/{id}"): ("files:read", "get_upload"),
    ("POST", "/uploads/{id}/parts"): ("files:write", "add_part"),
    ("POST", "/uploads/{id}/complete"): ("files:write", "complete_upload"),
    ("POST", "/uploads/{id}/cancel"): ("files:write", "cancel_upload"),
}
"""By method and resource: the scope that is needed, and the method of `FileDoor`, or what calls it."""
