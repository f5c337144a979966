"""The routes of OpenAI's clients: `doors` says what their bodies are, the use cases of the other routes do the work."""

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from broker.clock import now_ms
from broker.errors import InvalidRequest, NotCancelable, NotFound
from broker.jobs.ending import cancel_job
from broker.jobs.erasing import erase
from broker.jobs.head import Head
from broker.jobs.store import REQUEST
from broker.json_text import MOST_IN_REPLY
from broker.rest.door_calls import accepted, answered, asked_of, counted, headers_of, owned_job, streamed, too_large
from broker.rest.http import MOST_WAIT_S, Reply, Request
from broker.rest.waiting import again

if TYPE_CHECKING:
    from broker.rest.api import Api

DOOR = "openai"

MOST_PACKED = 20_000_000
"""Bytes of an answer of numbers that is packed for a reply: a million of them or so, for which there is memory."""


def create_response(api: "Api", request: Request) -> Reply:
    """`POST /responses`: the answer; with `background`, at once the job as it stands."""
    from broker.doors.responses import PREFIX, job_of, response_of
    from broker.doors.streaming import response_stream

    asked, body, head, repeated = accepted(api, request, job_of, DOOR)
    headers = headers_of(head, request, repeated)
    if asked.waits:
        reply = answered(
            api, request, head, headers, PREFIX, lambda view, _: response_of(view, asked_of(api, head, body))
        )
        return streamed(reply, response_stream, head) if asked.streams else reply
    return Reply(200, response_of(api.view(head, request), asked_of(api, head, body)), headers | again(head), head.id)


def get_response(api: "Api", request: Request) -> Reply:
    """`GET /responses/{id}`: how it stands; with `?wait=n`, a long poll."""
    from broker.doors.responses import PREFIX

    for name in ("include", "stream", "starting_after"):
        if request.query.get(name) not in (None, "", "false"):
            raise InvalidRequest(f"{name}: it is not supported", code="unsupported", param=name)
    wait = request.number("wait", 0)
    if wait > MOST_WAIT_S:
        raise InvalidRequest(f"wait is at most {MOST_WAIT_S} seconds.", param="wait")
    head = api.wait(owned_job(api, request, PREFIX, "chat"), request.began + wait, seen=0)
    return Reply(200, _response(api, request, head), again(head))


def cancel_response(api: "Api", request: Request) -> Reply:
    """`POST /responses/{id}/cancel`: ends it; one that has ended is told as it stands."""
    from broker.doors.responses import PREFIX

    head = owned_job(api, request, PREFIX, "chat")
    try:
        head = cancel_job(api.jobs, head.id, request.tenant, now_ms())
    except NotCancelable:
        head = api.jobs.get(head.id)
    return Reply(200, _response(api, request, head))


def delete_response(api: "Api", request: Request) -> Reply:
    """`DELETE /responses/{id}`: erases prompt and answer of one that has ended."""
    from broker.doors.responses import PREFIX

    return _deleted(api, request, PREFIX, "response")


def list_input_items(api: "Api", request: Request) -> Reply:
    """`GET /responses/{id}/input_items`: what came before it in its chain, and its own input; not its instructions."""
    from broker.doors.responses import PREFIX
    from broker.rest.input_items import listed

    head = owned_job(api, request, PREFIX, "chat")
    return Reply(200, listed(api.jobs, api.payloads, head, request))


def count_tokens(api: "Api", request: Request) -> Reply:
    """`POST /responses/input_tokens`: an estimate for the model that would be asked first."""
    from broker.doors.responses import job_of

    return Reply(200, {"object": "response.input_tokens", "input_tokens": counted(api, request, job_of, DOOR)})


def create_completion(api: "Api", request: Request) -> Reply:
    """`POST /chat/completions`: the answer."""
    from broker.doors.chat_completions import PREFIX, completion_of, job_of
    from broker.doors.streaming import completion_stream

    asked, body, head, repeated = accepted(api, request, job_of, DOOR)
    headers = headers_of(head, request, repeated)
    reply = answered(
        api, request, head, headers, PREFIX, lambda view, _: completion_of(view, asked_of(api, head, body))
    )
    stream = partial(completion_stream, usage=asked.tells_usage)
    return streamed(reply, stream, head) if asked.streams else reply


def get_completion(api: "Api", request: Request) -> Reply:
    """`GET /chat/completions/{id}`: the answer that was not there in time."""
    from broker.doors.chat_completions import PREFIX, completion_of

    head = owned_job(api, request, PREFIX, "chat")
    return answered(
        api,
        request,
        head,
        {},
        PREFIX,
        lambda view, head: completion_of(view, api.payloads.load(head.id, REQUEST) or {}),
    )


def delete_completion(api: "Api", request: Request) -> Reply:
    """`DELETE /chat/completions/{id}`: erases prompt and answer of one that has ended."""
    from broker.doors.chat_completions import PREFIX

    return _deleted(api, request, PREFIX, "chat.completion")


def create_embeddings(api: "Api", request: Request) -> Reply:
    """`POST /embeddings`: the numbers."""
    from broker.doors.embeddings import form_of, job_of, list_of
    from broker.doors.reading import Fields

    _, _, head, repeated = accepted(api, request, job_of, DOOR)
    form = form_of(Fields(request.json()))

    def shown(view: dict[str, Any], head: Head) -> dict[str, Any]:
        output = view["output"]
        if output is None:  # as words it is larger than a reply, which it may not be in base64
            output = api.payloads.load(head.id, str(head.output)) if view["output_bytes"] <= MOST_PACKED else None
            if output is None:
                raise too_large(head)
        body = list_of(view, output["embeddings"], form)
        if view["output"] is None and len(json.dumps(body)) > MOST_IN_REPLY:
            raise too_large(head)
        return body

    return answered(api, request, head, headers_of(head, request, repeated), "job_", shown, packs=True)


def create_moderation(api: "Api", request: Request) -> Reply:
    """`POST /moderations`: the verdict."""
    from broker.doors.moderations import PREFIX, job_of, moderation_of

    _, _, head, repeated = accepted(api, request, job_of, DOOR)
    headers, body = headers_of(head, request, repeated), request.json()
    return answered(api, request, head, headers, PREFIX, lambda view, _: moderation_of(view, body))


def _response(api: "Api", request: Request, head: Head) -> dict[str, Any]:
    from broker.doors.responses import response_of

    view = api.view(head, request)
    if head.output is not None and view["output"] is None:
        if view["output_url"]:
            raise too_large(head)
        raise NotFound("The answer is not kept any more.", code="erased", param="id")
    return response_of(view, api.payloads.load(head.id, REQUEST) or {})


def _deleted(api: "Api", request: Request, prefix: str, kind: str) -> Reply:
    head = owned_job(api, request, prefix, "chat")
    erase(api.jobs, api.payloads, api.forget, api.conversations.erase_turn, head)
    return Reply(
        200, {"id": request.path["id"], "object": kind if kind == "response" else f"{kind}.deleted", "deleted": True}
    )


OPENAI_ROUTES: dict[tuple[str, str], tuple[str, Callable[["Api", Request], Reply]]] = {
    ("POST", "/responses"): ("jobs:write", create_response),
    ("GET", "/responses/{id}"): ("jobs:read", get_response),
    ("DELETE", "/responses/{id}"): ("jobs:write", delete_response),
    ("POST", "/responses/{id}/cancel"): ("jobs:write", cancel_response),
    ("GET", "/responses/{id}/input_items"): ("jobs:read", list_input_items),
    ("POST", "/responses/input_tokens"): ("models:read", count_tokens),
    ("POST", "/chat/completions"): ("jobs:write", create_completion),
    ("GET", "/chat/completions/{id}"): ("jobs:read", get_completion),
    ("DELETE", "/chat/completions/{id}"): ("jobs:write", delete_completion),
    ("POST", "/embeddings"): ("jobs:write", create_embeddings),
    ("POST", "/moderations"): ("jobs:write", create_moderation),
}
"""By method and resource: the scope that is needed, and the answer."""
