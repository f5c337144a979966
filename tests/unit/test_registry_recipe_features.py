"""What recipes say of forms and tables: which values are taken, and which field is at fault."""

from typing import Any

import pytest
from broker.documents.recipe import Recipe
from broker.errors import InvalidRequest
from broker.registry.document import parse_registry
from broker.registry.recipe_entry import RecipeEntry

NOTES = {"id": "notes", "merge": {"way": "concat"}, "prompts": {"map": "ask"}}


def entry(**extract: Any) -> RecipeEntry:
    (found,) = parse_registry({"recipes": [{**NOTES, "extract": extract}]}).recipes
    assert isinstance(found, RecipeEntry)
    return found


def test_features_are_taken_once_each_and_in_one_order() -> None:
    assert entry(features=["tables", "forms"]).recipe().features == ("forms", "tables")
    assert entry(features=["forms"]).recipe().features == ("forms",)
    assert entry().recipe().features == ()
    assert Recipe.of("r", 1, {"way": "concat", "map": {"id": "ask"}}).features == (), "as it was kept before"


@pytest.mark.parametrize(
    "extract",
    [
        {"scans": "vision", "features": ["forms"]},
        {"scans": "off", "features": ["tables"]},
        {"features": []},
        {"features": ["queries"]},
        {"features": "forms"},
    ],
)
def test_what_is_at_fault_is_named(extract: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        entry(**extract)
    assert str(caught.value.param).startswith("recipes.0.extract.features")
