"""What the routes of all dialects share: a body as a job, waiting for its answer, and a job by an id in their words."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from broker.clock import now_ms
from broker.errors import InvalidRequest, NotFound, TooLarge, TooManyAtOnce, Unavailable
from broker.jobs.head import Head, job_url
from broker.jobs.reading import owned
from broker.jobs.request import JobRequest, parse_request, stored_form
from broker.jobs.store import REQUEST
from broker.json_text import MOST_IN_REPLY, in_reply
from broker.rest.callers import asking
from broker.rest.http import MOST_WAIT_S, Reply, Request, repeating
from broker.rest.tries import asked_once

if TYPE_CHECKING:
    from broker.doors.reading import Asked
    from broker.rest.api import Api

MOST_STREAMED = 5_500_000
"""Bytes of an event stream, which has an answer several times; Lambda takes some 6,290,000 of a reply."""

WAIT_AGAIN_S = 2
"""After which a call that found no place to wait may come again."""

Mapping = Callable[[Any], "Asked"]
Shown = Callable[[dict[str, Any], Head], dict[str, Any]]


def parsed(request: Request, mapping: Mapping) -> tuple["Asked", JobRequest]:
    """The body as a job request; an error names the field as the client sent it."""
    from broker.doors.reading import renamed

    asked = mapping(request.json())
    try:
        return asked, parse_request(asked.job)
    except InvalidRequest as error:
        raise renamed(error, asked.places) from None


def accepted(api: "Api", request: Request, mapping: Mapping, door: str) -> tuple["Asked", JobRequest, Head, bool]:
    """Take the body as a job: what it asks, as a request, its job, and whether it was there already."""
    from broker.doors.reading import renamed

    asked, body = parsed(request, mapping)
    try:
        found = api.take(request, body, door)
    except InvalidRequest as error:
        raise renamed(error, asked.places) from None
    return asked, body, found.head, found.repeated


def asked_of(api: "Api", head: Head, body: JobRequest) -> dict[str, Any]:
    """The request as it is kept: a stored prompt says more than the body that named it."""
    if body.prompt is None:
        return stored_form(body)
    return api.payloads.load(head.id, REQUEST) or stored_form(body)


def headers_of(head: Head, request: Request, repeated: bool) -> dict[str, str]:
    """Of the reply to who asked for a job."""
    return {"location": job_url(head, request.base_url)} | ({"idempotent-replayed": "true"} if repeated else {})


def answered(
    api: "Api",
    request: Request,
    head: Head,
    headers: dict[str, str],
    prefix: str,
    shown: Shown,
    *,
    packs: bool = False,
    instead: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda view: None,
) -> Reply:
    """Wait for the answer and give it, or say that it is not there yet, or why there will be none.

    No client repeats by itself what is told as an error here: the job is there, and a repeat would find it again.

    Args:
        api: the use cases.
        request: the call.
        head: the job.
        headers: of the answer.
        prefix: of the job's id in the dialect's words.
        shown: the answer by the job's view.
        packs: whether `shown` takes answers that are larger than a reply.
        instead: what a job that ended without an answer is told as in the dialect; None where that is an error.
    """
    from broker.doors.openai import failure_of, public_id

    head, had_place = api.waited(head, request.began + MOST_WAIT_S)
    if not head.status.terminal:
        known = public_id(prefix, head.id)
        if not had_place and (request.method == "GET" or asked_once(request, lambda: 0)):
            raise _too_many_waits(known)
        message = f"The answer is not there yet; it goes on as {known}. Ask for that, do not send the request again."
        facts = {"type": "timed_out", "code": "still_running", "message": message, "param": None}
        return _refused(504, facts, request, head)
    view = api.view(head, request)
    if head.output is None:
        if (told := instead(view)) is not None:
            return Reply(200, told, headers, head.id)
        return _refused(*failure_of(view), request, head)
    if view["output"] is None and not view["output_url"]:
        raise NotFound("The answer is not kept any more.", code="erased", param="id")
    if view["output"] is None and not packs:
        raise too_large(head)
    return Reply(200, shown(view, head), headers, head.id)


def streamed(reply: Reply, stream: Callable[[dict[str, Any]], str], head: Head) -> Reply:
    """The answer as an event stream; what is told in an answer's place stays as it is, with its true status."""
    from broker.doors.streaming import MEDIA_TYPE

    if reply.status != 200:
        return reply
    text = stream(reply.body)
    if in_reply(text) > MOST_STREAMED:
        raise too_large(head)
    return replace(reply, body=text, headers=reply.headers | {"content-type": MEDIA_TYPE})


def _too_many_waits(known: str) -> TooManyAtOnce:
    """What a client is told that finds the same job when it sends the call again, as most do by themselves."""
    message = f"As many calls of the tenant wait for answers as may. It goes on as {known}; send the same call again."
    return TooManyAtOnce(message, code="too_many_waits", retry_after=WAIT_AGAIN_S)


def too_large(head: Head) -> TooLarge:
    """What to say of an answer that no reply can hold."""
    message = (
        f"The answer is larger than a reply may be ({MOST_IN_REPLY:,} bytes): GET /v1/jobs/{head.id} has a link to it."
    )
    return TooLarge(message, code="answer_too_large")


def _refused(status: int, facts: dict[str, Any], request: Request, head: Head) -> Reply:
    return Reply(status, {"error": facts | {"request_id": request.request_id}}, repeating(again=False), head.id)


def counted(api: "Api", request: Request, mapping: Mapping, door: str) -> int:
    """An estimate of the tokens that the model reads which would be asked first.

    Raises:
        Unavailable: all models that could do the work are left alone for a while.
    """
    from broker.doors.reading import renamed

    asked, body = parsed(request, mapping)
    try:
        found = api.estimate(body, asking(request, door), now_ms())["candidates"]
    except InvalidRequest as error:
        raise renamed(error, asked.places) from None
    if not found:
        raise Unavailable(
            "All models that could do it are left alone for a while.", code="circuit_open", retry_after=30
        )
    return int(found[0]["input_tokens"])


def owned_job(api: "Api", request: Request, prefix: str, task: str) -> Head:
    """The tenant's job by its id in a dialect's words.

    Raises:
        NotFound: there is none, or it is another tenant's, or its task has no such form.
    """
    from broker.doors.openai import job_id_of

    head = owned(api.jobs, job_id_of(prefix, request.path["id"]), request.tenant)
    if head.task != task:
        raise NotFound("There is no such job.", param="id")
    return head
