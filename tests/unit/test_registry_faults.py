"""Registry documents at fault: errors that name the field."""

from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.registry.document import parse_registry

from tests.unit.registry_case import ISSUER, MODEL, PROMPT, SOURCE, TENANT


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
        ({"models": [MODEL | {"id": "ALIAS#fast"}]}, "models.0.id"),
        ({"models": [MODEL | {"id": "a/b"}]}, "models.0.id"),
        ({"models": [MODEL | {"id": "auto"}]}, "models.0.id"),
        ({"models": [MODEL | {"enabled": False}]}, "models.0.enabled"),
        ({"models": [MODEL | {"status": "retired"}]}, "models.0.status"),
        ({"models": [MODEL | {"status": "deprecated"}]}, "models.0"),
        ({"models": [MODEL | {"sunset": "2026-02-30"}]}, "models.0.sunset"),
        ({"models": [MODEL | {"prices_as_of": "1.11.2026"}]}, "models.0.prices_as_of"),
        ({"models": [MODEL | {"quality": 6}]}, "models.0.quality"),
        ({"models": [MODEL | {"weight": -1}]}, "models.0.weight"),
        ({"models": [MODEL | {"unit_prices_usd": {"bytes": 1}}]}, "models.0.unit_prices_usd.bytes"),
        ({"models": [MODEL | {"unit_prices_usd": {"pages": -1}}]}, "models.0.unit_prices_usd.pages"),
        ({"models": [MODEL | {"options": {"a": [{"b": 0.5}]}}]}, "models.0.options"),
        ({"models": [MODEL | {"options": {"a": 10**15}}]}, "models.0.options"),
        ({"models": [MODEL | {"options": {"without": ["temperatur"]}}]}, "models.0.options"),
        ({"models": [MODEL | {"options": {"cannot": ["speak"]}}]}, "models.0.options"),
        ({"models": [MODEL | {"context_window": 10**40}]}, "models.0.context_window"),
        ({"models": [MODEL | {"price_in_usd": 1e300}]}, "models.0.price_in_usd"),
        ({"aliases": [{"id": "fast", "models": []}]}, "aliases.0.models"),
        ({"aliases": [{"id": "auto", "models": ["small"]}]}, "aliases.0.id"),
        ({"routes": [{"id": "r", "models": "small"}]}, "routes.0.models"),
        ({"routes": [{"id": "r", "models": ["small", {"model": "small", "weight": -1}]}]}, "routes.0.models.1.weight"),
        ({"routes": [{"id": "r", "task": "cook"}]}, "routes.0.task"),
        ({"routes": [{"id": "r", "residency": {}}]}, "routes.0.residency"),
        ({"routes": [{"id": "r", "residency": {"regions": [], "providers": []}}]}, "routes.0.residency"),
        ({"routes": [{"id": "r", "residency": ["eu"]}]}, "routes.0.residency"),
        ({"routes": [{"id": "r", "residency": {"region": "eu"}}]}, "routes.0.residency.region"),
        ({"routes": [{"id": "r", "residency": {"regions": "eu"}}]}, "routes.0.residency.regions"),
        ({"routes": [{"id": "r", "residency": {"regions": ["eu", ""]}}]}, "routes.0.residency.regions.1"),
        ({"routes": [{"id": "r", "residency": {"providers": [5]}}]}, "routes.0.residency.providers.0"),
        ({"routes": [{"id": "r", "objective": "luck"}]}, "routes.0.objective"),
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


@pytest.mark.parametrize("document", [None, [], "x", 5, {"prompts": [{"id": "p", "user": "\ud800"}]}])
def test_a_file_is_an_object(document: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse_registry(document)
