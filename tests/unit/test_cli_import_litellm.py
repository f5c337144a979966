"""A LiteLLM proxy's configuration as a registry document: what is carried over, and what is told instead."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from broker.cli import main
from broker.cli.importing.lines import Lines
from broker.cli.importing.litellm import imported
from broker.errors import InvalidRequest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.registry_plan_case import Stands

KEY = "sk-a-key-itself"
SIZES = "max_input_tokens: 128000, max_output_tokens: 16384"
PRICED = f"{{{SIZES}, input_cost_per_token: 0.0000025, output_cost_per_token: 0.00001}}"
HOUR = "cache_creation_input_token_cost_above_1hr"
CONFIG = f"""\
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_key: os.environ/KEY_A, rpm: 500, tpm: 200000}}
    model_info: {PRICED}
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_key: os.environ/KEY_B, weight: 3}}
    model_info: {PRICED}
  - model_name: claude
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_key: {KEY}
      temperature: 0.2
  - model_name: mixed
    litellm_params:
      model: azure/one
      api_base: https://one.openai.azure.com
      api_version: "2024-10-21"
      api_key: os.environ/AZ
  - model_name: mixed
    litellm_params: {{model: bedrock/us-east-1/anthropic.claude-3, aws_secret_access_key: {KEY}}}
  - model_name: vectors
    litellm_params: {{model: text-embedding-3-small, api_key: os.environ/KEY_A}}
    model_info: {{mode: embedding, max_input_tokens: 8191, input_cost_per_token: 0.00000002}}
router_settings:
  routing_strategy: simple-shuffle
  fallbacks: [{{gpt-4o: [claude, mixed]}}]
  model_group_alias: {{gpt-4: gpt-4o, hidden: {{model: claude, hidden: true}}}}
litellm_settings:
  max_budget: 100
  budget_duration: 30d
  drop_params: true
general_settings:
  master_key: {KEY}
"""


def document_of(text: str, tenant: str = "litellm") -> tuple[dict[str, Any], list[str]]:
    """The document, and what is said before it."""
    made = imported(Lines(text, "config.yaml"), tenant)
    return yaml.safe_load(made), [line for line in made.splitlines() if line.startswith("#")]


def test_models_keys_fallbacks_and_budgets_are_carried_over() -> None:
    document, _ = document_of(CONFIG, "acme")
    models = {each["id"]: each for each in document["models"]}
    assert models["gpt-4o-1"] == {
        "id": "gpt-4o-1",
        "provider": "openai",
        "name": "gpt-4o",
        "tasks": ["chat"],
        "context_window": 128_000,
        "max_output_tokens": 16_384,
        "price_in_usd": 2.5,
        "price_out_usd": 10.0,
        "capabilities": ["json", "tools"],
        "credentials": [
            {
                "name": "KEY_A",
                "secret": "providers/KEY_A",
                "limits": {"requests_per_minute": 500, "tokens_per_minute": 200_000},
            },
            {"name": "KEY_B", "secret": "providers/KEY_B", "weight": 300},
        ],
    }
    assert models["claude"]["secret"] == "providers/claude-2"
    azure, bedrock = models["mixed-1"], models["mixed-2"]
    assert (azure["endpoint"], azure["options"]) == ("https://one.openai.azure.com", {"api_version": "2024-10-21"})
    assert (bedrock["endpoint"], bedrock["name"], "secret" in bedrock) == ("us-east-1", "anthropic.claude-3", False)
    assert (models["vectors"]["tasks"], models["vectors"]["price_in_usd"]) == (["embed"], 0.02)
    assert {each["id"]: each["models"] for each in document["aliases"]} == {
        "gpt-4o": ["gpt-4o-1", "claude", "mixed-1", "mixed-2"],
        "gpt-4": ["gpt-4o-1", "claude", "mixed-1", "mixed-2"],
        "mixed": ["mixed-1", "mixed-2"],
        "hidden": ["claude"],
    }
    assert document["tenants"] == [{"id": "acme", "monthly_budget_usd": 100}]


def test_plan_and_apply_take_the_document() -> None:
    document, _ = document_of(CONFIG)
    stands = Stands({})
    assert stands.plan(document).changes
    stands.apply(document)
    assert not stands.plan(document).changes


def test_what_cannot_be_carried_over_is_told_with_its_line() -> None:
    _, said = document_of(CONFIG)
    lines = CONFIG.splitlines()
    for place, word in {
        "litellm_params.api_key": KEY,
        "litellm_params.temperature": "temperature",
        "litellm_params.aws_secret_access_key": "aws_secret",
        "router_settings.routing_strategy": "routing_strategy",
        "litellm_settings.drop_params": "drop_params",
        "litellm_settings.max_budget": "max_budget",
        "general_settings.master_key": "master_key",
    }.items():
        (told,) = [each for each in said if place in each]
        number = int(told.split(":")[1])
        assert word in lines[number - 1], told
    assert "# broker secret providers/KEY_A < FILE  (what KEY_A has)" in said


@pytest.mark.parametrize(
    "where",
    [
        "api_key: KEY",
        "api_key: [KEY]",
        "api_key: {a: KEY}",
        "api_base: 'https://user:KEY@host/v1'",
        "api_base: 'https://host/v1?key=KEY'",
        "aws_access_key_id: KEY",
        "vertex_credentials: '{KEY}'",
        "extra_headers: {Authorization: Bearer KEY}",
        "api_version: KEY, custom_llm_provider: KEY",
        "organization: KEY",
        "timeout: KEY",
        "rpm: KEY",
    ],
)
def test_no_value_of_a_key_is_copied_or_told(where: str) -> None:
    config = f"model_list: [{{model_name: m, litellm_params: {{model: openai/m, {where.replace('KEY', KEY)}}}}}]\n"
    config += f"general_settings: {{master_key: {KEY}, database_url: 'postgres://u:{KEY}@h'}}\n"
    config += f"environment_variables: {{A: {KEY}}}\n"
    try:
        made = imported(Lines(config, "config.yaml"))
    except InvalidRequest as error:
        made = error.message
    assert KEY not in made and "KEY" not in made.replace("KEY_", "")


@pytest.mark.parametrize("provider", ["ollama", "hosted_vllm", "openai_like", "lm_studio"])
def test_a_server_whose_address_is_not_said_is_disabled_and_gets_nobodys_key(provider: str) -> None:
    config = f"model_list: [{{model_name: m, litellm_params: {{model: {provider}/llama3}}}}]"
    document, said = document_of(config)
    (model,) = document["models"]
    assert (model["status"], "secret" in model, "credentials" in model) == ("disabled", False, False)
    assert any("until then it is disabled" in each for each in said)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("{model_name: 'all/*', litellm_params: {model: 'openai/*'}}", "wildcards"),
        ("{model_name: v, litellm_params: {model: vertex_ai/gemini-pro}}", "no adapter"),
        ("{model_name: v, litellm_params: {model: some-model}}", "no adapter"),
        ("{model_name: 5, litellm_params: {model: openai/x}}", "no model_name"),
        ("{model_name: v}", "no litellm_params with a model"),
        ("just a text", "no model_name"),
        ("null", "no model_name"),
    ],
)
def test_an_entry_that_has_no_place_is_left_out_and_told(entry: str, what: str) -> None:
    good = "{model_name: good, litellm_params: {model: openai/x, api_key: os.environ/K}}"
    document, said = document_of(f"model_list:\n- {good}\n- {entry}\n")
    assert [each["id"] for each in document["models"]] == ["good"]
    assert any(what in each and ":3: model_list.1" in each for each in said), said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "model_list: []",
        "model_list: 5",
        "a: [",
        "a: &x [*x]",
        "model_list: [{model_name: v}]",
        "\x00",
    ],
)
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        imported(Lines(text, "config.yaml"))


def test_names_that_no_id_can_have_are_told() -> None:
    config = "model_list:\n- {model_name: 'openai/gpt 4o', litellm_params: {model: openai/gpt-4o}}\n"
    config += "- {model_name: auto, litellm_params: {model: openai/gpt-4o-mini}}\n"
    document, said = document_of(config)
    assert [each["id"] for each in document["models"]] == ["openai-gpt-4o", "auto-model"]
    assert sum("clients have to ask for" in each for each in said) == 2
    Stands({}).apply(document)


def test_no_name_gets_out_of_its_comment() -> None:
    config = json.dumps(
        {
            "model_list": [{"model_name": "m\nmodels: []", "litellm_params": {"model": "openai/x", "a\nb: c": 1}}],
            "general_settings": {"x\ny: 1": 2},
        }
    )
    document, said = document_of(config)
    assert document.keys() == {"models"} and [each["name"] for each in document["models"]] == ["x"]
    assert all(each.startswith("#") for each in said)


def test_a_month_is_the_only_span_of_a_budget() -> None:
    config = CONFIG.replace("budget_duration: 30d", "budget_duration: 1d")
    document, said = document_of(config)
    assert "tenants" not in document
    assert any("litellm_settings.budget_duration: not carried over" in each for each in said)


def test_reasoning_and_the_price_of_an_hour_of_a_prompt_cache_are_carried_over() -> None:
    text = f"""\
model_list:
  - model_name: claude
    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_key: os.environ/KEY}}
    model_info: {{{SIZES}, supports_reasoning: true, cache_creation_input_token_cost: 0.00000375, {HOUR}: 0.000006}}
  - model_name: bare
    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_key: os.environ/KEY}}
    model_info: {{{SIZES}, supports_reasoning: false, input_cost_per_token: 2500, {HOUR}: 0.000006}}
"""
    document, said = document_of(text)
    claude, bare = document["models"]
    assert claude["capabilities"] == ["json", "reasoning", "tools"]
    assert (claude["price_cache_write_usd"], claude["price_cache_write_1h_usd"]) == (3.75, 6.0)
    assert bare["capabilities"] == ["json", "tools"] and "price_cache_write_1h_usd" not in bare
    assert bare["price_in_usd"] == 0, "that is of a million tokens, and no price of one"
    assert [each for each in said if "input_cost_per_token: not carried over" in each]
    assert not any("supports_reasoning" in each for each in said)
    assert [each for each in said if "an hour of a prompt cache" in each]
    Stands({}).plan(document)


TEXTS = st.text("ab1./ \n:#-*@", max_size=5)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PARAMS = st.fixed_dictionaries(
    {"model": st.sampled_from(["openai/a", "azure/b", "bedrock/us-east-1/c", "ollama/d", "groq/e", "gpt-4"])},
    optional={
        name: JUNK
        for name in ("api_key", "api_base", "rpm", "tpm", "weight", "timeout", "api_version", "aws_region_name")
    },
)
INFO = st.sampled_from(["mode", "max_tokens", "max_input_tokens", "input_cost_per_token", "supports_vision", HOUR])
ENTRIES = st.fixed_dictionaries(
    {"model_name": st.sampled_from(["a", "b", "a/b", "auto", "a-1"]), "litellm_params": PARAMS},
    optional={"model_info": st.dictionaries(INFO, JUNK)},
)


@settings(max_examples=30)
@given(
    entries=st.lists(ENTRIES, min_size=1, max_size=4),
    more=st.fixed_dictionaries(
        {},
        optional={
            "router_settings": st.dictionaries(st.sampled_from(["fallbacks", "model_group_alias", "x"]), JUNK),
            "litellm_settings": st.dictionaries(
                st.sampled_from(["fallbacks", "default_fallbacks", "max_budget", "budget_duration"]), JUNK
            ),
            "general_settings": JUNK,
        },
    ),
)
def test_whatever_a_configuration_says_a_plan_takes_what_comes_of_it(entries: Any, more: Any) -> None:
    document, _ = document_of(json.dumps({"model_list": entries, **more}))
    Stands({}).plan(document)


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    assert main(["import", "litellm", str(path), "--tenant", "acme"]) == 0
    printed = capsys.readouterr().out
    assert KEY not in printed
    assert yaml.safe_load(printed)["tenants"] == [{"id": "acme", "monthly_budget_usd": 100}]
    assert main(["import", "litellm", str(tmp_path / "none.yaml")]) != 0
    assert "none.yaml: it cannot be read" in capsys.readouterr().err
