"""What clients may ask of many jobs at once, and what they are shown of it."""

from typing import Annotated, Literal

from pydantic import Field

from broker.bulk.request import Action, BulkRequest, Tag
from broker.contract.common import Count, Shown, Time, Usd
from broker.contract.operation import Operation, parameter
from broker.jobs.head import Status

EXAMPLE_BULK = "bulk_019a0b1c2d3e7f4a8b9c0d1e2f3a4b5c"


class BulkFilter(Shown):
    """Which jobs are meant."""

    status: list[Status]
    batch: str | None
    tag: Tag | None
    created_after: Time | None
    created_before: Time
    """Unless it is said, when the bulk was asked for: no job is meant that came later."""


class BulkCounts(Shown):
    """Jobs so far, by what came of them."""

    matched: Count
    """All of them."""
    done: Count
    """Canceled, or run again by a job of their own; in a dry run, those of which that is to be expected."""
    repeated: Count
    """A retry of them was there already."""
    gone: Count
    """Their requests are not kept any more (`ttl_seconds`), or were erased."""
    refused: Count
    """The rules are against it: no budget, a model that is gone, or it had ended meanwhile."""
    faulty: Count
    """They could not be taken, and the fault is ours."""


class Bulk(Shown):
    """Something that is done to all jobs that a filter finds."""

    id: Annotated[str, Field(pattern="^bulk_[0-9a-f]{32}$", json_schema_extra={"examples": [EXAMPLE_BULK]})]
    object: Literal["bulk"]
    action: Action
    dry_run: bool
    filter: BulkFilter
    status: Literal["in_progress", "completed"]
    created_at: Time
    ended_at: Time | None
    counts: BulkCounts
    by_status: dict[str, Count]
    """The same jobs by the status that they had."""
    errors: dict[str, Count]
    """Those that were refused or faulty, by the code of the error."""
    worst_cost_usd: Usd | None
    """Of a retry's dry run, what all of it can cost at most."""


BULK_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/jobs/bulk"): Operation(
        "Cancel, or run again, all jobs that a filter finds",
        "jobs",
        {200: Bulk, 202: Bulk},
        errors=(400, 409, 413, 422),
        parameters=(
            parameter(
                "header",
                "Idempotency-Key",
                "The same key with the same body gives the same bulk operation, for a day.",
                {"type": "string", "minLength": 1, "maxLength": 255},
            ),
        ),
        body=BulkRequest,
        headers=("Location", "Idempotent-Replayed"),
    ),
    ("GET", "/jobs/bulk/{id}"): Operation(
        "Get a bulk operation, as far as it has come",
        "jobs",
        {200: Bulk},
        errors=(404,),
        parameters=(
            parameter("path", "id", "The bulk operation.", {"type": "string"}, required=True, example=EXAMPLE_BULK),
        ),
    ),
}
"""By method and path, as `rest.bulk.BULK_ROUTES`."""
