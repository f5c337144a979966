"""How a caller's limits stand."""

from typing import Annotated, Literal

from pydantic import Field

from broker.contract.common import Count, OneOf, Shown, Time
from broker.tenants.limits import NAMES, QUEUED


class LimitStanding(Shown):
    """One limit of the caller's, and how it stands."""

    name: Annotated[str, OneOf((*NAMES, QUEUED))]
    scope: Literal["tenant", "key"]
    """Whose it is: all of the tenant's, or those that come with the key that asks."""
    id: str
    amount: Annotated[int, Field(ge=1)]
    left: Count
    full_at: Time | None
    """When all of it may be taken again: of a bucket when it is full, of a count when its day or month ends; null of
    `queued_jobs`, which come back when jobs end."""


class LimitList(Shown):
    """The limits of the tenant and of the key that asks."""

    object: Literal["list"]
    data: list[LimitStanding]
