"""A job of the bulk lane that its models refuse for as long as it has time: it waits, and its record stays small."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.cloud.attributes import encode_item
from broker.errors import Throttled, Unavailable
from broker.jobs.calls import made, together
from broker.jobs.head import Head, Status
from broker.jobs.reading import timeline, view
from broker.jobs.reconciling import reconcile
from broker.jobs.transitions import MOST_KEPT, is_refused
from broker.steps.context import Run
from broker.tenants.ledger import bookings
from broker.tenants.usage import countings

from tests.fakes.provider import ANSWER, failing
from tests.fakes.stage import Stage
from tests.fakes.world import BASE_URL, JOB_ID, MINUTE, NOW, a_head
from tests.unit.settling_case import failure, settle

DAY = 24 * 60 * MINUTE


def stage_of_a_day() -> Stage:
    """A row whose batch has a day."""
    return Stage(lane="bulk", timeout_s=DAY // 2000)


def run_again(stage: Stage, number: int, now: int) -> Run:
    """Started by the sweep's message."""
    stage.run = stage.world.start(JOB_ID, f"exec-{number}", now)
    return replace(stage.run, head=None)


def refused_for(stage: Stage, times: int) -> tuple[Head, int]:
    """So many runs, each refused twice; the head after them, and the time."""
    now, head = NOW, stage.head
    for number in range(times):
        run = run_again(stage, number, now) if number else stage.run
        for second in (0, 5):
            stage.provider.script.append(failing(Throttled, retry_after=2))
            with pytest.raises(Throttled) as error:
                stage(run=replace(run, head=None) if second else run, now=now + second * 1000)
        head = settle(stage, failure(error.value), run, now + 6000)
        assert head.status is Status.QUEUED, f"after {number + 1} runs"
        assert head.due_at is not None
        now = max(head.due_at, now + 10_000)
    return head, now


def test_a_row_waits_as_long_as_it_has_time_and_its_record_does_not_grow() -> None:
    stage = stage_of_a_day()
    few, _ = refused_for(stage, 3)
    sizes = [len(json.dumps(encode_item(few.to_item())))]
    stage = stage_of_a_day()
    many, _ = refused_for(stage, 20)
    sizes.append(len(json.dumps(encode_item(many.to_item()))))
    assert many.calls_made == 40
    assert sizes[1] - sizes[0] < 60, "some digits more"
    assert sizes[1] < 2_048, "JSON with its type tags is about twice what DynamoDB counts"


def test_it_is_answered_when_there_is_room_and_pays_for_that_alone() -> None:
    stage = stage_of_a_day()
    _, now = refused_for(stage, 12)
    run = run_again(stage, 99, now)
    stage.provider.script.append(ANSWER)
    made_now = stage(run=run, now=now)
    head = settle(stage, {"answer": made_now}, run, now + 5)
    assert head.status is Status.SUCCEEDED
    shown = view(head, {}, None, BASE_URL)
    assert [(each["outcome"], each["times"]) for each in shown["attempts"]] == [
        ("Throttled", 22),
        *[("Throttled", 1)] * 2,  # of the run before it
        ("succeeded", 1),
    ]
    assert shown["attempts"][-1]["id"].endswith(".25"), "no number is given twice"
    spent = bookings(replace(head, status=Status.RUNNING), head)
    (row,) = [write for write in spent if write.pk.startswith("SPEND#")]
    assert row.add["calls"] == 25
    assert row.add["nusd"] == head.spent > 0
    grouped = replace(head, groups={"end_user": "ann"})
    (counted,) = countings(replace(grouped, status=Status.RUNNING), grouped)
    assert (counted.add["calls"], counted.add["nusd"]) == (25, head.spent)


def test_its_timeline_says_how_often_and_since_when() -> None:
    stage = stage_of_a_day()
    head, _ = refused_for(stage, 9)
    rows = [row for row in timeline(head, {}) if row["event"] == "attempt.ended"]
    (past,) = [row for row in rows if "times" in row]
    assert past["times"] == 16
    assert past["since"] < past["at"]
    assert len(rows) == 3, "the calls of its last run are told one by one"


def test_at_its_end_it_says_what_it_waited_for() -> None:
    stage = stage_of_a_day()
    head, _ = refused_for(stage, 10)
    ended = reconcile(head, now=head.deadline_at)
    assert (ended.status, (ended.error or {})["code"]) == (Status.EXPIRED, "throttled")


def test_another_fault_ends_it_also_after_many_refusals() -> None:
    stage = stage_of_a_day()
    _, now = refused_for(stage, 8)
    run = run_again(stage, 99, now)
    stage.provider.script.append(failing(Unavailable))
    with pytest.raises(Unavailable) as error:
        stage(run=run, now=now)
    assert settle(stage, failure(error.value), run, now + 5).status is Status.FAILED


def refusal(model: str, **facts: Any) -> dict[str, Any]:
    """A call that was refused, as heads have it."""
    error = {"type": "throttled", "code": facts.pop("code", "rate_limited"), "message": "…"}
    return {"m": model, "r": 7, "o": "Throttled", "c": 0, "p": "no", "l": 20, "a": NOW, "e": error} | facts


def test_what_ended_otherwise_stays_by_itself() -> None:
    known = {
        "1.1": refusal("a", a=NOW + 1),
        "1.2": refusal("b"),
        "1.3": refusal("a", code="quota"),
        "1.4": refusal("a", a=NOW + 4),
        "1.5": {"m": "guard", "r": 3, "o": "succeeded", "c": 3, "p": "yes", "i": 5, "l": 2, "a": NOW, "w": "guard"},
        "2.6": {"m": "guard", "r": 3, "o": "succeeded", "c": 4, "p": "yes", "i": 6, "l": 2, "a": NOW, "w": "guard"},
        "2.7": {"m": "a", "r": 9, "o": "succeeded", "c": 9, "p": "yes", "a": NOW},
        "2.8": {"m": "a", "r": 9},
        "2.9": {"m": "a", "r": 9, "h": {"id": "x"}, "o": "Throttled", "c": 0, "p": "no", "a": NOW},
        "3.10": refusal("a", t=3, x=[1, 2, 3, 4]),
    }
    kept = together(known, 3)
    assert made(kept) == made(known) == 10
    assert list(kept) == ["1.2", "1.3", "1.4", "2.6", "2.7", "2.8", "2.9", "3.10"]
    assert (kept["1.4"]["n"], kept["1.4"]["f"], kept["1.4"]["a"]) == (2, NOW + 1, NOW + 4)
    assert (kept["2.6"]["c"], kept["2.6"]["i"], kept["2.6"]["n"]) == (7, 11, 2)
    assert kept["3.10"] == known["3.10"], "the run's own calls are what its governor goes by"
    assert together(kept, 3) == kept
    assert sum(call.get("c", 0) for call in kept.values()) == sum(call.get("c", 0) for call in known.values())


def test_a_job_that_ever_other_models_refuse_ends_before_its_record_is_too_large() -> None:
    calls = {f"{run}.{run}": refusal(f"model-{run}") for run in range(1, MOST_KEPT)}
    head = a_head(lane="bulk", status=Status.RUNNING, run=MOST_KEPT - 1, calls=calls)
    assert is_refused(head, MOST_KEPT - 1)
    more = calls | {f"{MOST_KEPT}.{MOST_KEPT}": refusal("another")}
    assert not is_refused(replace(head, run=MOST_KEPT, calls=more), MOST_KEPT)


def test_it_is_tried_ever_less_often() -> None:
    stage = stage_of_a_day()
    pauses, now = [], NOW
    for number in range(40):
        run = run_again(stage, number, now) if number else stage.run
        stage.provider.script.append(failing(Throttled))
        with pytest.raises(Throttled) as error:
            stage(run=run, now=now)
        head = settle(stage, failure(error.value), run, now)
        pauses.append((head.due_at or 0) - now)
        now = head.due_at or now
    assert pauses[-1] > pauses[10] > pauses[0]
    assert max(pauses) > 5 * MINUTE, "no more than that at first"
