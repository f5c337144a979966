"""Builds what stands for AWS and the registry: tables, payloads, queues, the bus, secrets, models, tenants."""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from broker.cache.answers import Answers
    from broker.cloud.buckets import Outbox
    from broker.cloud.bus import Bus
    from broker.cloud.conversations import ConversationStore
    from broker.cloud.database import DynamoDatabase
    from broker.cloud.media import JobMedia
    from broker.cloud.payloads import PayloadStore
    from broker.cloud.queues import DeliveryQueue, JobQueue
    from broker.cloud.readings import DocumentReadings
    from broker.cloud.secrets import Secrets
    from broker.cloud.texts import BucketTexts
    from broker.files.keeping import Files
    from broker.jobs.head import Head
    from broker.jobs.store import Jobs
    from broker.routing.breakers import Breakers
    from broker.routing.catalog import Models
    from broker.steps.context import Run
    from broker.tenants.applications import Applications
    from broker.tenants.policies import Policies
    from broker.tenants.registry import Tenants


def setting(name: str) -> str:
    """One variable of the function's environment."""
    return os.environ[name]


def is_local() -> bool:
    """True on the embedded cloud, where receivers and issuers of tests live on the loopback interface."""
    return os.environ.get("TARGET") == "local"


def base_url() -> str:
    """Of the REST API, for links in what no request asked for: events, webhooks, results of files."""
    return setting("BASE_URL")


@cache
def database() -> "DynamoDatabase":
    """The tables."""
    from broker.cloud.clients import client

    return _database(client("dynamodb"))


@cache
def impatient() -> "DynamoDatabase":
    """The tables, for what no job waits for: each request is tried once."""
    from broker.cloud.clients import client

    return _database(client("dynamodb", 1))


def _database(dynamodb: Any) -> "DynamoDatabase":
    from broker.cloud.database import DynamoDatabase

    names = {"jobs": "JOBS_TABLE", "registry": "REGISTRY_TABLE", "ledger": "LEDGER_TABLE", "cache": "CACHE_TABLE"}
    return DynamoDatabase(dynamodb, {table: setting(name) for table, name in names.items()})  # type: ignore[misc]


@cache
def jobs() -> "Jobs":
    """The jobs, and what joins the commits that change them."""
    from broker.jobs.store import Jobs
    from broker.prompts import experiments
    from broker.reviews import record
    from broker.tenants import ledger, usage

    return Jobs(database(), (ledger.bookings, usage.countings, experiments.endings, record.closings))


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
def prompt_texts() -> "BucketTexts":
    """Long texts of prompts."""
    from broker.cloud.clients import client
    from broker.cloud.texts import BucketTexts

    return BucketTexts(setting("PAYLOADS_BUCKET"), lambda: client("s3"))


@cache
def readings() -> "DocumentReadings":
    """What was read of documents, and the queue of what is to be."""
    from broker.cloud.clients import client
    from broker.cloud.readings import DocumentReadings

    return DocumentReadings(client("s3"), setting("PAYLOADS_BUCKET"), client("sqs"), setting("DOCUMENTS_QUEUE"))


@cache
def models() -> "Models":
    """The registry of models."""
    from broker.routing.catalog import Models

    return Models(database())


@cache
def circuits() -> "Breakers":
    """The circuits and live figures of the models; no job waits until they can be read or told."""
    from broker.metrics import board_unread, circuit_changed
    from broker.routing.board import Board
    from broker.routing.breakers import Breakers

    return Breakers(impatient(), Board(impatient(), board_unread), circuit_changed)


@cache
def tenants() -> "Tenants":
    """The registry of tenants."""
    from broker.tenants.registry import Tenants

    return Tenants(database())


@cache
def applications() -> "Applications":
    """The registry of tenants' applications."""
    from broker.tenants.applications import Applications

    return Applications(database())


@cache
def files() -> "Files":
    """Files of tenants."""
    from broker.cloud.clients import client
    from broker.cloud.file_bucket import FileObjects
    from broker.files.keeping import Files

    return Files(database(), FileObjects(setting("PAYLOADS_BUCKET"), lambda: client("s3")), tenants().get)


@cache
def policies() -> "Policies":
    """The registry of guardrail policies."""
    from broker.tenants.policies import Policies

    return Policies(database())


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


def tell_bus(kind: str, detail: dict[str, Any]) -> None:
    """Put an event that is of no job's change on the bus: detail-type and detail."""
    from broker.clock import now_ms
    from broker.delivery.telling import TellBus

    TellBus(bus().put_one, lambda tenant: tenants().get(tenant, now_ms()).cloud_events)(kind, detail)


@cache
def secrets() -> "Secrets":
    """Providers' keys and webhook secrets."""
    from broker.cloud.clients import client
    from broker.cloud.secrets import Secrets

    return Secrets(client("secretsmanager"), setting("SECRETS_PREFIX"))


@cache
def outbox() -> "Outbox":
    """Where results of files go."""
    from broker.cloud.buckets import Outbox
    from broker.cloud.clients import client

    return Outbox(client("s3"), setting("OUTBOX_BUCKET"))


@cache
def answers() -> "Answers":
    """Answers that are kept."""
    from broker.cache.answers import Answers
    from broker.cloud.clients import client
    from broker.cloud.shelf import DynamoShelf

    return Answers(database(), DynamoShelf(client("dynamodb"), setting("CACHE_TABLE")))


def media(job: "Run | Head") -> "JobMedia":
    """What a job's request points to."""
    from broker.cloud.clients import client
    from broker.cloud.media import JobMedia

    return JobMedia(
        job, job.tenant, setting("INBOX_BUCKET"), payloads(), setting("PAYLOADS_BUCKET"), lambda: client("s3")
    )


def secrets_get(name: str) -> str:
    """A provider's key; the client is made only where a model has one."""
    from broker.errors import CredentialRejected
    from broker.metrics import credential_rejected

    try:
        return secrets().get(name)
    except CredentialRejected:
        credential_rejected()
        raise
