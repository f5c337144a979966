"""Budgets and the ledger: held at acceptance, settled at the end."""

import time

from broker.clock import now_ms
from broker.tenants.ledger import period_of, standing

from tests.e2e.stack import Stack, chat

WHOLE = 1_000_000_000
"""The month's budget of the tenant `poor`, in nano-dollars."""


def _available(stack: Stack, tenant: str) -> int:
    """What a hold could take, with what came back."""
    return standing(stack.database, tenant, period_of(now_ms())).available


def _spent(stack: Stack, tenant: str) -> int:
    return standing(stack.database, tenant, period_of(now_ms())).spent


def _kept(stack: Stack, tenant: str) -> int:
    """What is available and spent together, once whole: a job's end may be seen before the rest of its commit."""
    for _ in range(50):
        if (kept := _available(stack, tenant) + _spent(stack, tenant)) == WHOLE:
            break
        time.sleep(0.1)
    return kept


def test_what_a_job_does_not_spend_goes_back_to_the_budget(stack: Stack) -> None:
    api = stack.as_tenant("poor")
    job = stack.run(chat(model="fails", routing={"fallbacks": ["answers"]}), api)
    assert job["status"] == "succeeded"
    assert _kept(stack, "poor") == WHOLE
    assert _spent(stack, "poor") >= round(job["usage"]["cost_usd"] * 1e9) > 0


def test_a_job_whose_worst_case_is_above_the_budget_is_refused(stack: Stack) -> None:
    api = stack.as_tenant("poor")
    answer = api.submit(chat(model="dear", parameters={"max_output_tokens": 1000}))
    assert (answer.status, answer.body["error"]["type"]) == (402, "budget_exceeded")
    budget = answer.body["error"]["budget"]
    assert budget["limit_usd"] == 1 < budget["worst_cost_usd"]
    assert api.submit(chat(model="answers")).status == 202


def test_a_blocked_job_costs_nothing(stack: Stack) -> None:
    api = stack.as_tenant("poor")
    job = stack.run(chat("4111 1111 1111 1111", model="answers"), api)
    assert (job["status"], job["usage"]["cost_usd"]) == ("blocked", 0)
    assert _kept(stack, "poor") == WHOLE
