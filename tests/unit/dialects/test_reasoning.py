"""How much a model is to think, in each dialect's words; what it thought, told once; and what goes back to whom."""

from dataclasses import replace
from typing import Any

import pytest
from broker.errors import Rejected
from broker.providers.wire import abilities, reasoning
from broker.providers.wire.base import Answer, Call

from tests.unit.dialects.base import TOOL, Dialect, Json
from tests.unit.dialects.table import answered, for_dialects
from tests.unit.provider_server import ProviderServer, Script

CLAUDE, NOVA, GPT = {"family": "anthropic.claude"}, {"family": "amazon.nova"}, {"family": "openai.gpt-oss"}
"""What operators say of a model of Bedrock's whose name does not tell its family."""

SIGNED = "c2lnbmF0dXJl"


def asking(call: Call, options: Json | None = None, limit: int = 10_000, **asked: Any) -> Call:
    """The call with so much thinking."""
    parameters = {"reasoning": asked, "max_output_tokens": limit}
    return replace(call, parameters=parameters, options=options or {})


def sent(server: ProviderServer, dialect: Dialect, call: Call) -> Any:
    answered(server, dialect, call, Script(dialect.says("Fine.")))
    return server.asked[0].body


BUDGET = {"thinking": {"type": "enabled", "budget_tokens": 5_000}}
ADAPTIVE = {"reasoning": "adaptive"}


@pytest.mark.parametrize(
    ("dialect", "asked", "options", "told"),
    [
        ("anthropic", {"effort": "medium"}, {}, BUDGET),
        ("anthropic", {"max_tokens": 2_000}, {}, {"thinking": {"type": "enabled", "budget_tokens": 2_000}}),
        ("anthropic", {"effort": "minimal"}, {}, {"thinking": {"type": "enabled", "budget_tokens": 1_024}}),
        ("anthropic", {"effort": "none"}, {}, {"thinking": {"type": "disabled"}}),
        (
            "anthropic",
            {"effort": "high", "summary": "auto"},
            ADAPTIVE,
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        ),
        (
            "anthropic",
            {"effort": "minimal"},
            ADAPTIVE,
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        ),
        (
            "anthropic",
            {"max_tokens": 9_500},
            ADAPTIVE,
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        ),
        ("openai", {"effort": "high"}, {}, {"reasoning_effort": "high"}),
        ("openai", {"effort": "none"}, {}, {"reasoning_effort": "low"}),
        ("openai", {"effort": "none"}, {"efforts": ["none", "low"]}, {"reasoning_effort": "none"}),
        ("openai", {"effort": "max"}, {}, {"reasoning_effort": "high"}),
        ("openai", {"max_tokens": 5_000}, {}, {"reasoning_effort": "medium"}),
        ("openai", {"summary": "auto"}, {}, {}),
        ("openai", {"effort": "high"}, {"reasoning": "always"}, {}),
        ("azure", {"effort": "low"}, {}, {"reasoning_effort": "low"}),
        ("huggingface", {"effort": "low"}, {}, {"reasoning_effort": "low"}),
        ("mistral", {"effort": "low"}, {}, {"reasoning_effort": "none"}),
        ("mistral", {"effort": "medium"}, {}, {"reasoning_effort": "high"}),
        ("cohere", {"effort": "medium"}, {}, {"thinking": {"type": "enabled", "token_budget": 5_000}}),
        ("cohere", {"effort": "none"}, {}, {"thinking": {"type": "disabled"}}),
        ("cohere", {"summary": "auto"}, {}, {"thinking": {"type": "enabled"}}),
    ],
    indirect=["dialect"],
)
def test_each_dialect_has_its_own_words(
    server: ProviderServer, dialect: Dialect, call: Call, asked: Json, options: Json, told: Json
) -> None:
    assert abilities.fault(options) is None
    body = sent(server, dialect, asking(call, options, **asked))
    names = {"thinking", "output_config", "reasoning_effort"}
    assert {name: body[name] for name in names & body.keys()} == told


@pytest.mark.parametrize(
    ("asked", "options", "told"),
    [
        ({"effort": "medium"}, {}, {"thinkingBudget": 5_000}),
        ({"effort": "medium", "summary": "auto"}, {}, {"thinkingBudget": 5_000, "includeThoughts": True}),
        ({"summary": "auto"}, {}, {"includeThoughts": True}),
        ({"effort": "none"}, {}, {"thinkingBudget": 0}),
        ({"effort": "medium"}, {"reasoning": "level"}, {"thinkingLevel": "low"}),
        ({"effort": "medium"}, {"reasoning": "level", "efforts": ["minimal", "medium"]}, {"thinkingLevel": "medium"}),
    ],
)
@for_dialects(["gemini"])
def test_gemini_has_a_budget_or_a_level(
    server: ProviderServer, dialect: Dialect, call: Call, asked: Json, options: Json, told: Json
) -> None:
    body = sent(server, dialect, asking(call, options, **asked))
    assert body["generationConfig"]["thinkingConfig"] == told


@pytest.mark.parametrize(
    ("family", "asked", "told"),
    [
        (CLAUDE, {"effort": "medium"}, BUDGET),
        (CLAUDE, {"effort": "none"}, {"thinking": {"type": "disabled"}}),
        (NOVA, {"effort": "high"}, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}),
        (NOVA, {"effort": "none"}, {"reasoningConfig": {"type": "disabled"}}),
        (GPT, {"effort": "high"}, {"reasoning_effort": "high"}),
    ],
)
@for_dialects(["bedrock"])
def test_bedrocks_families_have_fields_of_their_own(
    server: ProviderServer, dialect: Dialect, call: Call, family: Json, asked: Json, told: Json
) -> None:
    assert sent(server, dialect, asking(call, family, **asked))["additionalModelRequestFields"] == told


def test_what_is_not_asked_for_is_not_sent(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for parameters in ({}, {"reasoning": {}}, {"reasoning": None}):
        answer = answered(server, dialect, replace(call, parameters=parameters), Script(dialect.says("Fine.")))
        assert "think" not in str(server.asked[0].body).lower() and "reasoning" not in server.asked[0].body
        assert "reasoning" not in answer.output


@for_dialects(["anthropic", "bedrock"])
def test_what_does_not_go_with_thinking_is_left_out(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    hot = {"temperature": 0.3, "top_p": 0.5, "max_output_tokens": 4_000}
    forced = {"text": "Hi.", "tools": [TOOL], "tool_choice": "required"}
    call = replace(call, options=CLAUDE, input=forced, parameters={**hot, "reasoning": {"effort": "low"}})
    body = sent(server, dialect, call)
    shown = str(body)
    assert "temperature" not in shown and "top_p" not in shown and "topP" not in shown
    assert "'any'" not in shown, "a model that thinks cannot be forced to use a tool"
    off = sent(server, dialect, replace(call, parameters={**hot, "reasoning": {"effort": "none"}}))
    assert "temperature" in str(off) and "any" in str(off)


@for_dialects(["anthropic"])
def test_a_limit_that_leaves_no_room_to_think_is_this_models_affair(
    server: ProviderServer, dialect: Dialect, call: Call
) -> None:
    with pytest.raises(Rejected) as refused:
        dialect.provider.invoke(asking(call, limit=1_000, effort="high"))
    assert (refused.value.code, refused.value.param) == ("no_room_to_reason", "parameters.reasoning")
    with pytest.raises(Rejected):
        dialect.provider.invoke(asking(call, max_tokens=100))


def told(answer: Answer) -> Json:
    """The answer as the next request has it."""
    return {"role": "assistant", "content": answer.output["text"], "reasoning": answer.output["reasoning"]}


def thought_by(dialect: Dialect, name: str) -> Json:
    """A reply with a signed thought, and one that nobody reads."""
    reply = dialect.says("Fine.")
    if name == "anthropic":
        hidden = {"type": "redacted_thinking", "data": "aGlkZGVu"}
        reply["content"][:1] = [{"type": "thinking", "thinking": "Hm.", "signature": SIGNED}, hidden]
        reply["usage"]["output_tokens_details"] = {"thinking_tokens": 2}
    else:
        content = reply["output"]["message"]["content"]
        content[0]["reasoningContent"]["reasoningText"]["signature"] = SIGNED
    return reply


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock"], indirect=True)
def test_signed_thoughts_go_back_to_who_signed_them(
    server: ProviderServer, dialect: Dialect, call: Call, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["dialect"]
    call = asking(call, CLAUDE, effort="medium")
    answer = answered(server, dialect, call, Script(thought_by(dialect, name)))
    assert [each["text"] for each in answer.output["reasoning"]] == ["Hm.", ""][: 2 if name == "anthropic" else 1]
    assert answer.reasoning_tokens == (2 if name == "anthropic" else 0) and answer.output_tokens == 3
    user = {"role": "user", "content": "Sure?"}
    talk = [{"role": "user", "content": "Hi."}, told(answer), user]
    first = sent(server, dialect, replace(call, input={"messages": talk}))["messages"][1]["content"]
    if name == "anthropic":
        assert first == [
            {"type": "thinking", "thinking": "Hm.", "signature": SIGNED},
            {"type": "redacted_thinking", "data": "aGlkZGVu"},
            {"type": "text", "text": "Fine."},
        ]
    else:
        signed = {"reasoningText": {"text": "Hm.", "signature": SIGNED}}
        assert first == [{"reasoningContent": signed}, {"text": "Fine."}]
    changed = told(answer)
    changed["reasoning"] = [{**changed["reasoning"][0], "text": "Hm!"}]
    foreign = told(answer) | {"reasoning": [reasoning.thought("Hm.", "elsewhere", SIGNED)]}
    bare = told(answer) | {"reasoning": [{"text": "Hm."}]}
    for other in (changed, foreign, bare):
        talk[1] = other
        content = sent(server, dialect, replace(call, input={"messages": talk}))["messages"][1]["content"]
        assert len(content) == 1, "what is not as it was signed does not go back"


def test_thoughts_of_another_provider_are_dropped(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    """Whoever goes on: no provider is told what another's model thought."""
    said = {"role": "assistant", "content": "Fine.", "reasoning": [reasoning.thought("PRIVATE", "elsewhere", SIGNED)]}
    talk = [{"role": "user", "content": "Hi."}, said, {"role": "user", "content": "Sure?"}]
    body = sent(server, dialect, asking(replace(call, input={"messages": talk}), effort="medium"))
    assert "PRIVATE" not in str(body) and SIGNED not in str(body)


@for_dialects(["anthropic"])
def test_in_the_midst_of_anothers_calls_a_model_goes_on_without(
    server: ProviderServer, dialect: Dialect, call: Call
) -> None:
    made = {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": '{"age": 1}'}}
    called = {"role": "assistant", "content": None, "tool_calls": [made]}
    talk = [{"role": "user", "content": "Hi."}, called, {"role": "tool", "tool_call_id": "t1", "content": "30"}]
    asked = asking(replace(call, input={"messages": talk, "tools": [TOOL]}), effort="medium")
    assert sent(server, dialect, asked)["thinking"] == {"type": "disabled"}
    talk[1] = called | {"reasoning": [reasoning.thought("Hm.", "anthropic", SIGNED)]}
    body = sent(server, dialect, asked)
    assert body["thinking"]["type"] == "enabled" and body["messages"][1]["content"][0]["type"] == "thinking"


@for_dialects(["openai", "huggingface"])
def test_what_was_thought_is_counted_once(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    call = asking(call, effort="low")
    for total, out in ((10, 3), (12, 5), (None, 3)):
        reply = dialect.says("Fine.")
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 2}}
        reply["usage"] = usage | ({} if total is None else {"total_tokens": total})
        answer = answered(server, dialect, call, Script(reply))
        assert (answer.output_tokens, answer.reasoning_tokens) == (out, 2)


@for_dialects(["openai", "mistral", "huggingface"])
def test_servers_say_in_their_own_fields_what_was_thought(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    call = asking(call, effort="high")
    for field in ("reasoning_content", "reasoning"):
        reply = dialect.says("Fine.")
        reply["choices"][0]["message"] |= {"content": "Fine.", field: "Hm."}
        assert answered(server, dialect, call, Script(reply)).output["reasoning"] == [{"text": "Hm."}]
    reply = dialect.says("Fine.")
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    reply["choices"][0]["message"]["content"] = [thinking, {"type": "text", "text": "Fine."}]
    answer = answered(server, dialect, call, Script(reply))
    assert answer.output == {"text": "Fine.", "finish_reason": "stop", "reasoning": [{"text": "Hm."}]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"efforts": ["loud"]}, "efforts has loud"),
        ({"reasoning": "hard"}, "reasoning is one of"),
        ({"efforts": "low"}, "list"),
    ],
)
def test_a_registered_way_that_nobody_knows_is_refused(options: Json, words: str) -> None:
    assert words in str(abilities.fault(options))
