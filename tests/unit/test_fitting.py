"""Fitting a conversation into a window: what stays, what goes, and that it always fits."""

from collections.abc import Mapping
from typing import Any

import pytest
from broker.context.fitting import SUMMARY_TOKENS, Fitted, droppable, fit, fit_request
from broker.context.pairs import pairs
from broker.context.summarising import INSTRUCTION, KEEPS, OPENING, summary_request, with_summary
from broker.errors import ContextExceeded
from broker.token_estimates import estimate_input
from hypothesis import given
from hypothesis import strategies as st

HELPING = ("truncate_oldest", "truncate_middle", "summarize")


def say(role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **more}


def size(message: Mapping[str, Any]) -> int:
    """A token for each character; ten where there is no text."""
    return len(message["content"] or "x" * 10)


def call(name: str) -> dict[str, Any]:
    made = {"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}
    return {"role": "assistant", "content": None, "tool_calls": [made]}


def result(name: str) -> dict[str, Any]:
    return say("tool", "0123456789", tool_call_id=name)


SYSTEM = say("system", "Be kind.")
TALK = [
    SYSTEM,
    say("user", "a" * 10),
    call("one"),
    result("one"),
    say("assistant", "A" * 10),
    say("user", "b" * 10),
    say("assistant", "B" * 10),
    say("user", "c" * 10),
    say("assistant", "C" * 10),
    say("user", "d" * 10),
]
"""A system text of 8, turns of 40, 20 and 20, and the last user's 10."""


def texts(fitted: Fitted) -> str:
    return " ".join((each["content"] or "?")[0] for each in fitted.messages)


LATE = [
    say("user", "a" * 10),
    call("one"),
    say("user", "b" * 10),
    result("one"),
    say("assistant", "B" * 10),
    say("user", "c" * 10),
    call("two"),
    say("user", "d" * 10),
    result("two"),
    say("assistant", "D" * 10),
]
"""Users do not wait for tools: both results come after the next user's word."""


@pytest.mark.parametrize(("room", "left"), [(100, "a ? b 0 B c ? d 0 D"), (99, "c ? d 0 D"), (49, "d D")])
def test_a_late_result_goes_with_its_call(room: int, left: str) -> None:
    assert texts(fit(LATE, room, 0, "truncate_oldest", size)) == left


def test_the_call_stays_whose_result_is_the_last_word() -> None:
    for strategy in ("truncate_oldest", "truncate_middle"):
        assert texts(fit(LATE[:-1], 89, 0, strategy, size)) == "c ? d 0"
        with pytest.raises(ContextExceeded):
            fit(LATE[:-1], 39, 0, strategy, size)


SPOKEN = st.sampled_from(("user", "assistant", "system", "call", "result"))


@given(st.lists(st.tuples(SPOKEN, st.sampled_from("xyz")), max_size=20), st.integers(1, 200), st.sampled_from(HELPING))
def test_no_cut_parts_a_call_from_its_result(talk: list[tuple[str, str]], room: int, strategy: str) -> None:
    made = {"call": call, "result": result}
    messages = [made[role](name) if role in made else say(role, name * 10) for role, name in talk]
    try:
        left = fit(messages, room, 0, strategy, size).messages
    except ContextExceeded:
        return
    places = [next(at for at, each in enumerate(messages) if each is message) for message in left if is_tools(message)]
    for called, answered in pairs(messages):
        assert (called in places) is (answered in places)


def is_tools(message: Mapping[str, Any]) -> bool:
    return message["role"] == "tool" or "tool_calls" in message


@pytest.mark.parametrize("strategy", ["error", *HELPING])
def test_what_fits_stays_as_it_is(strategy: str) -> None:
    assert fit(TALK, 108, 10, strategy, size) == Fitted(TALK)


def test_an_error_is_an_error() -> None:
    with pytest.raises(ContextExceeded, match="About 98 tokens of messages do not fit the window's 97"):
        fit(TALK, 107, 10, "error", size)


@pytest.mark.parametrize(
    ("room", "left", "dropped"),
    [(97, "B b B c C d", 4), (58, "B b B c C d", 4), (57, "B c C d", 6), (38, "B c C d", 6), (37, "B d", 8)],
)
def test_the_oldest_turns_go_first_and_whole(room: int, left: str, dropped: int) -> None:
    fitted = fit(TALK, room, 0, "truncate_oldest", size)
    assert (texts(fitted), fitted.dropped) == (left, dropped)


@pytest.mark.parametrize(("room", "left"), [(97, "B a ? 0 A c C d"), (77, "B a ? 0 A d"), (30, "B d")])
def test_the_middle_goes_before_the_ends(room: int, left: str) -> None:
    assert texts(fit(TALK, room, 0, "truncate_middle", size)) == left


def test_what_may_not_go_and_does_not_fit_is_an_error() -> None:
    for strategy in HELPING:
        with pytest.raises(ContextExceeded):
            fit(TALK, 17, 0, strategy, size)
        with pytest.raises(ContextExceeded):
            fit(TALK, 100, 100, strategy, size)


def test_of_a_long_run_of_tools_the_last_step_stays() -> None:
    steps = [each for name in "abc" for each in (call(name), result(name))]
    fitted = fit([SYSTEM, say("user", "q" * 10), *steps], 40, 0, "truncate_oldest", size)
    assert [each["role"] for each in fitted.messages] == ["system", "user", "assistant", "tool"]
    assert fitted.messages[-1]["tool_call_id"] == "c"


@pytest.mark.parametrize("content", ["text", "parts"])
def test_a_single_long_text_loses_its_middle(content: str) -> None:
    text = "".join(f"line {number}\n" for number in range(2_000))
    whole: Any = text if content == "text" else [{"type": "image_url", "image_url": {}}, {"type": "text", "text": text}]

    def count(message: Mapping[str, Any]) -> int:
        inner = message["content"]
        return len(inner if isinstance(inner, str) else inner[-1]["text"])

    (message,) = fit([{"role": "user", "content": whole}], 1_000, 0, "truncate_middle", count).messages
    kept = message["content"] if content == "text" else message["content"][1]["text"]
    assert kept.startswith("line 0\nline 1\n") and kept.endswith("line 1998\nline 1999\n")
    assert "characters left out" in kept
    assert 700 < len(kept) <= 1_000
    if content == "parts":
        assert message["content"][0] == whole[0]


def test_instructions_are_never_cut() -> None:
    with pytest.raises(ContextExceeded):
        fit([say("system", "s" * 2_000), say("user", "u" * 300)], 1_000, 0, "truncate_middle", size)


def test_older_turns_wait_for_their_summary() -> None:
    long = [{**each, "content": each["content"] * 100} if each["content"] else each for each in TALK]
    fitted = fit(long, 4_000, 0, "summarize", size)
    assert texts(fitted) == "B d"
    assert [*fitted.to_summarise, *fitted.messages[1:]] == long[1:]
    assert fitted.dropped == len(fitted.to_summarise)
    assert sum(map(size, fitted.messages)) + SUMMARY_TOKENS <= 4_000


ROLES = st.sampled_from(["system", "user", "assistant", "tool"])
MESSAGES = st.lists(st.builds(say, ROLES, st.text("ab ", max_size=900)), min_size=1, max_size=25)


@given(MESSAGES, st.integers(1, 6_000), st.sampled_from(HELPING))
def test_whatever_comes_fits_and_loses_no_instruction(
    messages: list[dict[str, Any]], window: int, strategy: str
) -> None:
    try:
        fitted = fit(messages, window, 0, strategy, lambda message: 4 + len(message["content"]))
    except ContextExceeded:
        return
    assert sum(4 + len(each["content"]) for each in fitted.messages) <= window
    system = [each for each in messages if each["role"] == "system"]
    assert [each for each in fitted.messages if each["role"] == "system"] == system
    assert len(messages) == len(fitted.messages) + fitted.dropped
    users = [each for each in messages if each["role"] == "user"]
    if users and strategy != "truncate_middle":
        assert users[-1] in fitted.messages


@given(MESSAGES)
def test_groups_are_disjoint_and_in_order(messages: list[dict[str, Any]]) -> None:
    places = [place for group in droppable(messages) for place in group]
    assert places == sorted(set(places))


def test_a_request_is_fitted_by_its_own_strategy() -> None:
    turns = [say(role, "The lamp needed nobody. " * 50) for _ in range(10) for role in ("user", "assistant")]
    request = {
        "task": "chat",
        "input": {"messages": turns, "text": "And now?"},
        "context": {"strategy": "truncate_oldest"},
    }
    before = estimate_input(request, "openai")
    fitted = fit_request(request, 3_000, 500, "openai")
    after = estimate_input(fitted.request, "openai")
    assert after <= 2_500 < before
    assert fitted.request["input"]["messages"][-1] == say("user", "And now?")
    dropped = 21 - len(fitted.request["input"]["messages"])
    tokens = {"tokens_before": before, "tokens_after": after}
    assert fitted.done == {"strategy": "truncate_oldest", "dropped_turns": dropped, **tokens}
    assert fit_request(request, 100_000, 500, "openai").done is None
    with pytest.raises(ContextExceeded):
        fit_request({**request, "context": {}}, 3_000, 500, "openai")


def test_a_summary_is_asked_for_and_put_in_place() -> None:
    picture = {"role": "user", "content": [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {}}]}
    asked = summary_request([picture, call("weather"), result("weather")], 10_000, "openai")
    system, transcript = asked["input"]["messages"]
    assert system == say("system", INSTRUCTION)
    assert transcript["content"] == "user: See: (a file)\n\nassistant: (calls weather {})\n\ntool: 0123456789"
    assert asked["parameters"]["max_output_tokens"] == SUMMARY_TOKENS
    named = summary_request([say("user", "I am <NAME_1>.")], 10_000, "openai")
    assert named["input"]["messages"][0] == say("system", INSTRUCTION + KEEPS), "or what it stands for is lost"
    long = summary_request([say("user", "word " * 50_000)], 4_000, "openai")
    assert estimate_input(long, "openai") + SUMMARY_TOKENS <= 4_000

    for content, first in (
        ("Go on.", f"{OPENING}They met.\n\nGo on."),
        (
            [{"type": "text", "text": "Go on."}],
            [{"type": "text", "text": f"{OPENING}They met."}, {"type": "text", "text": "Go on."}],
        ),
    ):
        request = {"task": "chat", "input": {"messages": [SYSTEM, {"role": "user", "content": content}]}}
        assert with_summary(request, " They met.\n")["input"]["messages"] == [
            SYSTEM,
            {"role": "user", "content": first},
        ]
    assert with_summary({"input": {"messages": [say("assistant", "Yes?")]}}, "They met.")["input"]["messages"][
        0
    ] == say("user", f"{OPENING}They met.")
