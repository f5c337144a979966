"""How many jobs of a tenant, or of one of its keys, may be accepted and not have ended: a bucket that counts jobs.

A job holds one in the commit that accepts it, and the commit that ends it gives it back, whatever ended it. So nothing
is ever left of a job that was canceled, expired or lost with its function.
"""

from dataclasses import dataclass
from typing import Any

from broker.errors import TooManyAtOnce
from broker.storage import Database
from broker.tenants.ledger import OPEN, bucket_of
from broker.tenants.limits import QUEUED, Scope
from broker.tenants.slices import Slices, read_all

LATER_S = 5
"""After which it makes sense to come again."""


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """One such limit."""

    whose: Scope
    id: str
    """The tenant's, or the key's."""
    tenant: str
    amount: int

    @property
    def scope(self) -> str:
        """Of its bucket."""
        return f"{self.tenant}:jobs" if self.whose == "tenant" else f"{self.tenant}:jobs:{self.id}"

    @property
    def bucket(self) -> str:
        """As heads have it."""
        return bucket_of(self.scope, OPEN)

    def refusal(self, found: Slices, amount: int) -> TooManyAtOnce:
        """The error of a job that it has no room for."""
        whose = "The tenant" if self.whose == "tenant" else f"The API key {self.id}"
        message = f"{whose} may have {self.amount:,} jobs that have not ended, and has as many."
        told = self._told() | {"left": max(0, found.available), "asked": amount, "free_at": None}
        return TooManyAtOnce(message, code="too_many_queued_jobs", beside={"limit": told}, retry_after=LATER_S)

    def standing(self, database: Database) -> dict[str, Any]:
        """How it stands, as `GET /limits` shows it."""
        found = read_all(database, self.bucket)
        left = found.available + self.amount - found.allowed if found.is_open else self.amount
        return self._told() | {"left": max(0, left), "full_at": None}

    def _told(self) -> dict[str, Any]:
        return {"name": QUEUED, "scope": self.whose, "id": self.id, "amount": self.amount}


def places_of(tenant: str, by_tenant: int | None, key: str, by_key: int | None) -> list[OpenJobs]:
    """The limits that hold for a tenant's jobs by one of its keys; None for any number."""
    found = [] if by_tenant is None else [OpenJobs("tenant", tenant, tenant, by_tenant)]
    return found if by_key is None else [*found, OpenJobs("key", key, tenant, by_key)]
