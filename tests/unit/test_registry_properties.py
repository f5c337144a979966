"""Whatever is applied: the next plan is empty, every version is kept, and a rollback restores."""

import json
from typing import Any

from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.plan import make_plan, plan_rollback
from broker.registry.versions import Registry
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW

IDS = st.sampled_from(["a", "b", "c", "d"])
PRICES = st.one_of(st.just(0), st.floats(0, 1000, allow_nan=False))


def some(known: list[str], least: int = 0) -> Any:
    return st.lists(st.sampled_from(known), min_size=least, max_size=3) if known else st.just([])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document that is valid in itself: names lead to its own models, rows differ."""
    ids = draw(st.lists(IDS, unique=True, min_size=1))
    models = [
        {
            "id": each,
            "provider": draw(st.sampled_from(["openai", "bedrock"])),
            "name": draw(st.text(min_size=1, max_size=5)),
            "tasks": draw(st.lists(st.sampled_from(["chat", "embed"]))),
            "context_window": draw(st.integers(1, 10**6)),
            "max_output_tokens": draw(st.integers(1, 10**5)),
            "price_in_usd": draw(PRICES),
            "price_out_usd": draw(PRICES),
            "unit_prices_usd": draw(st.dictionaries(st.sampled_from(["images", "characters"]), PRICES)),
            "status": draw(st.sampled_from(["active", "disabled"])),
            "options": draw(
                st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.booleans(), st.integers(-9, 9)))
            ),
        }
        for each in ids
    ]
    aliases = [{"id": f"{name}-alias", "models": draw(some(ids, 1))} for name in draw(st.lists(IDS, unique=True))]
    names = [*ids, *(each["id"] for each in aliases)]
    routes = [
        {"id": f"row-{key}", "query_type": key, "models": draw(some(names)), "fallbacks": draw(some(names))}
        for key in draw(st.lists(st.sampled_from(["q", "r", "s"]), unique=True))
    ]
    tenants = [
        {"id": each, "monthly_budget_usd": draw(PRICES), "models": draw(st.none() | some(ids))}
        for each in draw(st.lists(IDS, unique=True))
    ]
    prompts = [{"id": each, "user": draw(st.text(min_size=1))} for each in draw(st.lists(IDS, unique=True))]
    return {"models": models, "aliases": aliases, "routes": routes, "tenants": tenants, "prompts": prompts}


def contents(registry: Registry) -> dict[tuple[str, str], dict[str, Any]]:
    kinds = ("models", "aliases", "routes", "tenants", "prompts")
    return {(kind, each.id): each.content for kind in kinds for each in registry.all(kind).values()}


@settings(max_examples=60)
@given(st.lists(documents(), min_size=1, max_size=3))
def test_after_an_apply_there_is_nothing_to_do(several: list[dict[str, Any]]) -> None:
    database = FakeDatabase()
    registry = Registry(database, FakeTexts())
    for round_, document in enumerate(several):
        before = contents(registry)
        document["models"] += [each for (kind, _), each in before.items() if kind == "models" and each["id"] not in
                               {model["id"] for model in document["models"]}]  # fmt: skip
        plan = apply(registry, parse_registry(document), by="x", now=NOW + round_, prune=True)
        assert make_plan(registry, parse_registry(document), prune=True).changes == ()
        again = make_plan(registry, parse_registry(json.loads(json.dumps(document))))
        assert again.changes == ()
        after = contents(registry)
        changed = {(each.kind, each.entry.key) for each in plan.changes}
        assert changed == {key for key in after if after[key] != before.get(key)}


@settings(max_examples=60)
@given(documents(), documents())
def test_a_rollback_restores_each_entry(first: dict[str, Any], second: dict[str, Any]) -> None:
    database = FakeDatabase()
    registry = Registry(database, FakeTexts())
    apply(registry, parse_registry(first), by="x", now=NOW)
    before = contents(registry)
    readers = {key: item for key, item in database._items.items() if not key[1].startswith("ENTRIES#")}
    second["models"] += [
        model for model in first["models"] if model["id"] not in {each["id"] for each in second["models"]}
    ]
    # Rows are replaced one by one, so that no rollback meets another's row.
    for kind, entry_id in {(each.kind, each.entry.key) for each in apply(
        registry, parse_registry(second), by="x", now=NOW
    ).changes} & before.keys():  # fmt: skip
        change = plan_rollback(registry, kind, entry_id, 1)
        assert change is not None
        record = registry.write(change, "y", NOW)
        assert record.content == before[kind, entry_id] == registry.version(kind, entry_id, record.version).content  # type: ignore[union-attr]
    assert {key: each for key, each in contents(registry).items() if key in before} == before
    for key, item in readers.items():
        now = database._items[key]
        assert {name: value for name, value in now.items() if name != "version"} == {
            name: value for name, value in item.items() if name != "version"
        }
