"""The routes of `/v1/batches`, one function each, in one table."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from broker.clock import now_ms
from broker.errors import Conflict, InvalidRequest, NotFound
from broker.rest.callers import asking
from broker.rest.http import Reply, Request
from broker.rest.limited import check_size
from broker.rest.tries import asked_once
from broker.rest.waiting import poll_again

if TYPE_CHECKING:
    from broker.batches.asking.estimating import EstimateBatch
    from broker.batches.asking.request import BatchRequest
    from broker.batches.asking.submitting import Submit, Taken
    from broker.batches.batch import Batch
    from broker.batches.flow.stopping import Stops
    from broker.batches.listing import Place
    from broker.batches.store import Batches
    from broker.batches.viewing import ShowBatch

MOST_LISTED = 100

KINDS = ("output", "errors")
"""The two files of results; where they are one, it is both."""


@dataclass(frozen=True, slots=True)
class BatchDoor:
    """The use cases behind the routes."""

    batches: "Batches"
    submit: "Submit"
    estimate: "EstimateBatch"
    stops: "Stops"
    show: Callable[[str], "ShowBatch"]
    """For a base URL."""
    link: Callable[["Batch", str, int], str | None]
    """Where anyone may read a batch's results of a kind for a while; None where there are none of the kind."""
    erase: Callable[["Batch", int], None]
    redeliver: Callable[[str, int], list[str]]
    """Sends a batch's webhooks once more; gives their ids."""

    def submit_batch(self, request: Request) -> Reply:
        """`POST /batches`."""
        self.check_size(request)
        body = _asked(request)
        return self._taken(self.submit(body, asking(request), now_ms(), **self.told(request)), request)

    def retry_batch(self, request: Request) -> Reply:
        """`POST /batches/{id}/retry`: the rows that did not succeed, as a batch of their own."""
        taken = self.submit.again(_id(request), asking(request), now_ms(), **self.told(request))
        return self._taken(taken, request)

    def estimate_batch(self, request: Request) -> Reply:
        """`POST /batches/estimate`: nothing is run, kept or held."""
        return Reply(200, self.estimate(_asked(request), asking(request), now_ms()))

    def list_batches(self, request: Request) -> Reply:
        """`GET /batches`: newest first. With a `status`, a page may be short and still have a `next_cursor`.

        The next page is the one behind that cursor, or behind the batch that `after` names, as OpenAI's clients ask.
        """
        from broker.batches.batch import BatchStatus
        from broker.doors.batches import page_of

        limit, status = request.number("limit", 20), request.query.get("status")
        if status is not None and status not in list(BatchStatus):
            raise InvalidRequest(f"status is one of {', '.join(BatchStatus)}.", param="status")
        if not 1 <= limit <= MOST_LISTED:
            raise InvalidRequest(f"limit is from 1 to {MOST_LISTED}.", param="limit")
        cursor = self._behind(request)
        found, following = self.batches.of_tenant(request.tenant, limit=limit, cursor=cursor)
        meant = [batch for batch in found if status in (None, batch.status.value)]
        rows = self.show(request.base_url).page(meant, now_ms())
        return Reply(200, page_of(rows, more=following is not None) | {"next_cursor": _write_cursor(following)})

    def _behind(self, request: Request) -> "Place | None":
        """Where a page begins."""
        from broker.jobs.head import JOB_ID

        if not (after := request.query.get("after")):
            return _read_cursor(request.query.get("cursor") or None)
        if not JOB_ID.fullmatch(after):
            raise InvalidRequest("after is the id of a batch.", param="after")
        return self.place_of(after, request.tenant)

    def place_of(self, batch_id: str, tenant: str) -> "Place":
        """Where a batch stands in its tenant's list; of an id that none of its batches has, by the id."""
        from broker.batches.listing import Place

        found = self.batches.find(batch_id)
        known = found is not None and found.tenant == tenant
        return Place.of(batch_id, found.created_at) if found and known else Place(batch_id, batch_id)

    def get_batch(self, request: Request) -> Reply:
        """`GET /batches/{id}`: as of now."""
        return self._shown(self._owned(request), request)

    def cancel_batch(self, request: Request) -> Reply:
        """`POST /batches/{id}/cancel`: no more rows begin; what is done is kept."""
        return self._shown(self.stops.cancel(self._owned(request), now_ms()), request)

    def pause_batch(self, request: Request) -> Reply:
        """`POST /batches/{id}/pause`: no more rows begin for now."""
        return self._shown(self.stops.pause(self._owned(request), now_ms()), request)

    def resume_batch(self, request: Request) -> Reply:
        """`POST /batches/{id}/resume`."""
        return self._shown(self.stops.resume(self._owned(request), now_ms()), request)

    def get_results(self, request: Request) -> Reply:
        """`GET /batches/{id}/results`: `307` to where they can be read for a while without any credential."""
        kind = request.query.get("kind", KINDS[0])
        if kind not in KINDS:
            raise InvalidRequest(f"kind is one of {', '.join(KINDS)}.", param="kind")
        batch = self._owned(request)
        if not batch.status.terminal:
            raise Conflict("The batch has not ended.", code="not_ended")
        url = self.link(batch, kind, now_ms())
        if url is None:
            raise NotFound(f"The batch has no {kind}, or they are not kept any more.", code="no_results", param="kind")
        return Reply(307, None, {"location": url})

    def delete_batch(self, request: Request) -> Reply:
        """`DELETE /batches/{id}`: erases what its rows asked and were answered, and its results."""
        batch = self._owned(request)
        if not batch.status.terminal:
            raise Conflict("The batch has not ended; cancel it first.", code="not_ended")
        self.erase(batch, now_ms())
        return Reply(204, None)

    def redeliver_batch(self, request: Request) -> Reply:
        """`POST /batches/{id}/redeliver`."""
        return Reply(202, {"object": "redelivery", "ids": self.redeliver(self._owned(request).id, now_ms())})

    def check_size(self, request: Request) -> None:
        """Hold rows that stand in a body to the bytes that its caller may send, as `limited.check_size` has it."""
        check_size(request, self.submit.tenant_of(request.tenant, now_ms()))

    def told(self, request: Request) -> dict[str, Any]:
        """Which requests are one, as `tries.asked_once` has it."""

        def window_s() -> int:
            return self.submit.tenant_of(request.tenant, now_ms()).repeat_window_seconds

        return asked_once(request, window_s)

    def _taken(self, taken: "Taken", request: Request) -> Reply:
        headers = {"location": f"{request.base_url}/batches/{taken.batch.id}"}
        if taken.repeated:
            headers["idempotent-replayed"] = "true"
        shown = self._shown(taken.batch, request)
        return Reply(200 if taken.batch.status.terminal else 202, shown.body, shown.headers | headers)

    def _shown(self, batch: "Batch", request: Request) -> Reply:
        from broker.doors.batches import shown

        again = {} if batch.status.terminal else poll_again(batch.created_at)
        return Reply(200, shown(self.show(request.base_url)(batch, now_ms())), again)

    def _owned(self, request: Request) -> "Batch":
        return self.batches.get(_id(request), request.tenant)


def _id(request: Request) -> str:
    """The path's, if it can be one.

    Raises:
        NotFound: nothing could have it.
    """
    from broker.jobs.head import JOB_ID

    found = request.path["id"]
    if not JOB_ID.fullmatch(found):
        raise NotFound("There is no such batch.", param="id")
    return found


def _asked(request: Request) -> "BatchRequest":
    """The batch of a body, in our own form or in OpenAI's."""
    from broker.batches.asking.request import parse_batch
    from broker.doors.batches import batch_of

    body = parse_batch(batch_of(request.json()))
    if body.input_file_id is not None:
        request.need("files:read")
    return body


def _write_cursor(place: "Place | None") -> str | None:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode() if place else None


def _read_cursor(cursor: str | None) -> "Place | None":
    if cursor is None:
        return None
    from broker.batches.listing import Place
    from broker.jobs.head import JOB_ID

    try:
        listed, batch_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if not all(isinstance(each, str) and JOB_ID.fullmatch(each) for each in (listed, batch_id)):
            raise ValueError(cursor)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest("The cursor is not one of ours.", param="cursor") from None
    return Place(listed, batch_id)


BATCH_ROUTES: dict[tuple[str, str], tuple[str, Callable[[BatchDoor, Request], Reply]]] = {
    ("POST", "/batches"): ("jobs:write", BatchDoor.submit_batch),
    ("GET", "/batches"): ("jobs:read", BatchDoor.list_batches),
    ("POST", "/batches/estimate"): ("models:read", BatchDoor.estimate_batch),
    ("GET", "/batches/{id}"): ("jobs:read", BatchDoor.get_batch),
    ("DELETE", "/batches/{id}"): ("jobs:write", BatchDoor.delete_batch),
    ("POST", "/batches/{id}/cancel"): ("jobs:write", BatchDoor.cancel_batch),
    ("POST", "/batches/{id}/pause"): ("jobs:write", BatchDoor.pause_batch),
    ("POST", "/batches/{id}/resume"): ("jobs:write", BatchDoor.resume_batch),
    ("POST", "/batches/{id}/retry"): ("jobs:write", BatchDoor.retry_batch),
    ("POST", "/batches/{id}/redeliver"): ("jobs:write", BatchDoor.redeliver_batch),
    ("GET", "/batches/{id}/results"): ("jobs:read", BatchDoor.get_results),
}
"""By method and resource: the scope that is needed, and the answer."""
