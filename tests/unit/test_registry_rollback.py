"""Versions of entries: who changed what and when, the way back, and writers that meet."""

import pytest
from broker.errors import Conflict, InvalidRequest, NotFound
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.plan import make_plan, plan_rollback
from broker.registry.versions import Registry
from broker.routing.catalog import Models
from broker.storage import Put

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW
from tests.unit.registry_plan_case import ARN, BASE, Stands, changes, model


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


def test_what_was_registered_before_there_were_records_is_registered_anew() -> None:
    database = FakeDatabase()
    for sk in ("V#0001", "LATEST"):
        database.write(Put("registry", {"pk": "PROMPT#p", "sk": sk, "version": 1, "user": "one"}))
    document = parse_registry({"prompts": [{"id": "p", "version": 1, "user": "one"}]})
    assert changes(apply(Registry(database, FakeTexts()), document, by=ARN, now=NOW)) == [("prompts", "p", "added", 1)]
    assert [each.by for each in Registry(database, FakeTexts()).history("prompts", "p")] == [ARN]
    assert make_plan(Registry(database, FakeTexts()), document).changes == ()
