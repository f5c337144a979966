"""Labels as entries: what they may point to, plans, history and the way back."""

from typing import Any

import pytest
from broker.errors import Conflict, InvalidRequest, NotFound
from broker.registry.applying import apply
from broker.registry.document import parse_arms, parse_registry
from broker.registry.plan import make_plan, plan_label, plan_rollback
from broker.registry.versions import Registry

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW

PROMPTS = [{"id": "p", "version": number, "user": f"Version {number}."} for number in (1, 2)]
ARMS = [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]
BASE = {"prompts": PROMPTS, "labels": [{"id": "p", "labels": {"production": ARMS}}]}


class Stands:
    """A registry with a document in it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.database = FakeDatabase()
        self.registry = Registry(self.database, FakeTexts())
        self.apply(document)

    def apply(self, document: dict[str, Any], *, prune: bool = False) -> list[tuple[str, str, str, int]]:
        plan = apply(self.registry, parse_registry(document), by="ops", now=NOW, prune=prune)
        return [(each.kind, each.entry.key, each.action, each.number) for each in plan.changes]

    def point(self, label: str, *arms: dict[str, int]) -> int | None:
        """Point one label, and give the version that was written."""
        change = plan_label(self.registry, "p", label, parse_arms({"arms": list(arms)}))
        return None if change is None else self.registry.write(change, "ops", NOW).version

    @property
    def labels(self) -> Any:
        item = self.database.get("registry", "PROMPT#p", "LABELS")
        return None if item is None else item["labels"]


def test_a_document_brings_versions_and_what_points_to_them() -> None:
    stands = Stands({})
    assert stands.apply(BASE) == [
        ("prompts", "p", "added", 1),
        ("prompts", "p", "changed", 2),
        ("labels", "p", "added", 1),
    ]
    assert stands.labels == {"production": ARMS}
    assert stands.apply(BASE) == []
    plan = make_plan(stands.registry, parse_registry({"labels": [{"id": "p", "labels": {"beta": [{"version": 2}]}}]}))
    (change,) = plan.changes
    assert change.fields == {"labels": ({"production": ARMS}, {"beta": [{"version": 2}]})}


def test_a_document_without_labels_leaves_them_and_pruning_takes_them_away() -> None:
    stands = Stands(BASE)
    assert stands.apply({"prompts": PROMPTS}, prune=True) == []
    assert stands.labels == {"production": ARMS}
    assert stands.apply({"labels": []}, prune=True) == [("labels", "p", "disabled", 2)]
    assert stands.labels == {}


def test_one_label_moves_and_the_others_stay() -> None:
    stands = Stands({"prompts": PROMPTS})
    assert stands.point("production", *ARMS) == 1
    assert stands.point("staging", {"version": 2}) == 2
    assert stands.labels == {"production": ARMS, "staging": [{"version": 2, "weight": 100}]}
    assert stands.point("staging", {"version": 2, "weight": 100}) is None, "it stands so"
    assert stands.point("production", {"version": 2}) == 3
    assert stands.point("staging") == 4
    assert stands.point("staging") is None, "it is gone"
    assert stands.labels == {"production": [{"version": 2, "weight": 100}]}


def test_labels_roll_back() -> None:
    stands = Stands(BASE)
    stands.point("production", {"version": 2})
    change = plan_rollback(stands.registry, "labels", "p", 1)
    assert change is not None
    stands.registry.write(change, "ops", NOW)
    assert stands.labels == {"production": ARMS}
    assert [each.action for each in stands.registry.history("labels", "p")] == ["rolled_back", "changed", "added"]


@pytest.mark.parametrize(
    ("labels", "code", "param"),
    [
        ({"production": [{"version": 9}]}, "unknown_version", "labels.0.labels.production.0.version"),
        ({"production": []}, "invalid_field", "labels.0.labels.production"),
        ({"production": [{"version": 1, "weight": 0}]}, "invalid_field", "labels.0.labels.production.0.weight"),
        ({"production": [{"version": 1}, {"version": 1}]}, "invalid_field", "labels.0.labels.production"),
        ({"a/b": [{"version": 1}]}, "invalid_field", "labels.0.labels.a/b"),
    ],
)
def test_labels_that_make_no_sense_are_refused(labels: dict[str, Any], code: str, param: str) -> None:
    stands = Stands({"prompts": PROMPTS})
    with pytest.raises(InvalidRequest) as failure:
        stands.apply({"labels": [{"id": "p", "labels": labels}]})
    assert (failure.value.code, failure.value.param) == (code, param)
    assert stands.labels is None


def test_a_version_of_another_prompt_is_none() -> None:
    with pytest.raises(InvalidRequest) as failure:
        Stands({"prompts": PROMPTS, "labels": [{"id": "q", "labels": {"production": [{"version": 1}]}}]})
    assert failure.value.code == "unknown_version"


def test_a_label_needs_its_prompt() -> None:
    with pytest.raises(NotFound):
        Stands({}).point("production", {"version": 1})


def test_who_comes_second_looks_again() -> None:
    stands = Stands(BASE)
    change = plan_label(stands.registry, "p", "staging", parse_arms({"arms": [{"version": 1}]}))
    assert change is not None
    stands.point("beta", {"version": 2})
    with pytest.raises(Conflict):
        stands.registry.write(change, "ops", NOW)
    assert set(stands.labels) == {"production", "beta"}
