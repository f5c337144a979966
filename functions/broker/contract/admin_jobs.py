"""Jobs as operators see them: of every tenant, with what is on record, and apart from that their payloads."""

from typing import Any, Literal

from broker.contract.common import Count, JobId, Shown, Usd
from broker.contract.operation import Operation, parameter
from broker.contract.operations import INCLUDE, LIST_SIZE, WANTED
from broker.contract.queued import Queued
from broker.contract.replies import (
    Attempt,
    CacheUsed,
    Candidate,
    ContextFitted,
    Delivery,
    Finding,
    JobFacts,
    JobReview,
    PromptUsed,
)
from broker.contract.timeline import Timeline


class AnyJobSummary(JobFacts):
    """A job as it stands in the operators' list."""

    tenant: str
    door: str


class AnyJobList(Shown):
    """A page of jobs, newest first."""

    object: Literal["list"]
    data: list[AnyJobSummary]
    next_cursor: str | None


class AnyJob(AnyJobSummary):
    """A job with all that is known of it, but for what it was asked and answered."""

    attempts: list[Attempt]
    route: list[Candidate]
    guardrails: list[Finding]
    review: JobReview | None
    cache: CacheUsed | None
    delivery: list[Delivery]
    prompt: PromptUsed | None
    context: ContextFitted | None
    conversation_id: str | None
    retry_of: JobId | None
    metadata: dict[str, str]
    queue: Queued | None = None
    erased: bool
    principal: str
    batch_id: str | None
    held_usd: Usd
    """What was held for it when it was accepted: its worst case."""


class Payload(Shown):
    """What a job was asked and answered, as it is kept: placeholders stay in it."""

    object: Literal["payload"]
    request: dict[str, Any] | None
    """Null where it is not kept any more."""
    output: dict[str, Any] | None
    output_url: str | None
    output_bytes: Count | None
    output_media_type: str | None


JOB = parameter("path", "job_id", "The job.", {"type": "string"}, required=True)
TENANT = parameter("query", "tenant", "Only of this tenant; needed where there are more than 50.", {"type": "string"})
CURSOR = parameter("query", "cursor", "`next_cursor` of the page before.", {"type": "string"})

JOB_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/admin/jobs"): Operation(
        "List jobs of all tenants, newest first",
        "admin",
        {200: AnyJobList},
        errors=(400,),
        parameters=(TENANT, *WANTED, LIST_SIZE, CURSOR),
    ),
    ("GET", "/admin/jobs/{job_id}"): Operation(
        "Get any job, without what it was asked and answered",
        "admin",
        {200: AnyJob},
        errors=(400,),
        parameters=(JOB, INCLUDE),
    ),
    ("GET", "/admin/jobs/{job_id}/events"): Operation(
        "Get the timeline of any job", "admin", {200: Timeline}, parameters=(JOB,)
    ),
    ("GET", "/admin/jobs/{job_id}/payload"): Operation(
        "Read what a job was asked and answered; that somebody did is kept with the job",
        "admin",
        {200: Payload},
        parameters=(JOB,),
    ),
    ("POST", "/admin/jobs/{job_id}/cancel"): Operation(
        "Cancel any job", "admin", {200: AnyJob}, errors=(409,), parameters=(JOB,)
    ),
}
"""By method and path, as `rest.admin_jobs.JOB_ROUTES`."""
