"""The same work once more: the request of an ended job as it was prepared, for a job of its own."""

from typing import Any, NamedTuple

from broker.clock import new_job_id
from broker.jobs.fields import Priority
from broker.jobs.head import Head
from broker.jobs.request import JobRequest, parse_request

PREPARED = ("prompt_used", "postprocess")
"""Of a stored request, what its prompt and its route made of it, and no client can say."""


class Again(NamedTuple):
    """A request, and what stays of how the first was prepared."""

    request: JobRequest
    prepared: dict[str, Any]


def retry_id(head: Head) -> str:
    """The id of an ended job's retry: it follows from the job, so that there is one, however often it is asked for."""
    return new_job_id(head.ended_at or head.created_at, f"retry:{head.id}")


def asked_again(document: dict[str, Any]) -> Again:
    """What to ask, by the stored request of a job; it takes the lane for work that can wait.

    The turns of a conversation that were put before its own are left out: they are recalled anew.

    Raises:
        InvalidRequest: today's rules are against it.
    """
    known = JobRequest.model_fields.keys() - {"prompt"}  # it is filled, and its label may stand for another by now
    body = {name: value for name, value in document.items() if name in known}
    if history := document.get("history"):
        messages = list(body["input"]["messages"])
        own = messages[: history["from"]] + messages[history["to"] :]
        body["input"] = {**body["input"], "messages": own}
    request = parse_request({**body, "priority": Priority.BULK.value})
    return Again(request, {name: document[name] for name in PREPARED if name in document})
