"""The registry of models: read, priced, and remembered for half a minute."""

import pytest
from broker.errors import Forbidden, InvalidRequest
from broker.routing.catalog import KEEP_MS
from broker.routing.model import Model
from broker.tenants.registry import Tenants

from tests.fakes.world import NOW, World, a_model


def test_reads_a_model_as_registered() -> None:
    model = Model.from_item(
        a_model("small", tasks=["chat", "embed"], status="disabled", endpoint="https://e", secret="s")
    )
    assert (model.id, model.name, model.tasks) == ("small", "small-1", frozenset({"chat", "embed"}))
    assert (model.status, model.endpoint, model.secret, model.rank, model.timeout_s) == (
        "disabled",
        "https://e",
        "s",
        100,
        60,
    )


@pytest.mark.parametrize(("asked", "worst"), [(None, 2_100), (50, 200), (1_000, 2_100), (9_999, 2_100)])
def test_the_worst_case_is_the_longest_answer_that_is_allowed(asked: int | None, worst: int) -> None:
    assert Model.from_item(a_model("small")).worst_case(100, asked) == worst


def test_cost() -> None:
    assert Model.from_item(a_model("small", price_in=150, price_out=600)).cost(1_000_000, 10) == 150_006_000


def test_changes_show_after_half_a_minute() -> None:
    world = World()
    world.register(a_model("small"))
    models = world.models()
    assert models.get("small", NOW).status == "active"
    world.register(a_model("small", status="disabled"), a_model("large"))
    assert models.get("small", NOW + KEEP_MS - 1).status == "active"
    assert models.get("small", NOW + KEEP_MS).status == "disabled"
    assert sorted(models.all(NOW + KEEP_MS)) == ["large", "small"]


def test_an_unknown_model_is_an_error() -> None:
    with pytest.raises(InvalidRequest) as failure:
        World().models().get("none", NOW)
    assert (failure.value.code, failure.value.param) == ("unknown_model", "model")


def test_reads_a_tenant_as_registered() -> None:
    world = World()
    world.tenant(monthly_budget=5, models=["a"], policy={"max_input_chars": 9}, webhook_secret="hook")
    tenant = Tenants(world.database).get("acme", NOW)
    assert (tenant.id, tenant.monthly_budget, tenant.models) == ("acme", 5, frozenset({"a"}))
    assert (tenant.policy, tenant.webhook_secret) == ({"max_input_chars": 9}, "hook")


def test_a_tenant_without_settings_has_no_limits() -> None:
    world = World()
    world.tenant()
    tenant = Tenants(world.database).get("acme", NOW)
    assert (tenant.monthly_budget, tenant.models, tenant.policy, tenant.enabled) == (None, None, {}, True)


def test_a_disabled_tenant_is_refused_within_half_a_minute() -> None:
    world = World()
    world.tenant()
    tenants = Tenants(world.database)
    tenants.get("acme", NOW)
    world.tenant(enabled=False)
    with pytest.raises(Forbidden) as failure:
        tenants.get("acme", NOW + KEEP_MS)
    assert failure.value.code == "tenant_disabled"


def test_strangers_are_refused_and_not_remembered() -> None:
    world = World()
    tenants = Tenants(world.database)
    with pytest.raises(Forbidden) as failure:
        tenants.get("acme", NOW)
    assert failure.value.code == "unknown_tenant"
    world.tenant()
    assert tenants.get("acme", NOW).id == "acme"


def test_a_source_belongs_to_one_account() -> None:
    world = World()
    world.register({"pk": "SOURCE#1#shop", "sk": "SOURCE", "tenant": "acme"})
    tenants = Tenants(world.database)
    assert tenants.of_event("1", "shop").tenant == "acme"
    for account, source in (("2", "shop"), ("1", "shop2")):
        with pytest.raises(Forbidden):
            tenants.of_event(account, source)
