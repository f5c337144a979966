"""A canary in the instructions: it is planted where a policy says so, goes unnoticed, and tells who repeats them."""

import base64
import re
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.guardrails.canary import LENGTH, LETTERS, LINE, planted
from broker.guardrails.checks import CHECKS
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import Policy, Rule
from broker.guardrails.walk import input_texts, output_texts
from broker.jobs.request import parse_request, stored_form
from broker.registry.guardrail_entry import GuardrailEntry

from tests.fakes.world import NOW, World, a_model

SYSTEM = {"role": "system", "content": "You answer questions about lamps."}
USER = {"role": "user", "content": "Which lamp?"}
RULE = Rule("prompt_leak", stages=("output",), canary=True)


def asked(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"input": {"messages": list(messages)}}


def word_of(request: dict[str, Any]) -> str:
    found = re.search(f"reference is ([{LETTERS}]{{{LENGTH}}})\\.", str(request["input"]["messages"]))
    assert found
    return found[1]


def kinds(answer: Any, request: dict[str, Any], rule: Rule = RULE) -> list[str]:
    report = inspect("output", output_texts(answer), (Policy(rules=(rule,)),), lambda: request)
    return [each.kind for each in report.findings]


def test_it_stands_at_the_end_of_the_first_instructions_and_changes_nothing_else() -> None:
    request = asked(USER, SYSTEM, {"role": "developer", "content": "Be brief."}) | {"task": "chat"}
    made = planted(request, "acme")
    first, second, third = made["input"]["messages"]
    assert (first, third, made["task"]) == (USER, request["input"]["messages"][2], "chat")
    assert second["content"].startswith(SYSTEM["content"] + "\n\n") and word_of(made) in second["content"]
    assert request["input"]["messages"][1] == SYSTEM, "the request that came in is left as it is"
    parts = planted(asked({"role": "system", "content": [{"type": "text", "text": "Be kind."}]}), "acme")
    assert [each["type"] for each in parts["input"]["messages"][0]["content"]] == ["text", "text"]


@pytest.mark.parametrize("content", [SYSTEM["content"], [{"type": "text", "text": "Be kind."}]])
def test_it_is_planted_once_and_nobody_can_bring_their_own(content: Any) -> None:
    request = asked({"role": "system", "content": content}, USER)
    once = planted(request, "acme")
    assert planted(once, "acme") == once
    for forged in (planted(request, "zeta"), asked({"role": "system", "content": LINE.format(word="b" * LENGTH)})):
        assert len(re.findall("reference is", str(planted(forged, "acme")))) == 2


@pytest.mark.parametrize(
    "request_", [{"input": {"text": "Hi."}}, asked(USER), {}, asked({"role": "system", "content": ""})]
)
def test_where_there_are_no_instructions_there_is_none(request_: dict[str, Any]) -> None:
    assert planted(request_, "acme") == request_


def test_the_same_request_of_a_tenant_has_the_same_and_others_have_others() -> None:
    request = asked(SYSTEM, USER)
    assert planted(request, "acme") == planted(request, "acme")
    words = {word_of(planted(request, tenant)) for tenant in ("acme", "zeta")}
    words.add(word_of(planted(asked({**SYSTEM, "content": "You answer."}), "acme")))
    assert len(words) == 3


@pytest.mark.parametrize("number", range(200))
def test_no_other_check_minds_it(number: int) -> None:
    request = planted(asked({**SYSTEM, "content": f"Rule {number}."}, USER), "acme")
    words = tuple(LINE.replace("{word}", "").replace(",", "").replace(".", "").split())
    policy = Policy(
        rules=tuple(Rule(check, terms=words, patterns=("private",), stages=("input", "output")) for check in CHECKS)
    )
    assert inspect("input", input_texts(request), (policy,)).findings == []


@pytest.mark.parametrize(
    "spelled",
    [
        lambda word: f"My reference is {word}.",
        lambda word: word.upper(),
        lambda word: "-".join(word),
        lambda word: " ".join(word),
        lambda word: "\n".join((word[:5], word[5:])),
        lambda word: f"**{word[:3]}**{word[3:]}",
        lambda word: base64.b64encode(f"the reference: {word}".encode()).decode(),
        lambda word: word.encode().hex(),
        lambda word: "\u200b".join(word),
    ],
)
def test_who_repeats_it_has_leaked(spelled: Any) -> None:
    request = planted(asked(SYSTEM, USER), "acme")
    text = spelled(word_of(request))
    assert set(kinds({"text": text}, request)) == {"canary"}
    assert set(kinds({"json": {"a": [text]}}, request)) == {"canary"}
    assert set(kinds({"tool_calls": [{"function": {"name": "send", "arguments": text}}]}, request)) == {"canary"}


def test_other_words_and_other_tenants_canaries_are_none() -> None:
    request = planted(asked(SYSTEM, USER), "acme")
    theirs = word_of(planted(asked(SYSTEM, USER), "zeta"))
    assert kinds({"text": f"The reference is {theirs}; {word_of(request)[:-1]}"}, request) == []
    assert kinds({"text": word_of(request)}, request, Rule("prompt_leak", stages=("output",))) == []


def test_a_user_cannot_plant_one_for_somebody_else() -> None:
    forged = planted(asked(SYSTEM), "acme")["input"]["messages"][0]["content"]
    request = asked({"role": "user", "content": forged})
    assert kinds({"text": word_of(request)}, request) == []


@pytest.fixture
def world() -> World:
    made = World()
    made.register(a_model("small"))
    made.tenant(guardrails=["sealed"])
    made.tenant("watched", guardrails=["watching"])
    made.tenant("plain")
    made.policy("sealed", rules=[{"check": "prompt_leak", "action": "block", "stages": ["output"], "canary": True}])
    made.policy(
        "watching",
        shadow=True,
        rules=[{"check": "prompt_leak", "action": "block", "stages": ["output"], "canary": True}],
    )
    return made


def prepared(world: World, tenant: str) -> Any:
    body = {"input": {"messages": [SYSTEM, USER]}}
    return world.preparing()(tenant, stored_form(parse_request(body)), NOW)


def test_it_is_planted_where_a_policy_that_holds_says_so_and_counted(world: World) -> None:
    sealed, plain = prepared(world, "acme"), prepared(world, "plain")
    assert plain.document["input"]["messages"] == [SYSTEM, USER]
    assert sealed.document == planted(plain.document, "acme") != plain.document
    assert min(sealed.tokens.values()) > max(plain.tokens.values())
    assert prepared(world, "watched").document["input"]["messages"] == [SYSTEM, USER], "a shadow changes nothing"


def test_the_registry_takes_it_for_the_one_check_that_has_it() -> None:
    rule = {"check": "prompt_leak", "action": "block", "canary": True, "kinds": ["canary"]}
    assert GuardrailEntry.model_validate({"id": "sealed", "rules": [rule]}).item()["rules"][0]["canary"] is True
    with pytest.raises((ValueError, InvalidRequest), match="does not go with secrets"):
        GuardrailEntry.model_validate(
            {"id": "sealed", "rules": [{"check": "secrets", "action": "block", "canary": True}]}
        )
