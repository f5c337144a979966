"""Entries of permissions and applications: what the registry takes, and what it refuses by its field."""

from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.world import NOW, World
from tests.unit.permissions.permitting_case import CREATIVE

MODEL = {
    "id": "creative",
    "provider": "openai",
    "name": "gpt",
    "tasks": ["chat"],
    "context_window": 1000,
    "max_output_tokens": 100,
    "price_in_usd": 1,
    "price_out_usd": 1,
    "tags": ["costly"],
    "regions": ["eu"],
}
ALIAS = {"id": "muse", "models": ["creative"]}
WHO = {"tenants": ["acme"]}


def write(rule: dict[str, Any]) -> World:
    """Register it through the checks, beside a model, an alias and a prompt."""
    world = World()
    document = {
        "models": [MODEL],
        "aliases": [ALIAS],
        "prompts": [{"id": "reply", "user": "Hi"}],
        "applications": [{"id": "crm", "tenant": "acme"}],
    }
    apply(world.registry(), parse_registry(document), by="ops", now=NOW)
    apply(world.registry(), parse_registry({"permissions": [rule]}), by="ops", now=NOW)
    return world


def test_the_three_lines_of_the_page_are_read_with_the_models() -> None:
    world = write(CREATIVE)
    (rule,) = world.models().catalog(NOW).permissions
    assert (rule.id, dict(rule.on)) == ("creative", {"models": {"creative"}})


def test_an_alias_stands_for_its_models_and_a_rule_out_of_use_for_nothing() -> None:
    assert dict(write(CREATIVE | {"models": ["muse"]}).models().catalog(NOW).permissions[0].on) == {
        "models": {"creative"}
    }
    assert write(CREATIVE | {"enabled": False}).models().catalog(NOW).permissions == ()


@pytest.mark.parametrize(
    ("rule", "param"),
    [
        ({"models": ["creative"]}, ""),
        ({"models": ["creative"], "allow_only": WHO, "deny": WHO}, ""),
        ({"allow_only": WHO}, ""),
        ({"models": ["creative"], "allow_only": {}}, "allow_only"),
        ({"models": ["creative"], "allow_only": {"groups": ["marketing"]}}, "allow_only"),
        ({"models": ["creative"], "deny": [WHO, {"keys": ["0123"]}]}, "deny"),
        ({"models": ["creative"], "within": {}, "deny": {"roles": ["author"]}}, "deny"),
        ({"models": ["none"], "deny": WHO}, "models.0"),
        ({"tags": ["costly", "dear"], "deny": WHO}, "tags.1"),
        ({"regions": ["mars"], "deny": WHO}, "regions.0"),
        ({"prompts": ["none"], "deny": WHO}, "prompts.0"),
        ({"tasks": ["dance"], "deny": WHO}, "tasks.0"),
        ({"doors": ["window"], "deny": WHO}, "doors.0"),
        ({"models": [], "deny": WHO}, "models"),
        ({"models": ["creative"], "deny": {"tenant": ["acme"]}}, "deny.tenant"),
        ({"models": ["creative"], "deny": {"until": "2027-01-31"}}, "deny"),
    ],
)
def test_a_rule_at_fault_is_refused_by_its_field(rule: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        write({"id": "rule", **rule})
    assert (failure.value.param or "").startswith(".".join(filter(None, ("permissions.0", param))))


@pytest.mark.parametrize(
    "rule",
    [
        {"models": ["creative"], "within": WHO, "allow_only": {"groups": ["marketing"]}},
        {"tags": ["costly"], "regions": ["eu"], "deny": [{"organisations": ["group"]}, WHO]},
        {"prompts": ["reply"], "doors": ["mcp", "event"], "tasks": ["chat"], "query_types": ["any"], "deny": WHO},
    ],
)
def test_a_rule_that_says_whose_names_it_means_is_taken(rule: dict[str, Any]) -> None:
    assert len(write({"id": "rule", **rule}).models().catalog(NOW).permissions) == 1
