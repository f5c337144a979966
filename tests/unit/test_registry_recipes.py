"""Recipes in the registry: what is taken, what is refused at which field, and what the functions read of it."""

import json
from typing import Any

import pytest
from broker.documents.recipe import Recipe
from broker.errors import InvalidRequest
from broker.registry.document import parse_entry, parse_registry
from broker.registry.plan import plan_rollback
from broker.registry.recipe_entry import RecipeEntry

from tests.unit.registry_plan_case import BASE, Stands, changes, model

ASK = {"id": "ask", "user": "Sum up: {{document}}"}
JOIN = {"id": "join", "user": "Put together: {{answers}}"}
SUM = {"id": "sums", "prompts": {"map": "ask", "reduce": {"id": "join"}}, "merge": {"way": "map_reduce"}}
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}
FULL = {
    "id": "invoices",
    "description": "Invoices as JSON.",
    "tenants": ["acme"],
    "takes": ["pdf", "image"],
    "extract": {"scans": "vision", "model": "large"},
    "split": {"by": "pages", "size": 4000, "overlap": 100},
    "prompts": {"map": {"id": "ask", "version": 1}},
    "merge": {"way": "extract", "scalars": "confidence", "keys": {"lines": "number"}},
    "output_schema": SCHEMA,
    "citations": "off",
    "on_failure": "continue",
    "model": "small",
    "routing": {"regions": ["eu"], "fallbacks": ["large"]},
    "parameters": {"temperature": 0.2, "max_output_tokens": 300},
    "cache": {"ttl_seconds": 600},
    "guardrails": ["words"],
    "max_cost_usd": 0.25,
    "output": {"suffix": ".invoice.json", "webhook": {"url": "https://hooks.example/x"}},
}
WORDS = {"id": "words", "rules": [{"check": "denied_terms", "terms": ["x"], "action": "flag"}]}
MODELS = {"models": [model("small"), model("large")]}
PROMPTS = {"prompts": [ASK, JOIN]}


def document(*recipes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**MODELS, **PROMPTS, "guardrails": [WORDS], "recipes": list(recipes), **more}


def test_recipes_are_versioned_like_all_others() -> None:
    stands = Stands(BASE)
    assert ("recipes", "sums", "added", 1) in changes(stands.apply(document(SUM)))
    assert stands.apply(document(SUM)).changes == ()
    changed = {**SUM, "language": None, "split": {"size": 900}}
    assert changes(stands.apply(document(changed))) == [("recipes", "sums", "changed", 2)]
    assert plan_rollback(stands.registry, "recipes", "sums", 1) is not None
    pruned = stands.apply({"recipes": []}, prune=True)
    assert changes(pruned) == [("recipes", "sums", "disabled", 3)]
    old = stands.database.get("registry", "RECIPE#sums", "V#0001")
    assert old and "size" not in json.loads(old["recipe"]), "a document that began with it goes on with it"


def test_what_is_registered_is_what_a_document_is_worked_on_by() -> None:
    stands = Stands(BASE)
    stands.apply(document(FULL))
    item = stands.database.get("registry", "RECIPE#invoices", "RECIPE")
    assert item and item["tenants"] == ["acme"] and item["guardrails"] == ["words"] and item["enabled"]
    recipe = Recipe.of("invoices", 1, json.loads(item["recipe"]))
    assert (recipe.way, recipe.scans, recipe.scan_model, recipe.by) == ("extract", "vision", "large", "pages")
    assert (recipe.size, recipe.overlap, recipe.takes) == (4000, 100, {"pdf", "image"})
    assert (recipe.rules.scalars, recipe.rules.confidence, recipe.rules.keys) == (
        "confidence",
        "confidence",
        {"lines": "number"},
    )
    assert recipe.map.filled(document="x") == {"id": "ask", "version": 1, "variables": {"document": "x"}}
    assert recipe.request == {
        "model": "small",
        "routing": {"regions": ["eu"], "fallbacks": ["large"]},
        "parameters": {"temperature": 0.2, "max_output_tokens": 300},
        "cache": {"ttl_seconds": 600},
    }, "what is not said is left open"
    assert (recipe.max_cost, recipe.on_failure, recipe.citations) == (250_000_000, "continue", "off")
    assert (recipe.suffix, recipe.schema, recipe.output_tokens) == (".invoice.json", SCHEMA, 300)
    assert recipe.webhook and recipe.webhook["url"] == "https://hooks.example/x"


def test_a_recipe_that_says_little_is_taken() -> None:
    entry = parse_entry("recipes", SUM)
    assert isinstance(entry, RecipeEntry)
    recipe = entry.recipe(4)
    assert (recipe.version, recipe.takes, recipe.size, recipe.depth, recipe.max_cost) == (4, None, None, 4, None)
    assert (recipe.suffix, recipe.scans, recipe.on_failure, recipe.citations) == (
        ".result.json",
        "textract",
        "fail",
        "tell",
    )
    assert recipe.size_for(None) == 6000 and recipe.size_for(128_000) == 95_000 and recipe.size_for(2_000) == 500


NIGHT = {"start": "22:00", "end": "06:00", "time_zone": "UTC"}


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        *(({"id": "media"}, "id"), ({"id": "a/b"}, "id"), ({"takes": []}, "takes"), ({"takes": ["exe"]}, "takes.0")),
        *(
            ({"tenants": ["A"]}, "tenants.0"),
            ({"prompts": {}}, "prompts.map"),
            ({"prompts": {"map": 5}}, "prompts.map"),
        ),
        ({"prompts": {"map": "ask", "reduce": "join", "refine": "x"}}, "prompts.refine"),
        ({"prompts": {"map": "ask"}}, "prompts"),
        (
            {"prompts": {"map": {"id": "ask", "variables": {"document": "x"}}, "reduce": "join"}},
            "prompts.map.variables",
        ),
        *(({"merge": {}}, "merge.way"), ({"merge": {"way": "glue"}}, "merge.way")),
        ({"merge": {"way": "map_reduce", "scalars": "first"}}, "merge"),
        ({"merge": {"way": "concat"}}, "prompts"),
        ({"merge": {"way": "map_reduce", "depth": 11}}, "merge.depth"),
        ({"merge": {"way": "extract"}, "prompts": {"map": "ask"}}, "merge"),
        ({"merge": {"way": "concat"}, "prompts": {"map": "ask"}, "output_schema": SCHEMA}, "merge"),
        ({"output_schema": {"type": "lamp"}}, "output_schema"),
        ({"output_schema": {"type": "array"}}, "output_schema"),
        *(({"split": {"size": 199}}, "split.size"), ({"split": {"by": "luck"}}, "split.by")),
        ({"split": {"size": 400, "overlap": 101}}, "split.overlap"),
        ({"split": {"overlap": 50_001}}, "split.overlap"),
        *(({"extract": {"scans": "guess"}}, "extract.scans"), ({"extract": {"ocr": True}}, "extract.ocr")),
        *(({"max_cost_usd": 0}, "max_cost_usd"), ({"max_cost_usd": "5"}, "max_cost_usd")),
        *(({"on_failure": "hope"}, "on_failure"), ({"citations": True}, "citations"), ({"language": "?"}, "language")),
        ({"routing": {"objective": "luck"}}, "routing.objective"),
        ({"output": {"suffix": "json"}}, "output.suffix"),
        ({"output": {"suffix": ".error.json"}}, "output.suffix"),
        ({"output": {"suffix": "./../x"}}, "output.suffix"),
        ({"output": {"webhook": {"url": "x"}}}, "output.webhook.url"),
        ({"deadline_seconds": 59}, "deadline_seconds"),
        ({"ttl_seconds": 3600}, "ttl_seconds"),
        ({"off_peak": {"start": "22:00", "end": "06:00"}}, "off_peak.time_zone"),
        ({"off_peak": {**NIGHT, "time_zone": "Mars"}}, "off_peak.time_zone"),
        ({"off_peak": NIGHT, "deadline_seconds": 16 * 3600}, "off_peak"),
        ({"off_peak": {**NIGHT, "days": ["sun"]}}, "off_peak"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_error_names_the_field(changed: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_registry({"recipes": [SUM, SUM | {"id": "other"} | changed]})
    assert (failure.value.code, failure.value.param) == ("invalid_field", f"recipes.1.{param}")


@pytest.mark.parametrize(
    ("changed", "prompts", "param", "code"),
    [
        ({"prompts": {"map": "none", "reduce": "join"}}, [], "prompts.map.id", "unknown_prompt"),
        (
            {"prompts": {"map": {"id": "ask", "version": 7}, "reduce": "join"}},
            [],
            "prompts.map.version",
            "unknown_prompt",
        ),
        ({"prompts": {"map": "join", "reduce": "join"}}, [], "prompts.map.variables.document", "unknown_variable"),
        ({"prompts": {"map": "ask", "reduce": "ask"}}, [], "prompts.reduce.variables.answers", "unknown_variable"),
        (
            {"prompts": {"map": "asking", "reduce": "join"}},
            [{"id": "asking", "user": "{{question}} {{document}}"}],
            "prompts.map.variables.question",
            "missing_variable",
        ),
        ({"language": "de"}, [], "prompts.map.variables.language", "unknown_variable"),
        (
            {"prompts": {"map": {"id": "ask", "variables": {"tone": "x"}}, "reduce": "join"}},
            [],
            "prompts.map.variables.tone",
            "unknown_variable",
        ),
        (
            {"prompts": {"map": "trusting", "reduce": "join"}},
            [
                {
                    "id": "trusting",
                    "variables": {"document": {"type": "string", "trusted": True}},
                    "user": "{{document}}",
                }
            ],
            "prompts.map.id",
            "trusted_document",
        ),
        (
            {"prompts": {"map": "listing", "reduce": "join"}},
            [{"id": "listing", "variables": {"document": {"type": "integer"}}, "user": "{{document}}"}],
            "prompts.map.variables.document",
            "wrong_variable",
        ),
        ({"model": "none"}, [], "model", "unknown_model"),
        ({"extract": {"model": "none"}}, [], "extract.model", "unknown_model"),
        ({"routing": {"fallbacks": ["none"]}}, [], "routing.fallbacks.0", "unknown_model"),
        ({"guardrails": ["none"]}, [], "guardrails.0", "unknown_policy"),
    ],
)
def test_a_plan_names_what_a_recipe_names_and_is_not_there(
    changed: dict[str, Any], prompts: list[dict[str, Any]], param: str, code: str
) -> None:
    stands = Stands(BASE)
    error = stands.fails(document(SUM | changed, prompts=[ASK, JOIN, *prompts]))
    assert (error.param, error.code) == (f"recipes.0.{param}", code)


def test_prompts_that_stand_in_the_registry_need_not_be_in_the_document() -> None:
    stands = Stands({**MODELS, **PROMPTS})
    assert changes(stands.apply({"recipes": [SUM]})) == [("recipes", "sums", "added", 1)]
    unknown = {**SUM, "prompts": {"map": {"id": "ask", "version": 2}, "reduce": "join"}}
    assert stands.fails({"recipes": [unknown]}).code == "unknown_prompt"


def test_a_policy_that_a_recipe_names_is_not_taken_out_of_use() -> None:
    stands = Stands(BASE)
    stands.apply(document(SUM | {"guardrails": ["words"]}))
    error = stands.fails({"guardrails": [WORDS | {"enabled": False}]})
    assert error.code == "policy_in_use" and "'sums' among the recipes" in error.message
