"""Plans: what a document would change, what it leaves alone, and names that have to be there."""

from typing import Any

import pytest
from broker.errors import Conflict, InvalidRequest, NotFound
from broker.registry.applying import apply, shown
from broker.registry.document import parse_entry, parse_registry
from broker.registry.plan import Plan, make_plan, plan_entry, plan_rollback
from broker.registry.versions import Registry
from broker.routing.catalog import Models
from broker.storage import Put
from broker.tenants.registry import Tenants

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW

ARN = "arn:aws:iam::123456789012:user/ada"


def model(name: str, **changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": name,
        "provider": "openai",
        "name": f"{name}-1",
        "tasks": ["chat"],
        "context_window": 1000,
        "max_output_tokens": 100,
        "price_in_usd": 0.15,
        "price_out_usd": 0.6,
    }
    return known | changes


BASE = {
    "models": [model("small"), model("large")],
    "aliases": [{"id": "fast", "models": ["small"]}],
    "routes": [{"id": "default", "models": ["fast"], "fallbacks": ["large"]}],
    "tenants": [{"id": "acme", "models": ["small"]}],
    "sources": [{"account": "123456789012", "source": "shop", "tenant": "acme"}],
    "prompts": [{"id": "p", "user": "one"}],
}


class Stands:
    """A registry with a document in it."""

    def __init__(self, document: dict[str, Any] = BASE) -> None:
        self.database = FakeDatabase()
        self.texts = FakeTexts()
        self.registry = Registry(self.database, self.texts)
        self.apply(document)

    def plan(self, document: dict[str, Any], *, prune: bool = False) -> Plan:
        return make_plan(self.registry, parse_registry(document), prune=prune)

    def apply(self, document: dict[str, Any], now: int = NOW, *, prune: bool = False) -> Plan:
        return apply(self.registry, parse_registry(document), by=ARN, now=now, prune=prune)

    def fails(self, document: dict[str, Any]) -> InvalidRequest:
        before = dict(self.database._items)
        with pytest.raises(InvalidRequest) as failure:
            self.apply(document)
        assert self.database._items == before, "a document at fault wrote something"
        return failure.value


def changes(plan: Plan) -> list[tuple[str, str, str, int]]:
    return [(each.kind, each.entry.key, each.action, each.number) for each in plan.changes]


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


def test_every_change_is_kept_with_who_when_and_what() -> None:
    stands = Stands()
    stands.apply({"models": [model("small", price_in_usd=0.2)]}, NOW + 5)
    history = [
        (each.version, each.at, each.by, each.action, each.fields)
        for each in stands.registry.history("models", "small")
    ]
    assert history == [(2, NOW + 5, ARN, "changed", ("price_in_usd",)), (1, NOW, ARN, "added", ())]
    assert Models(stands.database).get("small", NOW).version == 2
    assert stands.registry.get("models", "small").content == model("small", price_in_usd=0.2)


def test_a_rollback_is_a_new_version_with_the_old_content() -> None:
    stands = Stands()
    stands.apply({"models": [model("small", price_in_usd=0.2), model("large")]})
    change = plan_rollback(stands.registry, "models", "small", 1)
    assert change is not None
    record = stands.registry.write(change, ARN, NOW + 9)
    assert (record.version, record.action, record.fields) == (3, "rolled_back", ("price_in_usd",))
    found = Models(stands.database).get("small", NOW)
    assert (found.version, found.price_in) == (3, 150)
    assert plan_rollback(stands.registry, "models", "small", 1) is None
    assert plan_rollback(stands.registry, "models", "small", 3) is None


@pytest.mark.parametrize(
    ("kind", "entry_id", "version", "code"),
    [
        ("models", "small", 2, "unknown_version"),
        ("models", "small", 0, "unknown_version"),
        ("models", "none", 1, "unknown_entry"),
        ("colours", "small", 1, "unknown_kind"),
    ],
)
def test_a_rollback_to_what_never_was(kind: str, entry_id: str, version: int, code: str) -> None:
    with pytest.raises(NotFound) as failure:
        plan_rollback(Stands().registry, kind, entry_id, version)
    assert failure.value.code == code


def test_a_rollback_is_checked_against_what_stands_now() -> None:
    stands = Stands()
    stands.apply({"routes": [BASE["routes"][0] | {"query_type": "q"}]})
    stands.apply({"routes": [{"id": "other", "models": ["small"]}]})
    with pytest.raises(InvalidRequest) as failure:
        plan_rollback(stands.registry, "routes", "default", 1)
    assert failure.value.code == "duplicate_route"


def test_an_entry_alone_is_checked_as_in_a_document() -> None:
    stands = Stands()
    assert plan_entry(stands.registry, "models", parse_entry("models", model("small"))) is None
    change = plan_entry(stands.registry, "aliases", parse_entry("aliases", {"id": "best", "models": ["large"]}))
    assert change is not None and (change.base, change.number) == (0, 1)
    with pytest.raises(InvalidRequest) as failure:
        plan_entry(stands.registry, "aliases", parse_entry("aliases", {"id": "best", "models": ["none"]}))
    assert failure.value.param == "models.0"


def test_who_comes_second_is_told_so_and_writes_nothing() -> None:
    stands = Stands()
    first = stands.plan({"models": [model("small", rank=1)]}).changes[0]
    second = stands.plan({"models": [model("small", rank=2)]}).changes[0]
    stands.registry.write(first, "one", NOW)
    with pytest.raises(Conflict) as failure:
        stands.registry.write(second, "two", NOW)
    assert failure.value.code == "changed_meanwhile"
    assert Models(stands.database).get("small", NOW).rank == 1
    assert len(stands.registry.history("models", "small")) == 2


def test_an_apply_that_was_cut_short_goes_on_at_the_next() -> None:
    stands = Stands({})
    stands.database.meanwhile = [lambda: None, lambda: stands.registry.write(stands.plan(BASE).changes[0], "x", NOW)]
    with pytest.raises(Conflict):
        stands.apply({"models": [model("large"), *BASE["models"][:1]]})
    stands.database.meanwhile = []
    assert ("models", "large") in stands.plan(BASE).unchanged
    stands.apply(BASE)
    assert stands.plan(BASE).changes == ()


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


def test_what_was_registered_before_there_were_records_is_registered_anew() -> None:
    database = FakeDatabase()
    for sk in ("V#0001", "LATEST"):
        database.write(Put("registry", {"pk": "PROMPT#p", "sk": sk, "version": 1, "user": "one"}))
    document = parse_registry({"prompts": [{"id": "p", "version": 1, "user": "one"}]})
    assert changes(apply(Registry(database, FakeTexts()), document, by=ARN, now=NOW)) == [("prompts", "p", "added", 1)]
    assert [each.by for each in Registry(database, FakeTexts()).history("prompts", "p")] == [ARN]
    assert make_plan(Registry(database, FakeTexts()), document).changes == ()
