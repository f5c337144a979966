"""Guardrail policies as the operators registered them (table `registry`, pk `GUARDRAIL#id`), and which of them hold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from broker.errors import NotFound, PolicyMissing
from broker.guardrails.policy import Policy, of_tenant
from broker.storage import Database
from broker.tenants.registry import Tenant

KEEP_MS = 30_000


@dataclass(frozen=True, slots=True)
class _Kept:
    read_at: int
    policy: Policy
    shared: bool


class Policies:
    """The policies of the deployment, each kept in memory for half a minute, as tenants are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[str, _Kept] = {}

    def get(self, policy_id: str, now: int) -> Policy:
        """One policy.

        Raises:
            PolicyMissing: it is not registered, or was disabled; nothing goes on without it.
        """
        kept = self._find(policy_id, now)
        if kept is None:
            what = f"The guardrail policy {policy_id!r}, which is to hold here, is not registered or disabled."
            raise PolicyMissing(what, code="policy_missing")
        return kept.policy

    def forget(self) -> None:
        """Read anew at the next question: another process may know of a version that is missing here."""
        self._kept.clear()

    def holding(self, tenant: Tenant, named: Iterable[str], now: int) -> tuple[Policy, ...]:
        """All that hold for a job: the tenant's, and on top those that its prompt and route name.

        One that both name runs once, unless the tenant's settings made another of it: what a route asks for stays.

        Raises:
            PolicyMissing: one of them is not there.
        """
        own = of_tenant(tenant.policy, tuple(self.get(each, now) for each in tenant.guardrails))
        others = (self.get(each, now) for each in dict.fromkeys(named))
        return own + tuple(each for each in others if each not in own)

    def settings(self, tenant: Tenant, named: Iterable[str], now: int) -> dict[str, Any]:
        """What an answer has passed, for the cache: the tenant's settings, and each policy's name with its version.

        Raises:
            PolicyMissing: one of them is not there.
        """
        return {"settings": tenant.policy, "policies": [each.name for each in self.holding(tenant, named, now)]}

    def check_open(self, tenant: Tenant, named: Sequence[str], now: int) -> None:
        """Check that a tenant may try texts against policies: its own, and those that are shared.

        Raises:
            NotFound: it may not, or there is none; which of the two is not told.
        """
        for number, policy_id in enumerate(named):
            kept = self._find(policy_id, now)
            if kept is None or not (kept.shared or policy_id in tenant.guardrails):
                raise NotFound("There is no such policy for you.", code="unknown_policy", param=f"policies.{number}")

    def _find(self, policy_id: str, now: int) -> _Kept | None:
        kept = self._kept.get(policy_id)
        if kept is None or now - kept.read_at >= KEEP_MS:
            item = self._database.get("registry", f"GUARDRAIL#{policy_id}", "GUARDRAIL")
            if item is None or not item.get("enabled", True):
                return None  # nothing of it is kept in memory: it may be on its way
            kept = _Kept(now, Policy.from_item(policy_id, item), item.get("shared", False))
            self._kept[policy_id] = kept
        return kept
