"""What tests of prompts begin with: a registry of them, and one that is filled."""

from typing import Any

from broker.prompts.templates import Filled, Prompts
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.world import NOW, World

TRUSTED = {"type": "string", "trusted": True}
SMALL = {
    "id": "small",
    "provider": "openai",
    "name": "small-1",
    "tasks": ["chat"],
    "context_window": 1000,
    "max_output_tokens": 100,
    "price_in_usd": 0.15,
    "price_out_usd": 0.6,
}


def registered(world: World, *entries: dict[str, Any]) -> Prompts:
    apply(world.registry(), parse_registry({"models": [SMALL], "prompts": list(entries)}), by="ops", now=NOW)
    return world.prompts()


def filled(entry: dict[str, Any], variables: dict[str, Any]) -> Filled:
    prompts = registered(World(), {"id": "p", "version": 1, **entry})
    return prompts.fill({"id": "p", "variables": variables}, "key", NOW)
