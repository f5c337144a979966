"""Accepting: what is held, checked and sent; and no job is lost between its head and its queue."""

from typing import Any

import pytest
from broker.errors import BudgetExceeded, Forbidden, InvalidRequest
from broker.jobs.head import RECORD_S, Status
from broker.storage import ConditionFailed, Update
from broker.tenants import ledger

from tests.fakes.world import CHAT, MINUTE, NOW, SECOND, World, a_model
from tests.unit.accepting_case import accepting_world, heads, sweep

HOOK = {"url": "https://example.com/hook", "events": ["job.failed"]}
WORST = 2_000 * 2
"""Of the answers, at least: one candidate, held twice for its repair."""


@pytest.fixture
def world() -> World:
    return accepting_world()


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
    budget = failure.value.beside["budget"]
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
    assert not ledger.exceeded(stands, 10**8).beside, "the tenant's own budget covers this"
    refused = ledger.exceeded(stands, 3 * 10**8 + 1)
    assert "USD 0.300000001" in refused.message
    assert refused.beside["budget"]["period_ends_at"] == "2027-01-01T00:00:00.000Z"
    overdrawn = ledger.exceeded(ledger.Standing("2026-12", 10, -5, 15), 1).beside["budget"]
    assert (overdrawn["available_usd"], overdrawn["held_usd"]) == (0, 0)


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


@pytest.mark.parametrize(
    ("doors", "asked", "quiet"),
    [
        ((), {}, None),
        ((), {"bus_events": True}, None),
        ((), {"bus_events": False}, True),
        (("rest",), {}, True),
        (("rest",), {"bus_events": True}, None),
        (("event", "s3"), {}, None),
    ],
)
def test_whether_the_bus_is_told_of_a_job(doors: tuple[str, ...], asked: dict[str, bool], quiet: bool | None) -> None:
    world = World(quiet_doors=doors)
    world.register(a_model("small"))
    world.tenant()
    head = world.accept({**CHAT, **asked}).head
    assert (head.quiet, world.jobs.get(head.id).quiet) == (quiet, quiet)
    assert "quiet" not in head.to_item() or quiet
