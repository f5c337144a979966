"""What stands in the files of the outbox."""

from typing import Annotated

from pydantic import Field, RootModel

from broker.contract.base import Shown
from broker.contract.events import RejectionFacts
from broker.contract.replies import Job

Line = Annotated[int, Field(ge=1)]


class LineJob(Shown):
    """A line that became a job."""

    line: Line
    """Its number in the file, from 1; empty lines count, but have no result."""
    job: Job


class LineError(Shown):
    """A line that did not become a job, or whose job is not kept any more."""

    line: Line
    error: RejectionFacts


class BatchLine(RootModel[LineJob | LineError]):
    """One line of a batch's result."""
