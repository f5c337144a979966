"""Builds what the doors need: accepting by REST, events and files, and the operators' routes."""

from functools import cache
from typing import TYPE_CHECKING, Any

from broker.bootstrap.adapters import (
    answers,
    base_url,
    bus,
    circuits,
    conversations,
    database,
    files,
    is_local,
    job_queue,
    jobs,
    media,
    models,
    outbox,
    payloads,
    policies,
    prompt_texts,
    readings,
    setting,
    tenants,
)
from broker.bootstrap.running import count_line, deliver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from broker.documents.document import Document
    from broker.inbox.asking import AskForDocument
    from broker.inbox.collecting import Collect
    from broker.inbox.reading import ReadDocument
    from broker.inbox.recipes import ReadForRecipe, TakeDocument
    from broker.inbox.splitting import Split
    from broker.jobs.accepting import Accept, Acceptance, Caller
    from broker.jobs.event_consumer import EventConsumer
    from broker.jobs.request import JobRequest
    from broker.jobs.trial import Trial
    from broker.rest.admin import Admin
    from broker.rest.api import Api
    from broker.rest.batches import BatchDoor
    from broker.rest.bulk import BulkDoor
    from broker.rest.files import FileDoor
    from broker.steps.estimating import EstimateJob
    from broker.steps.preparing import Prepare
    from broker.tenants.budgets import Budgets
    from broker.tenants.identity import Identity


QUIET_DOORS: dict[str, tuple[str, ...]] = {"always": (), "on_request": ("rest", "openai")}
"""Whose jobs the bus hears of only where their requests ask for it, by the template's `RestJobEvents`."""


@cache
def budgets() -> "Budgets":
    """What this process knows of tenants' budgets."""
    from broker.tenants.budgets import Budgets

    return Budgets(database())


@cache
def prepare() -> "Prepare":
    """Preparing a request."""
    from broker.prompts.templates import Prompts
    from broker.steps.preparing import Prepare

    prompts = Prompts(database(), prompt_texts())
    inbox = setting("INBOX_BUCKET")
    return Prepare(database(), models(), tenants(), prompts, conversations(), policies(), inbox, budgets())


@cache
def accept() -> "Accept":
    """Accepting a job."""
    from broker.delivery.addresses import check_form
    from broker.jobs.accepting import Accept
    from broker.metrics import enqueue_failed

    return Accept(
        database(),
        budgets(),
        jobs(),
        payloads(),
        job_queue(),
        prepare(),
        lambda url: check_form(url, allow_private=is_local()),
        enqueue_failed,
        QUIET_DOORS[setting("REST_JOB_EVENTS")],
    )


@cache
def identify() -> "Callable[[str, int], Identity]":
    """Identity from an `Authorization` header."""
    from broker.tenants.identity import authenticate

    @cache
    def verifier() -> Any:
        from broker.tenants.jwts import Verifier, fetch_jwks

        return Verifier(database(), lambda url: fetch_jwks(url, allow_http=is_local()))

    return lambda header, now: authenticate(header, database(), now, verifier)


def cors_origin() -> str:
    """The origin whose pages may call the REST API; empty where none may."""
    return setting("CORS_ORIGIN")


def public_url() -> str:
    """The base URL that is told to clients, perhaps with `{api}` for the API's id; empty for the way that they came."""
    return setting("PUBLIC_URL")


@cache
def estimate_job() -> "EstimateJob":
    """What a job would cost."""
    from broker.delivery.addresses import check_form
    from broker.steps.estimating import EstimateJob

    return EstimateJob(prepare(), circuits(), lambda url: check_form(url, allow_private=is_local()))


@cache
def api() -> "Api":
    """The REST door."""
    from broker.prompts.listing import Listing
    from broker.prompts.templates import Prompts
    from broker.rest.api import Api

    def redeliver(job_id: str, now: int) -> list[str]:
        return deliver().redeliver(job_id, now)

    def forget(job_id: str) -> None:
        answers().forget(job_id)

    def of_batches() -> "BatchDoor":
        from broker.bootstrap.batch_door import batch_door

        return batch_door()

    def of_bulk() -> "BulkDoor":
        from broker.bootstrap.bulk import bulk_door

        return bulk_door()

    def try_policies(trial: "Trial", tenant: str, now: int) -> dict[str, Any]:
        from broker.steps.trying import TryPolicies

        return TryPolicies(tenants(), policies())(trial, tenant, now)

    return Api(
        *(accept(), jobs(), payloads(), models(), tenants(), redeliver, forget, conversations(), circuits()),
        *(
            estimate_job(),
            try_policies,
            Listing(database(), Prompts(database(), prompt_texts())),
            file_door,
            of_batches,
            of_bulk,
        ),
    )


@cache
def file_door() -> "FileDoor":
    """The routes of files."""
    from broker.rest.files import FileDoor

    return FileDoor(files())


@cache
def admin() -> "Admin":
    """The operators' door."""
    from broker.metrics import enqueue_failed
    from broker.registry.versions import Registry
    from broker.rest.admin import Admin
    from broker.rest.reviews import Reviews
    from broker.reviews.deciding import Decide

    decide = Decide(database(), jobs(), payloads(), job_queue(), enqueue_failed)
    reviews = Reviews(database(), jobs(), payloads(), decide, lambda head, file: media(head).link(file))
    return Admin(database(), Registry(database(), prompt_texts()), reviews, allow_unsigned=is_local())


@cache
def event_consumer() -> "EventConsumer":
    """The door for events."""
    from broker.cloud.clients import client
    from broker.cloud.queues import RejectedEvents
    from broker.jobs.event_consumer import EventConsumer

    rejected = RejectedEvents(client("sqs"), setting("REJECTED_QUEUE"))

    def ask(detail: Any, tenant: str, event_id: str, principal: str) -> None:
        ask_for_document()(detail, tenant, event_id, principal)  # seldom asked for, and S3's client is slow to load

    return EventConsumer(accept(), tenants().of_event, rejected, lambda kind, detail: bus().put_one(kind, detail), ask)


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
    from broker.bootstrap import batching  # which needs this module
    from broker.cloud.buckets import Inbox
    from broker.cloud.clients import client
    from broker.cloud.queues import FilesQueue
    from broker.inbox.lines import TakeLines
    from broker.inbox.splitting import Split
    from broker.metrics import line_failed

    inbox, later = Inbox(client("s3")), FilesQueue(client("sqs"), setting("FILES_QUEUE"))
    use_cases = tenants().get, _accept_later, count_line(), bus().put_one
    take_lines = TakeLines(batching.batches(), batching.batch_workflows())
    return Split(database(), inbox, outbox(), *use_cases, later, readings(), take_document(), take_lines, line_failed)


@cache
def take_document() -> "TakeDocument":
    """Documents that there are recipes for."""
    from broker.batches.documents import SubmitDocument
    from broker.batches.recipes import Recipes
    from broker.bootstrap.batching import batch_workflows, batches
    from broker.inbox.recipes import TakeDocument
    from broker.routing.windows import window_of

    submit = SubmitDocument(batches(), batch_workflows(), lambda name, now: window_of(models().catalog(now), name))
    return TakeDocument(Recipes(database()), readings(), submit)


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
    from broker.documents.limits import Limits
    from broker.inbox.files import MAX_FILE_BYTES
    from broker.inbox.recipes import ReadForRecipe

    sandbox.hide()

    def read(path: "Path", name: str, keep: sandbox.Ocr) -> "Document":
        return sandbox.read(path, name, Limits(bytes=MAX_FILE_BYTES), keep)

    later = FilesQueue(client("sqs"), setting("FILES_QUEUE"))
    return ReadForRecipe(Inbox(client("s3")), readings(), read, later.again)


@cache
def collect() -> "Collect":
    """The result of a file."""
    from broker.inbox.collecting import Collect

    return Collect(database(), jobs(), payloads(), outbox(), base_url(), bus().put_one)
