"""The routes of `/v1`, one function each, in one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from broker.clock import now_ms
from broker.context.conversations import Turns
from broker.errors import Forbidden, InvalidRequest
from broker.jobs.accepting import Accept, Acceptance, Caller
from broker.jobs.ending import cancel_job
from broker.jobs.erasing import erase
from broker.jobs.head import Head, job_url
from broker.jobs.pages import page
from broker.jobs.reading import gone, is_gone, looked_at, owned, timeline, view
from broker.jobs.request import JobRequest, parse_request
from broker.jobs.searching import wanted_of
from broker.jobs.store import Jobs, Look, Payloads
from broker.jobs.trial import Trial, parse_trial
from broker.prompts.listing import Listing
from broker.rest.answers import answer_of
from broker.rest.anthropic import ANTHROPIC_ROUTES
from broker.rest.audited import note_denial, note_reply
from broker.rest.batches import BATCH_ROUTES, BatchDoor
from broker.rest.bulk import BULK_ROUTES, BulkDoor
from broker.rest.callers import asking, caller_of
from broker.rest.conversation_routes import CONVERSATION_ROUTES
from broker.rest.endpoint_routes import ENDPOINT_ROUTES
from broker.rest.file_routes import FILE_ROUTES
from broker.rest.http import MOST_WAIT_S as MOST_WAIT_S
from broker.rest.http import Reply, Request, error_reply
from broker.rest.limited import limits_for, list_limits, telling
from broker.rest.message_batches import MESSAGE_BATCH_ROUTES
from broker.rest.model_routes import MODEL_ROUTES
from broker.rest.openai import OPENAI_ROUTES
from broker.rest.openai_media import MEDIA_ROUTES
from broker.rest.prompt_runs import list_prompts, run_body
from broker.rest.tries import asked_once
from broker.rest.usage import list_usage
from broker.rest.waiting import again, ended, preferred_wait
from broker.reviews import feedback
from broker.reviews.bodies import parse_feedback
from broker.routing.catalog import Models
from broker.routing.figures import Health
from broker.tenants.limiting import Standing
from broker.tenants.limits import Limit
from broker.tenants.open_jobs import OpenJobs
from broker.tenants.registry import Tenants
from broker.tenants.usage import Usage
from broker.tenants.waits import Waits

if TYPE_CHECKING:
    from broker.rest.endpoints import EndpointDoor
    from broker.rest.files import FileDoor

INCLUDED = ("route", "queue")
"""What `include` may ask for: why each registered model was taken or left out, and where a queued job stands."""


@dataclass(frozen=True, slots=True)
class Api:
    """The use cases behind the routes."""

    accept: Accept
    jobs: Jobs
    payloads: Payloads
    models: Models
    tenants: Tenants
    redeliver: Callable[[str, int], list[str]]
    forget: Callable[[str], None]
    """Drops what a job gave to the cache."""
    conversations: Turns
    health: Health
    estimate: Callable[[JobRequest, Caller, int], dict[str, Any]]
    try_policies: Callable[[Trial, str, int], dict[str, Any]]
    prompts: Listing
    files: Callable[[], "FileDoor"]
    batches: Callable[[], BatchDoor]
    """Put together when a call is about them."""
    bulk: Callable[[], BulkDoor]
    endpoints: Callable[[], "EndpointDoor"]
    usage: Callable[[], Usage]
    check_rate: Callable[[str, int], None] = lambda tenant, now: None
    """Raises where the tenant calls too often."""
    standings: Callable[[str, Sequence[Limit], int], Sequence[Standing]] = lambda tenant, limits, now: ()
    places: Callable[[Sequence[OpenJobs]], Sequence[dict[str, Any]]] = lambda limits: ()
    """These two: how limits by time stand, and those of jobs that have not ended."""
    waits: Waits | None = None
    """How many calls of a tenant wait at once; without it, all that come."""
    inbox: str = ""
    """The bucket that items of conversations may point into."""
    origin: Callable[[], str] = lambda: ""
    """Whose pages may call from browsers: one origin, `*`, or none."""

    def __call__(self, request: Request) -> Reply:
        """Answer one call.

        Raises:
            BrokerError: in the public form by `error_reply`.
        """
        self.check_rate(request.tenant, now_ms())
        return self.answered(request)

    def answered(self, request: Request) -> Reply:
        """The same of what is a part of a call, which is counted once."""
        route = ROUTES.get((request.method, request.resource))
        if route is None:
            from broker.rest.elsewhere import answer_elsewhere
            from broker.rest.published import PUBLIC_ROUTES

            return answer_elsewhere(request, ROUTES, self.answered, PUBLIC_ROUTES)
        scope, answer = route
        try:
            request.need(scope)
            reply = answer(self, request)
        except Forbidden as error:
            note_denial(request, error)
            raise
        note_reply(request, reply)
        return reply

    def submit(self, request: Request) -> Reply:
        """`POST /jobs`: `202` and the job; with `Prefer: wait=n`, `200` and the finished job where it ends in time.

        A job that is held for a person is told at once, by a `202`.
        """
        return self._submit(request, request.json())

    def run_prompt(self, request: Request) -> Reply:
        """`POST /prompts/{id}/run`: the same job, from a prompt's variables."""
        return self._submit(request, run_body(request.path["id"], request.json()))

    def _submit(self, request: Request, document: Any) -> Reply:
        wait = preferred_wait(request.headers.get("prefer", ""))
        body = parse_request(document)
        accepted = self.take(request, body, request.door)
        head, had_place = self.waited(accepted.head, request.began + wait)
        headers = {"location": job_url(head, request.base_url)}
        if wait and had_place:
            headers["preference-applied"] = f"wait={wait}"
        if accepted.repeated:
            headers["idempotent-replayed"] = "true"
        headers |= again(head)
        if head is accepted.head and not accepted.repeated:
            # Nothing stands beside a job that was accepted this moment but what the request said.
            shown = view(head, {"ASKED": {"metadata": body.metadata}}, None, request.base_url)
        else:
            shown = self.view(head, request)
        return Reply(200 if head.status.terminal else 202, shown, headers, head.id)

    def take(self, request: Request, body: JobRequest, door: str) -> Acceptance:
        """Accept what came by a door; a repeat of the call gets the job of the first."""
        now = now_ms()
        limits = partial(limits_for, request, lambda: self.tenants.get(request.tenant, now))
        caller = caller_of(request, body, door, limits)
        once = asked_once(request, lambda: self.tenants.get(request.tenant, now).repeat_window_seconds)
        return telling(request, limits, door, now, lambda: self.accept(body, caller, now, **once))

    def get(self, request: Request) -> Reply:
        """`GET /jobs/{id}`, with `?wait=n` a long poll; `410` where its answer is not kept any more, and its record."""
        wait, included = request.number("wait", 0), request.included(INCLUDED)
        if wait > MOST_WAIT_S:
            raise InvalidRequest(f"wait is at most {MOST_WAIT_S} seconds.", param="wait")
        seen = looked_at(self.jobs, request.path["id"], request.tenant)
        if wait and not seen.head.status.terminal:
            held_since = seen.head.review["since"] if seen.head.is_held else 0
            head = self.wait(seen.head, request.began + wait, seen=held_since)
            seen = Look(head, *self.jobs.around(head))
        shown = self._shown(seen, request, whole_route="route" in included)
        if "queue" in included:
            shown["queue"] = self.jobs.standing(seen.head, now_ms())
        if is_gone(seen.head, shown["output"] or shown["output_url"]):
            error = error_reply(gone(seen.notes), request.request_id)
            return Reply(error.status, {**shown, **error.body}, error.headers)
        return Reply(200, shown, again(seen.head))

    def list(self, request: Request) -> Reply:
        """`GET /jobs`."""
        query = request.query
        found = page(
            self.jobs,
            request.tenant,
            request.base_url,
            limit=request.number("limit", 20),
            cursor=query.get("cursor") or None,
            wanted=wanted_of(query),
        )
        return Reply(200, found)

    def cancel(self, request: Request) -> Reply:
        """`POST /jobs/{id}/cancel`."""
        return Reply(200, self.view(cancel_job(self.jobs, request.path["id"], request.tenant, now_ms()), request))

    def delete(self, request: Request) -> Reply:
        """`DELETE /jobs/{id}`: erases the payloads, and the job's turn of its conversation."""
        erase(self.jobs, self.payloads, self.forget, self.conversations.erase_turn, self._owned(request))
        return Reply(204, None)

    def events(self, request: Request) -> Reply:
        """`GET /jobs/{id}/events`: the timeline."""
        head = self._owned(request)
        return Reply(200, {"object": "list", "data": timeline(head, self.jobs.notes(head.id))})

    def send_again(self, request: Request) -> Reply:
        """`POST /jobs/{id}/redeliver`."""
        head = self._owned(request)
        return Reply(202, {"object": "redelivery", "ids": self.redeliver(head.id, now_ms())})

    def give_feedback(self, request: Request) -> Reply:
        """`POST /jobs/{id}/feedback`: what somebody thinks of what guardrails found."""
        head, said = self._owned(request), parse_feedback(request.json())
        return Reply(201, feedback.shown(feedback.give(self.jobs, head, said, request.principal, now_ms())))

    def tell_estimate(self, request: Request) -> Reply:
        """`POST /estimates`: who would do a job and what it would cost; nothing is run and nothing held."""
        return Reply(200, self.estimate(parse_request(request.json()), asking(request), now_ms()))

    def check_text(self, request: Request) -> Reply:
        """`POST /guardrails/check`: what a text would meet; there is no job, and nothing is kept or paid for."""
        return Reply(200, self.try_policies(parse_trial(request.json()), request.tenant, now_ms()))

    def _owned(self, request: Request) -> Head:
        return owned(self.jobs, request.path["id"], request.tenant)

    def view(self, head: Head, request: Request) -> dict[str, Any]:
        """The job as it stands, as this caller may see it."""
        return self._shown(Look(head, *self.jobs.around(head)), request)

    def _shown(self, seen: Look, request: Request, *, whole_route: bool = False) -> dict[str, Any]:
        """The job in its public form, as this caller may see it."""
        head, notes, item = seen
        answer = answer_of(self.payloads, head, item, filled=request.may_see_values())
        return view(head, notes, answer, request.base_url, whole_route=whole_route)

    def wait(self, head: Head, until: float, *, seen: int = 0) -> Head:
        """See `waiting.ended`."""
        return self.waited(head, until, seen=seen)[0]

    def waited(self, head: Head, until: float, *, seen: int = 0) -> tuple[Head, bool]:
        """The same, and whether there was a place to wait for it: without one, a job may not have ended yet."""
        if self.waits is None:
            return ended(self.jobs, head, until, seen=seen, may_stay=lambda: True), True
        with self.waits.waiting(head.tenant) as stay:
            head = ended(self.jobs, head, until, seen=seen, may_stay=stay)
            return head, stay.had_place


def _of(room: str, answer: str | Callable[[Any, Request], Reply]) -> Callable[[Api, Request], Reply]:
    """The answer of a room's door, which is put together when a call is about it."""

    def answered(api: Api, request: Request) -> Reply:
        door = getattr(api, room)()
        reply: Reply = getattr(door, answer)(request) if isinstance(answer, str) else answer(door, request)
        return reply

    answered.__name__ = answer if isinstance(answer, str) else answer.__name__
    return answered


def _of_conversations(answer: str) -> Callable[[Api, Request], Reply]:
    def answered(api: Api, request: Request) -> Reply:
        from broker.rest import conversations

        reply: Reply = getattr(conversations, answer)(api, request)
        return reply

    answered.__name__ = answer
    return answered


def speak_mcp(api: Api, request: Request) -> Reply:
    """`POST /mcp`; its module is loaded by who speaks it."""
    from broker.rest.mcp import answer_mcp

    return answer_mcp(api, request)


Route = tuple[str, Callable[[Api, Request], Reply]]

ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/jobs"): ("jobs:write", Api.submit),
    ("GET", "/jobs"): ("jobs:read", Api.list),
    ("GET", "/jobs/{id}"): ("jobs:read", Api.get),
    ("DELETE", "/jobs/{id}"): ("jobs:write", Api.delete),
    ("POST", "/jobs/{id}/cancel"): ("jobs:write", Api.cancel),
    ("GET", "/jobs/{id}/events"): ("jobs:read", Api.events),
    ("POST", "/jobs/{id}/redeliver"): ("jobs:write", Api.send_again),
    ("POST", "/jobs/{id}/feedback"): ("jobs:write", Api.give_feedback),
    ("GET", "/prompts"): ("models:read", list_prompts),
    ("POST", "/prompts/{id}/run"): ("jobs:write", Api.run_prompt),
    **{route: (scope, _of_conversations(name)) for route, (scope, name) in CONVERSATION_ROUTES.items()},
    ("POST", "/guardrails/check"): ("jobs:write", Api.check_text),
    ("POST", "/estimates"): ("models:read", Api.tell_estimate),
    **MODEL_ROUTES,
    ("GET", "/limits"): ("usage:read", list_limits),
    ("GET", "/usage"): ("usage:read", list_usage),
    ("POST", "/mcp"): ("jobs:read", speak_mcp),
    **OPENAI_ROUTES,
    **MEDIA_ROUTES,
    **ANTHROPIC_ROUTES,
    **{route: (scope, _of("files", name)) for route, (scope, name) in FILE_ROUTES.items()},
    **{route: (scope, _of("endpoints", name)) for route, (scope, name) in ENDPOINT_ROUTES.items()},
    **{route: (scope, _of("batches", answer)) for route, (scope, answer) in BATCH_ROUTES.items()},
    **{route: (scope, _of("batches", answer)) for route, (scope, answer) in MESSAGE_BATCH_ROUTES.items()},
    **{route: (scope, _of("bulk", answer)) for route, (scope, answer) in BULK_ROUTES.items()},
}
"""By method and resource: the scope that is needed, and the answer."""
