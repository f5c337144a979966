"""What is Lex's own: sessions, slots, turns without words, names of bots."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BadOutput, ContextExceeded, Unavailable
from broker.providers.aws.lex import Lex
from broker.providers.wire.base import Answer

from tests.fakes.aws import Reply, Wire, aws_environment
from tests.unit.aws_case import make_call
from tests.unit.aws_texts import TURN


@pytest.fixture
def wire() -> Iterator[Wire]:
    with aws_environment():
        yield Wire()


def turn(wire: Wire, reply: Any, scope: str = "acme", **given: Any) -> Answer:
    wire.script([Reply(reply)])
    call = make_call("converse", {"text": "Hi.", **given}, "ABCDEFGHIJ/TSTALIASID/en_US")
    return Lex(wire.make).invoke(replace(call, scope=scope))


def session_of(wire: Wire) -> str:
    """The session that the service was last told."""
    return str(wire.asked[-1][1]["sessionId"])


def test_a_session_is_told_so_that_it_can_go_on(wire: Wire) -> None:
    session = turn(wire, TURN).output["session"]
    kept = session_of(wire)
    assert turn(wire, TURN, session=session).output["session"] == session
    assert session_of(wire) == kept


def test_sessions_of_two_tenants_never_meet(wire: Wire) -> None:
    kept = []
    for scope in ("acme", "acme", "other"):
        turn(wire, TURN, scope, session="s-1")
        kept.append(session_of(wire))
    assert kept[0] == kept[1] != kept[2]


def test_a_turn_without_words_is_an_answer(wire: Wire) -> None:
    output = turn(wire, {"sessionState": {"intent": {"name": "Order", "state": "Fulfilled"}}}).output
    assert (output["text"], output["messages"], output["slots"], output["state"]) == ("", [], {}, "Fulfilled")


def test_a_turn_without_anything_is_bad_output(wire: Wire) -> None:
    with pytest.raises(BadOutput) as caught:
        turn(wire, {"sessionState": {}})
    assert caught.value.code == "empty_answer"


def test_slots_of_slots_are_maps(wire: Wire) -> None:
    inner = {"City": {"value": {"originalValue": "köln", "interpretedValue": "Köln"}}, "Street": None}
    intent = {"name": "Order", "slots": {"Address": {"shape": "Composite", "subSlots": inner}}}
    output = turn(wire, {"sessionState": {"intent": intent}}).output
    assert output["slots"] == {"Address": {"City": "Köln", "Street": None}}


def test_a_turn_that_is_too_long_is_not_sent(wire: Wire) -> None:
    with pytest.raises(ContextExceeded):
        turn(wire, TURN, text="x" * 1025)
    assert wire.asked == []


@pytest.mark.parametrize("name", ["bot", "a/b", "a//c", "a/b/c/d"])
def test_a_name_that_is_no_bot_is_the_operators_fault(wire: Wire, name: str) -> None:
    with pytest.raises(Unavailable) as caught:
        Lex(wire.make).invoke(replace(make_call("converse", {"text": "Hi."}), model=name))
    assert caught.value.code == "bad_model_name"
