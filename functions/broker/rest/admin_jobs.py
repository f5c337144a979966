"""The operators' routes of jobs: of all tenants, to look at and to end.

What a job was asked and answered is shown by one route alone, which IAM gives by itself, and each look is kept with the
job, whose tenant sees that it happened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.clock import now_ms, usd
from broker.errors import InvalidRequest, NotFound
from broker.jobs.ending import cancel_job
from broker.jobs.head import JOB_ID, Head
from broker.jobs.pages import page_of_all
from broker.jobs.reading import LINK_FIELDS, READ, answer_fields, timeline, view
from broker.jobs.searching import wanted_of
from broker.jobs.store import REQUEST, Jobs, Linked, Payloads
from broker.registry.versions import Registry
from broker.rest.http import Reply, Request
from broker.tenants.ledger import counts_jobs

MOST_TENANTS = 50
"""Of a list without one that is named: each costs a query."""

INCLUDED = ("route", "queue")

UNSEEN = {"output", *LINK_FIELDS, "urls"}
"""What operators are not shown of a job with its record."""


@dataclass(frozen=True, slots=True)
class OperatorsJobs:
    """The jobs of all tenants."""

    jobs: Jobs
    payloads: Payloads
    registry: Registry

    def list_all_jobs(self, request: Request) -> Reply:
        """`GET /admin/jobs`: newest first, of one tenant or of all."""
        query = request.query
        wanted, named = wanted_of(query), query.get("tenant") or None
        tenants = [named] if named else sorted(self.registry.all("tenants"))
        if len(tenants) > MOST_TENANTS:
            raise InvalidRequest(f"There are more than {MOST_TENANTS} tenants: name one.", param="tenant")
        cursor = query.get("cursor") or None
        found = page_of_all(self.jobs, tenants, limit=request.number("limit", 20), cursor=cursor, wanted=wanted)
        return Reply(200, found)

    def get_any_job(self, request: Request) -> Reply:
        """`GET /admin/jobs/{job_id}`: all that is known of it, but what it was asked and answered."""
        included = request.included(INCLUDED)
        head = self._head(request)
        shown = self._shown(head, whole_route="route" in included)
        if "queue" in included:
            shown["queue"] = self.jobs.standing(head, now_ms())
        return Reply(200, shown)

    def get_any_events(self, request: Request) -> Reply:
        """`GET /admin/jobs/{job_id}/events`: the timeline."""
        head = self._head(request)
        return Reply(200, {"object": "list", "data": timeline(head, self.jobs.notes(head.id))})

    def read_payload(self, request: Request) -> Reply:
        """`GET /admin/jobs/{job_id}/payload`: request and answer as they are kept; who looked is on record first."""
        head, now = self._head(request), now_ms()
        look = f"{READ}{now:013d}#{request.request_id}"  # two may look at one moment
        self.jobs.note(head, look, {"at": now, "by": request.principal or "local"})
        asked = self.payloads.load(head.id, REQUEST)
        output: Any | Linked | None = None
        if head.output is not None:
            item = self.jobs.around(head)[1]
            linked = self.payloads.linked(head.id, head.output, item) if item or head.linked else None
            output = linked or self.payloads.load(head.id, head.output, item)
        return Reply(200, {"object": "payload", "request": asked, **answer_fields(output)})

    def cancel_any_job(self, request: Request) -> Reply:
        """`POST /admin/jobs/{job_id}/cancel`."""
        head = self._head(request)
        return Reply(200, self._shown(cancel_job(self.jobs, head.id, head.tenant, now_ms())))

    def _head(self, request: Request) -> Head:
        job_id = request.path["job_id"]
        head = self.jobs.find(job_id) if JOB_ID.fullmatch(job_id) else None
        if head is None:
            raise NotFound("There is no such job.", param="job_id")
        return head

    def _shown(self, head: Head, *, whole_route: bool = False) -> dict[str, Any]:
        notes = self.jobs.notes(head.id)
        # Whether the answer is still there is not looked at: `erased` then says whether somebody erased it.
        shown = view(head, notes, {} if head.output else None, "", whole_route=whole_route)
        known = {name: value for name, value in shown.items() if name not in UNSEEN}
        # Each budget that is for it holds the whole of its worst case; places among open jobs are no money.
        held = max((amount for bucket, amount in head.holds.items() if not counts_jobs(bucket)), default=0)
        return known | {
            "tenant": head.tenant,
            "principal": head.principal,
            "door": head.door,
            "held_usd": usd(held),
        }


JOB_ROUTES: dict[tuple[str, str], Callable[[OperatorsJobs, Request], Reply]] = {
    ("GET", "/admin/jobs"): OperatorsJobs.list_all_jobs,
    ("GET", "/admin/jobs/{job_id}"): OperatorsJobs.get_any_job,
    ("GET", "/admin/jobs/{job_id}/events"): OperatorsJobs.get_any_events,
    ("GET", "/admin/jobs/{job_id}/payload"): OperatorsJobs.read_payload,
    ("POST", "/admin/jobs/{job_id}/cancel"): OperatorsJobs.cancel_any_job,
}
"""By method and resource."""
