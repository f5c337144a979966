"""Builds what keeps the audit trail."""

from functools import cache
from typing import TYPE_CHECKING, Any

from broker.bootstrap.adapters import database, setting

if TYPE_CHECKING:
    from broker.audit.appending import Append
    from broker.audit.reading import Trail
    from broker.audit.record import Record
    from broker.cloud.audit_bucket import AuditBucket, AuditQueue


@cache
def audit_queue() -> "AuditQueue":
    """Where notes go."""
    from broker.cloud.audit_bucket import AuditQueue
    from broker.cloud.clients import client

    return AuditQueue(client("sqs"), setting("AUDIT_QUEUE"))


def send_notes() -> "list[Record]":
    """Send what was noted in this invocation, if there is something; gives what could not be sent."""
    from broker.audit.notes import taken
    from broker.observability import place_of, warn

    found = taken()
    if found:
        try:
            audit_queue().send(found)
        except Exception as error:
            kinds = sorted({each["kind"] for each in found})
            warn("audit notes not sent", kinds=kinds, error=type(error).__name__, at=place_of(error))
            return found
    return []


@cache
def audit_bucket() -> "AuditBucket":
    """Where the trail lies."""
    from broker.cloud.audit_bucket import AuditBucket
    from broker.cloud.clients import client

    return AuditBucket(setting("AUDIT_BUCKET"), client("s3"))


@cache
def append() -> "Append":
    """Writing it."""
    import os

    from broker.audit.appending import Append
    from broker.observability import warn

    def broken(number: int) -> None:
        warn("the audit trail is broken; nothing is written until somebody has looked", block=number)

    return Append(database(), audit_bucket(), f"{setting('STACK_NAME')}-{os.urandom(8).hex()}", broken)


@cache
def trail() -> "Trail":
    """Reading it."""
    from broker.audit.reading import Trail

    return Trail(database(), audit_bucket())


def tell_audit(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put on record what records of the jobs table's stream say; gives those that are to be published.

    Those are what the stream's reader is given without a trail: jobs that ended or came to be held, and where the bus
    is told of progress all news.
    """
    from broker.cloud.audit_changes import of_batch, of_job
    from broker.cloud.stream_of_all import any_change_of
    from broker.delivery.publishing import HeadChange

    found: list[Record] = []
    published = []
    progress = setting("PROGRESS_EVENTS") == "on"
    for each in records:
        change = any_change_of(each["dynamodb"])
        if isinstance(change, HeadChange):
            told = of_job(change.before, change.after)
            head = change.after
            if progress or head.status.terminal or head.is_held or change.before is not None:
                published.append(each)
        else:
            told = of_batch(change.before, change.after) if change else None
        found += [told] if told else []
    if found:
        audit_queue().send(found)
    return published
