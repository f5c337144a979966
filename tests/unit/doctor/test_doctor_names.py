"""Entries that name models which are gone: disabled, or past their sunset."""

from typing import Any

import pytest
from broker.cli.doctor.finding import Severity

from tests.unit.doctor.conftest import REGISTRY, Doctor, Register, chat
from tests.unit.doctor.healthy import NOVA, PROFILE

MODELS = REGISTRY["models"]
OVER = chat("old", name=NOVA, status="deprecated", sunset="2026-11-01")


def disabled(name: str) -> dict[str, Any]:
    (model,) = (each for each in MODELS if each["id"] == name)
    return {"models": [model | {"status": "disabled"}]}


def told(found: list[Any]) -> dict[str, tuple[Severity, str]]:
    return {each.what: (each.severity, each.mend) for name, each in found if name == "names"}


def test_an_alias_with_one_model_less_is_a_warning_with_the_way_back(examine: Doctor, register: Register) -> None:
    register(REGISTRY)
    found = told(examine(disabled("gpt")))
    assert found == {
        "gpt is named by the alias fast and may not be used: it is disabled": (
            Severity.WARNING,
            "broker rollback models gpt 1",
        )
    }


def test_a_name_that_leads_nowhere_is_an_error(examine: Doctor, register: Register) -> None:
    register(REGISTRY)
    register(disabled("gpt"))
    found = told(examine(disabled("haiku")))
    what = "the alias fast leads to no model that may be used"
    assert found[what] == (Severity.ERROR, "broker rollback models haiku 1")
    lost = "fast is named by the route default and may not be used: it is no model in use, nor an alias of one"
    assert found[lost] == (Severity.WARNING, "broker apply registry/")


@pytest.mark.parametrize(
    ("document", "named", "severity"),
    [
        ({"routes": [{"id": "r", "task": "embed", "models": ["old"]}]}, "the route r", Severity.ERROR),
        ({"tenants": [{"id": "acme", "models": ["old"]}]}, "the tenant acme", Severity.ERROR),
        ({"tenants": [{"id": "acme", "models": ["old", "nova"]}]}, "the tenant acme", Severity.WARNING),
        ({"tenants": [{"id": "acme", "cache_embedding_model": "old"}]}, "the tenant acme", Severity.WARNING),
        (
            {"guardrails": [{"id": "strict", "rules": [
                {"check": "harmful_content", "action": "block", "engines": ["old"]}]}]},
            "the policy strict", Severity.ERROR,
        ),
    ],
)  # fmt: skip
def test_whoever_names_a_model_that_is_over_is_told_of(
    examine: Doctor, document: dict[str, Any], named: str, severity: Severity
) -> None:
    found = told(examine({"models": [*MODELS, OVER], "tenants": [{"id": "acme"}]} | document))
    assert {each.partition(" leads")[0] for each, (how, _) in found.items() if how is Severity.ERROR} == (
        {named} if severity is Severity.ERROR else set()
    )
    assert f"old is named by {named} and may not be used: it is over since 2026-11-01" in found


def test_what_is_disabled_itself_names_nobody(examine: Doctor) -> None:
    document = {
        "models": [*MODELS, OVER],
        "aliases": [{"id": "fast", "models": ["old"], "enabled": False}],
        "routes": [{"id": "r", "models": ["old"], "enabled": False}],
        "tenants": [{"id": "acme", "models": ["old"], "enabled": False}, {"id": "free"}],
    }
    assert told(examine(document)) == {}


def test_a_model_that_is_over_needs_no_secret_and_no_subscription(examine: Doctor) -> None:
    gone = [chat("gone", name=f"us.{PROFILE}", status="deprecated", sunset="2026-11-01")]
    lost = [chat("lost", "openai", secret="providers/lost", status="disabled")]
    found = examine({"models": [*MODELS, *gone, *lost], "tenants": [{"id": "acme"}]})
    assert found == []
