"""By which status it is told why a job that was waited for has no answer."""

from typing import Any

import pytest
from broker import errors
from broker.contract.anthropic import AnthropicError
from broker.doors.openai import failure_of
from broker.errors import BrokerError, BudgetExceeded, RateLimited, tree
from broker.rest.http import error_reply
from broker.rest.spoken import in_dialect
from broker.tenants.limits import CALLS

WHEN = "2026-12-01T00:00:00.000Z"
BUDGET: dict[str, Any] = {
    **dict.fromkeys(("limit_usd", "spent_usd", "held_usd", "available_usd", "worst_cost_usd"), 1.5),
    "period_ends_at": WHEN,
}
LIMIT: dict[str, Any] = {
    "name": CALLS,
    "scope": "tenant",
    "id": "acme",
    "amount": 5,
    "left": 0,
    "asked": 1,
    "free_at": WHEN,
}

TREE = [kind for kind in tree() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_each_error_of_a_job_has_the_status_of_its_type(kind: type[BrokerError]) -> None:
    """A job keeps an error's type and not its class."""
    status, _ = failure_of({"status": "failed", "error": kind("No.").facts()})
    first = next(each for each in kind.__mro__ if "type" in vars(each))
    assert status == {"refused": 400, "context_exceeded": 400}.get(kind.type, first.status)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "error",
    [
        BudgetExceeded("No.", beside={"budget": BUDGET}),
        RateLimited("Less.", retry_after=3, beside={"limit": LIMIT}),
        errors.TooManyAtOnce("Later."),
        errors.Unavailable("It is busy.", retry_after=2),
        errors.PolicyMissing("There is none."),
        errors.TooLarge("Too large."),
        BrokerError("Something went wrong on our side."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_in_anthropics_form_is_as_documented(error: BrokerError) -> None:
    told = in_dialect("/messages", {}, error_reply(error, "r-1"))
    AnthropicError.model_validate(told.body)
    assert told.headers == error_reply(error, "r-1").headers
    assert told.status == (529 if error.type == "unavailable" else error.status)
