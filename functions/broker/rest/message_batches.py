"""The routes of Anthropic's batches of messages, over the use cases of all batches."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from broker.clock import now_ms
from broker.errors import Conflict, InvalidRequest, KeyReused, NotCancelable, NotFound
from broker.rest.callers import asking
from broker.rest.http import Reply, Request

if TYPE_CHECKING:
    from broker.batches.batch import Batch
    from broker.rest.batches import BatchDoor

MOST_LISTED = 100
MOST_ASKED = 1_000
"""Batches on a page, which clients may ask for; no more than `MOST_LISTED` are given."""

MOST_LOOKS = 10
"""Pages of a tenant's batches that are looked through for those of messages, which stand among all others."""


def create_message_batch(door: "BatchDoor", request: Request) -> Reply:
    """`POST /messages/batches`.

    Raises:
        KeyReused: the call is a repeat, and what it made was deleted since.
    """
    from broker.batches.asking.request import parse_batch
    from broker.batches.batch import MESSAGES
    from broker.doors.message_batches import batch_of

    door.check_size(request)
    body = parse_batch(batch_of(request.json()))
    told = door.told(request)
    taken = door.submit(body, asking(request), now_ms(), {MESSAGES: len(body.inline or ())}, **told)
    if MESSAGES not in taken.batch.asked:
        raise KeyReused("This request made a batch that was deleted since.", param="Idempotency-Key")
    headers = {"idempotent-replayed": "true"} if taken.repeated else {}
    return Reply(200, _shown(door, taken.batch, request), headers)


def list_message_batches(door: "BatchDoor", request: Request) -> Reply:
    """`GET /messages/batches`: newest first, those behind `after_id`; who has many others may get a short page."""
    from broker.batches.batch import MESSAGES
    from broker.doors.message_batches import batch_id_of, public_id, shown
    from broker.jobs.head import JOB_ID

    limit, after = request.number("limit", 20), request.query.get("after_id")
    if not 1 <= limit <= MOST_ASKED:
        raise InvalidRequest(f"limit is from 1 to {MOST_ASKED}.", param="limit")
    if request.query.get("before_id"):
        raise InvalidRequest("before_id: it is not supported.", code="unsupported", param="before_id")
    if after and not JOB_ID.fullmatch(batch_id_of(after)):
        raise InvalidRequest("after_id is the id of a batch.", param="after_id")
    place = door.place_of(batch_id_of(after), request.tenant) if after else None
    limit = min(limit, MOST_LISTED)
    rows: list[Batch] = []
    for _ in range(MOST_LOOKS):
        found, place = door.batches.of_tenant(request.tenant, limit=limit + 1, cursor=place)
        rows += [batch for batch in found if MESSAGES in batch.asked]
        if place is None or len(rows) > limit:
            break
    page, more = rows[:limit], len(rows) > limit or place is not None
    views = door.show(request.base_url).page(page, now_ms())
    data = [shown(view, batch.asked[MESSAGES], request.base_url) for batch, view in zip(page, views, strict=True)]
    last = page[-1].id if page else place.batch_id if place else None
    ends = {"first_id": data[0]["id"] if data else None, "last_id": last and public_id(last)}
    return Reply(200, {"data": data, "has_more": more, **ends})


def get_message_batch(door: "BatchDoor", request: Request) -> Reply:
    """`GET /messages/batches/{id}`: as of now."""
    return Reply(200, _shown(door, _owned(door, request), request))


def cancel_message_batch(door: "BatchDoor", request: Request) -> Reply:
    """`POST /messages/batches/{id}/cancel`: no more requests begin; one that has ended is told as it stands."""
    batch = _owned(door, request)
    try:
        batch = door.stops.cancel(batch, now_ms())
    except NotCancelable:
        batch = _owned(door, request)
    return Reply(200, _shown(door, batch, request))


def delete_message_batch(door: "BatchDoor", request: Request) -> Reply:
    """`DELETE /messages/batches/{id}`: erases one that has ended, with its results."""
    door.erase(_ended(door, request), now_ms())
    return Reply(200, {"id": request.path["id"], "type": "message_batch_deleted"})


def get_message_results(door: "BatchDoor", request: Request) -> Reply:
    """`GET /messages/batches/{id}/results`: `307` to where they can be read for a while without any credential."""
    url = door.link(_ended(door, request), "output", now_ms())
    if url is None:
        raise NotFound("The batch has no results, or they are not kept any more.", code="no_results", param="id")
    return Reply(307, None, {"location": url})


def _shown(door: "BatchDoor", batch: "Batch", request: Request) -> dict[str, Any]:
    from broker.batches.batch import MESSAGES
    from broker.doors.message_batches import shown

    return shown(door.show(request.base_url)(batch, now_ms()), batch.asked[MESSAGES], request.base_url)


def _owned(door: "BatchDoor", request: Request) -> "Batch":
    """The tenant's batch of messages.

    Raises:
        NotFound: there is none of this id, or it was erased, or came by another door, or is another tenant's.
    """
    from broker.batches.batch import MESSAGES
    from broker.doors.message_batches import batch_id_of
    from broker.jobs.head import JOB_ID

    known = batch_id_of(request.path["id"])
    if not JOB_ID.fullmatch(known):
        raise NotFound("There is no such batch.", param="id")
    batch = door.batches.get(known, request.tenant)
    if MESSAGES not in batch.asked:
        raise NotFound("There is no such batch.", param="id")
    return batch


def _ended(door: "BatchDoor", request: Request) -> "Batch":
    batch = _owned(door, request)
    if not batch.status.terminal:
        raise Conflict("The batch has not ended.", code="not_ended")
    return batch


MESSAGE_BATCH_ROUTES: dict[tuple[str, str], tuple[str, Callable[["BatchDoor", Request], Reply]]] = {
    ("POST", "/messages/batches"): ("jobs:write", create_message_batch),
    ("GET", "/messages/batches"): ("jobs:read", list_message_batches),
    ("GET", "/messages/batches/{id}"): ("jobs:read", get_message_batch),
    ("DELETE", "/messages/batches/{id}"): ("jobs:write", delete_message_batch),
    ("POST", "/messages/batches/{id}/cancel"): ("jobs:write", cancel_message_batch),
    ("GET", "/messages/batches/{id}/results"): ("jobs:read", get_message_results),
}
"""By method and resource: the scope that is needed, and the answer."""
