"""Guardrail policies as the functions read them: which hold, how long they are kept, and that none is passed over."""

import pytest
from broker.errors import NotFound, PolicyMissing
from broker.guardrails.policy import DEFAULT, Policy, Rule
from broker.tenants.policies import KEEP_MS, Policies
from broker.tenants.registry import Tenant

from tests.fakes.counting import CountingDatabase
from tests.fakes.world import NOW, World

SECRETS, CARDS = {"check": "secrets", "action": "block"}, {"check": "card_numbers", "action": "flag"}


def world_with(**policies: dict[str, object]) -> World:
    world = World(database=CountingDatabase())
    for name, facts in policies.items():
        world.policy(name, **facts)
    return world


def holding(world: World, named: tuple[str, ...] = (), **facts: object) -> list[str]:
    tenant = Tenant("acme", **facts)  # type: ignore[arg-type]
    return [policy.name for policy in Policies(world.database).holding(tenant, named, NOW)]


def test_a_policy_is_as_it_was_registered() -> None:
    rule = {"check": "secrets", "action": "flag", "kinds": ["jwt"], "threshold": 0.125, "block_from": 0.9}
    size = {"check": "max_input_chars", "action": "block", "max_chars": 9}
    terms = {"check": "denied_terms", "action": "mask", "stages": ["output"], "terms": ["x y"], "fail_open": True}
    world = world_with(strict={"rules": [rule, size, terms], "shadow": True})
    rules = (
        Rule("secrets", "flag", kinds=("jwt",), threshold=0.125, block_from=0.9),
        Rule("max_input_chars", "block", stages=("input",), max_chars=9),
        Rule("denied_terms", "mask", stages=("output",), terms=("x y",), fail_open=True),
    )
    assert Policies(world.database).get("strict", NOW) == Policy("strict", 1, rules, shadow=True)


def test_the_tenants_hold_always_and_others_on_top() -> None:
    world = world_with(own={"rules": [SECRETS]}, prompts={"rules": [CARDS]}, routes={"rules": [SECRETS]})
    assert holding(world) == [DEFAULT.name]
    assert holding(world, guardrails=("own",)) == ["own@1"]
    assert holding(world, ("prompts", "routes", "prompts")) == [DEFAULT.name, "prompts@1", "routes@1"]
    assert holding(world, ("prompts", "own"), guardrails=("own",)) == ["own@1", "prompts@1"], "none runs twice"


def test_settings_lie_over_the_tenants_policies_and_not_over_those_of_prompts() -> None:
    world = world_with(own={"rules": [SECRETS]}, prompts={"rules": [SECRETS]})
    tenant = Tenant("acme", policy={"block_secrets": False}, guardrails=("own",))
    own, prompts = Policies(world.database).holding(tenant, ["prompts"], NOW)
    assert [rule.action for rule in (*own.rules, *prompts.rules)] == ["flag", "block"]
    both = Policies(world.database).holding(tenant, ["own"], NOW)
    assert [policy.rules[0].action for policy in both] == ["flag", "block"], "also where the tenant names it, too"


def test_a_policy_is_read_once_in_half_a_minute() -> None:
    world = world_with(own={"rules": [SECRETS]})
    policies = Policies(world.database)
    world.database.reads = 0  # type: ignore[attr-defined]
    assert policies.get("own", NOW).version == policies.get("own", NOW + KEEP_MS - 1).version == 1
    assert world.database.reads == 1  # type: ignore[attr-defined]
    world.policy("own", rules=[CARDS])
    assert policies.get("own", NOW + KEEP_MS - 1).version == 1
    assert policies.get("own", NOW + KEEP_MS).version == 2


@pytest.mark.parametrize("facts", [None, {"rules": [SECRETS], "enabled": False}], ids=["missing", "disabled"])
def test_what_is_not_there_is_never_passed_over_and_looked_for_anew(facts: dict[str, object] | None) -> None:
    world = world_with(**({"own": facts} if facts else {}))
    policies = Policies(world.database)
    with pytest.raises(PolicyMissing, match="'own'") as failure:
        policies.holding(Tenant("acme", guardrails=("own",)), (), NOW)
    assert failure.value.code == "policy_missing"
    with pytest.raises(PolicyMissing):
        policies.holding(Tenant("acme"), ("own",), NOW)
    world.policy("own", rules=[SECRETS])
    assert policies.get("own", NOW).id == "own", "it may have been on its way"


def test_a_policy_that_was_disabled_holds_for_half_a_minute_at_most() -> None:
    world = world_with(own={"rules": [SECRETS]})
    policies = Policies(world.database)
    policies.get("own", NOW)
    world.policy("own", rules=[SECRETS], enabled=False)
    with pytest.raises(PolicyMissing):
        policies.get("own", NOW + KEEP_MS)


def test_a_tenant_tries_its_own_policies_and_the_shared_ones() -> None:
    known = {"own": {}, "shared": {"shared": True}, "foreign": {}, "off": {"shared": True, "enabled": False}}
    world = world_with(**{name: {"rules": [SECRETS], **facts} for name, facts in known.items()})
    policies, tenant = Policies(world.database), Tenant("acme", guardrails=("own",))
    policies.check_open(tenant, ["own", "shared"], NOW)
    messages = set()
    for name in ("foreign", "off", "unheard-of"):
        with pytest.raises(NotFound) as failure:
            policies.check_open(tenant, ["own", name], NOW)
        assert (failure.value.code, failure.value.param) == ("unknown_policy", "policies.1")
        messages.add(failure.value.message)
    assert len(messages) == 1, "what there is is not told"
