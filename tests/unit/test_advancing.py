"""What comes next after a call: the table's answer for each kind of error, and for a step that is repeated."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker import errors
from broker.consequences import TABLE, consequence, of_outcome
from broker.errors import (
    BadOutput,
    BrokerError,
    Conflict,
    ContextExceeded,
    CutShort,
    ModelTimedOut,
    Pending,
    Rejected,
    Throttled,
    TimedOut,
    Unavailable,
)
from broker.jobs.ending import cancel_job
from broker.providers.wire.base import OperationStarted
from broker.routing.circuits import State
from broker.routing.figures import Figures
from broker.steps.advancing import Advance

from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW, SECOND, a_model

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BrokerError)]
CANDIDATES = ["small", "large"]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def advance(stage: Stage, place: int = 0, now: int = NOW, candidates: list[str] | None = None) -> dict[str, Any]:
    return Advance(stage.world.jobs, stage.invoke())(stage.next(), candidates or CANDIDATES, place, now)


def after(stage: Stage, *script: BrokerError, place: int = 0) -> dict[str, Any]:
    """What comes next after the last of these failures, each met by a step of its own."""
    stage.provider.script.extend(script)
    result: dict[str, Any] = {}
    for _ in script:
        result = advance(stage, place)
    return result


# The first failure of the first of two candidates; the same again; and where it is the last candidate.
NEXT: dict[str, tuple[str, str, str]] = {
    "AdapterFailed": ("candidate", "candidate", "end"),
    "BadOutput": ("repeat", "candidate", "end"),
    "BrokerError": ("candidate", "candidate", "end"),
    "CircuitOpen": ("candidate", "candidate", "end"),
    "ContextExceeded": ("candidate", "candidate", "end"),
    "CredentialRejected": ("candidate", "candidate", "end"),
    "CutShort": ("candidate", "candidate", "end"),
    "ModelGone": ("candidate", "candidate", "end"),
    "ModelTimedOut": ("candidate", "candidate", "end"),
    "PolicyMissing": ("end",) * 3,
    "Rejected": ("candidate", "candidate", "end"),
    "Throttled": ("wait", "candidate", "end"),
    "Unavailable": ("wait", "candidate", "end"),
    **dict.fromkeys(
        ("BudgetExceeded", "DeliveryBusy", "Forbidden", "Gone", "InvalidRequest", "KeyInFlight", "TooLarge"),
        ("end",) * 3,
    ),
    **dict.fromkeys(
        ("KeyReused", "NotCancelable", "NotFound", "PermissionDenied", "RateLimited", "Refused"), ("end",) * 3
    ),
    **dict.fromkeys(("TimedOut", "TooManyAtOnce", "Truncated"), ("end",) * 3),
}


def test_the_table_has_each_kind() -> None:
    assert {kind.__name__ for kind in KINDS} == NEXT.keys() | {Pending.__name__, Conflict.__name__}
    assert [kind for kind in KINDS if consequence(kind) is TABLE[BrokerError]] == [BrokerError]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.__name__ in NEXT])
def test_what_follows_from_each_error(kind: type[BrokerError]) -> None:
    first, again, last = NEXT[kind.__name__]
    error = failing(kind, retry_after=3) if kind is Throttled else failing(kind)
    result = after(Stage(), error)
    assert result["next"] == first
    assert result["failure"] == error.failure() | ({"retry_after": result["pause"]} if kind is Throttled else {})
    assert result.get("place") == (1 if first == "candidate" else None)
    assert ("pause" in result) == (first == "wait")
    two = after(Stage(), error, failing(kind)) if first in ("repeat", "wait") else result
    assert (two["next"], two.get("place")) == (again, 1 if again == "candidate" else None)
    alone = Stage()
    final = after(alone, error, place=1)
    if final["next"] in ("repeat", "wait"):
        final = after(alone, failing(kind), place=1)
    assert final["next"] == last


def test_an_answer_is_moderated(stage: Stage) -> None:
    result = advance(stage)
    assert result["next"] == "moderate"
    assert (result["answer"]["output"], stage.head.open_calls) == ("OUTPUT#1.1", ["1.1"])
    assert advance(stage)["answer"]["output"] == "OUTPUT#1.1", "a repeat gives the answer that is kept"
    assert len(stage.provider.calls) == 1


@pytest.mark.parametrize(
    "error",
    [failing(Rejected), failing(ModelTimedOut, maybe_paid=True), failing(CutShort, maybe_paid=True)],
    ids=lambda error: type(error).__name__,
)
def test_a_step_whose_reply_was_lost_makes_no_second_call(stage: Stage, error: BrokerError) -> None:
    first = after(stage, error)
    assert advance(stage) == first
    assert len(stage.provider.calls) == 1


def test_a_model_that_fails_in_two_ways_has_one_repeat_for_each(stage: Stage) -> None:
    steps = [failing(Unavailable), failing(BadOutput), failing(BadOutput)]
    assert [after(stage, each)["next"] for each in steps] == ["wait", "repeat", "candidate"]
    assert advance(stage)["next"] == "candidate"
    assert len(stage.provider.calls) == 3


def test_a_throttled_model_that_asks_for_long_is_passed_over(stage: Stage) -> None:
    assert after(stage, failing(Throttled, retry_after=60))["next"] == "candidate"


def test_an_error_without_a_call_is_not_repeated(stage: Stage) -> None:
    """What fails before a call is on record would fail again, for ever."""

    def ask(*_: object) -> dict[str, Any]:
        raise Unavailable("A store of ours cannot be reached.")

    result = Advance(stage.world.jobs, ask)(stage.run, CANDIDATES, 0, NOW)
    assert (result["next"], result["place"]) == ("candidate", 1)


def test_work_that_goes_on_is_waited_for(stage: Stage) -> None:
    stage.provider.script.append(OperationStarted({"job": "t-1"}, check_after_s=7))
    assert advance(stage) == {"next": "wait", "pause": 7}


def test_a_stale_run_stops_in_silence(stage: Stage) -> None:
    cancel_job(stage.world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        advance(stage)


def test_a_circuit_that_opened_meanwhile_gives_the_turn_to_the_next(stage: Stage) -> None:
    stage.circuits.known["small"] = State("open", NOW + SECOND)
    assert advance(stage)["next"] == "candidate"
    assert stage.provider.calls == []


def test_a_prompt_too_long_for_one_is_not_sent_to_a_window_that_is_no_larger(stage: Stage) -> None:
    stage.world.register(a_model("same"))
    stage.provider.script.append(failing(ContextExceeded))
    three = ["small", "same", "large"]
    places = [advance(stage, place, candidates=three).get("place") for place in (0, 1)]
    assert places == [1, 2]
    assert [call.model for call in stage.provider.calls] == ["small-1"]


# ------------------------------------------------------------ time


def hanging(stage: Stage) -> Iterator[float]:
    """The seconds that each candidate is given, where none answers."""
    now, place = NOW, 0
    while place < 3:
        stage.provider.script.append(failing(Unavailable, code="timeout", maybe_paid=True))
        result = advance(stage, place, now, ["a", "b", "c"])
        given = stage.provider.calls[-1].timeout
        yield given
        now += round(given * 1000)
        if result["next"] == "end":
            return
        place = result["place"]


def candidates(stage: Stage, *timeouts: int) -> None:
    stage.world.register(*[a_model(name, timeout_s=each) for name, each in zip("abc", timeouts, strict=True)])


@pytest.mark.parametrize(
    ("budget", "timeouts", "given", "outcomes"),
    [
        (120, (60, 60, 60), [40, 40, 40], ["CutShort", "CutShort", "TimedOut"]),
        (300, (60, 60, 60), [60, 60, 60], ["ModelTimedOut"] * 3),
        (120, (10, 300, 300), [10, 55, 55], ["ModelTimedOut", "CutShort", "TimedOut"]),
        (3, (60, 60, 60), [1, 1, 1], ["CutShort", "CutShort", "TimedOut"]),
        (1, (60, 60, 60), [0.333, 0.333, 0.333], ["CutShort", "CutShort", "TimedOut"]),
    ],
)
def test_one_that_hangs_leaves_the_others_their_turns(
    budget: int, timeouts: tuple[int, ...], given: list[float], outcomes: list[str]
) -> None:
    stage = Stage(timeout_s=budget)
    candidates(stage, *timeouts)
    assert list(hanging(stage)) == pytest.approx(given, abs=0.01)
    assert [call["o"] for call in stage.head.calls.values()] == outcomes
    recorded = [(outcome, of_outcome(outcome).circuit) for _, outcome, _ in stage.circuits.recorded]
    assert recorded == [(each, "failed" if each == "ModelTimedOut" else "silent") for each in outcomes]


def test_those_that_are_known_to_be_fast_leave_the_first_more() -> None:
    stage = Stage(timeout_s=120)
    candidates(stage, 300, 300, 300)
    stage.circuits.live = {"b": Figures(NOW, 9, 0, 1_000, 2_000), "c": Figures(NOW, 9, 0, 100_000, 200_000)}
    stage.provider.script.append(failing(Unavailable, code="timeout"))
    advance(stage, 0, candidates=["a", "b", "c"])
    assert stage.provider.calls[0].timeout == 120 - 2 - 40, "one that is slow keeps an equal share"


def test_a_job_whose_time_is_over_ends_without_a_further_call(stage: Stage) -> None:
    stage.provider.script.append(failing(Unavailable))
    advance(stage)
    result = advance(stage, now=NOW + 120 * SECOND)
    assert (result["next"], result["failure"]["error"], len(stage.provider.calls)) == ("end", "TimedOut", 1)


def test_a_job_whose_deadline_passed_asks_nobody() -> None:
    stage = Stage(timeout_s=7_200)
    stage.world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, deadline_at=NOW + 60 * SECOND))
    result = advance(stage, now=NOW + 60 * SECOND)
    assert (result["next"], stage.provider.calls) == ("end", [])
    assert result["failure"]["facts"]["code"] == "deadline_passed"
    assert TimedOut.__name__ == result["failure"]["error"]
