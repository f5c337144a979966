"""The routes of OpenAI's clients: `doors` says what their bodies are, the use cases of the other routes do the work."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from broker.clock import now_ms
from broker.errors import InvalidRequest, NotCancelable, NotFound, TooLarge
from broker.jobs.ending import cancel_job
from broker.jobs.erasing import erase
from broker.jobs.head import Head, job_url
from broker.jobs.reading import owned
from broker.jobs.request import JobRequest, parse_request, stored_form
from broker.jobs.store import REQUEST
from broker.json_text import MOST_IN_REPLY, in_reply
from broker.rest.http import MOST_WAIT_S, Reply, Request, repeating

if TYPE_CHECKING:
    from broker.doors.reading import Asked
    from broker.rest.api import Api

DOOR = "openai"

MOST_STREAMED = 5_500_000
"""Bytes of an event stream, which has an answer several times; Lambda takes some 6,290,000 of a reply."""

MOST_PACKED = 20_000_000
"""Bytes of an answer of numbers that is packed for a reply: a million of them or so, for which there is memory."""

Mapping = Callable[[Any], "Asked"]


def create_response(api: "Api", request: Request) -> Reply:
    """`POST /responses`: the answer; with `background`, at once the job as it stands."""
    from broker.doors.responses import PREFIX, job_of, response_of
    from broker.doors.streaming import response_stream

    asked, body, head, repeated = _accepted(api, request, job_of)
    headers = _headers(head, request, repeated)
    if asked.waits:
        reply = _answered(
            api, request, head, headers, PREFIX, lambda view, _: response_of(view, _asked(api, head, body))
        )
        return _streamed(reply, response_stream, head) if asked.streams else reply
    return Reply(200, response_of(api.view(head, request), _asked(api, head, body)), headers, head.id)


def get_response(api: "Api", request: Request) -> Reply:
    """`GET /responses/{id}`: how it stands; with `?wait=n`, a long poll."""
    from broker.doors.responses import PREFIX

    for name in ("include", "stream", "starting_after"):
        if request.query.get(name) not in (None, "", "false"):
            raise InvalidRequest(f"{name}: it is not supported", code="unsupported", param=name)
    wait = request.number("wait", 0)
    if wait > MOST_WAIT_S:
        raise InvalidRequest(f"wait is at most {MOST_WAIT_S} seconds.", param="wait")
    head = _owned(api, request, PREFIX, "chat")
    return Reply(200, _response(api, request, api.wait(head, request.began + wait, seen=0)))


def cancel_response(api: "Api", request: Request) -> Reply:
    """`POST /responses/{id}/cancel`: ends it; one that has ended is told as it stands."""
    from broker.doors.responses import PREFIX

    head = _owned(api, request, PREFIX, "chat")
    try:
        head = cancel_job(api.jobs, head.id, request.tenant, now_ms())
    except NotCancelable:
        head = api.jobs.get(head.id)
    return Reply(200, _response(api, request, head))


def delete_response(api: "Api", request: Request) -> Reply:
    """`DELETE /responses/{id}`: erases prompt and answer of one that has ended."""
    from broker.doors.responses import PREFIX

    return _deleted(api, request, PREFIX, "response")


def count_tokens(api: "Api", request: Request) -> Reply:
    """`POST /responses/input_tokens`: an estimate for the model that would be asked first."""
    from broker.doors.responses import job_of

    _, body = _parsed(request, job_of)
    found = api.estimate(body, request.tenant, now_ms())
    return Reply(200, {"object": "response.input_tokens", "input_tokens": found["candidates"][0]["input_tokens"]})


def create_completion(api: "Api", request: Request) -> Reply:
    """`POST /chat/completions`: the answer."""
    from broker.doors.chat_completions import PREFIX, completion_of, job_of
    from broker.doors.streaming import completion_stream

    asked, body, head, repeated = _accepted(api, request, job_of)
    headers = _headers(head, request, repeated)
    reply = _answered(api, request, head, headers, PREFIX, lambda view, _: completion_of(view, _asked(api, head, body)))
    stream = partial(completion_stream, usage=asked.tells_usage)
    return _streamed(reply, stream, head) if asked.streams else reply


def get_completion(api: "Api", request: Request) -> Reply:
    """`GET /chat/completions/{id}`: the answer that was not there in time."""
    from broker.doors.chat_completions import PREFIX, completion_of

    head = _owned(api, request, PREFIX, "chat")
    return _answered(
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

    _, _, head, repeated = _accepted(api, request, job_of)
    form = form_of(Fields(request.json()))

    def shown(view: dict[str, Any], head: Head) -> dict[str, Any]:
        output = view["output"]
        if output is None:  # as words it is larger than a reply, which it may not be in base64
            output = api.payloads.load(head.id, str(head.output)) if view["output_bytes"] <= MOST_PACKED else None
            if output is None:
                raise _too_large(head)
        body = list_of(view, output["embeddings"], form)
        if view["output"] is None and len(json.dumps(body)) > MOST_IN_REPLY:
            raise _too_large(head)
        return body

    return _answered(api, request, head, _headers(head, request, repeated), "job_", shown, packs=True)


def create_moderation(api: "Api", request: Request) -> Reply:
    """`POST /moderations`: the verdict."""
    from broker.doors.moderations import PREFIX, job_of, moderation_of

    _, _, head, repeated = _accepted(api, request, job_of)
    headers, body = _headers(head, request, repeated), request.json()
    return _answered(api, request, head, headers, PREFIX, lambda view, _: moderation_of(view, body))


def _parsed(request: Request, mapping: Mapping) -> tuple["Asked", JobRequest]:
    """The body as a job request; an error names the field as the client sent it."""
    from broker.doors.reading import renamed

    asked = mapping(request.json())
    try:
        return asked, parse_request(asked.job)
    except InvalidRequest as error:
        raise renamed(error, asked.places) from None


def _accepted(api: "Api", request: Request, mapping: Mapping) -> tuple["Asked", JobRequest, Head, bool]:
    from broker.doors.reading import renamed

    asked, body = _parsed(request, mapping)
    try:
        found = api.take(request, body, DOOR)
    except InvalidRequest as error:
        raise renamed(error, asked.places) from None
    return asked, body, found.head, found.repeated


def _asked(api: "Api", head: Head, body: JobRequest) -> dict[str, Any]:
    """The request as it is kept: a stored prompt says more than the body that named it."""
    if body.prompt is None:
        return stored_form(body)
    return api.payloads.load(head.id, REQUEST) or stored_form(body)


def _headers(head: Head, request: Request, repeated: bool) -> dict[str, str]:
    return {"location": job_url(head, request.base_url)} | ({"idempotent-replayed": "true"} if repeated else {})


def _answered(
    api: "Api",
    request: Request,
    head: Head,
    headers: dict[str, str],
    prefix: str,
    shown: Callable[[dict[str, Any], Head], dict[str, Any]],
    *,
    packs: bool = False,
) -> Reply:
    """Wait for the answer and give it, or say that it is not there yet, or why there will be none.

    No client repeats by itself what is told as an error here: the job is there, and a repeat would find it again.
    """
    from broker.doors.openai import failure_of, public_id

    head = api.wait(head, request.began + MOST_WAIT_S, seen=0)
    if not head.status.terminal:
        known = public_id(prefix, head.id)
        message = f"The answer is not there yet; it goes on as {known}. Ask for that, do not send the request again."
        facts = {"type": "timed_out", "code": "still_running", "message": message, "param": None}
        return _refused(504, facts, request, head)
    view = api.view(head, request)
    if head.output is None:
        return _refused(*failure_of(view), request, head)
    if view["output"] is None and not view["output_url"]:
        raise NotFound("The answer is not kept any more.", code="erased", param="id")
    if view["output"] is None and not packs:
        raise _too_large(head)
    return Reply(200, shown(view, head), headers, head.id)


def _streamed(reply: Reply, stream: Callable[[dict[str, Any]], str], head: Head) -> Reply:
    """The answer as an event stream; what is told in an answer's place stays as it is, with its true status."""
    from broker.doors.streaming import MEDIA_TYPE

    if reply.status != 200:
        return reply
    text = stream(reply.body)
    if in_reply(text) > MOST_STREAMED:
        raise _too_large(head)
    return replace(reply, body=text, headers=reply.headers | {"content-type": MEDIA_TYPE})


def _too_large(head: Head) -> TooLarge:
    message = (
        f"The answer is larger than a reply may be ({MOST_IN_REPLY:,} bytes): GET /v1/jobs/{head.id} has a link to it."
    )
    return TooLarge(message, code="answer_too_large")


def _refused(status: int, facts: dict[str, Any], request: Request, head: Head) -> Reply:
    return Reply(status, {"error": facts | {"request_id": request.request_id}}, repeating(again=False), head.id)


def _owned(api: "Api", request: Request, prefix: str, task: str) -> Head:
    """The tenant's job by its id in OpenAI's words.

    Raises:
        NotFound: there is none, or it is another tenant's, or its task has no such form.
    """
    from broker.doors.openai import job_id_of

    head = owned(api.jobs, job_id_of(prefix, request.path["id"]), request.tenant)
    if head.task != task:
        raise NotFound("There is no such job.", param="id")
    return head


def _response(api: "Api", request: Request, head: Head) -> dict[str, Any]:
    from broker.doors.responses import response_of

    view = api.view(head, request)
    if head.output is not None and view["output"] is None:
        if view["output_url"]:
            raise _too_large(head)
        raise NotFound("The answer is not kept any more.", code="erased", param="id")
    return response_of(view, api.payloads.load(head.id, REQUEST) or {})


def _deleted(api: "Api", request: Request, prefix: str, kind: str) -> Reply:
    head = _owned(api, request, prefix, "chat")
    erase(api.jobs, api.payloads, api.forget, api.conversations.erase_turn, head)
    return Reply(
        200, {"id": request.path["id"], "object": kind if kind == "response" else f"{kind}.deleted", "deleted": True}
    )


OPENAI_ROUTES: dict[tuple[str, str], tuple[str, Callable[["Api", Request], Reply]]] = {
    ("POST", "/responses"): ("jobs:write", create_response),
    ("GET", "/responses/{id}"): ("jobs:read", get_response),
    ("DELETE", "/responses/{id}"): ("jobs:write", delete_response),
    ("POST", "/responses/{id}/cancel"): ("jobs:write", cancel_response),
    ("POST", "/responses/input_tokens"): ("models:read", count_tokens),
    ("POST", "/chat/completions"): ("jobs:write", create_completion),
    ("GET", "/chat/completions/{id}"): ("jobs:read", get_completion),
    ("DELETE", "/chat/completions/{id}"): ("jobs:write", delete_completion),
    ("POST", "/embeddings"): ("jobs:write", create_embeddings),
    ("POST", "/moderations"): ("jobs:write", create_moderation),
}
"""By method and resource: the scope that is needed, and the answer."""
