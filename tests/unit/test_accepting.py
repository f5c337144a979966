"""Accepting: one key, one body, one job; and no job is lost between its head and its queue."""

from typing import Any

import pytest
from broker.errors import BudgetExceeded, Forbidden, InvalidRequest, KeyInFlight, KeyReused
from broker.jobs.head import RECORD_S, Status
from broker.jobs.sweeping import Sweep
from broker.storage import ConditionFailed, Update
from broker.tenants import ledger

from tests.fakes.database import Crash
from tests.fakes.queue import FakeDeadLetters
from tests.fakes.world import CHAT, HOUR, MINUTE, NOW, SECOND, World, a_model

OTHER = {"input": {"text": "Something else."}}
HOOK = {"url": "https://example.com/hook", "events": ["job.failed"]}
WORST = 2_000 * 2
"""Of the answers, at least: one candidate, held twice for its repair."""


@pytest.fixture
def world() -> World:
    made = World()
    made.register(a_model("small"))
    made.tenant()
    made.tenant("rich", monthly_budget=10**9)
    return made


def heads(world: World) -> list[str]:
    return [new["id"] for old, new in world.database.stream if old is None]


def sweep(world: World, now: int) -> None:
    Sweep(world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: False)(now)


def test_an_accepted_job_is_kept_and_sent(world: World) -> None:
    body = {**CHAT, "priority": "bulk", "webhook": HOOK, "metadata": {"order": "17"}, "model": "small"}
    head = world.accept(body | {"deadline_seconds": 600, "timeout_seconds": 30, "ttl_seconds": 7200}).head
    assert world.jobs.get(head.id) == head
    assert world.queue.sent == [head]
    assert (head.status, head.run, head.lane, head.asked) == (Status.QUEUED, 0, "bulk", "small")
    assert (head.tenant, head.principal, head.door, head.correlation_id) == ("acme", "key:1", "rest", "corr-1")
    assert (head.created_at, head.deadline_at, head.payloads_until) == (NOW, NOW + 600_000, NOW // SECOND + 7200)
    assert head.expires_at == head.payloads_until + RECORD_S
    assert (head.timeout_s, head.webhook, head.limit, head.holds) == (30, ("job.failed",), 0, {})
    assert world.prompt(head.id) == CHAT["input"]
    asked = world.jobs.notes(head.id)["ASKED"]
    assert (asked["webhook_url"], asked["metadata"]) == (HOOK["url"], {"order": "17"})


def test_a_short_deadline_is_due_before_the_first_nudge(world: World) -> None:
    assert world.accept({**CHAT, "deadline_seconds": 5}).head.due_at == NOW + 5_000
    assert world.accept().head.due_at == NOW + MINUTE


def test_without_a_key_each_request_is_a_job(world: World) -> None:
    assert world.accept().head.id != world.accept().head.id


def test_the_same_key_and_body_give_the_same_job(world: World) -> None:
    first = world.accept(key="k")
    again = world.accept(key="k", now=NOW + HOUR)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.head == first.head
    assert len(world.queue.sent) == 1
    assert heads(world) == [first.head.id]


def test_a_repeat_gives_the_job_as_it_stands(world: World) -> None:
    first = world.accept(key="k").head
    world.start(first.id)
    assert world.accept(key="k").head.status is Status.RUNNING


def test_a_repeat_may_write_defaults_out(world: World) -> None:
    first = world.accept({**CHAT, "task": "chat", "priority": "interactive", "metadata": {}}, key="k").head
    assert world.accept(key="k").head == first


def test_another_body_under_the_same_key_is_refused(world: World) -> None:
    world.accept(key="k")
    with pytest.raises(KeyReused) as failure:
        world.accept(OTHER, key="k")
    assert (failure.value.status, failure.value.param) == (422, "Idempotency-Key")
    assert len(heads(world)) == 1


def test_keys_of_tenants_never_meet(world: World) -> None:
    assert world.accept(key="k").head.id != world.accept(OTHER, key="k", tenant="rich").head.id


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(world: World, key: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        world.accept(key=key)
    assert failure.value.param == "Idempotency-Key"
    world.accept(key="x" * 255)


def test_a_key_may_be_used_anew_after_a_day(world: World) -> None:
    first = world.accept(key="k").head
    assert world.accept(key="k", now=NOW + 24 * HOUR - SECOND).head == first
    fresh = world.accept(OTHER, key="k", now=NOW + 24 * HOUR).head
    assert fresh.id != first.id
    assert world.accept(OTHER, key="k", now=NOW + 25 * HOUR).head == fresh


def test_two_that_reuse_an_old_key_at_once_get_one_job(world: World) -> None:
    world.accept(key="k")
    later = NOW + 24 * HOUR
    # The other request runs between the failed reservation of this one and its second try.
    world.database.meanwhile += [lambda: None, lambda: world.accept(key="k", now=later)]
    with pytest.raises(KeyInFlight):
        world.accept(key="k", now=later)
    assert len(heads(world)) == 2


@pytest.mark.parametrize("writes", range(6))
def test_a_crash_at_any_write_leaves_one_job_for_the_repeat(world: World, writes: int) -> None:
    world.register(a_model("small"))
    body = {**CHAT, "metadata": {"a": "b"}}
    world.database.crash_in = writes
    crashed = False
    try:
        world.accept(body, key="k", tenant="rich")
    except Crash:
        crashed = True
    world.database.crash_in = None
    if crashed and writes > 0:
        with pytest.raises(KeyInFlight) as failure:
            world.accept(body, key="k", tenant="rich", now=NOW + 29_999)
        assert (failure.value.status, failure.value.retry_after) == (409, 1)
    again = world.accept(body, key="k", tenant="rich", now=NOW + 30_000)
    assert heads(world) == [again.head.id]
    assert world.available("rich") == 10**9 - again.head.limit
    assert world.accept(body, key="k", tenant="rich", now=NOW + MINUTE).repeated
    sweep(world, NOW + 2 * MINUTE)
    assert again.head.id in [head.id for head in world.queue.sent]


def test_only_one_takes_over_what_a_crash_left(world: World) -> None:
    world.database.crash_in = 1
    with pytest.raises(Crash):
        world.accept(key="k")
    world.database.crash_in = None
    # This one loses the reservation, and the other comes between its reading and its taking over.
    world.database.meanwhile += [lambda: None, lambda: world.accept(key="k", now=NOW + MINUTE)]
    with pytest.raises(KeyInFlight):
        world.accept(key="k", now=NOW + MINUTE)
    assert len(heads(world)) == 1


def test_a_refused_request_frees_its_key(world: World) -> None:
    body = {**CHAT, "model": "later"}
    with pytest.raises(InvalidRequest):
        world.accept(body, key="k")
    world.register(a_model("later"))
    assert world.accept(body, key="k", now=NOW + 1).head.asked == "later"


def test_the_worst_case_is_held(world: World) -> None:
    head = world.accept(tenant="rich").head
    assert head.limit >= WORST
    assert head.holds == {"rich/2026-11": head.limit}
    assert world.available("rich") == 10**9 - head.limit


def test_a_budget_is_never_overdrawn(world: World) -> None:
    world.tenant("poor", monthly_budget=10_000)
    accepted = 0
    with pytest.raises(BudgetExceeded) as failure:
        for accepted in range(10):
            world.accept(tenant="poor", key=f"k{accepted}")
    assert accepted == 10_000 // world.queue.sent[0].limit
    assert failure.value.status == 402
    assert len(heads(world)) == len(world.queue.sent) == accepted
    assert 0 <= world.available("poor") < world.queue.sent[0].limit


def test_a_job_beyond_the_budget_can_be_repeated_when_there_is_more(world: World) -> None:
    world.tenant("poor", monthly_budget=1)
    with pytest.raises(BudgetExceeded):
        world.accept(tenant="poor", key="k")
    world.database.write(Update("ledger", "BUDGET#poor", "2026-11", add={"available": 10**6}))
    assert not world.accept(tenant="poor", key="k").repeated


def test_a_lost_send_is_reported_and_the_sweep_sends_it(world: World) -> None:
    world.queue.down = True
    head = world.accept().head
    assert world.lost == [head.id]
    assert world.jobs.get(head.id).status is Status.QUEUED
    world.queue.down = False
    sweep(world, NOW + MINUTE)
    assert [sent.id for sent in world.queue.sent] == [head.id]


def test_a_webhooks_address_is_checked_before_anything_is_written(world: World) -> None:
    def refuse(url: str) -> None:
        raise InvalidRequest("No.", param="webhook.url")

    world.check_webhook = refuse
    with pytest.raises(InvalidRequest):
        world.accept({**CHAT, "webhook": HOOK})
    assert heads(world) == []


@pytest.mark.parametrize(
    ("body", "tenant", "kind"),
    [
        ({**CHAT, "model": "none"}, "acme", InvalidRequest),
        ({**CHAT, "prompt": {"id": "none"}}, "acme", InvalidRequest),
        (CHAT, "stranger", Forbidden),
    ],
)
def test_what_cannot_work_leaves_nothing(world: World, body: Any, tenant: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        world.accept(body, tenant=tenant)
    assert heads(world) == []
    assert world.queue.sent == []


def test_a_head_that_exists_is_never_overwritten(world: World) -> None:
    head = world.accept().head
    with pytest.raises(ConditionFailed):
        world.jobs.create(head)


def test_what_ended_jobs_gave_back_is_counted_before_a_request_is_refused(world: World) -> None:
    first = world.accept(tenant="rich").head
    (bucket,) = first.holds
    world.database.write(ledger.hold(bucket, world.available("rich")))  # all is held
    with pytest.raises(BudgetExceeded):
        world.accept(tenant="rich")
    cancel = {"model": "small", "cost": 0, "paid": "no"}
    world.database.write(*ledger.book("rich", "2026-11", "job_x", [cancel], first.holds))
    assert world.accept(tenant="rich").head.limit == first.limit
    with pytest.raises(BudgetExceeded):
        world.accept(tenant="rich")


def test_who_is_refused_learns_how_the_budget_stands(world: World) -> None:
    first = world.accept(tenant="rich").head
    called = {"model": "small", "cost": 40_000_000, "paid": "yes", "input_tokens": 1, "output_tokens": 1}
    back = {"rich/2026-11": 500_000_000 - 40_000_000}
    world.database.write(ledger.hold("rich/2026-11", 500_000_000))
    world.database.write(*ledger.book("rich", "2026-11", "job_x", [called], back))
    world.database.write(ledger.hold("rich/2026-11", 10**9 - 500_000_000 - first.limit))  # by jobs that go on
    world.register(a_model("dear", price_out=10**6))
    with pytest.raises(BudgetExceeded) as failure:
        world.accept({**CHAT, "model": "dear"}, tenant="rich")
    budget = failure.value.budget
    assert budget is not None
    worst = budget["worst_cost_usd"]
    assert worst > 1, "a thousand tokens, at a thousandth of a dollar each"
    assert budget == {
        "limit_usd": 1.0,
        "spent_usd": 0.04,
        "held_usd": 0.5,
        "available_usd": 0.46,
        "worst_cost_usd": worst,
        "period_ends_at": "2026-12-01T00:00:00.000Z",
    }
    said = failure.value.message
    for amount in ("USD 1.00", "USD 0.04", "USD 0.50", "USD 0.46", "2026-12-01T00:00:00.000Z"):
        assert amount in said, amount


def test_amounts_are_told_where_they_are_the_reason_only() -> None:
    stands = ledger.Standing("2026-12", 10**9, 2 * 10**8, 10**8)
    assert ledger.exceeded(stands, 10**8).budget is None, "the tenant's own budget covers this"
    told = ledger.exceeded(stands, 3 * 10**8 + 1)
    assert told.budget is not None and "USD 0.300000001" in told.message
    assert told.budget["period_ends_at"] == "2027-01-01T00:00:00.000Z"
    overdrawn = ledger.exceeded(ledger.Standing("2026-12", 10, -5, 15), 1).budget
    assert overdrawn is not None and (overdrawn["available_usd"], overdrawn["held_usd"]) == (0, 0)


@pytest.mark.parametrize(
    ("asked", "budget"), [({}, 1_800), ({"timeout_seconds": 60}, 60), ({"deadline_seconds": 900}, 900)]
)
def test_work_that_goes_on_by_itself_has_time(world: World, asked: dict[str, int], budget: int) -> None:
    world.register(a_model("listener", tasks=["transcribe"], asynchronous=True))
    body = {"task": "transcribe", "input": {"file": {"data": "aGVsbG8=", "media_type": "audio/wav"}}, **asked}
    assert world.accept(body).head.timeout_s == budget
    assert world.accept().head.timeout_s == 120


@pytest.mark.parametrize(
    ("asked", "budget", "within"),
    [
        ({}, 86_400, 172_800),
        ({"deadline_seconds": 90_000}, 86_400, 90_000),
        ({"timeout_seconds": 7_200}, 7_200, 14_400),
        ({"timeout_seconds": 7_200, "deadline_seconds": 60}, 7_200, 60),
        ({"ttl_seconds": 100_000}, 86_400, 100_000),
        ({"ttl_seconds": 7_200}, 7_200, 7_200),
    ],
    ids=["neither", "deadline", "budget", "both", "life", "short life"],
)
def test_work_that_takes_a_day_is_given_it(world: World, asked: dict[str, int], budget: int, within: int) -> None:
    world.register(a_model("batches", tasks=["embed"], asynchronous=True, wait_s=86_400))
    head = world.accept({"task": "embed", "input": {"text": "x"}, **asked}).head
    assert (head.timeout_s, head.deadline_at - head.created_at) == (budget, within * SECOND)


def test_a_long_time_budget_takes_its_deadline_along(world: World) -> None:
    head = world.accept({**CHAT, "timeout_seconds": 500_000}).head
    assert (head.timeout_s, head.deadline_at - head.created_at) == (500_000, 604_800 * SECOND)


def test_a_deadline_that_is_not_named_comes_before_the_prompt_goes(world: World) -> None:
    head = world.accept({**CHAT, "ttl_seconds": 60}).head
    assert (head.deadline_at, head.payloads_until) == (NOW + MINUTE, (NOW + MINUTE) // SECOND)


def test_calls_beside_the_answer_are_held_for(world: World) -> None:
    plain = world.accept(tenant="rich").head.limit
    assert world.accept({**CHAT, "context": {"strategy": "summarize"}}, tenant="rich").head.limit > plain


def test_a_job_whose_creation_lost_its_reply_is_sent_at_once(world: World) -> None:
    world.database.lose_reply_of = "HEAD"
    head = world.accept().head
    assert heads(world) == [head.id]
    assert [sent.id for sent in world.queue.sent] == [head.id], "it does not wait for the sweep"


def gone(world: World, job_id: str) -> None:
    """What the table's TTL does."""
    for sk in ("HEAD", "INPUT", "NOTE#ASKED"):
        world.database.delete("jobs", f"JOB#{job_id}", sk)


SHORT = {**CHAT, "ttl_seconds": 60, "deadline_seconds": 60}


def test_a_key_whose_job_is_gone_is_a_new_job(world: World) -> None:
    first = world.accept(SHORT, key="k").head
    theirs = world.accept(SHORT, key="k", tenant="rich").head
    gone(world, first.id)
    again = world.accept(SHORT, key="k", now=NOW + HOUR)
    assert (again.repeated, again.head.status, again.head.id != first.id) == (False, Status.QUEUED, True)
    assert world.accept(SHORT, key="k", now=NOW + HOUR + SECOND).head.id == again.head.id, "and stands for that one now"
    assert world.accept(SHORT, key="k", now=NOW + HOUR, tenant="rich").head.id == theirs.id
    with pytest.raises(KeyReused):
        world.accept(CHAT, key="k", now=NOW + HOUR)


def test_of_two_repeats_after_the_job_is_gone_one_makes_the_new_one(world: World) -> None:
    first = world.accept(SHORT, key="k").head
    gone(world, first.id)
    world.database.meanwhile += [lambda: None, lambda: world.accept(SHORT, key="k", now=NOW + HOUR)]
    with pytest.raises(KeyInFlight):
        world.accept(SHORT, key="k", now=NOW + HOUR)
    assert len(heads(world)) == 2


def test_a_crash_while_a_gone_job_is_made_anew_is_repaired(world: World) -> None:
    for crash_in in range(8):
        first = world.accept(SHORT, key=f"k{crash_in}").head
        gone(world, first.id)
        world.database.crash_in = crash_in
        try:
            world.accept(SHORT, key=f"k{crash_in}", now=NOW + HOUR)
        except Crash:
            pass
        world.database.crash_in = None
        again = world.accept(SHORT, key=f"k{crash_in}", now=NOW + HOUR + MINUTE).head
        assert world.jobs.find(again.id) == again
        assert world.accept(SHORT, key=f"k{crash_in}", now=NOW + HOUR + MINUTE).head.id == again.id
