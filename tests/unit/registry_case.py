"""What tests of registry documents begin with: one of each kind, and a table that they are applied to."""

from typing import Any

from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.plan import Plan
from broker.registry.versions import Registry

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW

MODEL = {
    "id": "small",
    "provider": "openai",
    "name": "small-1",
    "tasks": ["chat", "embed"],
    "context_window": 1000,
    "max_output_tokens": 100,
    "price_in_usd": 0.15,
    "price_out_usd": 0.6,
}
TENANT = {"id": "acme", "monthly_budget_usd": 1.5, "models": ["small"], "policy": {"denied_terms": ["x"]}}
SOURCE = {"account": "123456789012", "source": "shop.orders", "tenant": "acme"}
ISSUER = {"issuer": "https://i.example", "jwks_uri": "https://i.example/jwks", "audience": "b", "tenant": "acme"}
PROMPT = {"id": "summarize", "version": 1, "user": "Shorten: {{document}}"}
FILE = {"models": [MODEL], "tenants": [TENANT], "sources": [SOURCE], "issuers": [ISSUER], "prompts": [PROMPT]}


def registered(*files: Any) -> FakeDatabase:
    database = FakeDatabase()
    for each in files:
        applied(database, each)
    return database


def applied(database: FakeDatabase, document: Any) -> Plan:
    return apply(Registry(database, FakeTexts()), parse_registry(document), by="tests", now=NOW)
