"""Anthropic's batches of messages: a body as a batch request, a batch as a `message_batch`, and lines of its results.

    {"custom_id", "params"}      ──►      {"custom_id", "result"}

Its rows are kept in the form of `doors.rows`, as requests to the route of messages.

Source: Anthropic's API reference, "Message Batches", and the types of its Python package.
"""

import json
import re
from typing import Any

from broker.doors.anthropic import error_of
from broker.doors.messages import message_of
from broker.doors.openai import STATUSES, failure_of
from broker.doors.reading import Fields, Json, entries, refuse
from broker.doors.rows import BODY

PREFIX = "msgbatch_"

ENDPOINT = "/v1/messages"

STATUSES_OF = {
    "cancelling": "canceling",
    **dict.fromkeys(("completed", "failed", "expired", "cancelled"), "ended"),
}
"""How a batch stands in Anthropic's words; all else is `in_progress`."""

ENDS = ("completed_at", "failed_at", "expired_at", "cancelled_at")

NAME = re.compile("[a-zA-Z0-9_-]{1,64}")


def batch_of(body: Any) -> Json:
    """A body as a batch request.

    Raises:
        InvalidRequest: it has something that no batch has, by its place; what requests ask is looked at row by row.
    """
    fields = Fields(body)
    rows: list[Json] = []
    seen: set[str] = set()
    for place, given in entries(fields.need("requests"), "requests"):
        request = Fields(given, place)
        name, params = request.need("custom_id"), request.need("params")
        request.end()
        if not isinstance(name, str) or not NAME.fullmatch(name):
            refuse(f"{place}.custom_id", "it has 1 to 64 characters: letters, digits, '_' and '-'", "invalid_field")
        if name in seen:
            refuse(f"{place}.custom_id", "an earlier request has the same", "duplicate_custom_id")
        seen.add(name)
        rows.append({"custom_id": name, "method": "POST", "url": ENDPOINT, BODY: params})
    fields.end()
    return {"endpoint": ENDPOINT, "requests": rows}


def public_id(batch_id: str) -> str:
    """A batch's id in Anthropic's words."""
    return f"{PREFIX}{batch_id.removeprefix('batch_')}"


def batch_id_of(given: str) -> str:
    """The batch of such an id; a text that is no id of a batch where it is none."""
    return f"batch_{given.removeprefix(PREFIX)}" if given.startswith(PREFIX) else ""


def shown(view: Json, requests: int, base_url: str) -> Json:
    """A batch's view, and how many requests it came with, as a `message_batch`."""
    known = public_id(view["id"])
    status = STATUSES_OF.get(view["status"], "in_progress")
    has_results = status == "ended" and view["output_file_id"]
    return {
        "id": known,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": _counts(view, requests, ended=status == "ended"),
        "created_at": view["created_at"],
        "expires_at": view["expires_at"],
        "cancel_initiated_at": view["cancelling_at"],
        "ended_at": next((view[name] for name in ENDS if view[name]), None),
        "archived_at": None,
        "results_url": f"{base_url}/messages/batches/{known}/results" if has_results else None,
    }


def _counts(view: Json, requests: int, *, ended: bool) -> Json:
    """Requests by how they ended; all are processed until the last has, as Anthropic has it."""
    total = view["request_counts"]["total"] or requests
    told = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    if not ended:
        return told | {"processing": total}
    counts, stop = view["counts"], view["stop_reason"]
    told |= {name: counts[name] for name in ("succeeded", "canceled", "expired")}
    unbegun = total if not view["request_counts"]["total"] else counts["passed_over"]
    if stop in ("cancelled", "expired"):
        told["canceled" if stop == "cancelled" else "expired"] += unbegun
    return told | {"errored": total - sum(told.values())}


def ended_line(custom_id: str | None, view: Json) -> bytes:
    """The line of a request whose job has ended, by its view."""
    if view["output"] is not None:
        return _line(custom_id, {"type": "succeeded", "message": message_of(view)})
    if view["status"] in ("canceled", "expired"):
        return _line(custom_id, {"type": view["status"]})
    status, error = failure_of(view)
    return _line(custom_id, _errored(status, error | {"request_id": view["id"]}))


def failed_line(custom_id: str | None, job_id: str, error: Json) -> bytes:
    """The line of a request that became no job, or whose job is gone; by why, and by the id that it would have had."""
    if error["type"] in ("canceled", "expired"):
        return _line(custom_id, {"type": error["type"]})
    if error["code"] == "job_gone":
        return _line(custom_id, {"type": "expired"})
    told = {"type": error["type"], "code": error["code"], "message": _named(error["message"]), "request_id": job_id}
    param = error.get("param")
    return _line(custom_id, _errored(STATUSES.get(error["type"], 500), told | {"param": param and _named(param)}))


def _named(text: str) -> str:
    """A place in a row, or a text that begins with one, as the client wrote it."""
    return f"params{text.removeprefix(BODY)}" if text.startswith(f"{BODY}.") else text


def _errored(status: int, error: Json) -> Json:
    return {"type": "errored", "error": error_of(status, error)[1]}


def _line(custom_id: str | None, result: Json) -> bytes:
    told = {"custom_id": custom_id, "result": result}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
