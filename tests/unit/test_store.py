"""The store of jobs: each write is conditional, and knows itself again when its reply was lost."""

from dataclasses import dataclass, replace

import pytest
from broker.errors import Conflict
from broker.jobs.head import Head
from broker.jobs.store import TRIES, Jobs
from broker.jobs.transitions import claim
from broker.storage import TRIES as WRITE_TRIES
from broker.storage import Check, Put, Update

from tests.fakes.database import FakeDatabase
from tests.fakes.world import JOB_ID, NOW, World, a_head


@dataclass(slots=True)
class LosesReplies(FakeDatabase):
    """Each write is done and its reply lost, so the client does it again: what botocore's retries may do."""

    def write(self, *operations: Put | Update | Check, tries: int = WRITE_TRIES) -> None:
        """Write twice; the second time fails on what the first one wrote."""
        FakeDatabase.write(self, *operations, tries=tries)
        FakeDatabase.write(self, *operations, tries=tries)


def _claim(head: Head) -> Head:
    return claim(head, now=NOW, lease_ms=1000, by="message-1")


def test_a_write_whose_reply_was_lost_is_known_again() -> None:
    database = LosesReplies()
    FakeDatabase.write(database, Put("jobs", a_head().to_item()))
    assert Jobs(database, ()).change(JOB_ID, _claim).run == 1


def test_the_same_decision_of_another_is_not_taken_for_our_own() -> None:
    world = World()
    world.put(a_head())
    world.database.meanwhile.append(lambda: world.jobs.change(JOB_ID, _claim))
    with pytest.raises(Conflict):
        world.jobs.change(JOB_ID, _claim)


def test_a_change_is_decided_anew_on_what_others_wrote() -> None:
    world = World()
    world.put(a_head())
    world.database.meanwhile.append(lambda: world.jobs.change(JOB_ID, lambda head: replace(head, rev=2, nudges=7)))
    seen = world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, lease_expirations=1))
    assert (seen.rev, seen.nudges, seen.lease_expirations) == (3, 7, 1)


def test_a_job_that_will_not_hold_still_is_given_up() -> None:
    world = World()
    world.put(a_head())

    def other() -> None:
        world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1))

    for _ in range(TRIES * 2):
        world.database.meanwhile += [other, lambda: None]
    with pytest.raises(Conflict):
        world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1))
