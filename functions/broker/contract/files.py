"""What stands in the files of the outbox."""

from typing import Annotated

from pydantic import Field, RootModel

from broker.contract.common import TYPES, OneOf, Shown
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
