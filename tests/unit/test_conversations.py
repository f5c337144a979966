"""Conversations: what is put before a request, what is kept of a job, and that both fit together."""

from typing import Any

import pytest
from broker.context.conversations import MOST_TOKENS, Turn, recall, room_for_history, turn_of
from broker.context.fitting import SUMMARY_TOKENS, fit_request
from broker.context.listing import listing
from broker.context.pairs import open_results
from broker.context.summaries import cut
from broker.errors import InvalidRequest, NotFound
from broker.token_estimates import estimate_input, estimate_message

from tests.fakes.conversations import FakeTurns
from tests.fakes.world import MINUTE, NOW, a_head

SYSTEM = {"role": "system", "content": "Be kind."}


def say(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {"task": "chat", "conversation_id": "c1", "input": {"messages": [SYSTEM, say("user", text)]}, **more}


def talk(turns: FakeTurns, number: int, text: str, answer: str, *, tenant: str = "acme") -> dict[str, Any]:
    """One job of a conversation: recalled, answered, kept twice."""
    document = recall(turns, tenant, asked(text), None, None, NOW).document
    head = a_head(id=f"job_{number:032x}", tenant=tenant, created_at=NOW + number)
    for _ in range(2):
        turn = turn_of(head, document, {"text": answer, "finish_reason": "stop"})
        turns.keep(tenant, "c1", turn, head.payloads_until)
    return document


def test_a_conversation_grows_turn_by_turn() -> None:
    turns = FakeTurns()
    first = talk(turns, 1, "I am Ann.", "Hello Ann.")
    assert first["input"]["messages"] == [SYSTEM, say("user", "I am Ann.")]
    talk(turns, 2, "I like lamps.", "Noted.")
    third = recall(turns, "acme", asked("Who am I?"), None, None, NOW)
    assert third.turns == 2
    assert third.document["input"]["messages"] == [
        SYSTEM,
        say("user", "I am Ann."),
        say("assistant", "Hello Ann."),
        say("user", "I like lamps."),
        say("assistant", "Noted."),
        say("user", "Who am I?"),
    ]
    assert recall(turns, "other", asked("Who am I?"), None, None, NOW).turns == 0


def test_only_the_newest_that_have_room_come_back() -> None:
    turns = FakeTurns()
    for number in range(1, 6):
        talk(turns, number, f"Question {number}.", f"Answer {number}.")
    one = sum(estimate_message(say(role, text)) for role, text in (("user", "Question 5."), ("assistant", "Answer 5.")))
    for room, most in ((2 * one, 2), (2 * one - 1, 1), (0, 0), (-5, 0)):
        found = recall(turns, "acme", asked("And?"), room, None, NOW)
        assert found.turns == most
        assert found.document["input"]["messages"][-1] == say("user", "And?")
        assert len(found.document["input"]["messages"]) == 2 + 2 * most


def a_use(identity: str) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": "look_up", "arguments": "{}"}}


def with_tools(turns: FakeTurns, *, asks: int) -> None:
    """Four jobs; the answer of the one that is told is a tool's call, and the next one brings the result."""
    for number in range(1, 5):
        brings = [{"role": "tool", "tool_call_id": "t1", "content": "30"}] if number == asks + 1 else []
        own = {"input": {"messages": [*brings, say("user", f"Question {number}.")]}}
        output = {"text": "", "tool_calls": [a_use("t1")]} if number == asks else {"text": f"Answer {number}."}
        turns.keep("acme", "c1", turn_of(a_head(id=f"job_{number:032x}"), own, output), NOW // 1000 + 3600)


def test_a_turn_that_brings_a_result_does_not_come_without_its_call() -> None:
    turns = FakeTurns()
    with_tools(turns, asks=2)
    sizes = [kept.tokens for kept in turns.newest("acme", "c1", limit=9, now=NOW)]  # of jobs 4, 3, 2 and 1
    for room, count in ((sum(sizes), 4), (sum(sizes[:3]), 3), (sum(sizes[:3]) - 1, 1), (sum(sizes[:2]), 1)):
        assert recall(turns, "acme", asked("And?"), room, None, NOW).turns == count


def test_the_call_that_a_request_answers_comes_back_whatever_room_there_is() -> None:
    turns = FakeTurns()
    with_tools(turns, asks=4)
    own = {**asked("And?"), "input": {"messages": [{"role": "tool", "tool_call_id": "t1", "content": "40"}]}}
    found = recall(turns, "acme", own, 0, None, NOW)
    assert [each["role"] for each in found.document["input"]["messages"]] == ["user", "assistant", "tool"]
    assert recall(turns, "other", own, 0, None, NOW).turns == 0


def test_a_summary_stands_for_both_a_call_and_its_result() -> None:
    turns = FakeTurns()
    for number in range(1, 9):
        brings = [{"role": "tool", "tool_call_id": f"t{number - 1}", "content": "30"}] if number % 2 == 0 else []
        own = {"input": {"messages": [*brings, say("user", "How is the lamp? " * 30)]}}
        output = {"text": "", "tool_calls": [a_use(f"t{number}")]} if number % 2 else {"text": "It burns. " * 30}
        turns.keep("acme", "c1", turn_of(a_head(id=f"job_{number:032x}"), own, output), NOW // 1000 + 3600)
    recalled = recall(turns, "acme", asked("And?", context={"strategy": "summarize"}), None, "openai", NOW).document
    for window in range(600, 2_200, 100):
        fitted = fit_request(recalled, window, 0, "openai")
        if fitted.to_summarise:
            parted = cut(recalled, fitted, window, "openai")
            assert not open_results(parted.request["input"]["messages"])
            assert not open_results(parted.to_summarise)


def test_what_is_recalled_fits_the_window() -> None:
    turns = FakeTurns()
    for number in range(1, 30):
        talk(turns, number, "How is the lamp? " * 20, "It burns. " * 20)
    document = asked("And now?")
    room = room_for_history(document, 3_000, 500, "openai")
    found = recall(turns, "acme", document, room, "openai", NOW)
    assert 5 < found.turns < 29
    assert fit_request(found.document, 3_000, 500, "openai").done is None
    summarised = asked("And now?", context={"strategy": "summarize"})
    assert room_for_history(summarised, 3_000, 500, "openai") is None
    everything = recall(turns, "acme", summarised, None, "openai", NOW)
    assert everything.turns == 29
    fitted = fit_request(everything.document, 3_000, 500, "openai")
    assert fitted.done is not None and fitted.done["tokens_after"] <= 2_500
    assert fitted.to_summarise[0] == say("user", "How is the lamp? " * 20)


def pairs_of(turns: FakeTurns, many: int) -> None:
    """Turns of two questions each."""
    for number in range(1, many + 1):
        texts = [say(role, f"{number} {word} " * 30) for word in ("One.", "Two.") for role in ("user", "assistant")]
        turns.keep("acme", "c1", Turn(f"job_{number:032x}", NOW + number, 500, texts), NOW // 1000 + 100 + number)


def test_a_conversation_is_cut_between_turns_and_so_that_half_is_free() -> None:
    turns = FakeTurns()
    pairs_of(turns, 9)
    document = recall(turns, "acme", asked("And now?", context={"strategy": "summarize"}), None, "openai", NOW).document
    whole = estimate_input(document, "openai")
    for window in range(whole // 2, whole, 50):
        fitted = fit_request(document, window, 0, "openai")
        parted = cut(document, fitted, window, "openai")
        assert parted.summary is not None
        assert len(parted.to_summarise) % 4 == 0
        assert len(parted.to_summarise) >= len(fitted.to_summarise)
        assert parted.to_summarise + parted.request["input"]["messages"][1:] == document["input"]["messages"][1:]
        assert parted.turns == [f"job_{number:032x}" for number in range(1, len(parted.turns) + 1)]
        assert (parted.summary.through, parted.summary.messages) == (parted.turns[-1], 4 * len(parted.turns))
        assert parted.summary.expires_at == NOW // 1000 + 101, "with the first that goes"
        left = estimate_input(parted.request, "openai") + SUMMARY_TOKENS
        assert left <= window // 2 or len(parted.turns) == 9


def test_a_cut_into_the_requests_own_messages_is_kept_by_nobody() -> None:
    turns = FakeTurns()
    pairs_of(turns, 2)
    own = [say(role, f"{number} Mine. " * 60) for number in range(9) for role in ("user", "assistant")]
    body = {"task": "chat", "conversation_id": "c1", "input": {"messages": [*own, say("user", "And?")]}}
    recalled = recall(turns, "acme", body | {"context": {"strategy": "summarize"}}, None, "openai", NOW).document
    fitted = fit_request(recalled, 1_500, 0, "openai")
    assert own[0] in fitted.to_summarise
    parted = cut(recalled, fitted, 1_500, "openai")
    assert (parted.summary, parted.request, parted.to_summarise) == (None, fitted.request, fitted.to_summarise)
    alone = fit_request(
        {"task": "chat", "input": {"messages": own}, "context": {"strategy": "summarize"}}, 1_500, 0, "openai"
    )
    assert cut({"input": {"messages": own}}, alone, 1_500, "openai").summary is None


def test_what_is_read_is_bounded_whatever_the_room() -> None:
    turns = FakeTurns()
    for number in range(1, 6):
        messages: list[Any] = [say("user", f"Question {number}.")]
        turns.keep("acme", "c1", Turn(f"job_{number:032x}", NOW, MOST_TOKENS // 2, messages), NOW)
    assert recall(turns, "acme", asked("And?"), None, None, NOW).turns == 2


def test_what_is_kept_is_what_the_job_added_however_it_was_fitted() -> None:
    turns = FakeTurns()
    talk(turns, 1, "I am Ann.", "Hello Ann.")
    talk(turns, 2, "I like lamps.", "Noted.")
    newest = turns.newest("acme", "c1", limit=1, now=NOW)[0].load()
    assert newest == [say("user", "I like lamps."), say("assistant", "Noted.")]


def test_without_a_conversation_nothing_is_read() -> None:
    turns = FakeTurns()
    plain = {"task": "chat", "input": {"text": "Hi"}}
    assert recall(turns, "acme", plain, None, None, NOW).document == plain
    with pytest.raises(NotFound):
        listing(turns, "acme", "c1", limit=5, cursor=None, now=NOW)


def test_a_text_is_a_users_turn_and_tools_and_json_are_kept() -> None:
    turns = FakeTurns()
    calls = [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]
    document = recall(
        turns, "acme", {"task": "chat", "conversation_id": "c1", "input": {"text": "Hi"}}, None, None, NOW
    ).document
    assert document["input"] == {"messages": [say("user", "Hi")]}
    head = a_head()
    for tenant, output in (
        ("acme", {"text": None, "finish_reason": "tool_calls", "tool_calls": calls}),
        ("other", {"json": {"a": 1}, "finish_reason": "stop"}),
    ):
        turns.keep(tenant, "c1", turn_of(head, document, output), head.payloads_until)
    (row,) = listing(turns, "acme", "c1", limit=5, cursor=None, now=NOW)["data"]
    assert row["messages"] == [say("user", "Hi"), {"role": "assistant", "content": None, "tool_calls": calls}]
    (row,) = listing(turns, "other", "c1", limit=5, cursor=None, now=NOW)["data"]
    assert row["messages"][1] == say("assistant", '{"a": 1}')


def test_turns_are_listed_by_pages() -> None:
    turns = FakeTurns()
    for number in range(1, 6):
        talk(turns, number, f"Question {number}.", "Yes.")
    seen, cursor = [], None
    while True:
        page = listing(turns, "acme", "c1", limit=2, cursor=cursor, now=NOW)
        seen += [row["messages"][0]["content"] for row in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"Question {number}." for number in (5, 4, 3, 2, 1)]
    for limit, wrong in ((0, None), (101, None), (5, "!")):
        with pytest.raises(InvalidRequest):
            listing(turns, "acme", "c1", limit=limit, cursor=wrong, now=NOW)
    later = a_head().payloads_until * 1000 + MINUTE
    with pytest.raises(NotFound):
        listing(turns, "acme", "c1", limit=2, cursor=None, now=later)
