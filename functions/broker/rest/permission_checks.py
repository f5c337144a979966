"""`POST /v1/admin/can`: whether somebody may do something, and each rule that had a say."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from broker.clock import now_ms
from broker.errors import InvalidRequest
from broker.permissions.rules import Decision, decide
from broker.permissions.who import Member, Who
from broker.registry.permission_check import CheckedWho, parse_question
from broker.rest.http import Reply, Request
from broker.routing.catalog import Models
from broker.routing.model import Model
from broker.routing.permitting import asked_for, facts_of
from broker.routing.routes import Catalog
from broker.storage import Database
from broker.tenants.api_keys import key_of
from broker.tenants.applications import find_application, member_of
from broker.tenants.registry import Tenant, Tenants


@dataclass(frozen=True, slots=True)
class Explains:
    """Answers by the registry as it stands now: each answer reads it anew."""

    database: Database

    def __call__(self, request: Request) -> Reply:
        """The answer in its public form (`contract.admin.PermissionAnswer`).

        Raises:
            InvalidRequest: the question names what is not there.
            Forbidden: the tenant is not registered, or is disabled.
        """
        asked, now = parse_question(request.json()), now_ms()
        tenant = Tenants(self.database).get(asked.who.tenant, now)
        who, catalog = self._who(asked.who, tenant), Models(self.database).catalog(now)
        known = asked_for(asked.request, who.door)
        rows = []
        for model in _meant(asked.what.model, catalog):
            said = decide(catalog.permissions, who, {**known, **facts_of(model)})
            is_tenants = tenant.models is None or model.id in tenant.models
            rows.append(_row(model.id, said, is_tenants=is_tenants))
        allowed = any(row["allowed"] for row in rows)
        shown = {"tenant": who.tenant, "organisation": who.organisation or None, **_shown(who)}
        return Reply(200, {"object": "permission_check", "allowed": allowed, "who": shown, "models": rows})

    def _who(self, asked: CheckedWho, tenant: Tenant) -> Who:
        """Who is meant, with all that their key and application say."""
        principal, application = asked.principal or "", asked.application or ""
        if asked.key:
            key = key_of(self.database, tenant.id, asked.key)
            if key is None:
                raise InvalidRequest("who.key: the tenant has no such key.", code="unknown_key", param="who.key")
            principal = principal or key["principal"]
            application = application or key.get("application", "")
        member = Member(application, frozenset(asked.groups or ()), frozenset(asked.roles or ()))
        if application:
            item = find_application(self.database, tenant.id, application)
            if item is None:
                message = f"who.application: the tenant has no application {application!r} in use."
                raise InvalidRequest(message, code="unknown_application", param="who.application")
            member = member.joined(member_of(item).groups, member_of(item).roles)
        return tenant.knows(Who(tenant.id, "", member, principal, asked.key or "", asked.door))


def _meant(name: str | None, catalog: Catalog) -> Collection[Model]:
    """The models that a question is about."""
    if name is None:
        return catalog.models.values()
    found = [catalog.models[each] for each in catalog.expand(name)]
    if not found:
        raise InvalidRequest(f"what.model: there is no model {name!r}.", code="unknown_model", param="what.model")
    return found


def _row(model: str, said: Decision, *, is_tenants: bool) -> dict[str, Any]:
    rules = [
        {
            "id": each.rule.id,
            "allows": each.allows,
            "effect": "allow_only" if each.rule.closes else "deny",
            "about": {kind: sorted(values) for kind, values in each.rule.on.items()},
            "ask": each.rule.ask or None,
        }
        for each in said.spoke
    ]
    return {"model": model, "allowed": said.allowed and is_tenants, "in_tenants_models": is_tenants, "rules": rules}


def _shown(who: Who) -> dict[str, Any]:
    member = who.member
    return {
        "application": member.application or None,
        "groups": sorted(member.groups),
        "roles": sorted(member.roles),
        "principal": who.principal or None,
        "key": who.key or None,
        "door": who.door,
    }
