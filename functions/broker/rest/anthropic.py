"""The routes of Anthropic's clients: `doors` says what their bodies are; the use cases are those of all routes."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from broker.rest.door_calls import Mapping, accepted, answered, counted, headers_of, owned_job, streamed
from broker.rest.http import Reply, Request

if TYPE_CHECKING:
    from typing import Any

    from broker.doors.anthropic_files import Load
    from broker.doors.reading import Asked
    from broker.rest.api import Api

DOOR = "anthropic"


def create_message(api: "Api", request: Request) -> Reply:
    """`POST /messages`: the answer."""
    from broker.doors.messages import PREFIX, job_of, message_instead, message_of
    from broker.doors.streaming import message_stream

    asked, _, head, repeated = accepted(api, request, _with_files(api, request, job_of), DOOR)
    headers = headers_of(head, request, repeated)
    reply = answered(api, request, head, headers, PREFIX, lambda view, _: message_of(view), instead=message_instead)
    return streamed(reply, message_stream, head) if asked.streams else reply


def get_message(api: "Api", request: Request) -> Reply:
    """`GET /messages/{id}`: the answer that was not there in time."""
    from broker.doors.messages import PREFIX, message_instead, message_of

    head = owned_job(api, request, PREFIX, "chat")
    return answered(api, request, head, {}, PREFIX, lambda view, _: message_of(view), instead=message_instead)


def count_message_tokens(api: "Api", request: Request) -> Reply:
    """`POST /messages/count_tokens`: an estimate for the model that would be asked first."""
    from broker.doors.messages import counted_job_of

    return Reply(200, {"input_tokens": counted(api, request, _with_files(api, request, counted_job_of), DOOR)})


def _with_files(api: "Api", request: Request, mapping: Mapping) -> Mapping:
    """The mapping of a body that may name stored files, which are asked for where it names one."""

    @cache
    def load() -> "Load":
        from broker.rest.anthropic_files import loading

        return loading(api.files().files, request)

    def mapped(body: "Any") -> "Asked":
        from broker.doors.anthropic_files import with_files

        return mapping(with_files(body, lambda file_id, place: load()(file_id, place)))

    return mapped


ANTHROPIC_ROUTES: dict[tuple[str, str], tuple[str, Callable[["Api", Request], Reply]]] = {
    ("POST", "/messages"): ("jobs:write", create_message),
    ("GET", "/messages/{id}"): ("jobs:read", get_message),
    ("POST", "/messages/count_tokens"): ("models:read", count_message_tokens),
}
"""By method and resource: the scope that is needed, and the answer."""
