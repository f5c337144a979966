"""The queue of reviews in the tables: pages over all shards, of one tenant, and after a decision."""

from dataclasses import replace

import pytest
from broker.jobs.head import Head
from broker.jobs.reviewing import hold_for_review, let_go
from broker.jobs.store import Jobs
from broker.jobs.transitions import claim
from broker.reviews.queue import Wanted, listed, standing
from broker.reviews.record import closings, opened
from broker.storage import Database

from tests.fakes.world import NOW, a_head
from tests.unit.transitions_case import FENCE


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database, (closings,))


def hold(jobs: Jobs, number: int, tenant: str = "acme") -> Head:
    """A job that is held, so many milliseconds after the first."""
    head = a_head(id=f"job_{number:032x}", tenant=tenant)
    jobs.create(head)
    running = jobs.change(head.id, lambda each: claim(each, now=NOW, lease_ms=90_000, by="m1"))
    jobs.change(head.id, lambda each: replace(each.next(), execution=FENCE.execution), known=running)
    held = {"stage": "input", "rules": ["words"], "message": "No."}

    def aside(each: Head) -> Head:
        return hold_for_review(each, FENCE, stage="input", rules=["words"], answer=None, now=NOW + number)

    return jobs.change(head.id, aside, opened(aside(jobs.get(head.id)), held, NOW + number))


def pages(database: Database, wanted: Wanted) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = listed(database, wanted, cursor, NOW)
        assert len(page["data"]) <= wanted.limit
        found += [each["job_id"] for each in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_pages_go_over_all_shards_in_order_of_time_and_of_one_tenant_alone(database: Database, jobs: Jobs) -> None:
    held = [hold(jobs, number).id for number in range(11)]
    other = hold(jobs, 99, "other").id
    assert pages(database, Wanted(limit=3)) == [*held, other]
    assert pages(database, Wanted(limit=3, tenant="acme")) == held
    assert pages(database, Wanted(limit=3, tenant="other")) == [other]
    assert standing(database, NOW + 100) == (12, 100)


def test_a_page_goes_on_where_it_was_though_jobs_have_left_the_queue_since(database: Database, jobs: Jobs) -> None:
    held = [hold(jobs, number) for number in range(6)]
    first = listed(database, Wanted(limit=2), None, NOW)
    for head in held[:3]:
        jobs.change(head.id, lambda each: let_go(each, now=NOW + 50))
    second = listed(database, Wanted(limit=9), first["next_cursor"], NOW)
    assert [each["job_id"] for each in second["data"]] == [head.id for head in held[3:]]
    assert sorted(pages(database, Wanted("released", limit=2))) == [head.id for head in held[:3]]
