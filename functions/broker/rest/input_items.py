"""The input of a response as a list of items."""

from typing import Any

from broker.clock import now_ms
from broker.context.chains import Chains, own_messages
from broker.doors.item_lists import items_of, page_of
from broker.errors import InvalidRequest, NotFound
from broker.guardrails.placeholders import restored
from broker.jobs.head import Head
from broker.jobs.store import REDACTED, REQUEST, Jobs, Payloads
from broker.rest.http import Request

INCLUDED = "message.input_image.image_url"
"""What is there in any case."""


def listed(jobs: Jobs, payloads: Payloads, head: Head, request: Request) -> dict[str, Any]:
    """A page of the items that the model was given, but for instructions; as this caller may see them.

    Raises:
        InvalidRequest: names the field of the query at fault.
        NotFound: the input is not kept any more.
    """
    query = request.query
    for name in ("include", "include[]"):
        if query.get(name) not in (None, "", INCLUDED):
            raise InvalidRequest("include: it is not supported", code="unsupported", param="include")
    asked = payloads.load(head.id, REQUEST)
    if asked is None:
        raise NotFound("The input is not kept any more.", code="erased", param="id")
    redacted = payloads.load(head.id, REDACTED) or {}
    seen = redacted.get("request", asked)
    items = [
        item
        for part in Chains(jobs, payloads).before(seen, now_ms())
        for item in items_of(part.job, part.messages, answered=True)
    ]
    items += items_of(head.id, own_messages(seen), answered=False)
    if request.may_see_values():
        items = restored(items, {**seen.get("history", {}).get("mapping", {}), **redacted.get("mapping", {})})
    limit, order = request.number("limit", 20), query.get("order") or "desc"
    return page_of(items, limit=limit, after=query.get("after"), order=order)
