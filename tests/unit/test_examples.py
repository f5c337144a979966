"""The registry that operators start from: whole, priced, and routing as the documentation says."""

from pathlib import Path

import pytest
from broker.cli.documents import read
from broker.prompts.templates import Prompts
from broker.providers.wire.base import Call
from broker.providers.wire.chat import parameters
from broker.providers.wire.dialects import ANTHROPIC, CONVERSE
from broker.providers.wire.history import prepare
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.versions import Registry
from broker.routing.catalog import Models
from broker.routing.routes import Catalog, order_for

from local.model_server.exchange import Problem
from local.model_server.rules import claude
from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts
from tests.fakes.world import NOW

SAMPLED = {"temperature": 0.5, "top_p": 0.9}
FOLDER = Path(__file__).parents[2] / "examples" / "registry"


@pytest.fixture(scope="module")
def database() -> FakeDatabase:
    tables = FakeDatabase()
    plan = apply(Registry(tables, FakeTexts()), parse_registry(read(FOLDER)), by="tests", now=NOW)
    assert {change.action for change in plan.changes if change.number == 1} == {"added"}
    return tables


@pytest.fixture(scope="module")
def catalog(database: FakeDatabase) -> Catalog:
    return Models(database).catalog(NOW)


def test_the_prompt_with_two_versions_takes_the_same_variables_in_both(database: FakeDatabase) -> None:
    prompts = Prompts(database, FakeTexts())
    values = {"message": "Where is my lamp?", "facts": ["It was sent on Monday."]}
    taken = set()
    for number in range(100):
        filled = prompts.fill({"id": "reply", "variables": values}, f"customer-{number}", NOW)
        taken.add(filled.used["version"])
        assert filled.hints["model"] == "fast"
        assert "at most 3 sentences" in filled.messages[0]["content"]
        assert "It was sent on Monday." in filled.messages[1]["content"]
    assert taken == {1, 2}


def test_every_model_has_dated_prices_or_waits_for_the_operators(catalog: Catalog) -> None:
    for model in catalog.models.values():
        priced = model.price_in or model.unit_prices
        assert (priced and model.prices_as_of) or model.status == "disabled", model.id
        assert "chat" not in model.tasks or model.max_output_tokens < model.context_window, model.id


def test_what_a_claude_refuses_is_said_of_it(catalog: Catalog) -> None:
    asked = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Well,"}]
    claudes = [model for model in catalog.models.values() if "claude" in model.name and "chat" in model.tasks]
    assert {model.provider for model in claudes} == {"anthropic", "bedrock"}
    for model in claudes:
        call = Call("chat", model.name, {"messages": asked}, SAMPLED, 5, options=model.options)
        rows = {"anthropic": ANTHROPIC, "bedrock": CONVERSE}
        history = prepare(call, rows[model.provider])
        sent = parameters(call, {name: name for name in SAMPLED})
        prefilled = history.turns[-1].role == "assistant"
        claude.check(model.name, temperature=sent.get("temperature"), top_p=sent.get("top_p"), prefilled=prefilled)
    with pytest.raises(Problem):
        claude.check("claude-haiku-4-5", **SAMPLED, prefilled=False)


@pytest.mark.parametrize(
    ("query_type", "models"),
    [
        ("summarize", ["claude-haiku-bedrock", "gpt-5.4-mini"]),
        ("creative", ["gpt-5.4", "claude-sonnet"]),
        ("technical", ["technical-endpoint", "claude-sonnet-bedrock"]),
        ("anything else", ["claude-sonnet-bedrock", "claude-sonnet"]),
    ],
)
def test_a_kind_of_work_has_its_model_and_a_fallback(catalog: Catalog, query_type: str, models: list[str]) -> None:
    order = order_for({"task": "chat", "routing": {"query_type": query_type}}, catalog)
    assert order is not None
    assert [each.model for each in order.names][:2] == models
    assert [each.fallback for each in order.names][:2] == [False, True]


def test_embeddings_never_fall_back_to_vectors_of_another_kind(catalog: Catalog) -> None:
    """Of the models that make them, one is taken unnamed."""
    assert catalog.route("embed", None) is None
    assert len([each for each in catalog.open() if "embed" in catalog.models[each].tasks]) == 1
