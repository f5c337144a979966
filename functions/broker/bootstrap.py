"""Builds each use case once, at its first call: the one place where rooms and cloud meet.

Every builder imports what it needs and no more, so a function loads only its own rooms. The environment is the
template's (`template.yaml`, Globals); nothing else reads it.
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.batches.collecting import Collect
    from broker.batches.counting import Count
    from broker.batches.splitting import Split
    from broker.cache.answers import Answers
    from broker.cloud.bus import Bus
    from broker.cloud.conversations import ConversationStore
    from broker.cloud.database import DynamoDatabase
    from broker.cloud.files import Outbox
    from broker.cloud.media import JobMedia
    from broker.cloud.payloads import PayloadStore
    from broker.cloud.queues import DeliveryQueue, JobQueue
    from broker.cloud.secrets import Secrets
    from broker.delivery.delivering import Deliver
    from broker.delivery.publishing import Publish
    from broker.jobs.accepting import Accept
    from broker.jobs.store import Jobs
    from broker.jobs.sweeping import Sweep
    from broker.jobs.taking import Take
    from broker.rest.admin import Admin
    from broker.rest.routes import Api
    from broker.routing.breakers import Breakers
    from broker.routing.models import Models
    from broker.steps.context import Run
    from broker.steps.guarding import Guard
    from broker.steps.invoking import InvokeModel
    from broker.steps.preparing import Prepare
    from broker.steps.recalling import Recall
    from broker.steps.resembling import FindSimilar
    from broker.steps.selecting import SelectModel
    from broker.steps.settling import SettleJob
    from broker.steps.sharing import Share
    from broker.tenants.identity import Identity
    from broker.tenants.registry import Tenants


def setting(name: str) -> str:
    """One variable of the function's environment."""
    return os.environ[name]


def is_local() -> bool:
    """True on the embedded cloud, where receivers and issuers of tests live on the loopback interface."""
    return os.environ.get("TARGET") == "local"


@cache
def database() -> "DynamoDatabase":
    """The tables."""
    from broker.cloud.clients import client
    from broker.cloud.database import DynamoDatabase

    names = {"jobs": "JOBS_TABLE", "registry": "REGISTRY_TABLE", "ledger": "LEDGER_TABLE", "cache": "CACHE_TABLE"}
    return DynamoDatabase(client("dynamodb"), {table: setting(name) for table, name in names.items()})  # type: ignore[misc]


@cache
def jobs() -> "Jobs":
    """The jobs."""
    from broker.jobs.store import Jobs

    return Jobs(database())


@cache
def payloads() -> "PayloadStore":
    """Prompts and answers."""
    from broker.cloud.clients import client
    from broker.cloud.payloads import PayloadStore

    return PayloadStore(
        database(),
        setting("JOBS_TABLE"),
        setting("PAYLOADS_BUCKET"),
        lambda: client("s3"),
        lambda: client("dynamodb"),
    )


@cache
def conversations() -> "ConversationStore":
    """Turns of conversations."""
    from broker.cloud.clients import client
    from broker.cloud.conversations import ConversationStore

    jobs_table, bucket = setting("JOBS_TABLE"), setting("PAYLOADS_BUCKET")
    return ConversationStore(jobs_table, bucket, lambda: client("s3"), lambda: client("dynamodb"))


@cache
def models() -> "Models":
    """The registry of models."""
    from broker.routing.models import Models

    return Models(database())


@cache
def circuits() -> "Breakers":
    """The circuits and live figures of the models."""
    from broker.measures import circuit_changed
    from broker.routing.board import Board
    from broker.routing.breakers import Breakers

    return Breakers(database(), Board(database()), circuit_changed)


@cache
def tenants() -> "Tenants":
    """The registry of tenants."""
    from broker.tenants.registry import Tenants

    return Tenants(database())


@cache
def job_queue() -> "JobQueue":
    """The lanes."""
    from broker.cloud.clients import client
    from broker.cloud.queues import JobQueue

    lanes = {"interactive": setting("INTERACTIVE_QUEUE"), "bulk": setting("BULK_QUEUE")}
    return JobQueue(client("sqs"), lanes)


@cache
def delivery_queue() -> "DeliveryQueue":
    """The queue of webhooks."""
    from broker.cloud.clients import client
    from broker.cloud.queues import DeliveryQueue

    return DeliveryQueue(client("sqs"), setting("DELIVERIES_QUEUE"))


@cache
def bus() -> "Bus":
    """The event bus."""
    from broker.cloud.bus import Bus
    from broker.cloud.clients import client

    return Bus(client("events"), setting("BUS_NAME"))


@cache
def secrets() -> "Secrets":
    """Providers' keys and webhook secrets."""
    from broker.cloud.clients import client
    from broker.cloud.secrets import Secrets

    return Secrets(client("secretsmanager"), setting("SECRETS_PREFIX"))


@cache
def prepare() -> "Prepare":
    """Preparing a request."""
    from broker.prompts.templates import Prompts
    from broker.steps.preparing import Prepare

    return Prepare(database(), models(), tenants(), Prompts(database()), conversations(), setting("INBOX_BUCKET"))


@cache
def accept() -> "Accept":
    """Accepting a job."""
    from broker.delivery.addresses import check_form
    from broker.jobs.accepting import Accept
    from broker.measures import enqueue_failed

    return Accept(
        database(),
        jobs(),
        payloads(),
        job_queue(),
        prepare(),
        lambda url: check_form(url, allow_private=is_local()),
        enqueue_failed,
    )


@cache
def identify() -> "Callable[[str, int], Identity]":
    """Identity from an `Authorization` header."""
    from broker.tenants.identity import authenticate

    @cache
    def verifier() -> Any:
        from broker.tenants.tokens import Verifier, fetch_jwks

        return Verifier(database(), lambda url: fetch_jwks(url, allow_http=is_local()))

    return lambda header, now: authenticate(header, database(), now, verifier)


@cache
def api() -> "Api":
    """The REST door."""
    from broker.delivery.addresses import check_form
    from broker.rest.routes import Api
    from broker.steps.estimating import Estimate

    estimate = Estimate(prepare(), circuits(), lambda url: check_form(url, allow_private=is_local()))

    def redeliver(job_id: str, now: int) -> list[str]:
        return deliver().redeliver(job_id, now)

    def forget(job_id: str) -> None:
        answers().forget(job_id)

    return Api(
        accept(), jobs(), payloads(), models(), tenants(), redeliver, forget, conversations(), circuits(), estimate
    )


@cache
def admin() -> "Admin":
    """The operators' door."""
    from broker.rest.admin import Admin

    return Admin(database(), allow_unsigned=is_local())


@cache
def take() -> "Take":
    """The door for events."""
    from broker.cloud.clients import client
    from broker.cloud.queues import RejectedEvents
    from broker.jobs.taking import Take

    rejected = RejectedEvents(client("sqs"), setting("REJECTED_QUEUE"))
    return Take(accept(), tenants().of_event, rejected, lambda kind, detail: bus().put_one(kind, detail))


@cache
def count_line() -> "Count":
    """Counting what has ended of a batch."""
    from broker.batches.counting import Count
    from broker.cloud.clients import client
    from broker.cloud.queues import FilesQueue

    return Count(database(), FilesQueue(client("sqs"), setting("FILES_QUEUE")))


@cache
def outbox() -> "Outbox":
    """Where results of files go."""
    from broker.cloud.clients import client
    from broker.cloud.files import Outbox

    return Outbox(client("s3"), setting("OUTBOX_BUCKET"))


@cache
def split() -> "Split":
    """The door for files."""
    from broker.batches.splitting import Split
    from broker.cloud.clients import client
    from broker.cloud.files import Inbox

    inbox = Inbox(client("s3"))
    return Split(database(), inbox, outbox(), tenants().get, accept(), count_line(), bus().put_one)


@cache
def collect() -> "Collect":
    """The result of a file."""
    from broker.batches.collecting import Collect

    return Collect(database(), jobs(), payloads(), outbox(), bus().put_one)


@cache
def workflows() -> Any:
    """The two sizes of the inference workflow."""
    from broker.cloud.clients import client
    from broker.cloud.workflows import StateMachines

    arns = {"express": setting("EXPRESS_WORKFLOW"), "standard": setting("STANDARD_WORKFLOW")}
    return StateMachines(client("stepfunctions"), arns)


@cache
def guard() -> "Guard":
    """The guardrail steps."""
    from broker.steps.guarding import Guard

    return Guard(jobs(), payloads(), tenants())


@cache
def answers() -> "Answers":
    """Answers that are kept."""
    from broker.cache.answers import Answers
    from broker.cloud.clients import client
    from broker.cloud.shelf import DynamoShelf

    return Answers(database(), DynamoShelf(client("dynamodb"), setting("CACHE_TABLE")))


@cache
def recall() -> "Recall":
    """The cache in the workflow."""
    from broker.measures import answer_given
    from broker.steps.recalling import Recall

    return Recall(jobs(), payloads(), answers(), answer_given)


@cache
def select_model() -> "SelectModel":
    """The selection step."""
    from broker.steps.selecting import SelectModel

    return SelectModel(jobs(), payloads(), models(), tenants(), recall(), circuits())


@cache
def invoke_model() -> "InvokeModel":
    """The invocation step."""
    from broker.measures import provider_called
    from broker.providers import lookup
    from broker.steps.calling import Calling
    from broker.steps.invoking import InvokeModel
    from broker.steps.shortening import Shorten

    calling = Calling(jobs(), payloads(), lookup, secrets_get, media, circuits(), provider_called)
    shorten = Shorten(jobs(), payloads(), models(), tenants(), calling)
    return InvokeModel(jobs(), payloads(), models(), calling, shorten, share())


def media(run: "Run") -> "JobMedia":
    """What a job's request points to."""
    from broker.cloud.clients import client
    from broker.cloud.media import JobMedia

    return JobMedia(
        run, run.tenant, setting("INBOX_BUCKET"), payloads(), setting("PAYLOADS_BUCKET"), lambda: client("s3")
    )


@cache
def share() -> "Share":
    """One call for identical jobs."""
    from broker.cache.sharing import Calls
    from broker.steps.sharing import Share

    return Share(payloads(), tenants(), Calls(database()), recall())


@cache
def find_similar() -> "FindSimilar":
    """The step that looks among similar questions."""
    from broker.steps.resembling import FindSimilar

    return FindSimilar(jobs(), payloads(), tenants(), recall(), invoke_model().embed)


def secrets_get(name: str) -> str:
    """A provider's key; the client is made only where a model has one."""
    from broker.errors import CredentialRejected
    from broker.measures import key_rejected

    try:
        return secrets().get(name)
    except CredentialRejected:
        key_rejected()
        raise


@cache
def settle_job() -> "SettleJob":
    """The settling step."""
    from broker.steps.settling import SettleJob

    return SettleJob(jobs(), payloads(), conversations)


@cache
def publish() -> "Publish":
    """The outbox."""
    from broker.delivery.publishing import Publish
    from broker.measures import job_ended, publishing_stopped

    return Publish(database(), jobs(), bus(), delivery_queue(), job_ended, count_line(), publishing_stopped)


@cache
def deliver() -> "Deliver":
    """Webhooks."""
    from broker.clock import now_ms
    from broker.delivery.addresses import resolve
    from broker.delivery.delivering import Deliver, make_sender
    from broker.delivery.post import post
    from broker.delivery.signing import sign
    from broker.errors import CredentialRejected
    from broker.jobs.head import job_id_of
    from broker.measures import webhook_attempted

    def signing(tenant: str) -> list[str]:
        name = tenants().get(tenant, now_ms()).webhook_secret
        if name is None:
            raise CredentialRejected("The tenant has no webhook secret.", code="no_webhook_secret")
        return secrets().get_list(name)

    send = make_sender(signing, lambda url: resolve(url, allow_private=is_local()), sign, post)
    return Deliver(
        database(), jobs(), delivery_queue(), send, lambda note, sent: webhook_attempted(job_id_of(note), note, sent)
    )


@cache
def sweep() -> "Sweep":
    """The sweep."""
    from broker.cloud.clients import client
    from broker.cloud.queues import JobDeadLetters
    from broker.jobs.sweeping import Sweep

    dead = JobDeadLetters(client("sqs"), [setting("INTERACTIVE_DEAD_LETTERS"), setting("BULK_DEAD_LETTERS")])
    return Sweep(jobs(), payloads(), job_queue(), dead, deliver().resend, count_line().resend)
