"""Aliases and routes: what request and table say of the models to try."""

from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.routing.catalog import KEEP_MS
from broker.routing.routes import Catalog, Named, order_for
from broker.storage import Item

from tests.fakes.world import NOW, World, a_model


def alias(name: str, *models: str, **more: Any) -> Item:
    return {"pk": "MODELS", "sk": f"ALIAS#{name}", "models": list(models), **more}


def row(name: str, *models: Any, **more: Any) -> Item:
    listed = [{"model": each} if isinstance(each, str) else each for each in models]
    return {"pk": "MODELS", "sk": f"ROUTE#{name}", "models": listed, **more}


def catalog(*more: Item) -> Catalog:
    world = World()
    world.register(a_model("haiku", rank=3), a_model("sonnet", rank=1), a_model("gpt", rank=2))
    world.register(a_model("vectors", tasks=["embed"], rank=4), alias("fast", "haiku", "gpt"), *more)
    return world.models().catalog(NOW)


MISSION = (
    row("summaries", "haiku", query_type="summarize", fallbacks=["gpt"]),
    row("creative", "gpt", query_type="creative", fallbacks=["fast"]),
    row("default", "sonnet", fallbacks=["fast"]),
)


def names(known: Catalog, **request: Any) -> list[str]:
    order = order_for({"task": "chat", **request}, known)
    assert order is not None
    return [each.model for each in order.names]


def test_where_nothing_is_named_every_model_is_open() -> None:
    assert order_for({"task": "chat"}, catalog()) is None
    assert order_for({"task": "chat", "model": "auto", "routing": {"query_type": "x"}}, catalog()) is None


@pytest.mark.parametrize(
    ("query_type", "expected"),
    [
        ("summarize", ["haiku", "gpt"]),
        ("creative", ["gpt", "haiku"]),
        (None, ["sonnet", "haiku", "gpt"]),
        ("unheard-of", ["sonnet", "haiku", "gpt"]),
    ],
)
def test_the_query_type_picks_the_row(query_type: str | None, expected: list[str]) -> None:
    routing = {"query_type": query_type} if query_type else {}
    assert names(catalog(*MISSION), routing=routing) == expected


def test_the_row_that_says_most_wins() -> None:
    known = catalog(
        row("both", "haiku", task="chat", query_type="q"),
        row("kind", "gpt", query_type="q"),
        row("task", "sonnet", task="chat"),
        row("default", "gpt"),
    )
    assert known.route("chat", "q") is known.routes["chat", "q"]
    assert known.route("chat", None) is known.routes["chat", None]
    both = {key: each for key, each in known.routes.items() if key != ("chat", "q")}
    assert Catalog(known.models, routes=both).route("chat", "q") is both[None, "q"]


def test_a_row_without_a_model_for_the_task_is_passed_over() -> None:
    assert order_for({"task": "embed"}, catalog(*MISSION)) is None
    known = catalog(*MISSION, row("vectors", "vectors", task="embed"))
    assert names(known, task="embed") == ["vectors"]


def test_a_request_that_names_a_model_follows_no_row() -> None:
    order = order_for({"task": "chat", "model": "gpt", "routing": {"query_type": "summarize"}}, catalog(*MISSION))
    assert order is not None
    assert (order.names, order.route) == ((Named("gpt", "named by the request"),), None)


def test_an_alias_is_its_models_in_order() -> None:
    order = order_for({"model": "fast", "routing": {"fallbacks": ["sonnet", "fast"]}}, catalog(*MISSION))
    assert order is not None
    by = "alias fast of the request"
    assert order.names == (
        Named("haiku", by),
        Named("gpt", by),
        Named("sonnet", "named by the request", fallback=True),
    )


def test_the_requests_fallbacks_and_objective_take_the_place_of_the_rows() -> None:
    known = catalog(row("default", "sonnet", objective="latency", fallbacks=["gpt"]))
    order = order_for({"task": "chat", "routing": {"fallbacks": ["haiku"], "objective": "cost"}}, known)
    assert order is not None
    assert [(each.model, each.fallback) for each in order.names] == [("sonnet", False), ("haiku", True)]
    assert order.objective == "cost"
    plain = order_for({"task": "chat"}, known)
    assert plain is not None
    assert (plain.objective, plain.route) == ("latency", known.routes[None, None])


def test_fallbacks_alone_are_the_list_where_no_row_stands() -> None:
    assert names(catalog(), routing={"fallbacks": ["gpt", "haiku"]}) == ["gpt", "haiku"]


def test_a_row_without_models_is_open_to_all_by_rank() -> None:
    known = catalog(row("default", objective="cost"))
    order = order_for({"task": "chat"}, known)
    assert order is not None
    assert [each.model for each in order.names] == ["sonnet", "gpt", "haiku", "vectors"]
    assert order.objective == "cost"


def test_weights_stay_with_the_models_of_an_alias() -> None:
    known = catalog(row("default", {"model": "fast", "weight": 90}, {"model": "sonnet", "weight": 10}))
    order = order_for({"task": "chat"}, known)
    assert order is not None
    assert [(each.model, each.weight) for each in order.names] == [("haiku", 90), ("gpt", 90), ("sonnet", 10)]
    assert {each.by for each in order.names} == {"route default"}


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"model": "none"}, "model"),
        ({"model": "fast", "routing": {"fallbacks": ["gpt", "none"]}}, "routing.fallbacks.1"),
        ({"routing": {"fallbacks": ["none"]}}, "routing.fallbacks.0"),
    ],
)
def test_a_name_that_nobody_registered_is_an_error_at_its_field(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        order_for(asked, catalog(*MISSION))
    assert (failure.value.code, failure.value.param) == ("unknown_model", param)


def test_what_is_disabled_or_gone_names_nothing() -> None:
    known = catalog(
        alias("old", "haiku", enabled=False),
        row("default", "gone", "sonnet"),
        row("q", "gpt", query_type="q", enabled=False),
    )
    assert "old" not in known.aliases
    assert names(known, routing={"query_type": "q"}) == ["sonnet"]


def test_models_aliases_and_routes_are_read_together_twice_a_minute() -> None:
    world = World()
    world.register(a_model("small", version=7), alias("fast", "small", version=2), row("default", "fast", version=3))
    models = world.models()
    known = models.catalog(NOW)
    assert (known.models["small"].version, known.aliases["fast"].version, known.routes[None, None].version) == (7, 2, 3)
    world.register(alias("best", "small"))
    assert models.catalog(NOW + KEEP_MS - 1) is known
    assert sorted(models.catalog(NOW + KEEP_MS).aliases) == ["best", "fast"]
    assert sorted(models.all(NOW + KEEP_MS)) == ["small"]
