"""Builds what goes by the clock: the sweep, and what ends objects."""

from functools import cache
from typing import TYPE_CHECKING

from broker.bootstrap.adapters import database, job_queue, jobs, payloads, setting
from broker.bootstrap.running import deliveries, look_at_file_or_batch

if TYPE_CHECKING:
    from broker.cloud.queues import Ends
    from broker.jobs.cleaning import Clean
    from broker.jobs.sweeping import Sweep


@cache
def clean() -> "Clean":
    """Ending objects."""
    from broker.cloud.clients import client
    from broker.cloud.file_bucket import FileObjects
    from broker.cloud.objects import BucketObjects
    from broker.files.ending import EndFiles
    from broker.jobs.cleaning import Clean

    table, bucket = setting("JOBS_TABLE"), setting("PAYLOADS_BUCKET")
    objects = BucketObjects(table, bucket, lambda: client("s3"), lambda: client("dynamodb"))
    return Clean(database(), objects, EndFiles(database(), FileObjects(bucket, lambda: client("s3"))))


@cache
def ends() -> "Ends":
    """The queues that should be empty."""
    from broker.cloud.clients import client
    from broker.cloud.queues import Ends

    return Ends(client("sqs"), setting("END_QUEUES").split())


@cache
def sweep() -> "Sweep":
    """The sweep."""
    from broker.cloud.clients import client
    from broker.cloud.queues import JobDeadLetters
    from broker.cloud.workflows import can_start
    from broker.jobs.sweeping import Sweep

    dead = JobDeadLetters(client("sqs"), [setting("INTERACTIVE_DEAD_LETTERS"), setting("BULK_DEAD_LETTERS")])
    return Sweep(jobs(), payloads(), job_queue(), dead, deliveries().resend, look_at_file_or_batch, can_start)


def reviews_standing(now: int) -> tuple[int, int]:
    """How many jobs are held for a review, and for how long the first of them has been."""
    from broker.reviews.queue import standing

    return standing(database(), now)
