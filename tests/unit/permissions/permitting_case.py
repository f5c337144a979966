"""What tests of permissions begin with: two models, a rule, two tenants, and people of each."""

from collections.abc import Sequence
from typing import Any

from broker.errors import PermissionDenied
from broker.jobs.accepting import Acceptance, Caller
from broker.jobs.request import parse_request
from broker.permissions.refusing import Denial
from broker.permissions.who import Member
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.database import FakeDatabase
from tests.fakes.world import CHAT, NOW, World, a_model

CREATIVE = {"id": "creative", "models": ["creative"], "allow_only": {"tenants": ["acme"], "groups": ["marketing"]}}
"""The three lines of the page."""

MARKETING = Member("campaigns", frozenset({"marketing"}))
SALES = Member("crm", frozenset({"sales"}))


class Permitted(World):
    """A deployment with rules."""

    def __init__(self, *rules: dict[str, Any], database: FakeDatabase | None = None) -> None:
        super().__init__(database or FakeDatabase())
        self.denied: list[Denial] = []
        self.register(a_model("creative", rank=1, quality=5, tags=["costly"], regions=["us"]))
        self.register(a_model("small", rank=2, regions=["eu"]))
        self.register({"pk": "MODELS", "sk": "ALIAS#muse", "models": ["creative"]})
        self.register({"pk": "PROMPT#greet", "sk": "LATEST", "user": "Greet {{name}}."})
        self.tenant("acme")
        self.tenant("mallory")
        for rule in rules:
            self.rule(rule)

    def rule(self, rule: dict[str, Any]) -> None:
        """Register a rule as it stands in a document, without a look at what it names."""
        entry = parse_registry({"permissions": [rule]}).permissions[0]
        self.register(entry.item())

    def ask(
        self, member: Member = SALES, tenant: str = "acme", door: str = "rest", now: int = NOW, **body: Any
    ) -> Acceptance:
        """Accept a request of somebody."""
        caller = Caller(tenant, "ann", door, "c-1", key="k1", member=member)
        return self.accepting()(parse_request({**CHAT, **body}), caller, now)

    def refused(self, member: Member = SALES, tenant: str = "acme", **body: Any) -> tuple[str, str | None]:
        """The rule that refuses a request, and the field that it names."""
        try:
            self.ask(member, tenant, **body)
        except PermissionDenied as error:
            assert (error.status, error.type, error.code) == (403, "forbidden", "permission_denied")
            return error.beside["permission"]["rule"], error.param
        raise AssertionError("it was accepted")


def registered(*documents: dict[str, Any]) -> World:
    """A registry that operators wrote through the checks."""
    world = World()
    for document in documents:
        apply(world.registry(), parse_registry(document), by="ops", now=NOW)
    return world


def candidates(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Of a route, the models that are taken."""
    return [row["model"] for row in rows if row["taken"]]
