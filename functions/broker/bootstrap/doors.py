"""Builds what the doors need: accepting by REST, events and files, and the operators' routes."""

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from broker.bootstrap.adapters import (
    answers,
    applications,
    circuits,
    conversations,
    database,
    files,
    is_local,
    job_queue,
    jobs,
    media,
    models,
    payloads,
    policies,
    prompt_texts,
    setting,
    tell_bus,
    tenants,
)
from broker.bootstrap.running import deliveries

if TYPE_CHECKING:
    from collections.abc import Callable

    from broker.audit.reading import Trail
    from broker.jobs.accepting import Accept
    from broker.jobs.event_consumer import EventConsumer
    from broker.jobs.trial import Trial
    from broker.permissions.who import Member
    from broker.rest.admin import Admin
    from broker.rest.api import Api
    from broker.rest.batches import BatchDoor
    from broker.rest.bulk import BulkDoor
    from broker.rest.endpoints import EndpointDoor
    from broker.rest.files import FileDoor
    from broker.steps.estimating import EstimateJob
    from broker.steps.preparing import Prepare
    from broker.tenants.budgets import Budgets
    from broker.tenants.call_rates import CallRates
    from broker.tenants.identity import Identity
    from broker.tenants.waits import UsualWaits, Waits


QUIET_DOORS: dict[str, tuple[str, ...]] = {"always": (), "on_request": ("rest", "openai", "anthropic", "mcp")}
"""Whose jobs the bus hears of only where their requests ask for it, by the template's `RestJobEvents`."""


@cache
def budgets() -> "Budgets":
    """What this process knows of tenants' budgets."""
    from broker.tenants.budgets import Budgets

    return Budgets(database())


@cache
def prepare() -> "Prepare":
    """Preparing a request."""
    from broker.metrics import permission_denied
    from broker.prompts.templates import Prompts
    from broker.steps.preparing import Prepare

    prompts = Prompts(database(), prompt_texts())
    inbox = setting("INBOX_BUCKET")
    return Prepare(
        *(database(), models(), tenants(), prompts, conversations(), policies(), inbox, budgets()),
        *(jobs(), payloads(), permission_denied),
    )


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


@cache
def call_rates() -> "CallRates":
    """How often tenants may call."""
    from broker.tenants.call_rates import CallRates

    return CallRates(
        database(), int(setting("TENANT_REQUEST_RATE")), lambda tenant, now: tenants().get(tenant, now).calls_per_second
    )


@cache
def waits() -> "Waits":
    """How many calls of tenants may wait at once; what may by default is asked for at the first."""
    from broker.errors import Forbidden
    from broker.tenants.waits import Room, Waits

    def room(tenant: str, now: int) -> Room:
        rate = int(setting("TENANT_REQUEST_RATE"))
        try:
            entry = tenants().get(tenant, now)
        except Forbidden:  # it may look what became of its jobs, and wait for none
            return Room(0, rate)
        most = usual_waits().at(now) if entry.waits_at_once is None else entry.waits_at_once
        return Room(most, entry.calls_per_second or rate)

    return Waits(database(), room)


@cache
def usual_waits() -> "UsualWaits":
    """The same of a tenant whose entry says nothing."""
    from broker.cloud.capacity import JOBS_PART
    from broker.jobs.account_limit import told
    from broker.tenants.waits import UsualWaits

    said, reserved = int(setting("TENANT_WAITS")), int(setting("RESERVED_CONCURRENCY"))
    return UsualWaits(said, reserved, int(setting("JOBS_AT_ONCE")), JOBS_PART, lambda: told(database()))


def cors_origin() -> str:
    """The origin whose pages may call the REST API; empty where none may."""
    return setting("CORS_ORIGIN")


def public_url() -> str:
    """The base URL that is told to clients, perhaps with `{api}` for the API's id; empty for the way that they came."""
    return setting("PUBLIC_URL")


def console_region() -> str:
    """The region that calls of the operators' routes are signed for."""
    return setting("CONSOLE_REGION")


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
    from broker.tenants.limiting import standings
    from broker.tenants.usage import Usage

    def redeliver(job_id: str, now: int) -> list[str]:
        return deliveries().redeliver(job_id, now)

    def forget(job_id: str) -> None:
        answers().forget(job_id)

    def of_batches() -> "BatchDoor":
        from broker.bootstrap.batch_door import batch_door

        return batch_door()

    def of_bulk() -> "BulkDoor":
        from broker.bootstrap.bulk import bulk_door

        return bulk_door()

    def of_endpoints() -> "EndpointDoor":
        from broker.bootstrap.endpoints import endpoint_door

        return endpoint_door(deliveries().again)

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
            of_endpoints,
            lambda: Usage(database()),
            call_rates().check,
        ),
        standings=partial(standings, database()),
        places=lambda limits: [each.standing(database()) for each in limits],
        waits=waits(),
        inbox=setting("INBOX_BUCKET"),
        origin=cors_origin,
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

    def of_audit() -> "Trail | None":
        from broker.bootstrap.auditing import trail

        return trail() if setting("AUDIT_BUCKET") else None

    registry = Registry(database(), prompt_texts())
    return Admin(database(), registry, reviews, allow_unsigned=is_local(), trail=of_audit)


@cache
def event_consumer() -> "EventConsumer":
    """The door for events."""
    from broker.cloud.clients import client
    from broker.cloud.queues import RejectedEvents
    from broker.jobs.event_consumer import EventConsumer, refuse_document

    rejected = RejectedEvents(client("sqs"), setting("REJECTED_QUEUE"))

    def ask(detail: Any, tenant: str, event_id: str, principal: str, member: "Member") -> None:
        from broker.bootstrap.inbox import ask_for_document

        # Seldom asked for, and S3's client is slow to load.
        ask_for_document()(detail, tenant, event_id, principal, member)

    document = refuse_document if setting("TAKES_FILES") == "off" else ask
    sender_of, member_of = tenants().of_event, applications().member
    return EventConsumer(accept(), sender_of, rejected, tell_bus, document, member_of)
