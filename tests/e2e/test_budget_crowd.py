"""Sixty-four at once at one budget, on tables whose transactions cancel each other: all that fits is taken, no more."""

import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from broker.clock import now_ms
from broker.errors import BudgetExceeded
from broker.storage import If, Put, Update
from broker.tenants import ledger
from broker.tenants.budgets import TRIES, Budgets
from broker.tenants.slices import key_of, read_all, slice_of

from tests.e2e.stack import Stack

CLIENTS, FIT = 64, 40
HELD = 1_000_000


def test_of_a_crowd_as_many_are_taken_as_the_budget_covers(stack: Stack) -> None:
    tenant, period = f"crowd-{uuid.uuid4().hex[:8]}", ledger.period_of(now_ms())
    bucket, allowed = ledger.bucket_of(tenant, period), FIT * HELD + HELD // 2
    database = stack.database
    ledger.open_period(database, tenant, period, allowed)
    together = Barrier(CLIENTS)

    def one(number: int) -> str:
        job_id = f"{tenant}-{number}"

        def write(name: str, writes: Sequence[Put | Update]) -> None:
            head = {"pk": f"CROWD#{job_id}", "sk": "HEAD", "held_from": name}
            database.write(Put("jobs", head, (If("pk", "absent"),)), *writes, tries=TRIES)

        process = Budgets(database)
        together.wait()
        try:
            process.hold(tenant, period, HELD, job_id, write)
        except BudgetExceeded:
            return "402"
        return "202"

    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            ends = Counter(pool.map(one, range(CLIENTS)))
        assert ends == {"202": FIT, "402": CLIENTS - FIT}
        stands = ledger.standing(database, tenant, period)
        assert (stands.available, stands.held) == (HELD // 2, FIT * HELD)
    finally:
        found = read_all(database, bucket)
        stack.drop("ledger", [key_of(slice_of(bucket, number)) for number in range(len(found.items))])
        stack.drop("jobs", [(f"CROWD#{tenant}-{number}", "HEAD") for number in range(CLIENTS)])
