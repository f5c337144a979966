"""The operators' routes of reviews, on the fakes."""

from collections.abc import Mapping
from typing import Protocol

from broker.errors import InvalidRequest
from broker.jobs.head import Head
from broker.jobs.store import Jobs
from broker.rest.reviews import Reviews
from broker.reviews.deciding import Decide

from tests.fakes.database import FakeDatabase
from tests.fakes.payloads import FakePayloads
from tests.fakes.queue import FakeQueue


class Deployment(Protocol):
    """What they work with."""

    database: FakeDatabase
    jobs: Jobs
    payloads: FakePayloads


def decide_of(world: Deployment, queue: FakeQueue, unsent: list[Head] | None = None) -> Decide:
    """What reviewers do; jobs whose message could not be sent are kept in `unsent`."""
    lost = [] if unsent is None else unsent
    return Decide(world.database, world.jobs, world.payloads, queue, lambda head, error: lost.append(head))


def reviews_of(world: Deployment, queue: FakeQueue) -> Reviews:
    """Their routes."""
    return Reviews(world.database, world.jobs, world.payloads, decide_of(world, queue), linked)


def linked(head: Head, file: Mapping[str, str]) -> str:
    """A link to what a request names; nothing is there whose key says so."""
    if "gone" in file.get("s3", ""):
        raise InvalidRequest("The file is not in the inbox.", code="file_gone")
    return f"https://files.example/{head.id}/{file.get('s3') or 'data'}"
