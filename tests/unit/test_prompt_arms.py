"""Which version of a prompt is taken: by number, by label and its arms, and what is not there."""

from collections import Counter
from typing import Any

import pytest
from broker.errors import NotFound
from broker.prompts.labels import choose
from broker.prompts.templates import KEEP_MS, Prompts, arm_key
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.world import NOW, World
from tests.unit.prompts_case import registered


def label(world: World, **labels: Any) -> None:
    apply(world.registry(), parse_registry({"labels": [{"id": "p", "labels": labels}]}), by="ops", now=NOW)


@pytest.mark.parametrize(
    ("wanted", "code", "param"),
    [
        ({"id": "none"}, "unknown_prompt", "prompt.id"),
        ({"id": "p", "version": 3}, "unknown_prompt", "prompt.id"),
        ({"id": "p", "label": "staging"}, "unknown_label", "prompt.label"),
    ],
)
def test_what_is_not_there(wanted: dict[str, Any], code: str, param: str) -> None:
    prompts = registered(World(), {"id": "p", "version": 1, "user": "Hi."})
    with pytest.raises(NotFound) as failure:
        prompts.fill(wanted, "k", NOW)
    assert (failure.value.code, failure.value.param) == (code, param)


def two_versions() -> tuple[World, Prompts]:
    world = World()
    one, two = ({"id": "p", "version": number, "user": f"Version {number}."} for number in (1, 2))
    return world, registered(world, one, two)


def test_a_label_points_to_versions_in_their_shares() -> None:
    world, prompts = two_versions()
    arms = [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]
    label(world, production=arms)
    taken = Counter(prompts.fill({"id": "p"}, f"key-{n}", NOW).used["version"] for n in range(2_000))
    assert 150 <= taken[2] <= 250
    used = prompts.fill({"id": "p", "label": "production"}, "key-1", NOW).used
    assert used == prompts.fill({"id": "p"}, "key-1", NOW).used
    assert used["label"] == "production"
    assert prompts.fill({"id": "p", "version": 2, "label": "production"}, "key-1", NOW).used == {
        "id": "p",
        "version": 2,
        "label": None,
    }


def test_a_change_of_weights_moves_only_whom_it_has_to() -> None:
    before = [{"version": 3, "weight": 90}, {"version": 4, "weight": 10}]
    after = [{"version": 3, "weight": 80}, {"version": 4, "weight": 20}]
    for number in range(1_000):
        was, now = (choose("p", "production", arms, f"k{number}") for arms in (before, after))
        assert (was, now) != (4, 3)


def test_a_label_moves_within_half_a_minute() -> None:
    world, prompts = two_versions()
    label(world, production=[{"version": 1}])
    assert prompts.fill({"id": "p"}, "k", NOW).used["version"] == 1
    label(world, production=[{"version": 2}])
    assert prompts.fill({"id": "p"}, "k", NOW + KEEP_MS).used["version"] == 2
    label(world)
    assert prompts.fill({"id": "p"}, "k", NOW + 2 * KEEP_MS).used == {"id": "p", "version": 2, "label": None}


def test_arms_are_stable_by_key_then_conversation_then_job() -> None:
    plain = {"input": {"text": "Hi"}, "prompt": {"id": "p"}}
    talk = plain | {"conversation_id": "c1"}
    keyed = talk | {"metadata": {"routing_key": "u7"}}
    assert arm_key("acme", keyed, NOW) == arm_key("acme", keyed | {"input": {}}, NOW + 5)
    assert arm_key("acme", talk, NOW) == arm_key("acme", talk | {"input": {}}, NOW + 5)
    assert arm_key("acme", talk, NOW) != arm_key("other", talk, NOW)
    assert arm_key("acme", plain, NOW) != arm_key("acme", plain, NOW + 5)
