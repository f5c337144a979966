"""Which rules hold for a tenant: its policies, the default, and its own settings over them."""

from typing import Any

import pytest
from broker.guardrails.detector import thresholds
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import DEFAULT, Policy, Rule, of_tenant
from broker.guardrails.walk import input_texts

CARD = "4111 1111 1111 1111"
TOKEN = "ghp_" + "1B4hJ" * 7 + "2"
CARDS = Policy("cards", 2, (Rule("card_numbers"),))
TRIED = Policy("tried", 1, (Rule("card_numbers"), Rule("secrets"), Rule("max_input_chars", max_chars=10)), shadow=True)


def blocking(text: str, settings: dict[str, Any], *named: Policy) -> set[str]:
    return inspect("input", input_texts({"input": {"text": text}}), of_tenant(settings, named)).blocking


def test_a_policy_takes_the_place_of_the_default() -> None:
    assert of_tenant({}, (CARDS,)) == (CARDS,)
    assert blocking(f"{CARD} {TOKEN}", {}, CARDS) == {"card_numbers"}


def test_a_policy_that_is_only_tried_takes_the_place_of_nothing() -> None:
    assert of_tenant({}, (TRIED,)) == (DEFAULT, TRIED)
    assert blocking(f"{CARD} {TOKEN}", {}, TRIED) == {"card_numbers", "secrets"}


@pytest.mark.parametrize(
    ("settings", "rules"),
    [
        ({}, {"card_numbers"}),
        ({"block_card_numbers": False}, set()),
        ({"block_secrets": True}, {"card_numbers", "secrets"}),
        ({"max_input_chars": 5}, {"card_numbers", "max_input_chars"}),
        ({"denied_terms": ["card"]}, {"card_numbers", "denied_terms"}),
    ],
)
def test_a_setting_holds_whatever_policies_there_are(settings: dict[str, Any], rules: set[str]) -> None:
    assert blocking(f"card {CARD} {TOKEN}", settings, CARDS) == rules
    assert blocking(f"card {CARD} {TOKEN}", settings, CARDS, TRIED) == rules


def test_a_limit_replaces_that_of_the_policies() -> None:
    long = Policy("long", 1, (Rule("max_input_chars", stages=("input",), max_chars=1_000),))
    assert blocking("a" * 20, {"max_input_chars": 10}, long) == {"max_input_chars"}
    assert blocking("a" * 20, {"max_input_chars": 20}, long) == set()


def test_the_default_flags_injections_and_blocks_by_the_detectors_second_threshold() -> None:
    rule = next(rule for rule in DEFAULT.rules if rule.check == "injection")
    assert (rule.action, rule.stages) == ("flag", ("input",))
    assert rule.block_from == pytest.approx(thresholds().block, abs=0.001)


def test_what_a_tenant_turns_into_notes_blocks_from_no_score() -> None:
    named = Policy("own", 1, (Rule("secrets", "redact", block_from=0.5),))
    assert of_tenant({"block_secrets": False}, (named,))[0].rules == (Rule("secrets", "flag"),)
