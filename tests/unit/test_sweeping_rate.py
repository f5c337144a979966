"""The sweep is never behind: ten thousand items a minute by the arithmetic of its calls, whoever they are of.

`pytest -s tests/unit/test_sweeping_rate.py` prints what an item takes, and how many there may be.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from broker.delivery.starting import SAFETY_MS
from broker.jobs.head import SHARDS, Head, due_partition
from broker.jobs.store import note_item
from broker.storage import Put
from broker.tenants import ledger

from tests.fakes.world import HOUR, MINUTE, NOW, a_head
from tests.unit.sweeping_case import COSTS, TIME_MS, SlowSweep
from tests.unit.transitions_case import ended, running, with_calls

ITEMS = 800
AIM = 10_000
"""Items a minute."""

PERIOD = ledger.period_of(NOW)

Due = Callable[[SlowSweep, str], None]


def _put(head: Head) -> Due:
    return lambda sweep, job_id: sweep.database._write([Put("jobs", replace(head, id=job_id).to_item())])


def _webhook(sweep: SlowSweep, job_id: str) -> None:
    facts = {"state": "pending", "tries": 0, "tenant": "acme", "due": due_partition(job_id), "due_at": NOW}
    sweep.database._write([Put("jobs", note_item(a_head(id=job_id), "DELIVERY#job.failed", facts))])


HELD = {f"acme/{PERIOD}": 9}

DUE: dict[str, tuple[Due, str, dict[str, int]]] = {
    "a job that was never sent": (_put(a_head()), "requeued", {"read": 1, "send": 1, "write": 1}),
    "a run that died": (_put(running()), "requeued", {"read": 1, "send": 1, "write": 2}),
    "a run under its lease": (_put(running(lease_until=NOW + HOUR)), "waiting", {"read": 1, "write": 1}),
    "a job past its deadline": (_put(a_head(deadline_at=NOW, holds=HELD)), "expired", {"read": 1, "transaction": 1}),
    "a call that an ended job left open": (
        _put(with_calls(ended(due_at=NOW, holds=HELD), (9, None))),
        "reckoned",
        {"read": 3, "transaction": 1},
    ),
    "a webhook whose message was lost": (_webhook, "deliveries", {"read": 1, "send": 1, "write": 1}),
}
"""What may be due, and the calls that one takes."""


@pytest.mark.parametrize("what", DUE)
def test_ten_thousand_items_a_minute_may_be_due(what: str) -> None:
    put, count, calls = DUE[what]
    sweep = SlowSweep()
    budget = {"pk": "BUDGET#acme", "sk": PERIOD, "available": 0, "allowed": 0}
    sweep.database._write([Put("ledger", budget)])
    for number in range(ITEMS):
        put(sweep, f"job_{number}")
    swept = sweep(NOW + 2 * MINUTE)
    assert (getattr(swept, count), swept.errors, swept.oldest_due_at) == (ITEMS, [], None)
    pages = sweep.meter.calls["read"] - ITEMS * calls.get("read", 0)
    assert {kind: made // ITEMS for kind, made in sweep.meter.calls.items() if made >= ITEMS} == calls
    assert 0 < pages <= 3 * SHARDS, "their keys come by the hundred"
    item_ms = sum(COSTS[kind] * made for kind, made in calls.items()) + COSTS["read"] / 50
    a_minute = int(TIME_MS / item_ms * SHARDS)
    print(f"\n{what}: {calls}, {item_ms:.1f} ms; {a_minute:,} a minute")
    assert a_minute >= AIM


def test_ten_thousand_items_of_a_hostile_tenant_keep_no_others_item_beyond_the_next_sweep() -> None:
    sweep = SlowSweep()
    for number in range(AIM):
        sweep.database._write([Put("jobs", a_head(id=f"job_{number}", tenant="hostile", due_at=NOW).to_item())])
    good = [a_head(id=f"good_{number}", due_at=NOW + MINUTE) for number in range(SHARDS * 4)]
    for head in good:
        sweep.database._write([Put("jobs", head.to_item())])
    swept = sweep(NOW + MINUTE)
    print(f"\n{AIM:,} of another before it: all done {sweep.took_ms / 1000:.1f} s after the sweep began")
    assert {head.id for head in good} <= {head.id for head in sweep.queue.sent}
    assert (swept.requeued, swept.oldest_due_at) == (AIM + len(good), None)
    assert sweep.took_ms < TIME_MS
    assert sweep(NOW + 2 * MINUTE).requeued == 0, "what is known to have been sent is not sent again"


def test_who_has_more_due_than_a_sweep_can_do_is_told_to_be_behind() -> None:
    sweep = SlowSweep()
    ids = [each for each in (f"job_{number}" for number in range(50 * AIM)) if due_partition(each) == "DUE#0"]
    many = TIME_MS // 23 + 100
    for place, job_id in enumerate(ids[:many]):
        sweep.database._write([Put("jobs", a_head(id=job_id, due_at=NOW + place).to_item())])
    swept = sweep(NOW + MINUTE)
    assert 0 < many - swept.requeued < 200
    assert swept.oldest_due_at == NOW + swept.requeued, "the first that is left"


def test_dead_letters_are_done_however_much_is_due() -> None:
    sweep = SlowSweep()
    for number in range(4 * ITEMS):
        sweep.database._write([Put("jobs", a_head(id=f"job_{number}", due_at=NOW).to_item())])
    sweep.dead.job_ids = [f"job_{number}" for number in range(400)]
    assert sweep(NOW + MINUTE).dead_letters == 400
    assert sweep.dead.job_ids == []


def test_a_webhook_that_is_known_to_have_been_sent_is_not_sent_each_minute() -> None:
    sweep = SlowSweep()
    _webhook(sweep, "job_1")
    sent = [sweep(NOW + SAFETY_MS + minute * MINUTE).deliveries for minute in range(59)]
    assert sent == [1] + [0] * 58
