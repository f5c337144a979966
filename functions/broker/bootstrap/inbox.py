"""Builds the door for files of the inbox: what takes them, reads documents, and writes what became of them."""

from functools import cache
from typing import TYPE_CHECKING

from broker.bootstrap import batching
from broker.bootstrap.adapters import (
    applications,
    base_url,
    database,
    jobs,
    models,
    outbox,
    payloads,
    readings,
    setting,
    tell_bus,
    tenants,
)
from broker.bootstrap.doors import accept
from broker.bootstrap.running import count_line

if TYPE_CHECKING:
    from pathlib import Path

    from broker.documents.document import Document
    from broker.inbox.asking import AskForDocument
    from broker.inbox.collecting import Collect
    from broker.inbox.reading import ReadDocument
    from broker.inbox.recipes import ReadForRecipe, TakeDocument
    from broker.inbox.splitting import Split
    from broker.jobs.accepting import Acceptance, Caller
    from broker.jobs.request import JobRequest


@cache
def ask_for_document() -> "AskForDocument":
    """Documents that events ask for."""
    from broker.cloud.clients import client
    from broker.cloud.queues import FilesQueue
    from broker.cloud.row_files import InboxObjects
    from broker.inbox.asking import AskForDocument

    finds = InboxObjects(client("s3"))
    return AskForDocument(finds, FilesQueue(client("sqs"), setting("FILES_QUEUE")), setting("INBOX_BUCKET"))


@cache
def split() -> "Split":
    """The door for files."""
    from broker.cloud.buckets import Inbox
    from broker.cloud.clients import client
    from broker.cloud.queues import FilesQueue
    from broker.inbox.lines import TakeLines
    from broker.inbox.splitting import Split
    from broker.metrics import line_failed

    inbox, later = Inbox(client("s3")), FilesQueue(client("sqs"), setting("FILES_QUEUE"))
    use_cases = tenants().get, _accept_later, count_line(), tell_bus
    take_lines = TakeLines(batching.batches(), batching.batch_workflows(), batching.batch_room())
    known = database(), inbox, outbox(), *use_cases, later, readings(), take_document(), take_lines, line_failed
    return Split(*known, member_of=applications().member)


@cache
def take_document() -> "TakeDocument":
    """Documents that there are recipes for."""
    from broker.batches.documents.recipes import Recipes
    from broker.batches.documents.submitting import SubmitDocument
    from broker.inbox.recipes import TakeDocument
    from broker.routing.windows import window_of

    submit = SubmitDocument(
        batching.batches(), batching.batch_workflows(), lambda name, now: window_of(models().catalog(now), name)
    )
    return TakeDocument(Recipes(database()), readings(), submit, batching.batch_room(), applications().member)


def _accept_later(
    request: "JobRequest", caller: "Caller", now: int, key: str | None, job_id: str | None
) -> "Acceptance":
    """As `accept`, which is built for the first request that comes."""
    return accept()(request, caller, now, key, job_id)


@cache
def read_document() -> "ReadDocument":
    """Reading a document of the inbox."""
    from broker.cloud.buckets import Inbox
    from broker.cloud.clients import client
    from broker.cloud.queues import FilesQueue
    from broker.cloud.readings import TextractOcr
    from broker.documents import sandbox
    from broker.documents.limits import Limits
    from broker.inbox.files import MAX_FILE_BYTES
    from broker.inbox.reading import ReadDocument

    sandbox.hide()
    ocr: sandbox.Ocr = TextractOcr(client("textract")) if setting("DOCUMENT_SCANS") == "on" else sandbox.refuse_scans

    def read(path: "Path", name: str) -> "Document":
        return sandbox.read(path, name, Limits(bytes=MAX_FILE_BYTES), ocr)

    later = FilesQueue(client("sqs"), setting("FILES_QUEUE"))
    return ReadDocument(Inbox(client("s3")), readings(), read, later.again)


@cache
def read_for_recipe() -> "ReadForRecipe":
    """Reading a document for a recipe."""
    from broker.cloud.buckets import Inbox
    from broker.cloud.clients import client
    from broker.cloud.queues import FilesQueue
    from broker.documents import sandbox
    from broker.documents.gathering import MOST_PAGES
    from broker.documents.limits import Limits
    from broker.inbox.files import MAX_FILE_BYTES
    from broker.inbox.recipes import ReadForRecipe

    sandbox.hide()

    def read(path: "Path", name: str, keep: sandbox.Ocr, together: bool) -> "Document":
        return sandbox.read(path, name, Limits(bytes=MAX_FILE_BYTES, gathered=MOST_PAGES if together else 0), keep)

    later = FilesQueue(client("sqs"), setting("FILES_QUEUE"))
    return ReadForRecipe(Inbox(client("s3")), readings(), read, later.again)


@cache
def collect() -> "Collect":
    """The result of a file."""
    from broker.inbox.collecting import Collect

    return Collect(database(), jobs(), payloads(), outbox(), base_url(), tell_bus)
