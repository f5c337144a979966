"""What tests of plans begin with: a registry that a document stands in."""

from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.plan import Plan, make_plan
from broker.registry.versions import Registry

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW

ARN = "arn:aws:iam::123456789012:user/ada"


def model(name: str, **changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": name,
        "provider": "openai",
        "name": f"{name}-1",
        "tasks": ["chat"],
        "context_window": 1000,
        "max_output_tokens": 100,
        "price_in_usd": 0.15,
        "price_out_usd": 0.6,
    }
    return known | changes


BASE = {
    "models": [model("small"), model("large")],
    "aliases": [{"id": "fast", "models": ["small"]}],
    "routes": [{"id": "default", "models": ["fast"], "fallbacks": ["large"]}],
    "tenants": [{"id": "acme", "models": ["small"]}],
    "sources": [{"account": "123456789012", "source": "shop", "tenant": "acme"}],
    "prompts": [{"id": "p", "user": "one"}],
}


class Stands:
    """A registry with a document in it."""

    def __init__(self, document: dict[str, Any] = BASE) -> None:
        self.database = FakeDatabase()
        self.texts = FakeTexts()
        self.registry = Registry(self.database, self.texts)
        self.apply(document)

    def plan(self, document: dict[str, Any], *, prune: bool = False) -> Plan:
        return make_plan(self.registry, parse_registry(document), prune=prune)

    def apply(self, document: dict[str, Any], now: int = NOW, *, prune: bool = False) -> Plan:
        return apply(self.registry, parse_registry(document), by=ARN, now=now, prune=prune)

    def fails(self, document: dict[str, Any]) -> InvalidRequest:
        before = dict(self.database._items)
        with pytest.raises(InvalidRequest) as failure:
            self.apply(document)
        assert self.database._items == before, "a document at fault wrote something"
        return failure.value


def changes(plan: Plan) -> list[tuple[str, str, str, int]]:
    return [(each.kind, each.entry.key, each.action, each.number) for each in plan.changes]
