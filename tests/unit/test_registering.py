"""Registering: a file in, items out, and errors that name the field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.guardrails.policy import Policy
from broker.prompts.templates import Prompts
from broker.registering import apply, parse_registry
from broker.routing.models import Models
from broker.tenants.registry import Tenants

from tests.fakes.database import FakeDatabase
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
        apply(database, parse_registry(each))
    return database


def test_a_model_is_as_the_router_reads_it() -> None:
    model = Models(registered(FILE)).get("small", NOW)
    assert (model.id, model.provider, model.name) == ("small", "openai", "small-1")
    assert model.tasks == {"chat", "embed"}
    assert (model.price_in, model.price_out) == (150, 600)  # nano-dollars for a token
    assert (model.rank, model.enabled, model.endpoint, model.secret, model.timeout_s) == (100, True, None, None, 60)


def test_a_tenant_is_as_the_broker_reads_it() -> None:
    tenants = Tenants(registered(FILE, {"tenants": [{"id": "free"}]}))
    acme = tenants.get("acme", NOW)
    assert (acme.monthly_budget, acme.models, acme.enabled) == (1_500_000_000, {"small"}, True)
    assert Policy.from_item(acme.policy) == Policy(denied_terms=("x",))
    free = tenants.get("free", NOW)
    assert (free.monthly_budget, free.models, free.webhook_secret) == (None, None, None)
    assert Policy.from_item(free.policy) == Policy()


def test_a_source_is_a_tenants() -> None:
    assert Tenants(registered(FILE)).of_event("123456789012", "shop.orders") == "acme"


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
    prompts = Prompts(registered(FILE, second))
    for version, text in ((1, "Shorten: d"), (2, "Sum up: d"), (None, "Sum up: d")):
        wanted: dict[str, Any] = {"id": "summarize", "variables": {"document": "d"}}
        filled = prompts.fill(wanted | ({"version": version} if version else {}), "key", NOW)
        assert re.sub("</?data_[0-9a-f]+>", "", filled.messages[-1]["content"]) == text


def test_apply_may_be_repeated() -> None:
    once, twice = registered(FILE), registered(FILE, FILE)
    for pk in ("MODELS", "TENANT#acme", "ISSUER#https://i.example", "PROMPT#summarize"):
        assert once.query("registry", pk) == twice.query("registry", pk) != []
    assert apply(once, parse_registry(FILE)) == 5, "the prompt's version stands; its label is written again"
    assert apply(once, parse_registry({})) == 0


def test_what_was_left_out_is_gone_after_the_next_apply() -> None:
    database = registered(FILE, {"tenants": [{"id": "acme"}], "models": [MODEL | {"enabled": False}]})
    assert Tenants(database).get("acme", NOW).monthly_budget is None
    assert Models(database).get("small", NOW).enabled is False


@pytest.mark.parametrize("change", [{"user": "Other words"}, {"system": "Be brief."}, {"user": None, "system": "x"}])
def test_a_version_of_a_prompt_never_changes(change: dict[str, Any]) -> None:
    database = registered(FILE)
    before = database.query("registry", "PROMPT#summarize")
    changed = {"prompts": [PROMPT | change], "tenants": [{"id": "new"}]}
    with pytest.raises(InvalidRequest) as failure:
        apply(database, parse_registry(changed))
    assert (failure.value.code, failure.value.param) == ("prompt_version_exists", "prompts.summarize.version")
    assert database.query("registry", "PROMPT#summarize") == before
    assert database.query("registry", "TENANT#new") == []


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"model": []}, "model"),
        ({"models": {}}, "models"),
        ({"models": [MODEL, "x"]}, "models.1"),
        ({"models": [{name: value for name, value in MODEL.items() if name != "name"}]}, "models.0.name"),
        ({"models": [MODEL | {"price_in": 5}]}, "models.0.price_in"),
        ({"models": [MODEL | {"price_out_usd": -1}]}, "models.0.price_out_usd"),
        ({"models": [MODEL | {"tasks": ["chat", "cook"]}]}, "models.0.tasks.1"),
        ({"models": [MODEL | {"context_window": 0}]}, "models.0.context_window"),
        ({"models": [MODEL | {"timeout_s": 291}]}, "models.0.timeout_s"),
        ({"models": [MODEL | {"id": ""}]}, "models.0.id"),
        ({"tenants": [{"id": "Acme"}]}, "tenants.0.id"),
        ({"tenants": [{"id": "acme\n"}]}, "tenants.0.id"),
        ({"tenants": [{"id": "a#b"}]}, "tenants.0.id"),
        ({"tenants": [{"id": "a" * 64}]}, "tenants.0.id"),
        ({"tenants": [TENANT | {"monthly_budget_usd": -0.01}]}, "tenants.0.monthly_budget_usd"),
        ({"tenants": [TENANT | {"policy": {"block_secret": True}}]}, "tenants.0.policy.block_secret"),
        ({"tenants": [TENANT | {"policy": {"denied_terms": ["a", ""]}}]}, "tenants.0.policy.denied_terms.1"),
        ({"tenants": [TENANT | {"policy": {"max_input_chars": 0}}]}, "tenants.0.policy.max_input_chars"),
        ({"sources": [SOURCE | {"account": "12345678901"}]}, "sources.0.account"),
        ({"sources": [SOURCE | {"account": "1234567890123"}]}, "sources.0.account"),
        ({"sources": [SOURCE | {"source": ""}]}, "sources.0.source"),
        ({"sources": [SOURCE | {"tenant": "-x"}]}, "sources.0.tenant"),
        ({"issuers": [ISSUER | {"jwks_uri": "file:///etc/passwd"}]}, "issuers.0.jwks_uri"),
        ({"issuers": [ISSUER | {"issuer": "i.example"}]}, "issuers.0.issuer"),
        ({"issuers": [ISSUER | {"tenant": "A B"}]}, "issuers.0.tenant"),
        ({"prompts": [PROMPT | {"version": 0}]}, "prompts.0.version"),
        ({"prompts": [PROMPT | {"version": "new"}]}, "prompts.0.version"),
        ({"prompts": [PROMPT | {"assistant": "x"}]}, "prompts.0.assistant"),
    ],
)
def test_an_error_names_the_field(document: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_registry(document)
    assert (failure.value.code, failure.value.param) == ("invalid_field", param)
    assert failure.value.message.startswith(f"{param}: ")


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_a_file_is_an_object(document: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse_registry(document)


def test_the_registry_of_the_embedded_cloud_is_one() -> None:
    text = (Path(__file__).parents[2] / "local" / "registry.json").read_text()
    database = FakeDatabase()
    count = apply(database, parse_registry(json.loads(text.replace("${MODELS_URL}", "http://127.0.0.1:1"))))
    assert count > 0 and Models(database).all(NOW)


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
        apply(database, parse_registry({"prompts": [prompt(1, "a"), prompt(1, "b")]}))
    assert database.query("registry", "PROMPT#p") == []


def test_an_issuer_can_be_disabled() -> None:
    entry = {"issuer": "https://i.example", "jwks_uri": "https://i.example/k", "audience": "a", "tenant": "acme"}
    database = registered({"issuers": [entry]}, {"issuers": [entry | {"enabled": False}]})
    item = database.get("registry", "ISSUER#https://i.example", "ISSUER")
    assert item is not None
    assert item["status"] == "disabled"


def test_what_costs_anything_costs_a_nano_dollar_at_least() -> None:
    (item,) = registered({"models": [MODEL | {"price_in_usd": 0.0001, "price_out_usd": 0}]}).query("registry", "MODELS")
    assert (item["price_in"], item["price_out"]) == (1, 0)
