"""Tokens of batches that have not ended: never more than their tenant may have, and given back at any end."""

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import pytest
from broker.batches.batch import BatchStatus
from broker.tenants.ledger import OPEN, bucket_of
from broker.tenants.slices import read_all
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import Rows, chat, jsonl
from tests.fakes.database import Crash
from tests.fakes.world import NOW

DATA = jsonl(*(chat(f"Row {row}", custom_id=f"r-{row}") for row in range(30)))
TOKENS = math.ceil(len(DATA) / 4)


def limited(flow: Rows, tokens: int | None, tenant: str = "acme") -> None:
    flow.world.tenant(tenant, **({} if tokens is None else {"limits": {"enqueued_batch_tokens": tokens}}))


def left(flow: Rows, tenant: str = "acme") -> int:
    return read_all(flow.world.database, bucket_of(f"{tenant}:tokens", OPEN)).available


def test_a_batch_too_many_fails_by_name_and_another_tenant_has_its_own() -> None:
    rows = Rows()
    limited(rows, 2 * TOKENS)
    limited(rows, TOKENS, "other")
    for number in (1, 2, 3):
        rows.put(DATA, f"batch_{number}")
        rows.plan(f"batch_{number}")
    rows.put(DATA, "batch_4", tenant="other")
    rows.plan("batch_4")
    statuses = [rows.batch(f"batch_{number}").status for number in (1, 2, 3, 4)]
    assert statuses == [*[BatchStatus.IN_PROGRESS] * 2, BatchStatus.FAILED, BatchStatus.IN_PROGRESS]
    error = rows.batch("batch_3").error
    assert error and error["code"] == "token_limit_exceeded" and f"this one has {TOKENS:,}" in error["message"]
    assert left(rows) == 0 and not rows.batch("batch_3").holds


def test_without_the_limit_nothing_is_counted() -> None:
    rows = Rows()
    rows.put(DATA)
    rows.plan()
    assert not rows.batch().holds and not [each for each in rows.world.database.items() if ":tokens" in each["pk"]]


@pytest.mark.parametrize("how", ["completed", "canceled", "expired"])
def test_whatever_ends_a_batch_gives_its_tokens_back(how: str) -> None:
    flow = Flow()
    limited(flow, TOKENS + 10)
    flow.begin(DATA)
    assert left(flow) == 10
    if how == "canceled":
        flow.stops.cancel(flow.batch(), flow.now)
    if how == "expired":
        flow.expire()
    flow.tend_all()
    for head in flow.jobs():
        if not head.status.terminal:
            flow.end(head)
    flow.publish()
    flow.finish()
    assert flow.batch().status.terminal and left(flow) == TOKENS + 10


def test_who_races_gets_all_of_it_and_no_more() -> None:
    rows, start = Rows(), Barrier(64)
    limited(rows, 40 * TOKENS + TOKENS // 2)
    for number in range(64):
        rows.put(DATA, f"batch_{number}")

    def plan(number: int) -> None:
        start.wait()
        rows.plan(f"batch_{number}")

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(plan, range(64)))
    planned = [number for number in range(64) if rows.batch(f"batch_{number}").is_planned]
    assert len(planned) == 40 and left(rows) == TOKENS // 2


class EnqueueMachine(RuleBasedStateMachine):
    """Batches that are planned, planned again, and end, by processes that crash and meet."""

    @initialize(most=st.integers(0, 300))
    def begin(self, most: int) -> None:
        self.rows, self.most = Rows(), most
        limited(self.rows, most)
        for number in range(6):
            self.rows.put(jsonl(*(chat(f"{each}") for each in range(number + 1))), f"batch_{number}")

    @rule(number=st.integers(0, 5), crash=st.none() | st.integers(0, 3), again=st.booleans())
    def plan(self, number: int, crash: int | None, again: bool) -> None:
        database = self.rows.world.database
        database.crash_in = crash
        if again:
            database.meanwhile = [lambda: self.rows.plan(f"batch_{number}")]
        with suppress(Crash):
            self.rows.plan(f"batch_{number}")
        database.crash_in, database.meanwhile = None, []

    @rule(number=st.integers(0, 5), crash=st.none() | st.integers(0, 1), twice=st.booleans())
    def end(self, number: int, crash: int | None, twice: bool) -> None:
        database = self.rows.world.database
        for _ in range(1 + twice):
            database.crash_in = crash
            with suppress(Crash):
                self.rows.batches.change(f"batch_{number}", lambda batch: batch.ended({}, NOW))
            database.crash_in = None

    @invariant()
    def what_is_held_is_what_goes_on(self) -> None:
        batches = [self.rows.batch(f"batch_{number}") for number in range(6)]
        held = sum(sum(batch.holds.values()) for batch in batches if not batch.status.terminal)
        assert held <= self.most
        if [each for each in self.rows.world.database.items() if ":tokens" in each["pk"]]:
            assert left(self.rows) == self.most - held


EnqueueMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestEnqueueMachine = EnqueueMachine.TestCase
