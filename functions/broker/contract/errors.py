"""What replies that are no success say."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from broker.contract.common import TYPES, Count, OneOf, Shown, Time, Usd
from broker.tenants.limits import CALLS, NAMES, QUEUED
from broker.tenants.rules import Per


class Budget(Shown):
    """How the tenant's budget stands; a calendar month in UTC has one."""

    limit_usd: Usd
    """Of the month."""
    spent_usd: Usd
    held_usd: Usd
    """For jobs that have not ended, at their worst."""
    available_usd: Usd
    worst_cost_usd: Usd
    """What would have been held for this job."""
    period_ends_at: Time
    """When the next month begins, with a limit of its own."""


class BudgetRule(Shown):
    """A budget beside the tenant's own, and how it stands."""

    id: str
    per: Annotated[str, OneOf(get_args(Per))]
    limit_usd: Usd
    available_usd: Usd
    worst_cost_usd: Usd
    """What would have been held for this job."""
    period_ends_at: Time | None
    """When it begins anew; null where it does not."""


class ReachedLimit(Shown):
    """The limit that does not allow a request now."""

    name: Annotated[str, OneOf((*NAMES, CALLS, QUEUED))]
    scope: Literal["tenant", "key"]
    """Whose it is: all of the tenant's, or those that come with one API key."""
    id: str
    """The tenant's, or the key's as `broker key list` shows it."""
    amount: Annotated[int, Field(ge=1)]
    left: Count
    asked: Count
    """Of tokens: the request's input as it is estimated, and the most that its answer may have."""
    free_at: Time | None
    """When it will allow as much, if nobody takes of it before; null where it never does, and of `queued_jobs`."""


class MissingPermission(Shown):
    """The permission that keeps the caller from something."""

    rule: str
    """Its id in the registry."""
    ask: str | None
    """How to ask for it, in the operators' words."""


class ErrorFacts(Shown):
    """What went wrong."""

    type: Annotated[str, OneOf(tuple(sorted({*TYPES, "unauthorized", "blocked", "canceled", "expired"})))]
    code: str
    """Finer than the type, for programs."""
    message: str
    param: str | None
    """The field, header or parameter at fault, dotted (`input.messages.0.role`)."""
    request_id: str
    budget: Budget | None = None
    """Only of `budget_exceeded`, where it is the tenant's own budget that does not cover the job."""
    limit: ReachedLimit | None = None
    """Of `rate_limit_exceeded`, and of `too_many_queued_jobs`."""
    budget_rule: BudgetRule | None = None
    """Only of `budget_exceeded`, where it is another budget than the tenant's own that does not cover the job."""
    permission: MissingPermission | None = None
    """Only where the code is `permission_denied`."""


class Error(Shown):
    """The body of every reply that is not a success."""

    error: ErrorFacts
    type: Literal["error"] | None = None
    """Of what API Gateway answers itself, as is `request_id`: for clients of Anthropic's."""
    request_id: str | None = None
