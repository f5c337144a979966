"""Whether a tenant's budget covers all pictures of a document, before the first of them is read.

Each PDF of pages, or picture, is a job, which is held for by itself. Where money ran out among them, those before would
be paid for and the document could not be answered all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

from broker.batches.batch import Batch
from broker.batches.documents.pages import KNOWN, SCANS, address
from broker.batches.rows.capping import Worst
from broker.clock import NANO
from broker.documents.planning import with_file
from broker.documents.steps import Request, Stage
from broker.errors import BrokerError, BudgetExceeded
from broker.jobs.request import parse_request


@dataclass(frozen=True, slots=True)
class Covering:
    """Looks at a stage before it begins; nothing is held by that."""

    worst: Worst
    check: Callable[[str, int, int], object]
    """Raises `BudgetExceeded` where a tenant's budget does not cover so many nano-dollars now."""

    def __call__(self, batch: Batch, stage: Stage, now: int) -> dict[str, str] | None:
        """Why it is not begun; None where it may be, or where what is wrong is said by its jobs."""
        read = [request for request in stage.requests if request.body.get("task") == "extract_text"]
        if stage.name != SCANS or len(read) < 2:
            return None
        try:
            most = sum(self._worst(batch, request, now) for request in read)
            self.check(batch.tenant, most, now)
        except BudgetExceeded as error:
            message = f"Its pictures may cost {most / NANO:.2f} dollars at most. {error.message}"
            return {"type": error.type, "code": "document_not_covered", "message": message}
        except BrokerError:
            return None
        return None

    def _worst(self, batch: Batch, request: Request, now: int) -> int:
        asked = with_file(request, address(batch, request.gathered or 0))  # a picture costs what a PDF of one page does
        return self.worst(parse_request(dict(asked.body)), batch, now, {KNOWN: len(request.pages)})
