"""Gives jobs the PDFs of pages that they have read, before they are jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from broker.batches.batch import Batch
from broker.batches.documents.children import Child
from broker.batches.shard import ROWS, row_job_id
from broker.documents.reading import Reading

SCANS = "scans"
"""The stage of these jobs (`documents.planning`)."""

KNOWN = "pages"
"""What is told beside a row (`rows.sources.Content.known`): how many pages its file has."""

KEPT_S = 86_400
"""Beyond the time of its document, a PDF of pages is kept for as long."""


class Owner(NamedTuple):
    """A job that is to be, as far as what is kept for it needs to know (`jobs.store.NoteOwner`)."""

    id: str
    payloads_until: int
    expires_at: int


Pin = Callable[[Owner, str, bytes], None]
"""Keeps a PDF for a job, which then finds it at that address, whatever lies there; again overwrites."""


class LoadsPages(Protocol):
    """Where the PDFs are until then."""

    def load_pages(self, batch_id: str, number: int) -> bytes:
        """A PDF of pages that are pictures.

        Raises:
            NotFound: it is not there.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pages:
    """The PDFs of a document."""

    readings: LoadsPages
    pin: Pin

    def give(self, batch: Batch, number: int, row: int) -> str:
        """Keep one for the job of a row; gives the address at which it finds that.

        It is where the tenant's files are, under a name that is the document's own. May be repeated.

        Raises:
            NotFound: the PDF is gone.
        """
        self.pin(_owner(batch, row), address(batch, number), self.readings.load_pages(batch.id, number))
        return address(batch, number)

    def take_back(self, batch: Batch, reading: Reading, children: Sequence[Child]) -> None:
        """Leave nothing of those whose rows became no jobs: nobody could erase it. May be repeated."""
        if SCANS not in batch.stages:
            return
        first = int(batch.stages[SCANS]["shard"]) * ROWS
        for child, (_, number) in zip(children, reading.portions(), strict=False):
            if number is not None and child.job_id is None:
                self.pin(_owner(batch, first + child.part - 1), address(batch, number), b"")


def address(batch: Batch, number: int) -> str:
    """At which the job of a PDF finds it."""
    return f"s3://{batch.source['bucket']}/{batch.tenant}/media/{batch.id}/pages-{number}.pdf"


def _owner(batch: Batch, row: int) -> Owner:
    until = batch.ends_at // 1000 + KEPT_S
    return Owner(row_job_id(batch.id, batch.created_at, row), until, until)
