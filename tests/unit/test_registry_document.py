"""Registry documents: what the functions read of them, and versions of prompts."""

import json
import re
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from broker.errors import Forbidden, InvalidRequest
from broker.guardrails.policy import DEFAULT, Policy, Rule, of_tenant
from broker.prompts.templates import Prompts
from broker.registry.document import parse_registry
from broker.registry.model_entry import ModelEntry
from broker.registry.plan import Plan
from broker.routing.catalog import Models
from broker.routing.model import Model
from broker.routing.routes import Alias, Choice, Route
from broker.tenants.registry import Tenants

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW
from tests.unit.registry_case import FILE, MODEL, PROMPT, SOURCE, applied, registered


def test_a_model_is_as_the_router_reads_it() -> None:
    model = Models(registered(FILE)).get("small", NOW)
    assert (model.id, model.provider, model.name) == ("small", "openai", "small-1")
    assert model.tasks == {"chat", "embed"}
    assert (model.price_in, model.price_out) == (150, 600)  # nano-dollars for a token
    assert (model.rank, model.status, model.endpoint, model.secret, model.timeout_s) == (100, "active", None, None, 60)


def test_a_model_with_everything_is_as_the_router_reads_it() -> None:
    everything = {
        **MODEL,
        "capabilities": ["json", "vision"],
        "unit_prices_usd": {"images": 0.04},
        "batch_price_in_usd": 0.075,
        "batch_price_out_usd": 0.3,
        "prices_as_of": "2026-11-01",
        "quality": 5,
        "weight": 10,
        "status": "deprecated",
        "sunset": date(2027, 1, 31),  # as YAML reads a day
        "successor": "small",
        "regions": ["eu"],
        "endpoint": "https://e.example",
        "secret": "providers/x",
        "timeout_s": 30,
        "asynchronous": True,
        "options": {"deployment": "d-1", "retries": 2},
    }
    known = Model(
        id="small",
        provider="openai",
        name="small-1",
        tasks=frozenset({"chat", "embed"}),
        context_window=1000,
        max_output_tokens=100,
        price_in=150,
        price_out=600,
        capabilities=frozenset({"json", "vision"}),
        endpoint="https://e.example",
        secret="providers/x",
        timeout_s=30,
        status="deprecated",
        sunset="2027-01-31",
        successor="small",
        quality=5,
        regions=frozenset({"eu"}),
        weight=10,
        asynchronous=True,
        unit_prices={"images": 40_000_000},
        batch_price_in=75,
        batch_price_out=300,
        prices_as_of="2026-11-01",
        options={"deployment": "d-1", "retries": 2},
    )
    assert replace(Models(registered({"models": [everything]})).get("small", NOW), registered_at=0) == known


def test_every_field_of_a_model_can_be_registered() -> None:
    priced = {"price_in", "price_out", "unit_prices"}
    of_the_entry = {name.removesuffix("_usd") for name in ModelEntry.model_fields}
    assert {each.name for each in fields(Model)} - {"version", "registered_at"} == of_the_entry
    assert priced <= of_the_entry


def test_aliases_and_routes_are_as_the_router_reads_them() -> None:
    rows = [
        {"id": "summaries", "task": "chat", "query_type": "summarize", "models": ["fast"], "fallbacks": ["small"]},
        {"id": "default", "models": [{"model": "small", "weight": 9}], "objective": "cost"},
        {"id": "off", "query_type": "x", "models": ["small"], "enabled": False},
    ]
    document = {"models": [MODEL], "aliases": [{"id": "fast", "models": ["small"]}], "routes": rows}
    catalog = Models(registered(document)).catalog(NOW)
    assert catalog.aliases == {"fast": Alias("fast", ("small",))}
    assert catalog.routes == {
        ("chat", "summarize"): Route("summaries", "chat", "summarize", (Choice("fast"),), None, ("small",)),
        (None, None): Route("default", models=(Choice("small", 9),), objective="cost"),
    }


def test_a_tenant_is_as_the_broker_reads_it() -> None:
    tenants = Tenants(registered(FILE, {"tenants": [{"id": "free"}]}))
    acme = tenants.get("acme", NOW)
    assert (acme.monthly_budget, acme.models, acme.enabled) == (1_500_000_000, {"small"}, True)
    assert of_tenant(acme.policy) == (DEFAULT, Policy("tenant", rules=(Rule("denied_terms", terms=("x",)),)))
    free = tenants.get("free", NOW)
    assert (free.monthly_budget, free.models, free.webhook_secret) == (None, None, None)
    assert of_tenant(free.policy) == (DEFAULT,)


def test_the_key_of_a_tenants_hashes_lies_where_guardrails_may_read_it() -> None:
    tenant = {"id": "free", "redaction_secret": "redaction/free"}
    assert Tenants(registered({"tenants": [tenant]})).get("free", NOW).redaction_secret == "redaction/free"
    with pytest.raises(InvalidRequest) as failure:
        parse_registry({"tenants": [tenant | {"redaction_secret": "tenants/free/webhook"}]})
    assert failure.value.param == "tenants.0.redaction_secret"


def test_a_source_is_a_tenants_until_it_is_disabled() -> None:
    assert Tenants(registered(FILE)).of_event("123456789012", "shop.orders").tenant == "acme"
    disabled = registered(FILE, {"sources": [SOURCE | {"enabled": False}]})
    with pytest.raises(Forbidden):
        Tenants(disabled).of_event("123456789012", "shop.orders")


def test_an_issuer_is_as_the_verifier_reads_it() -> None:
    item = registered(FILE).get("registry", "ISSUER#https://i.example", "ISSUER")
    assert item is not None
    kept = {name: item[name] for name in ("status", "jwks_uri", "audience", "tenant", "scope_claim")}
    assert kept == {
        "status": "active",
        "jwks_uri": "https://i.example/jwks",
        "audience": "b",
        "tenant": "acme",
        "scope_claim": "scope",
    }
    assert "tenant_claim" not in item


def test_a_prompt_is_there_by_version_and_as_the_latest() -> None:
    second = {"prompts": [PROMPT | {"version": 2, "user": "Sum up: {{document}}"}]}
    prompts = Prompts(registered(FILE, second), FakeTexts())
    for version, text in ((1, "Shorten: d"), (2, "Sum up: d"), (None, "Sum up: d")):
        wanted: dict[str, Any] = {"id": "summarize", "variables": {"document": "d"}}
        filled = prompts.fill(wanted | ({"version": version} if version else {}), "key", NOW)
        assert re.sub("</?data_[0-9a-f]+>", "", filled.messages[-1]["content"]) == text


def test_apply_may_be_repeated() -> None:
    once, twice = registered(FILE), registered(FILE, FILE)
    for pk in ("MODELS", "TENANT#acme", "ISSUER#https://i.example", "PROMPT#summarize"):
        assert once.query("registry", pk) == twice.query("registry", pk) != []
    assert applied(once, FILE).changes == ()
    assert applied(once, {}) == Plan(())


def test_what_was_left_out_is_gone_after_the_next_apply() -> None:
    database = registered(FILE, {"tenants": [{"id": "acme"}], "models": [MODEL | {"status": "disabled"}]})
    assert Tenants(database).get("acme", NOW).monthly_budget is None
    assert Models(database).get("small", NOW).status == "disabled"


@pytest.mark.parametrize("change", [{"user": "Other words"}, {"system": "Be brief."}, {"user": None, "system": "x"}])
def test_a_version_of_a_prompt_never_changes(change: dict[str, Any]) -> None:
    database = registered(FILE)
    before = database.query("registry", "PROMPT#summarize")
    changed = {"prompts": [PROMPT | change], "tenants": [{"id": "new"}]}
    with pytest.raises(InvalidRequest) as failure:
        applied(database, changed)
    assert (failure.value.code, failure.value.param) == ("prompt_version_exists", "prompts.summarize.version")
    assert database.query("registry", "PROMPT#summarize") == before
    assert database.query("registry", "TENANT#new") == []


def test_the_registry_of_the_embedded_cloud_is_one() -> None:
    text = (Path(__file__).parents[2] / "local" / "registry.json").read_text()
    database = registered(json.loads(text.replace("${MODELS_URL}", "http://127.0.0.1:1")))
    assert Models(database).all(NOW)


def prompt(version: int, user: str = "{{a}}") -> dict[str, object]:
    return {"id": "p", "version": version, "user": user}


@pytest.mark.parametrize("files", [[[2, 1]], [[1, 2], [1]], [[2], [1]], [[2, 2, 1]]])
def test_the_newest_version_stays_the_newest(files: list[list[int]]) -> None:
    database = registered(*({"prompts": [prompt(version, f"{version}") for version in each]} for each in files))
    latest = database.get("registry", "PROMPT#p", "LATEST")
    assert latest is not None
    assert latest["version"] == 2


def test_a_version_that_stands_twice_with_other_words_writes_nothing() -> None:
    database = FakeDatabase()
    with pytest.raises(InvalidRequest, match="version 1 with other words"):
        applied(database, {"prompts": [prompt(1, "a"), prompt(1, "b")]})
    assert database.query("registry", "PROMPT#p") == []


def test_an_issuer_can_be_disabled() -> None:
    entry = {"issuer": "https://i.example", "jwks_uri": "https://i.example/k", "audience": "a", "tenant": "acme"}
    database = registered({"issuers": [entry]}, {"issuers": [entry | {"enabled": False}]})
    item = database.get("registry", "ISSUER#https://i.example", "ISSUER")
    assert item is not None
    assert item["status"] == "disabled"


def test_what_costs_anything_costs_a_nano_dollar_at_least() -> None:
    units = {"unit_prices_usd": {"images": 0.04, "characters": 4, "seconds": 1e-12, "requests": 0}}
    prices = MODEL | {"price_in_usd": 0.0001, "price_out_usd": 0} | units
    model = Models(registered({"models": [prices]})).get("small", NOW)
    assert (model.price_in, model.price_out) == (1, 0)
    assert model.unit_prices == {"images": 40_000_000, "characters": 4_000, "seconds": 1, "requests": 0}
