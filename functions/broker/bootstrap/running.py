"""Builds what runs and ends jobs: the workflow's steps, publishing, deliveries, the sweep."""

from functools import cache
from typing import TYPE_CHECKING, Any

from broker.bootstrap.adapters import (
    answers,
    base_url,
    bus,
    circuits,
    conversations,
    database,
    delivery_queue,
    impatient,
    is_local,
    jobs,
    media,
    models,
    payloads,
    policies,
    secrets,
    secrets_get,
    setting,
    tenants,
)
from broker.bootstrap.endpoints import exhausted, registered, tell_endpoints

if TYPE_CHECKING:
    from broker.delivery.delivering import Deliver
    from broker.delivery.publishing import Publish
    from broker.inbox.counting import Count
    from broker.jobs.head import Head
    from broker.jobs.in_flight import InFlight
    from broker.steps.advancing import Advance
    from broker.steps.asking import AskEngines
    from broker.steps.cache_lookup import CacheLookup
    from broker.steps.guarding import Guard
    from broker.steps.invoking import InvokeModel
    from broker.steps.selecting import SelectModel
    from broker.steps.semantic_cache import FindSimilar
    from broker.steps.settling import SettleJob
    from broker.steps.single_flight import SingleFlight


@cache
def count_line() -> "Count":
    """Counting what has ended of a batch."""
    from broker.cloud.clients import client
    from broker.cloud.queues import FilesQueue
    from broker.inbox.counting import Count

    return Count(database(), FilesQueue(client("sqs"), setting("FILES_QUEUE")))


def count_ended(head: "Head", now: int) -> None:
    """Count a job that ended, where it is a row of a batch or comes of a file; most are neither."""
    if head.row is not None:
        from broker.bootstrap.batch_results import count_row

        count_row()(head, now)
    elif head.batch is not None:
        count_line()(head, now)


def look_at_file_or_batch(item: dict[str, Any], now: int) -> bool:
    """The sweep's look at a batch, a file of the inbox or a bulk; True where something was asked for again."""
    if item["sk"] == "BULK":
        from broker.bootstrap.bulk import ask_for_bulk

        return ask_for_bulk().look(str(item["pk"]).removeprefix("BULK#"), now)
    from broker.batches.listing import batch_id_of
    from broker.bootstrap.batching import batches

    batch_id = batch_id_of(item)
    if batches().find(batch_id) is None:
        return count_line().resend(item, now)
    from broker.bootstrap.batch_results import look_at_batch

    return look_at_batch()(batch_id, now)


@cache
def workflows() -> Any:
    """The two sizes of the inference workflow."""
    from broker.cloud.clients import client
    from broker.cloud.workflows import StateMachines

    arns = {"express": setting("EXPRESS_WORKFLOW"), "standard": setting("STANDARD_WORKFLOW")}
    return StateMachines(client("stepfunctions"), arns)


@cache
def in_flight() -> "InFlight":
    """How many jobs run at once. What no job should wait for is tried once."""
    import os

    from broker.cloud.capacity import jobs_at_once
    from broker.cloud.clients import client
    from broker.jobs.fair_share import FairShare
    from broker.jobs.in_flight import InFlight
    from broker.jobs.pacing import READERS, Pace
    from broker.metrics import room_unknown
    from broker.tenants.registry import Tenants
    from broker.tenants.weights import Weights

    fixed = int(setting("JOBS_AT_ONCE")) or int(setting("INVOKE_MODEL_CONCURRENCY")) or None
    pace = Pace(FairShare(Weights(Tenants(impatient()), room_unknown)), readers=READERS)
    use = impatient(), os.urandom(6).hex(), fixed, lambda: jobs_at_once(client("lambda", 1)), room_unknown
    return InFlight(*use, pace=pace)


@cache
def guard() -> "Guard":
    """The guardrail steps."""
    from broker.steps.guarding import Guard

    def key(name: str) -> str:
        return secrets().get(name)  # the client is made only where a rule hashes

    return Guard(jobs(), payloads(), tenants(), policies(), key)


@cache
def cache_lookup() -> "CacheLookup":
    """The cache in the workflow."""
    from broker.metrics import answer_given
    from broker.steps.cache_lookup import CacheLookup

    return CacheLookup(jobs(), payloads(), policies(), answers(), answer_given)


@cache
def select_model() -> "SelectModel":
    """The selection step."""
    from broker.metrics import permission_denied
    from broker.steps.selecting import SelectModel

    return SelectModel(jobs(), payloads(), models(), tenants(), cache_lookup(), circuits(), permission_denied)


@cache
def invoke_model() -> "InvokeModel":
    """Asking one candidate."""
    from broker.metrics import fault_noticed, provider_called
    from broker.providers import lookup
    from broker.routing.at_once import AtOnce
    from broker.routing.credentials import KeyLimits
    from broker.steps.admitting import Admission
    from broker.steps.calling import Calling
    from broker.steps.exchanging import Exchange
    from broker.steps.invoking import InvokeModel
    from broker.steps.keys import Keys
    from broker.steps.shortening import Shorten

    admission = Admission(circuits(), AtOnce(database()), fault_noticed)
    exchange = Exchange(jobs(), payloads(), lookup, admission, provider_called, fault_noticed)
    keys = Keys(admission, KeyLimits(database()), fault_noticed)
    calling = Calling(jobs(), payloads(), secrets_get, media, admission, exchange, keys)
    shorten = Shorten(jobs(), payloads(), models(), tenants(), calling, conversations)
    return InvokeModel(jobs(), payloads(), models(), calling, shorten, single_flight(), circuits())


@cache
def ask_engines() -> "AskEngines":
    """The step that asks engines."""
    from broker.prompts.templates import Prompts
    from broker.prompts.texts import NoTexts
    from broker.steps.asking import AskEngines

    prompts = Prompts(database(), NoTexts())  # those of judges are short
    return AskEngines(jobs(), payloads(), tenants(), policies(), models(), prompts, invoke_model())


@cache
def advance() -> "Advance":
    """The invocation step, as the workflow sees it."""
    from broker.steps.advancing import Advance

    return Advance(jobs(), invoke_model())


@cache
def single_flight() -> "SingleFlight":
    """One call for identical jobs."""
    from broker.cache.single_flight import Flights
    from broker.steps.single_flight import SingleFlight

    return SingleFlight(payloads(), tenants(), policies(), Flights(database()), cache_lookup())


@cache
def find_similar() -> "FindSimilar":
    """The step that looks among similar questions."""
    from broker.steps.semantic_cache import FindSimilar

    return FindSimilar(jobs(), payloads(), tenants(), cache_lookup(), invoke_model().embed)


@cache
def settle_job() -> "SettleJob":
    """The settling step."""
    from broker.metrics import answer_unkept
    from broker.steps.settling import SettleJob

    return SettleJob(jobs(), payloads(), conversations, cache_lookup, answer_unkept)


@cache
def publish() -> "Publish":
    """The outbox."""
    from broker.delivery.publishing import Publish
    from broker.metrics import job_ended, not_left_undone, publishing_stopped, webhook_gone

    def leave_undone(head: "Head") -> None:
        from broker.cloud.clients import client
        from broker.cloud.functions import InvokeModelFunction

        try:
            InvokeModelFunction(client("lambda"), setting("INVOKE_MODEL_FUNCTION")).leave_undone(head.id)
        except Exception as error:
            not_left_undone(head, error)

    return Publish(
        *(database(), jobs(), bus(), delivery_queue(), base_url(), job_ended, count_ended, publishing_stopped),
        lambda head: webhook_gone(head.id, f"job.{head.status}"),
        leave_undone,
        lambda head, now: tell_endpoints().of_job(head, now),
    )


@cache
def deliver() -> "Deliver":
    """Webhooks."""
    from dataclasses import replace

    return replace(deliveries(), registered=registered(), on_exhausted=exhausted)


@cache
def deliveries() -> "Deliver":
    """The same for who only has them attempted: it opens no endpoint's secrets."""
    from broker.clock import now_ms
    from broker.delivery.addresses import resolve
    from broker.delivery.delivering import Deliver
    from broker.delivery.owners import owner_of
    from broker.delivery.post import post
    from broker.delivery.receivers import Receivers
    from broker.delivery.sending import make_sender
    from broker.delivery.signing import sign
    from broker.errors import CredentialRejected
    from broker.jobs.head import Head
    from broker.jobs.store import Linked
    from broker.metrics import receivers_unread, webhook_attempted, webhook_gone

    def signing(tenant: str) -> list[str]:
        name = tenants().get(tenant, now_ms()).webhook_secret
        if name is None:
            raise CredentialRejected("The tenant has no webhook secret.", code="no_webhook_secret")
        return secrets().get_list(name)

    def link(head: Head) -> Linked | None:
        return payloads().linked(head.id, head.output) if head.output else None

    def answer(head: Head) -> Any:
        return payloads().load(head.id, head.output) if head.output else None

    send = make_sender(signing, lambda url: resolve(url, allow_private=is_local()), sign, post)
    return Deliver(
        *(database(), jobs(), delivery_queue(), send),
        lambda note, sent: webhook_attempted(owner_of(note), note, sent),
        webhook_gone,
        Receivers(impatient(), receivers_unread),
        link=link,
        answer=answer,
    )
