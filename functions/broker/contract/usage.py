"""What `GET /usage` tells, and takes."""

from typing import Annotated, Literal

from pydantic import Field

from broker.contract.common import Count, Shown, Usd
from broker.contract.operation import Operation, parameter
from broker.rest.usage import MOST_ROWS, USUAL_ROWS


class UsageRow(Shown):
    """What jobs used that were accepted in one period and have ended, of one value."""

    period: Annotated[str, Field(pattern=r"^\d{4}-\d\d(-\d\d)?$")]
    """A month, or a day, in UTC."""
    value: str
    """Of what `by` says: a model's id, a key's, a user; `-` of jobs that have none."""
    jobs: Count | None
    """Null by model, for a job may ask several."""
    calls: Count
    """Of models."""
    input_tokens: Count
    output_tokens: Count
    cost_usd: Usd
    unknown_usd: Usd
    """The part of `cost_usd` that may or may not have been paid for, and counts at its worst."""


class UsageList(Shown):
    """What the tenant's jobs used, in order of periods and values."""

    object: Literal["list"]
    by: str
    data: list[UsageRow]
    next_cursor: str | None
    """Of the next page; null at the end."""


DAY = {"type": "string", "format": "date"}

USAGE_OPERATION = Operation(
    "What the tenant's jobs used and cost",
    "jobs",
    {200: UsageList},
    errors=(400,),
    parameters=(
        parameter("query", "by", "What its usage is counted by; without it, months by model.", {"type": "string"}),
        parameter("query", "from", "The first day; of its month unless said.", DAY),
        parameter("query", "to", "The last day; today unless said.", DAY),
        parameter(
            *("query", "limit", "Rows on a page."),
            {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS},
        ),
        parameter("query", "cursor", "`next_cursor` of the page before.", {"type": "string"}),
    ),
)
