"""Policies at work: what is found, what follows, and where the texts are to be changed."""

import base64
from collections.abc import Iterable
from typing import Any

import pytest
from broker.guardrails.checks.base import About, Check
from broker.guardrails.edits import Edit
from broker.guardrails.findings import Finding
from broker.guardrails.pipeline import MOST_FINDINGS, Report, inspect
from broker.guardrails.policy import DEFAULT, Policy, Rule, Stage, of_tenant
from broker.guardrails.spans import Span
from broker.guardrails.walk import input_texts

CARD = "4111 1111 1111 1111"
TOKEN = "ghp_" + "1B4hJ" * 7 + "2"


class Shouting:
    """Finds words in capitals; the longer, the surer."""

    version = "7"
    threshold = 0.2
    reads_original = False

    def find(self, text: str, about: About) -> Iterable[Span]:
        at = 0
        for word in text.split(" "):
            if word.isupper():
                yield Span(at, at + len(word), "one" if len(word) < 5 else "long", min(len(word) / 10, 1))
            at += len(word) + 1


class Broken:
    """Fails."""

    version = "1"
    threshold = 0.2
    reads_original = False

    def find(self, text: str, about: About) -> Iterable[Span]:
        raise ZeroDivisionError


def check_of(name: str) -> Check:
    return {"shouting": Shouting, "broken": Broken}[name]()


def look(given: Any, *rules: Rule, stage: Stage = "input", shadow: bool = False) -> Report:
    request = {"input": given if isinstance(given, dict) else {"text": given}}
    return inspect(stage, input_texts(request), (Policy("strict", 3, rules, shadow),), check_of=check_of)


def followed(report: Report) -> list[tuple[str, str, str, int]]:
    return [(each.rule, each.kind, each.action, each.count) for each in report.findings]


def test_a_finding_tells_all_but_the_text() -> None:
    report = look({"text": "so LOUD", "labels": ["fine", "VERY LOUD"]}, Rule("shouting"))
    assert report.blocked and report.blocking == {"shouting"}
    assert report.findings == [Finding("input", "shouting", "one", "block", 3, "input.text", 0.4, "strict@3", "7")]
    assert report.edits == {}
    assert "LOUD" not in str(report.findings)


@pytest.mark.parametrize("action", ["flag", "mask", "hash", "redact"])
def test_what_does_not_block(action: Any) -> None:
    report = look("so LOUD here", Rule("shouting", action))
    assert not report.blocked
    assert followed(report) == [("shouting", "one", action, 1)]
    assert report.edits == ({} if action == "flag" else {("input", "text"): [Edit(3, 7, "one", action)]})


def test_a_rule_may_look_for_some_kinds_and_scores_alone() -> None:
    assert followed(look("LOUD SHOUTING", Rule("shouting", kinds=("long",)))) == [("shouting", "long", "block", 1)]
    assert followed(look("LOUD SHOUTING", Rule("shouting", threshold=0.5))) == [("shouting", "long", "block", 1)]
    assert followed(look("LOUD", Rule("shouting", threshold=0.5))) == []
    assert followed(look("A", Rule("shouting"))) == [] != followed(look("A", Rule("shouting", threshold=0.0)))


def test_what_is_sure_enough_blocks_whatever_the_action() -> None:
    report = look("LOUD SHOUTING", Rule("shouting", "flag", block_from=0.8))
    assert followed(report) == [("shouting", "long", "block", 1), ("shouting", "one", "flag", 1)]
    assert report.blocked


def test_a_shadow_notes_and_never_acts() -> None:
    for rule in (Rule("shouting"), Rule("shouting", "redact"), Rule("broken"), Rule("max_input_chars", max_chars=1)):
        report = look("so LOUD", rule, shadow=True)
        assert [each.shadow for each in report.findings] == [True]
        assert not report.blocked and report.edits == {}


def test_a_check_that_fails_lets_nothing_pass() -> None:
    report = look("anything", Rule("broken"))
    assert report.blocked
    assert followed(report) == [("broken", "check_failed", "error", 1)]
    for rule in (Rule("broken", fail_open=True), Rule("broken", "flag"), Rule("broken", "redact", fail_open=True)):
        report = look("anything", rule)
        assert not report.blocked and followed(report) == [("broken", "check_failed", "error", 1)]


def test_rules_are_for_the_stages_that_they_name() -> None:
    assert followed(look("LOUD", Rule("shouting", stages=("output",)))) == []
    assert followed(look("LOUD", Rule("shouting", stages=("output",)), stage="output")) != []


def test_several_policies_hold_together() -> None:
    texts = list(input_texts({"input": {"text": "so LOUD"}}))
    lenient, strict = Policy("a", 1, (Rule("shouting", "flag"),)), Policy("b", 2, (Rule("shouting", "mask"),))
    report = inspect("input", texts, (lenient, strict), check_of=check_of)
    assert [(each.policy, each.action) for each in report.findings] == [("b@2", "mask"), ("a@1", "flag")]
    assert report.edits == {("input", "text"): [Edit(3, 7, "one", "mask")]}


def test_what_hides_from_a_reader_is_found_where_it_stands() -> None:
    report = look("so ＬＯ\u200bＵＤ!"[:-1], Rule("shouting", "redact"))  # noqa: RUF001
    assert report.edits == {("input", "text"): [Edit(3, 8, "one", "redact")]}
    hidden = base64.b64encode(b"all of this is very LOUD indeed").decode()
    report = look(f"see {hidden}", Rule("shouting", "redact"))
    assert [each.hidden for each in report.findings] == ["base64"]
    assert report.edits == {("input", "text"): [Edit(4, 4 + len(hidden), "one", "redact")]}


def test_what_is_cut_in_two_is_found_once() -> None:
    parts = [{"type": "text", "text": "so LO"}, {"type": "text", "text": "UDER THAN"}]
    report = look({"messages": [{"role": "user", "content": parts}]}, Rule("shouting", "redact", kinds=("long",)))
    place = ("input", "messages", 0, "content")
    assert report.edits == {
        (*place, 0, "text"): [Edit(3, 5, "long", "redact", "UDER")],
        (*place, 1, "text"): [Edit(0, 4, "", "redact")],
    }
    assert followed(report) == [("shouting", "long", "redact", 1)]


def test_a_name_cannot_be_changed_so_it_blocks() -> None:
    report = look({"body": {"SHOUTING": 1}}, Rule("shouting", "redact"))
    assert followed(report) == [("shouting", "long", "block", 1)] and report.blocked and report.edits == {}
    assert not look({"body": {"SHOUTING": 1}}, Rule("shouting", "flag")).blocked


@pytest.mark.parametrize(("texts", "passes"), [(["abcde", "fghij"], True), (["abcde", "fghijk"], False)])
def test_a_request_has_a_size(texts: list[str], passes: bool) -> None:
    rule = Rule("max_input_chars", max_chars=10)
    report = look({"text": texts}, rule)
    assert followed(report) == ([] if passes else [("max_input_chars", "too_long", "block", 11)])
    assert report.blocked is not passes


def test_the_keys_of_objects_count_for_the_size() -> None:
    report = look({"text": "abc", "body": {"a long name": "d"}}, Rule("max_input_chars", max_chars=14))
    assert followed(report) == [("max_input_chars", "too_long", "block", 15)]


def test_a_size_that_is_flagged_blocks_nothing() -> None:
    report = look("far too long", Rule("max_input_chars", "flag", max_chars=3))
    assert followed(report) == [("max_input_chars", "too_long", "flag", 12)] and not report.blocked


def test_in_a_request_all_is_new() -> None:
    texts = list(input_texts({"input": {"text": "so LOUD"}}))
    policy = Policy(rules=(Rule("shouting", only_new=True),))
    report = inspect("input", texts, (policy,), lambda: {"input": {"text": "so LOUD"}}, check_of)
    assert report.blocked


def test_findings_are_bounded_and_the_strictest_are_kept() -> None:
    rules = [Rule("shouting", "flag", kinds=("one",), threshold=number / 1000) for number in range(100)]
    report = look("LOUD", *rules, Rule("shouting", kinds=("one",)))
    assert len(report.findings) == MOST_FINDINGS
    assert report.findings[0].action == "block"


def test_the_default_and_what_a_tenant_makes_of_it() -> None:
    assert of_tenant({}) == (DEFAULT,)
    texts = list(input_texts({"input": {"text": f"{CARD} {TOKEN} bluebird"}}))
    assert inspect("input", texts, of_tenant({})).blocking == {"card_numbers", "secrets"}
    lenient = {"denied_terms": ["bluebird"], "block_secrets": False, "block_card_numbers": False}
    report = inspect("input", texts, of_tenant(lenient))
    assert {each.rule: each.action for each in report.findings} == {
        **{"denied_terms": "block", "secrets": "flag", "card_numbers": "flag"},
    }
    assert inspect("input", texts, of_tenant({"max_input_chars": 9})).blocking >= {"max_input_chars"}
    named = Policy("own", 1, (Rule("secrets", "redact"),))
    assert of_tenant({}, (named,)) == (named,)
    assert of_tenant({"block_secrets": False}, (named,))[0].rules == (Rule("secrets", "flag"),)


@pytest.mark.parametrize("action", ["mask", "hash", "redact", "block"])
def test_a_check_that_failed_to_take_something_out_blocks(action: Any) -> None:
    assert look("so LOUD", Rule("broken", action)).blocking == {"broken"}
    assert not look("so LOUD", Rule("broken", action, fail_open=True)).blocked
    assert not look("so LOUD", Rule("broken", action), shadow=True).blocked


def test_what_somebody_has_to_look_at_holds_and_blocks_nothing() -> None:
    report = look("so LOUD", Rule("shouting", "review"))
    assert (report.holding, report.blocked, report.edits) == ({"shouting"}, False, {})
    assert followed(report) == [("shouting", "one", "review", 1)]
    in_key = look({"body": {"SHOUTING": 1}}, Rule("shouting", "review"))
    assert (in_key.holding, in_key.blocked) == ({"shouting"}, False), "nothing is to be changed, so nothing breaks"
    failed = look("so LOUD", Rule("broken", "review"))
    assert (failed.holding, failed.blocked) == ({"broken"}, False)
    assert look("so LOUD", Rule("shouting", "review"), shadow=True).holding == set()


def test_beside_a_review_others_act_as_ever() -> None:
    report = look("LOUD SHOUTING", Rule("shouting", "review", block_from=0.8))
    assert (report.holding, report.blocking) == ({"shouting"}, {"shouting"})
    report = look("so LOUD", Rule("shouting", "review"), Rule("shouting", "redact"))
    assert report.holding == {"shouting"}
    assert report.edits == {("input", "text"): [Edit(3, 7, "one", "redact")]}


def test_an_action_that_cannot_be_carried_out_blocks() -> None:
    report = look("so LOUD", Rule("shouting", "hash"), Rule("shouting", "flag"))
    report.fail("hash")
    assert report.blocking == {"shouting"}
    assert [(each.kind, each.action) for each in report.findings] == [("check_failed", "error"), ("one", "flag")]
    crowded = look("so LOUD", Rule("shouting", "hash"))
    crowded.findings.clear()
    crowded.fail("hash")
    assert crowded.blocked


def test_a_policy_is_read_from_its_stored_form() -> None:
    item = {
        "version": 4,
        "shadow": True,
        "rules": [
            {"check": "denied_terms", "terms": ["a b"], "stages": ["input"]},
            {"check": "shouting", "action": "flag", "threshold": 250, "block_from": 900, "of a later release": 1},
        ],
    }
    assert Policy.from_item("own", item) == Policy(
        *("own", 4),
        (
            Rule("denied_terms", terms=("a b",), stages=("input",)),
            Rule("shouting", "flag", threshold=0.25, block_from=0.9),
        ),
        shadow=True,
    )


def test_a_text_that_hides_more_than_is_decoded_is_noted_and_never_passed_over_in_silence() -> None:
    hidden = base64.b64encode(b"nothing to see " * 6000 + CARD.encode()).decode()
    assert followed(look(hidden, Rule("shouting"))) == [("shouting", "not_all_decoded", "flag", 1)]


def test_what_is_hidden_in_the_key_of_an_object_blocks() -> None:
    key = base64.b64encode(b"so it is VERY LOUD in here").decode()
    report = look({"body": {key: 1}}, Rule("shouting", "redact"))
    assert report.blocked and report.edits == {}
