"""What stands in the files of the outbox."""

from typing import Annotated

from pydantic import Field, RootModel

from broker.contract.common import Shown
from broker.contract.events import RejectionFacts
from broker.contract.replies import Job

Line = Annotated[int, Field(ge=1)]
CustomId = Annotated[
    str | None, Field(description="What the line called itself, if it did (`custom_id`), to find its result by.")
]


class LineJob(Shown):
    """A line that became a job."""

    line: Line
    """Its number in the file, from 1; empty lines count, but have no result."""
    custom_id: CustomId
    job: Job


class LineError(Shown):
    """A line that did not become a job, or whose job is not kept any more."""

    line: Line
    custom_id: CustomId
    """Null also where the line could not be read, or its job is not kept any more."""
    error: RejectionFacts


class BatchLine(RootModel[LineJob | LineError]):
    """One line of a batch's result."""
