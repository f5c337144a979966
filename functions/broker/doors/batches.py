"""OpenAI's batches: a body as a batch request, and a batch as its clients know it.

A batch of rows in OpenAI's form names their `endpoint`; both kinds are shown with the same fields. Those of OpenAI's
object are there in each, and of OpenAI's form are also the times.

Source: OpenAI's API reference, "Batches", and the types of its Python package.
"""

from typing import Any

from broker.doors.openai import seconds
from broker.doors.reading import Json


def batch_of(body: Any) -> Any:
    """A body as a batch request: in OpenAI's form null is a field that is not there. The contract checks all else."""
    if not isinstance(body, dict) or body.get("endpoint") is None:
        return body
    return {name: value for name, value in body.items() if value is not None}


def shown(view: Json) -> Json:
    """A batch's view with times in the form of its rows: epoch seconds in OpenAI's, and else as they are."""
    if view["endpoint"] is None:
        return view
    return {name: seconds(value) if name.endswith("_at") else value for name, value in view.items()}


def page_of(rows: list[Json], *, more: bool) -> Json:
    """A page of batches, by which OpenAI's clients go on to the next."""
    ids = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None}
    return {"object": "list", "data": [shown(each) for each in rows], **ids, "has_more": more}
