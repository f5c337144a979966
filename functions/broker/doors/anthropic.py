"""What Anthropic's routes have in common: errors in its words, pages, and fields that several of its objects have.

Source: Anthropic's API reference, "Errors" and "Models", and the types of its Python package.
"""

from datetime import UTC, datetime

from broker.doors.reading import Fields, Json, refuse
from broker.errors import InvalidRequest
from broker.prompt_marks import LONG, MARK, SHORT

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    410: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The type of an error by its status; all others are `api_error`."""

OVERLOADED = 529
"""Anthropic's status of a service that is too busy, for which other dialects have 503."""

USUAL_PAGE, MOST_LISTED = 20, 1000
"""Of models: how many a page has unless it is said, and at most."""


def error_of(status: int, error: Json) -> tuple[int, Json]:
    """Status and body of an error.

    Args:
        status: the broker's own.
        error: what stands under `error` in the broker's form (`schemas/error.json`).
    """
    if (status, error["type"]) == (503, "unavailable"):
        status = OVERLOADED
    aside = ("type", "code", "message", "request_id")
    details = {"error_code": error["code"], **{name: each for name, each in error.items() if name not in aside}}
    said = {"type": KINDS.get(status, "api_error"), "message": error["message"], "details": details}
    return status, {"type": "error", "error": said, "request_id": error.get("request_id")}


def mark_of(fields: Fields) -> Json:
    """The mark of a prompt cache that an object has, as a job's parts have it; empty for none.

    Raises:
        InvalidRequest: it is none.
    """
    given = fields.take(MARK)
    if given is None:
        return {}
    control = Fields(given, fields.place(MARK))
    control.only("type", "ephemeral")
    ttl = control.take("ttl")
    if ttl not in (None, SHORT, LONG):
        refuse(control.place("ttl"), f"only {SHORT} or {LONG} is supported")
    control.end()
    return {MARK: {"type": "ephemeral"} | ({} if ttl is None else {"ttl": ttl})}


LIFECYCLES = {"active": "active", "deprecated": "deprecated", "disabled": "retired"}
"""A model's status in Anthropic's words."""


def model_of(view: Json) -> Json:
    """A model's view in Anthropic's form. What it can do is told in the broker's own form alone."""
    return {
        "id": view["id"],
        "type": "model",
        "display_name": view["id"],
        "created_at": datetime.fromtimestamp(view["created"], UTC).isoformat().replace("+00:00", "Z"),
        "lifecycle": LIFECYCLES[view["status"]],
        "deprecated_at": None,
        "retires_at": view["sunset"] and f"{view['sunset']}T00:00:00Z",
        "line": None,
        "max_input_tokens": view["context_window"],
        "max_tokens": view["max_output_tokens"],
        "capabilities": None,
    }


def model_page(found: list[Json], query: Json) -> Json:
    """A page of models: what stands right after `after_id` or right before `before_id`, `limit` of it at most.

    Args:
        found: the views of all there are.
        query: of the call.

    Raises:
        InvalidRequest: the query makes no sense.
    """
    for name in ("lifecycle", "lifecycle[]"):
        if name in query:
            raise InvalidRequest(f"{name}: it is not supported.", code="unsupported", param=name)
    limit, first, last = _limit(query), 0, len(found)
    ids = [each["id"] for each in found]
    before, after = query.get("before_id"), query.get("after_id")
    if before and after:
        raise InvalidRequest("before_id: it does not go with after_id.", param="before_id")
    if after:
        first = _place(ids, after, "after_id") + 1
    if before:
        last = _place(ids, before, "before_id")
        first = max(0, last - limit)
    last = min(last, first + limit)
    rows = [model_of(each) for each in found[first:last]]
    more = first > 0 if before else last < len(found)
    ends = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None}
    return {"data": rows, "has_more": more, **ends}


def _limit(query: Json) -> int:
    given = str(query.get("limit") or USUAL_PAGE)
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= MOST_LISTED):
        raise InvalidRequest(f"limit is from 1 to {MOST_LISTED}.", param="limit")
    return int(given)


def _place(ids: list[str], wanted: str, name: str) -> int:
    if wanted not in ids:
        raise InvalidRequest(f"{name}: there is no such entry.", param=name)
    return ids.index(wanted)
