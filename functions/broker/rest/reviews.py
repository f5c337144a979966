"""The operators' routes of reviews and feedback; `rest.admin` lets in who may call them.

A page or a text that is given out is what models and clients saw: placeholders stay in it, and nothing of it is logged.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from broker.clock import iso, now_ms
from broker.errors import InvalidRequest
from broker.guardrails.policy import Stage
from broker.jobs.reading import finding
from broker.jobs.store import Jobs, Payloads
from broker.rest.http import Reply, Request
from broker.reviews import feedback
from broker.reviews.bodies import parse_claim, parse_decision
from broker.reviews.deciding import Decide, Reviewer, audit_of
from broker.reviews.pictures import Link, pictures_of
from broker.reviews.queue import Wanted, listed
from broker.reviews.record import STATES, shown
from broker.reviews.texts import MOST_BYTES, beginning, seen_at, to_judge
from broker.reviews.texts import listed as listed_texts
from broker.storage import Database

MOST_LISTED = 100
LONGEST_TENANT = 63
MOST_ROWS = 20
"""Of one page; each may be a long text."""
MOST_ROW_BYTES = MOST_BYTES // MOST_ROWS
"""Of each text, so that no tenant's long texts keep operators from a page."""


@dataclass(frozen=True, slots=True)
class Reviews:
    """Held jobs and feedback, as operators see them."""

    database: Database
    jobs: Jobs
    payloads: Payloads
    decide: Decide
    link: Link
    """Gives a link to a picture that a request names."""

    def list_reviews(self, request: Request) -> Reply:
        """`GET /admin/reviews`: what is held, the longest first; with another `state`, what was, the newest first."""
        query = request.query
        state, stage = query.get("state", STATES[0]), query.get("stage")
        if state not in STATES:
            raise InvalidRequest(f"state is one of {', '.join(STATES)}.", param="state")
        if stage is not None and stage not in get_args(Stage):
            raise InvalidRequest(f"stage is one of {', '.join(get_args(Stage))}.", param="stage")
        wanted = Wanted(state, _tenant(request), stage, _limit(request, MOST_LISTED))  # type: ignore[arg-type]
        return Reply(200, listed(self.database, wanted, query.get("cursor") or None, now_ms()))

    def get_review(self, request: Request) -> Reply:
        """`GET /admin/reviews/{job_id}`: a job's last review, with what was found, the texts, and who did what."""
        now = now_ms()
        head, record = self.decide.find(request.path["job_id"])
        notes = self.jobs.notes(head.id)
        output = head.review.get("output")
        asked = seen_at(self.payloads, head, "input", None)
        answered = seen_at(self.payloads, head, "output", output) if output else None
        found = [each for name, note in sorted(notes.items()) if name.startswith("GUARD#") for each in note["findings"]]
        seen = to_judge([*(asked or ()), *(answered or ())])
        texts, complete = listed_texts(seen, {each["place"] for each in found})
        trail = [
            {name: note.get(name) for name in ("what", "stage", "by", "reviewer", "reason")} | {"at": iso(note["at"])}
            for note in audit_of(notes)
        ]
        more = {
            "findings": [finding(each) for each in found],
            "texts": texts,
            "complete": complete,
            "pictures": pictures_of(self.payloads, head, output, self.link),
            "gone": asked is None,
            "audit": trail,
        }
        return Reply(200, shown(record, now) | more)

    def claim_review(self, request: Request) -> Reply:
        """`POST /admin/reviews/{job_id}/claim`: keep it to oneself for a quarter of an hour."""
        now, body = now_ms(), parse_claim(request.json() if request.body else {})
        who = Reviewer(_by(request), body.reviewer)
        return Reply(200, shown(self.decide.claim(request.path["job_id"], who, now), now))

    def release_job(self, request: Request) -> Reply:
        """`POST /admin/reviews/{job_id}/release`: let the job go on."""
        return self._decided(request, self.decide.release)

    def reject_job(self, request: Request) -> Reply:
        """`POST /admin/reviews/{job_id}/reject`: end the job as blocked."""
        return self._decided(request, self.decide.reject)

    def _decided(self, request: Request, decide: Callable[..., dict[str, Any]]) -> Reply:
        now, body = now_ms(), parse_decision(request.json())
        who = Reviewer(_by(request), body.reviewer)
        return Reply(200, shown(decide(request.path["job_id"], body.stage, who, body.reason, now), now))

    def list_feedback(self, request: Request) -> Reply:
        """`GET /admin/feedback`: what was said of findings, the newest first."""
        notes, following = self._feedback(request, MOST_LISTED)
        data = [feedback.shown(note) | {"tenant": note["of"]} for note in notes]
        return Reply(200, {"object": "list", "data": data, "next_cursor": following})

    def list_rows(self, request: Request) -> Reply:
        """`GET /admin/feedback/rows`: the same as labelled rows with their texts, and the jobs whose texts are gone."""
        notes, following = self._feedback(request, MOST_ROWS)
        rows = [(feedback.shown(note)["job_id"], feedback.row(self.jobs, self.payloads, note)) for note in notes]
        data = [row | {"text": beginning(row["text"], MOST_ROW_BYTES)} for _, row in rows if row]
        gone = [job_id for job_id, row in rows if row is None]
        return Reply(200, {"object": "list", "data": data, "gone": gone, "next_cursor": following})

    def _feedback(self, request: Request, most: int) -> tuple[list[dict[str, Any]], str | None]:
        query = request.query
        limit, cursor = _limit(request, most), query.get("cursor") or None
        return feedback.found(self.database, tenant=_tenant(request), limit=limit, cursor=cursor)


def _by(request: Request) -> str:
    return request.principal or "local"


def _tenant(request: Request) -> str | None:
    tenant = request.query.get("tenant") or None
    if tenant is not None and len(tenant) > LONGEST_TENANT:  # no key of the table's is that long
        raise InvalidRequest(f"tenant has {LONGEST_TENANT} characters at most.", param="tenant")
    return tenant


def _limit(request: Request, most: int) -> int:
    limit = request.number("limit", min(20, most))
    if not 1 <= limit <= most:
        raise InvalidRequest(f"limit is from 1 to {most}.", param="limit")
    return limit


REVIEW_ROUTES: dict[tuple[str, str], Callable[[Reviews, Request], Reply]] = {
    ("GET", "/admin/reviews"): Reviews.list_reviews,
    ("GET", "/admin/reviews/{job_id}"): Reviews.get_review,
    ("POST", "/admin/reviews/{job_id}/claim"): Reviews.claim_review,
    ("POST", "/admin/reviews/{job_id}/release"): Reviews.release_job,
    ("POST", "/admin/reviews/{job_id}/reject"): Reviews.reject_job,
    ("GET", "/admin/feedback"): Reviews.list_feedback,
    ("GET", "/admin/feedback/rows"): Reviews.list_rows,
}
"""By method and resource."""
