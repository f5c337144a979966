"""The queue of reviews and what reviewers do: listing without a scan, claims, and decisions that meet."""

import base64
import json
import zlib
from typing import Any

import pytest
from broker.errors import Conflict, InvalidRequest, NotFound
from broker.jobs.ending import cancel_job
from broker.jobs.head import SHARDS, Status
from broker.jobs.sweeping import Sweep
from broker.reviews.deciding import CLAIM_MS, Decide, Reviewer, audit_of
from broker.reviews.queue import Wanted, listed, standing
from broker.storage import Item, Page, Put

from tests.fakes.database import FakeDatabase
from tests.fakes.flow import Flow
from tests.fakes.queue import FakeDeadLetters
from tests.fakes.reviews import decide_of
from tests.fakes.world import MINUTE

ADA, BO = Reviewer("arn:ada"), Reviewer("arn:bo")
BEFORE = {"check": "denied_terms", "action": "review", "stages": ["input"], "terms": ["heron"]}
HERON = {"input": {"text": "A heron."}}


@pytest.fixture
def flow() -> Flow:
    return Flow([BEFORE])


def deciding(flow: Flow) -> Decide:
    return decide_of(flow.world, flow.world.queue)


def pages(flow: Flow, **wanted: Any) -> list[list[str]]:
    """All pages of the queue, as ids."""
    found, cursor = [], None
    while True:
        page = listed(flow.world.database, Wanted(**wanted), cursor, flow.now)
        found.append([each["job_id"] for each in page["data"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_the_queue_is_in_order_of_time_over_all_shards_and_pages(flow: Flow) -> None:
    held = [flow(HERON).id for _ in range(25)]
    found = pages(flow, limit=4)
    assert [each for page in found for each in page] == held
    assert all(len(page) == 4 for page in found[:-1])
    assert pages(flow) == [held[:20], held[20:]]


class Shuffled(FakeDatabase):
    """An index that has items of the same moment in an order of its own, as DynamoDB does."""

    def index(self, *asked: Any, cursor: Item | None = None, limit: int, **more: Any) -> Page:
        """See `Database.index`."""
        items = super().index(*asked, limit=999, **more).items
        items.sort(key=lambda item: zlib.adler32(item["pk"].encode()))
        items.sort(key=lambda item: item["due_at"], reverse=more["newest_first"])
        first = items.index(cursor) + 1 if cursor else 0
        page = items[first : first + limit]
        return Page(page, page[-1] if len(page) == limit else None)


@pytest.mark.parametrize("state", ["held", "canceled"])
def test_no_job_is_left_out_of_many_that_came_at_the_same_moment(flow: Flow, state: str) -> None:
    held = {flow.run(flow.world.accept(HERON, now=flow.now).head).id for _ in range(40)}
    if state == "canceled":
        for job_id in held:
            cancel_job(flow.world.jobs, job_id, "acme", flow.now)
    shuffled = Shuffled()
    for item in flow.world.database.items():
        if item["pk"].startswith("JOB#"):
            shuffled.write(Put("jobs", item))
    found, cursor = [], None
    while not found or cursor:
        page = listed(shuffled, Wanted(state, limit=3), cursor, flow.now)
        found, cursor = found + [each["job_id"] for each in page["data"]], page["next_cursor"]
    assert (len(found), set(found)) == (len(held), held)


def test_a_tenant_that_floods_the_queue_hides_nobody_elses_jobs(flow: Flow) -> None:
    flood = [flow(HERON).id for _ in range(30)]
    mine = flow(HERON, "other").id
    assert pages(flow, tenant="other") == [[mine]]
    assert [each for page in pages(flow, tenant="acme", limit=7) for each in page] == flood
    late = [flow(HERON).id for _ in range(3)]
    assert [each for page in pages(flow) for each in page] == [*flood, mine, *late], "who waits longest is first"


def test_what_is_decided_leaves_the_queue_and_is_found_among_the_decided(flow: Flow) -> None:
    released, rejected, canceled, held = (flow(HERON).id for _ in range(4))
    decide = deciding(flow)
    decide.release(released, "input", ADA, "fine", flow.now)
    decide.reject(rejected, "input", ADA, "no", flow.now)
    cancel_job(flow.world.jobs, canceled, "acme", flow.now)
    assert pages(flow) == pages(flow, tenant="acme") == [[held]]
    for state, job_id in (("released", released), ("rejected", rejected), ("canceled", canceled)):
        assert [each for page in pages(flow, state=state, tenant="acme") for each in page] == [job_id]
        assert [each for page in pages(flow, state=state, limit=1) for each in page] == [job_id]
    assert pages(flow, stage="output") == [[]]


def test_how_many_are_held_and_since_when(flow: Flow) -> None:
    assert standing(flow.world.database, flow.now) == (0, 0)
    first = flow(HERON)
    flow(HERON)
    flow.now += MINUTE
    assert standing(flow.world.database, flow.now) == (2, flow.now - first.review["since"])


@pytest.mark.parametrize("cursor", ["x", "bnVsbA==", "W10=", "WzFd", "W251bGwsMSwxLDEsMSwxLDEsMV0="])
def test_a_cursor_of_somebody_else_is_refused(flow: Flow, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        listed(flow.world.database, Wanted(), cursor, flow.now)
    assert refused.value.param == "cursor"


@pytest.mark.parametrize(
    "row", [["", "s", 1], ["p", "", 1], ["p" * 2000, "s", 1], ["p", "s", 10**50], ["\ud800", "s", 1]]
)
def test_a_cursor_that_no_table_takes_is_refused(flow: Flow, row: list[Any]) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps([row] * SHARDS).encode()).decode()
    with pytest.raises(InvalidRequest) as refused:
        listed(flow.world.database, Wanted(), cursor, flow.now)
    assert refused.value.param == "cursor"


def test_a_review_is_claimed_by_one_for_a_while(flow: Flow) -> None:
    job, decide = flow(HERON).id, deciding(flow)
    record = decide.claim(job, ADA, flow.now)
    assert (record["claimed_by"], record["claimed_until"]) == ("arn:ada", flow.now + CLAIM_MS)
    for refused in (
        lambda: decide.claim(job, BO, flow.now),
        lambda: decide.claim(job, Reviewer("arn:ada", "cy"), flow.now),
        lambda: decide.release(job, "input", BO, "fine", flow.now),
        lambda: decide.reject(job, "input", BO, "no", flow.now),
    ):
        with pytest.raises(Conflict) as conflict:
            refused()
        assert (conflict.value.code, conflict.value.retry_after) == ("claimed", CLAIM_MS / 1000)
    decide.claim(job, ADA, flow.now + 1)
    decide.claim(job, BO, flow.now + 1 + CLAIM_MS)
    assert decide.release(job, "input", BO, "fine", flow.now + 2 + CLAIM_MS)["state"] == "released"


def test_of_two_who_claim_at_once_one_wins(flow: Flow) -> None:
    job, decide = flow(HERON).id, deciding(flow)
    flow.world.database.meanwhile = [lambda: decide.claim(job, BO, flow.now)]
    with pytest.raises(Conflict) as conflict:
        decide.claim(job, ADA, flow.now)
    assert conflict.value.code == "claimed"
    assert decide.find(job)[1]["claimed_by"] == "arn:bo"


@pytest.mark.parametrize("first", ["release", "reject", "cancel", "expire"])
@pytest.mark.parametrize("second", ["release", "reject"])
def test_of_two_who_decide_at_once_one_wins(flow: Flow, first: str, second: str) -> None:
    job, decide = flow(HERON).id, deciding(flow)
    deadline = flow.world.jobs.get(job).deadline_at
    world = flow.world

    def act(name: str, who: Reviewer) -> Any:
        if name == "cancel":
            return cancel_job(world.jobs, job, "acme", flow.now)
        if name == "expire":
            return Sweep(world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: True)(deadline)
        return getattr(decide, name)(job, "input", who, "so be it", flow.now)

    world.database.meanwhile = [lambda: act(first, BO)]
    if first == second:
        assert act(second, ADA)["state"] == {"release": "released", "reject": "rejected"}[first]
    else:
        with pytest.raises(Conflict) as conflict:
            act(second, ADA)
        assert conflict.value.code == "not_held"
    states = {"release": Status.QUEUED, "reject": Status.BLOCKED, "cancel": Status.CANCELED, "expire": Status.EXPIRED}
    assert world.jobs.get(job).status is states[first]
    decisions = [each for each in audit_of(world.jobs.notes(job)) if each["what"] in ("released", "rejected")]
    assert [each["by"] for each in decisions] == (["arn:bo"] if first in ("release", "reject") else [])


def test_a_decision_whose_reply_was_lost_is_made_once(flow: Flow) -> None:
    job, decide = flow(HERON).id, deciding(flow)
    flow.world.database.lose_reply_of = "HEAD"
    assert decide.release(job, "input", ADA, "fine", flow.now)["state"] == "released"
    assert len(audit_of(flow.world.jobs.notes(job))) == 1


def test_a_released_job_whose_message_was_lost_is_sent_by_the_sweep(flow: Flow) -> None:
    job, world, unsent = flow(HERON).id, flow.world, []
    world.queue.down = True
    decide_of(world, world.queue, unsent).release(job, "input", ADA, "fine", flow.now)
    assert [each.id for each in unsent] == [job]
    world.queue.down = False
    flow.now += MINUTE
    Sweep(world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: True)(flow.now)
    assert job in [each.id for each in world.queue.sent[1:]]
    assert flow.run(world.jobs.get(job)).status is Status.SUCCEEDED


def test_what_people_did_is_kept_with_who_when_and_why_and_never_written_over(flow: Flow) -> None:
    job, decide = flow(HERON).id, deciding(flow)
    decide.claim(job, Reviewer("arn:ada", "cy"), flow.now)
    decide.release(job, "input", Reviewer("arn:ada", "cy"), "A bird is fine.", flow.now + 5)
    decide.release(job, "input", BO, "Me too.", flow.now + 6)
    trail = audit_of(flow.world.jobs.notes(job))
    assert [(each["what"], each["by"], each["reviewer"], each.get("reason")) for each in trail] == [
        ("claimed", "arn:ada", "cy", None),
        ("released", "arn:ada", "cy", "A bird is fine."),
    ]
    assert {each["expires_at"] for each in trail} == {flow.world.jobs.get(job).expires_at}, "as long as the record"


@pytest.mark.parametrize("job_id", ["job_0", "", "a/b"])
def test_what_was_never_held_has_no_review(flow: Flow, job_id: str) -> None:
    plain = flow({"input": {"text": "A lamp."}}).id
    for each in (job_id, plain):
        with pytest.raises(NotFound):
            deciding(flow).claim(each, ADA, flow.now)
    with pytest.raises(NotFound) as missing:
        deciding(flow).release(flow(HERON).id, "output", ADA, "fine", flow.now)
    assert missing.value.param == "stage"
