"""A plan tells of prices that look wrong, and of no others."""

from typing import Any

import pytest
import yaml
from broker.cli.registry_changes import plan_text
from broker.registry.document import parse_registry
from broker.registry.plan import make_plan
from broker.registry.versions import Registry

from tests.contract.stack import ROOT
from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.unit.registry_plan_case import Stands, model


def told(**changes: Any) -> tuple[str, ...]:
    document = parse_registry({"models": [model("small", **changes)]})
    return make_plan(Registry(FakeDatabase(), FakeTexts()), document).warnings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"price_in_usd": 0, "price_out_usd": 0}, "it costs nothing"),
        ({"price_out_usd": 0}, "price_out_usd is 0"),
        ({"price_in_usd": 15_000}, "dollars for a million tokens"),
        ({"price_in_usd": 0.00000015}, "dollars for a million tokens"),
        ({"price_cached_in_usd": 0.3}, "more than price_in_usd"),
        ({"batch_price_in_usd": 0.07, "batch_price_out_usd": 0.7}, "more than price_out_usd"),
    ],
)
def test_a_price_that_looks_wrong_is_told(changes: dict[str, Any], words: str) -> None:
    (line,) = told(**changes)
    assert line.startswith("small: ") and words in line


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tasks": ["embed"], "price_out_usd": 0},
        {"price_in_usd": 0, "price_out_usd": 0, "unit_prices_usd": {"pages": 0.0015}, "tasks": ["extract_text"]},
        {"price_in_usd": 0, "price_out_usd": 0, "status": "disabled"},
    ],
)
def test_a_price_that_is_meant_is_not(changes: dict[str, Any]) -> None:
    assert told(**changes) == ()


@pytest.mark.parametrize(("after", "is_told"), [(15, True), (0.0015, True), (0, True), (1.4, False), (0.1, False)])
def test_one_that_is_a_hundred_times_what_it_was_is_told(after: float, is_told: bool) -> None:
    stands = Stands()
    plan = stands.plan({"models": [model("small", price_in_usd=after, price_out_usd=0 if not after else 0.6)]})
    assert any("price_in_usd was 0.15" in each for each in plan.warnings) is is_told
    assert ("\n! small" in plan_text(plan, done=False)) is is_told
    assert len(plan.changes) == 1, "it holds all the same"


def test_the_prices_of_the_examples_look_right() -> None:
    for path in sorted((ROOT / "examples" / "registry").glob("*.yaml")):
        models = yaml.safe_load(path.read_text()).get("models", [])
        plan = make_plan(Registry(FakeDatabase(), FakeTexts()), parse_registry({"models": models}))
        assert [each for each in plan.warnings if "it costs nothing" not in each] == [], path.name
