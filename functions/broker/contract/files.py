"""What stands in the files of the outbox."""

from typing import Annotated, Any

from pydantic import Field, RootModel

from broker.contract.common import TYPES, JobId, OneOf, Shown
from broker.contract.events import RejectionFacts
from broker.contract.replies import Job

Line = Annotated[
    int | None,
    Field(
        ge=1,
        description="Its number in the file, from 1; empty lines count, but have no result. "
        "Null where the file was gone when its results were put together.",
    ),
]
DuplicateOf = Annotated[
    int | None,
    Field(
        ge=1,
        description="Of a row that took the answer of an earlier one which asked the same (`dedupe`), and cost "
        "nothing: the line of that. The job is the earlier one's.",
    ),
]
CustomId = Annotated[
    str | None, Field(description="What the line called itself, if it did (`custom_id`), to find its result by.")
]


class LineJob(Shown):
    """A line that became a job."""

    line: Line
    custom_id: CustomId
    duplicate_of: DuplicateOf = None
    job: Job


class LineFacts(RejectionFacts):
    """Why a line did not become a job: what is wrong with it, or why its batch stopped before."""

    type: Annotated[str, OneOf((*TYPES, "canceled", "expired"))]


class LineError(Shown):
    """A line that did not become a job, or whose job is not kept any more."""

    line: Line
    custom_id: CustomId
    """Null also where the line could not be read, or its job is not kept any more."""
    duplicate_of: DuplicateOf = None
    error: LineFacts


class BatchLine(RootModel[LineJob | LineError]):
    """One line of a batch's result."""


class RowResponse(Shown):
    """What the route of a row answers."""

    status_code: Annotated[int, Field(ge=200, le=599)]
    request_id: JobId
    """The job."""
    body: dict[str, Any]
    """The answer, or where there is none `error` as the route tells it."""


class RowError(Shown):
    """Why a row became no job, or that its job is not kept any more."""

    code: str
    message: str
    param: str | None
    """The field as it stands in the row."""
    line: Line


class OpenAiBatchLine(Shown):
    """One line of the results of a batch with an `endpoint`: either `response` or `error` is not null."""

    id: Annotated[str, Field(pattern="^batch_req_[0-9a-f]{32}$")]
    custom_id: CustomId
    response: RowResponse | None
    error: RowError | None
    duplicate_of: DuplicateOf = None
