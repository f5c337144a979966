"""Plans: what a document would change, what it leaves alone, and names that have to be there."""

from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.registry.applying import shown
from broker.registry.document import parse_entry, parse_registry
from broker.registry.plan import Plan, make_plan, plan_entry
from broker.registry.versions import Registry
from broker.routing.catalog import Models
from broker.tenants.registry import Tenants

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW
from tests.unit.registry_plan_case import BASE, Stands, changes, model


def test_everything_is_new_in_an_empty_registry_and_named_before_it_is_used() -> None:
    plan = make_plan(Registry(FakeDatabase(), FakeTexts()), parse_registry(BASE))
    assert changes(plan) == [
        ("models", "small", "added", 1),
        ("models", "large", "added", 1),
        ("aliases", "fast", "added", 1),
        ("routes", "default", "added", 1),
        ("tenants", "acme", "added", 1),
        ("sources", "123456789012#shop", "added", 1),
        ("prompts", "p", "added", 1),
    ]


def test_a_plan_writes_nothing() -> None:
    database = FakeDatabase()
    make_plan(Registry(database, FakeTexts()), parse_registry(BASE))
    assert database._items == {}


def test_what_stands_as_it_is_wanted_is_not_written_again() -> None:
    stands = Stands()
    before = dict(stands.database._items)
    plan = stands.apply(BASE, NOW + 1)
    assert (plan.changes, plan.unmanaged, len(plan.unchanged)) == ((), (), 7)
    assert stands.database._items == before


def test_a_change_names_its_fields_with_both_values() -> None:
    stands = Stands()
    wanted = {"models": [model("small", price_in_usd=0.2, regions=["eu"]), model("large")]}
    assert shown(stands.plan(wanted)) == {
        "object": "plan",
        "changes": [
            {
                "kind": "models",
                "id": "small",
                "action": "changed",
                "version": 2,
                "fields": [
                    {"name": "price_in_usd", "old": 0.15, "new": 0.2},
                    {"name": "regions", "old": None, "new": ["eu"]},
                ],
            }
        ],
        "unchanged": [{"kind": "models", "id": "large"}],
        "unmanaged": [],
        "warnings": [],
    }


def test_a_default_that_is_written_out_is_no_change() -> None:
    assert Stands().plan({"models": [model("small", rank=100, status="active"), model("large")]}).changes == ()


def test_kinds_that_the_document_does_not_have_are_left_alone() -> None:
    stands = Stands()
    assert stands.plan({}, prune=True) == Plan(())
    plan = stands.plan({"models": [model("small")]}, prune=True)
    assert changes(plan) == [("models", "large", "disabled", 2)]
    assert plan.unmanaged == ()


def test_what_only_the_table_has_is_listed_and_disabled_when_asked() -> None:
    stands = Stands()
    empty = {kind: [] for kind in BASE}
    unmanaged = [
        ("models", "large"),
        ("models", "small"),
        ("aliases", "fast"),
        ("routes", "default"),
        ("tenants", "acme"),
        ("sources", "123456789012#shop"),
        ("prompts", "p"),
    ]
    assert stands.plan(empty) == Plan((), (), tuple(unmanaged))
    plan = stands.apply(empty, prune=True)
    assert [each[:3] for each in changes(plan)] == [(*each, "disabled") for each in unmanaged[:-1]]
    assert plan.unmanaged == (("prompts", "p"),), "jobs may name a prompt's versions"
    catalog = Models(stands.database).catalog(NOW)
    assert {each.status for each in catalog.models.values()} == {"disabled"}
    assert (catalog.aliases, catalog.routes) == ({}, {})
    with pytest.raises(InvalidRequest, match="disabled"):
        Tenants(stands.database).get("acme", NOW)
    assert changes(stands.plan(empty, prune=True)) == [], "what is disabled is not disabled again"


def test_what_was_disabled_comes_back() -> None:
    stands = Stands()
    stands.apply({"aliases": []}, prune=True)
    assert changes(stands.apply({"aliases": BASE["aliases"]})) == [("aliases", "fast", "changed", 3)]
    assert "fast" in Models(stands.database).catalog(NOW).aliases


@pytest.mark.parametrize(
    ("document", "code", "param"),
    [
        ({"models": [model("a"), model("a")]}, "duplicate_entry", "models.1"),
        ({"models": [model("a"), model("a", rank=1)]}, "duplicate_entry", "models.1"),
        ({"prompts": [{"id": "q", "user": "a"}, {"id": "q", "user": "b"}]}, "duplicate_entry", "prompts.1"),
        ({"models": [model("new", successor="none")]}, "unknown_model", "models.0.successor"),
        ({"models": [model("fast")]}, "ambiguous_name", "models.0.id"),
        ({"aliases": [{"id": "small", "models": ["large"]}]}, "ambiguous_name", "aliases.0.id"),
        ({"aliases": [{"id": "b", "models": ["small", "none"]}]}, "unknown_model", "aliases.0.models.1"),
        ({"aliases": [{"id": "b", "models": ["fast"]}]}, "unknown_model", "aliases.0.models.0"),
        ({"routes": [{"id": "r", "task": "chat", "models": ["none"]}]}, "unknown_model", "routes.0.models.0.model"),
        ({"routes": [{"id": "r", "task": "chat", "fallbacks": ["none"]}]}, "unknown_model", "routes.0.fallbacks.0"),
        ({"routes": [{"id": "r", "models": ["small"]}]}, "duplicate_route", "routes.0.query_type"),
        (
            {"routes": [{"id": "r", "task": "chat", "residency": {"regions": ["us"], "providers": ["openai"]}}]},
            *("unknown_region", "routes.0.residency.regions.0"),
        ),
        (
            {"routes": [{"id": "r", "task": "chat", "residency": {"providers": ["openai", "opanai"]}}]},
            *("unknown_provider", "routes.0.residency.providers.1"),
        ),
        ({"tenants": [{"id": "x", "models": ["small", "none"]}]}, "unknown_model", "tenants.0.models.1"),
        ({"tenants": [{"id": "x", "cache_embedding_model": "n"}]}, "unknown_model", "tenants.0.cache_embedding_model"),
    ],
)
def test_names_that_are_not_there_or_mean_two_things(document: dict[str, Any], code: str, param: str) -> None:
    error = Stands().fails(document)
    assert (error.code, error.param) == (code, param)
    assert error.message.startswith(param)


def test_names_may_come_with_the_same_document() -> None:
    document = {
        "models": [model("new", successor="newer"), model("newer")],
        "aliases": [{"id": "latest", "models": ["newer"]}],
        "routes": [{"id": "chats", "task": "chat", "models": ["latest"], "fallbacks": ["new"]}],
    }
    assert len(Stands().apply(document).changes) == 4


def test_a_demand_for_residency_is_shown_by_the_plan_and_read_by_the_functions() -> None:
    stands = Stands()
    demand = {"regions": ["eu"], "providers": ["openai"]}
    route = BASE["routes"][0] | {"residency": demand}
    document = {"models": [model("small", regions=["eu"]), model("large")], "routes": [route]}
    (change,) = [each for each in shown(stands.plan(document))["changes"] if each["kind"] == "routes"]
    assert change["fields"] == [{"name": "residency", "old": None, "new": demand}]
    stands.apply(document)
    (known,) = Models(stands.database).catalog(NOW).residency({"task": "chat"})
    assert (known.route, known.regions, known.providers) == ("default", {"eu"}, {"openai"})
    assert stands.apply(document).changes == ()
    stands.apply({"routes": [route | {"residency": {"providers": ["openai"]}}]})
    assert Models(stands.database).catalog(NOW).residency({"task": "chat"})[0].regions == frozenset()
    stands.apply({"routes": BASE["routes"]})
    assert Models(stands.database).catalog(NOW).residency({"task": "chat"}) == ()


def test_a_route_may_take_the_place_of_one_that_goes() -> None:
    stands = Stands()
    other = {"id": "other", "models": ["large"]}
    stands.apply({"routes": [other, BASE["routes"][0] | {"enabled": False}]})
    assert Models(stands.database).catalog(NOW).routes[None, None].id == "other"
    stands = Stands()
    stands.apply({"routes": [other]}, prune=True)
    assert Models(stands.database).catalog(NOW).routes[None, None].id == "other"


def test_prompts_count_by_themselves_or_by_the_document() -> None:
    stands = Stands()
    assert changes(stands.apply({"prompts": [{"id": "p", "user": "one"}]})) == []
    assert changes(stands.apply({"prompts": [{"id": "p", "user": "two"}]})) == [("prompts", "p", "changed", 2)]
    both = [{"id": "p", "version": 1, "user": "one"}, {"id": "p", "version": 2, "user": "two"}]
    assert changes(stands.apply({"prompts": both})) == []
    again = [*both, {"id": "p", "version": 3, "user": "two"}]
    assert changes(stands.apply({"prompts": again})) == [("prompts", "p", "added", 3)]
    assert stands.registry.get("prompts", "p").version == 3
    error = stands.fails({"prompts": [{"id": "p", "version": 2, "user": "other"}]})
    assert (error.code, error.param) == ("prompt_version_exists", "prompts.p.version")


def test_an_entry_alone_is_checked_as_in_a_document() -> None:
    stands = Stands()
    assert plan_entry(stands.registry, "models", parse_entry("models", model("small"))) is None
    change = plan_entry(stands.registry, "aliases", parse_entry("aliases", {"id": "best", "models": ["large"]}))
    assert change is not None and (change.base, change.number) == (0, 1)
    with pytest.raises(InvalidRequest) as failure:
        plan_entry(stands.registry, "aliases", parse_entry("aliases", {"id": "best", "models": ["none"]}))
    assert failure.value.param == "models.0"


MANY = [f"{number:08}" * 20 for number in range(3_000)]


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("tenants", {"id": "t", "policy": {"denied_terms": MANY}}),
        ("models", model("m", options={"terms": MANY})),
        ("prompts", {"id": "p2", "user": "{{a}}", "variables": {"a": {"type": "string", "enum": MANY}}}),
    ],
)
def test_an_entry_that_the_table_does_not_take_is_refused_by_the_plan(kind: str, entry: dict[str, Any]) -> None:
    error = Stands().fails({"aliases": [{"id": "new", "models": ["small"]}], kind: [entry]})
    assert (error.code, error.param) == ("entry_too_large", "id")
