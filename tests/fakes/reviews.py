"""The operators' routes of reviews, on the fakes."""

from typing import Protocol

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
    return Reviews(world.database, world.jobs, world.payloads, decide_of(world, queue))
