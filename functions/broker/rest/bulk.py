"""The routes of `/v1/jobs/bulk`, one function each, in one table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from broker.clock import now_ms
from broker.errors import NotFound
from broker.jobs.head import JOB_ID
from broker.rest.callers import asking
from broker.rest.http import Reply, Request

if TYPE_CHECKING:
    from broker.bulk.asking import AskForBulk
    from broker.bulk.record import Bulks


@dataclass(frozen=True, slots=True)
class BulkDoor:
    """The use cases behind the routes."""

    bulks: "Bulks"
    ask: "AskForBulk"

    def submit_bulk(self, request: Request) -> Reply:
        """`POST /jobs/bulk`: something that is done to all jobs that a filter finds."""
        from broker.bulk.request import parse_bulk

        body = parse_bulk(request.json())
        taken = self.ask(body, asking(request), now_ms(), request.idempotency_key)
        headers = {"location": f"{request.base_url}/jobs/bulk/{taken.made.id}"}
        if taken.repeated:
            headers["idempotent-replayed"] = "true"
        return Reply(202 if taken.made.ended_at is None else 200, taken.made.shown, headers)

    def get_bulk(self, request: Request) -> Reply:
        """`GET /jobs/bulk/{id}`: how far it has come."""
        found = request.path["id"]
        if not JOB_ID.fullmatch(found):
            raise NotFound("There is no such bulk operation.", param="id")
        return Reply(200, self.bulks.get(found, request.tenant).shown)


BULK_ROUTES: dict[tuple[str, str], tuple[str, Callable[[BulkDoor, Request], Reply]]] = {
    ("POST", "/jobs/bulk"): ("jobs:write", BulkDoor.submit_bulk),
    ("GET", "/jobs/bulk/{id}"): ("jobs:read", BulkDoor.get_bulk),
}
"""By method and resource: the scope that is needed, and the answer."""
