"""Odd replies of each dialect, on the deployed stack: whose fault each is, and what follows, row by row.

All jobs are one tenant's and are under way together; a second tenant sees nothing of it but the circuits.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from broker.routing.board import KEEP_MS

from local.client import Client
from tests.e2e.odd import CASES, DIALECTS, ROWS, body_of, model_of
from tests.e2e.registered import PRICE_IN_USD, PRICE_OUT_USD
from tests.e2e.stack import Stack

STATUSES = {"Refused": "blocked", "Truncated": "failed"}
"""Of jobs that nobody else is asked for."""


@dataclass(frozen=True)
class After:
    """What is seen when all jobs have ended."""

    jobs: Mapping[str, dict[str, Any]]
    """By model."""
    mine: Mapping[str, dict[str, Any]]
    others: Mapping[str, dict[str, Any]]
    """The models as the tenant of the jobs and a second one see them."""


@pytest.fixture(scope="module")
def after(stack: Stack) -> After:
    bodies = [body_of(*case) for case in CASES]
    with ThreadPoolExecutor(8) as pool:
        jobs = {body["model"]: job for body, job in zip(bodies, pool.map(stack.run, bodies), strict=True)}
    time.sleep(KEEP_MS / 1000)  # until every process has read the board anew
    return After(jobs, _models(stack.api), _models(Client(stack.base_url, stack.seeded.other_key)))


def _models(client: Client) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in client.call("GET", "/models").body["data"]}


@pytest.mark.parametrize(("dialect", "order"), CASES)
def test_what_follows_from_an_odd_reply(after: After, dialect: str, order: str) -> None:
    row, model = ROWS[order], model_of(dialect, order)
    job = after.jobs[model]
    *odd, last = job["attempts"] if row.then else [*job["attempts"], None]
    assert [(each["model"], each["outcome"]) for each in odd] == [(model, row.outcome)] * row.times
    assert {each["error"]["code"] for each in odd} == {row.codes[dialect]}
    if row.then:
        answers = getattr(DIALECTS[dialect], row.then)
        assert (job["status"], job["model"], last["outcome"]) == ("succeeded", answers, "succeeded"), job["error"]
    else:
        assert (job["status"], job["error"]["code"]) == (STATUSES[row.outcome], row.codes[dialect])
    for each in odd:
        if isinstance(row.paid, tuple):
            into, out = row.paid
            assert (each["paid"], each["cost_usd"]) == (
                "yes",
                pytest.approx((into * PRICE_IN_USD + out * PRICE_OUT_USD) / 1e6),
            )
        else:
            assert (each["paid"], each["cost_usd"] > 0) == (row.paid, row.paid != "no")


@pytest.mark.parametrize(("dialect", "order"), CASES)
def test_what_an_odd_reply_says_of_its_model(after: After, dialect: str, order: str) -> None:
    row, model = ROWS[order], model_of(dialect, order)
    mine, others = after.mine[model], after.others[model]
    assert (mine["circuit"]["state"] != "closed") == row.opens
    assert others["circuit"]["state"] == "closed", "one tenant alone opens no circuit for another"
    live = mine["live"] or {"error_rate": 0}
    assert (live["error_rate"] > 0) == row.counts
