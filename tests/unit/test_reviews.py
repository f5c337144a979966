"""Jobs that guardrails hold, through the workflow's own definition: held before, held after, and how that ends."""

from typing import Any

import pytest
from broker.delivery.events import review_event_of
from broker.errors import Conflict
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head, Status
from broker.jobs.reading import timeline
from broker.jobs.sweeping import Sweep
from broker.providers.wire.base import Answer
from broker.reviews.deciding import Decide, Reviewer, audit_of

from tests.fakes.flow import Flow
from tests.fakes.queue import FakeDeadLetters
from tests.fakes.reviews import decide_of
from tests.fakes.world import BASE_URL, HOUR, MINUTE, SECOND

ADA, BO = Reviewer("arn:ada"), Reviewer("arn:bo")
HERONS = {"check": "denied_terms", "action": "review", "stages": ["input", "output"], "terms": ["heron"]}
BEFORE, AFTER = HERONS | {"stages": ["input"]}, HERONS | {"stages": ["output"]}
MAIL = {"check": "personal_data", "action": "redact", "stages": ["input", "output"], "kinds": ["email"]}


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"input": {"text": text}, **more}


def deciding(flow: Flow) -> Decide:
    return decide_of(flow.world, flow.world.queue)


def release(flow: Flow, head: Head, stage: Any) -> Head:
    """Release a job, and run it on."""
    flow.now += SECOND
    deciding(flow).release(head.id, stage, ADA, "fine", flow.now)
    assert flow.world.queue.sent[-1].id == head.id
    return flow.run(flow.world.jobs.get(head.id))


def sweep(flow: Flow) -> None:
    world = flow.world
    Sweep(world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: True)(flow.now)


def spent(flow: Flow) -> dict[str, int]:
    return {name: value for name, value in flow.world.spent().items() if name in ("calls", "nusd")}


def test_a_request_is_held_before_any_model_and_goes_on_when_it_is_released() -> None:
    flow = Flow([BEFORE])
    head = flow(ask("A heron."))
    assert (head.is_held, head.calls, flow.sent) == (True, {}, [])
    job = flow.look(head.id)
    assert (job["status"], job["review"]["state"], job["review"]["rules"]) == ("queued", "held", ["denied_terms"])
    assert [(each["rule"], each["action"]) for each in job["guardrails"]] == [("denied_terms", "review")]
    ended = release(flow, head, "input")
    assert (ended.status, len(flow.sent)) == (Status.SUCCEEDED, 1)
    job = flow.look(head.id)
    assert (job["output"]["text"], job["review"]["state"]) == ("You: A heron.", "released")
    events = [each["event"] for each in timeline(ended, flow.world.jobs.notes(head.id))]
    events.remove("attempt.ended")  # told by the clock of the process
    assert events == ["job.accepted", "job.started", "job.held", "job.released", "job.succeeded"]


def test_an_answer_is_held_and_released_with_one_call_that_is_paid_for_once() -> None:
    flow = Flow([AFTER])
    head = flow(ask("A heron."))
    assert (head.is_held, head.open_calls, head.output, spent(flow)) == (True, ["1.1"], None, {})
    assert flow.look(head.id)["output"] is None
    ended = release(flow, head, "output")
    assert (ended.status, ended.output, ended.run, len(flow.sent)) == (Status.SUCCEEDED, "OUTPUT#1.1", 2, 1)
    assert spent(flow) == {"calls": 1, "nusd": ended.spent}
    assert (ended.due_at, ended.open_calls) == (None, [])


def test_what_is_released_is_given_though_its_model_is_gone_and_all_money_is_held() -> None:
    flow = Flow([AFTER])
    head = flow(ask("A heron."))
    for model in flow.world.models().all(flow.now).values():
        item = flow.world.database.get("registry", "MODELS", model.id)
        assert item is not None
        flow.world.register(item | {"status": "disabled"})
    assert release(flow, head, "output").status is Status.SUCCEEDED


def test_what_was_released_and_is_gone_is_never_replaced_by_what_nobody_saw() -> None:
    flow = Flow([AFTER])
    head = flow(ask("A heron."))
    flow.world.payloads.drop(head.id, "OUTPUT#1.1")
    ended = release(flow, head, "output")
    assert (ended.status, (ended.error or {})["code"], len(flow.sent)) == (Status.FAILED, "answer_gone", 1)


def test_both_stages_may_hold_one_after_the_other() -> None:
    flow = Flow([HERONS])
    head = release(flow, flow(ask("A heron.")), "input")
    assert (head.is_held, head.review["stage"], head.review["released"]) == (True, "output", ["input"])
    repeated = deciding(flow).release(head.id, "input", ADA, "fine", flow.now)
    assert (repeated["state"], flow.world.jobs.get(head.id)) == ("released", head), "a repeat releases nothing more"
    assert (release(flow, head, "output").status, len(flow.sent)) == (Status.SUCCEEDED, 1)


@pytest.mark.parametrize("decision", ["release", "reject"])
def test_who_is_late_with_a_request_decides_nothing_about_its_answer(decision: str) -> None:
    flow = Flow([HERONS])
    head, late = flow(ask("A heron.")), deciding(flow)
    flow.world.database.meanwhile.append(lambda: release(flow, head, "input"))
    if decision == "release":
        assert late.release(head.id, "input", BO, "fine", flow.now)["state"] == "released"
    else:
        with pytest.raises(Conflict) as refused:
            late.reject(head.id, "input", BO, "no", flow.now)
        assert refused.value.code == "not_held"
    now = flow.world.jobs.get(head.id)
    assert (now.is_held, now.review["stage"]) == (True, "output"), "nobody has looked at the answer"
    assert [each["what"] for each in audit_of(flow.world.jobs.notes(head.id))] == ["released"]


@pytest.mark.parametrize("stage", ["input", "output"])
def test_a_rule_that_came_meanwhile_still_blocks(stage: Any) -> None:
    flow = Flow([HERONS | {"stages": [stage]}])
    head = flow(ask("A heron by the pond."))
    flow.hold(HERONS | {"stages": [stage]}, HERONS | {"stages": [stage], "action": "block", "terms": ["pond"]})
    ended = release(flow, head, stage)
    assert (ended.status, (ended.error or {})["code"]) == (Status.BLOCKED, f"blocked_{stage}")
    assert (len(flow.sent), ended.open_calls) == (stage == "output", [])


@pytest.mark.parametrize(("rule", "code", "calls"), [(BEFORE, "blocked_input", 0), (AFTER, "blocked_output", 1)])
def test_a_rejected_job_is_blocked_and_its_call_is_paid_for_once(rule: Any, code: str, calls: int) -> None:
    flow = Flow([rule])
    head = flow(ask("A heron."))
    record = deciding(flow).reject(head.id, rule["stages"][0], ADA, "Not for us.", flow.now)
    assert record["state"] == "rejected"
    job = flow.look(head.id)
    assert (job["status"], job["error"]["code"], job["error"]["source"]) == ("blocked", code, "review")
    assert (job["output"], len(flow.sent), spent(flow).get("calls", 0)) == (None, calls, calls)
    assert "Not for us" not in str(job), "the reason is the operators'"
    assert deciding(flow).reject(head.id, rule["stages"][0], ADA, "Again.", flow.now)["state"] == "rejected"


@pytest.mark.parametrize(("end", "status"), [("deadline", Status.EXPIRED), ("cancel", Status.CANCELED)])
def test_an_end_from_elsewhere_closes_the_review_and_pays_the_call_once(end: str, status: Status) -> None:
    flow = Flow([AFTER])
    head = flow(ask("A heron."))
    if end == "cancel":
        cancel_job(flow.world.jobs, head.id, "acme", flow.now)
    else:
        flow.now = head.deadline_at
        sweep(flow)
    assert flow.world.jobs.get(head.id).status is status
    assert deciding(flow).find(head.id)[1]["state"] == status.value
    flow.now += SECOND
    sweep(flow)
    sweep(flow)
    ended = flow.world.jobs.get(head.id)
    assert (spent(flow)["calls"], ended.open_calls, ended.due_at) == (1, [], None)
    with pytest.raises(Conflict) as refused:
        deciding(flow).release(head.id, "output", ADA, "fine", flow.now)
    assert refused.value.code == "not_held"


def test_a_message_that_comes_again_starts_no_held_job() -> None:
    flow = Flow([BEFORE])
    head = flow(ask("A heron."))
    with pytest.raises(AssertionError):
        flow.run(head)
    flow.now += 5 * MINUTE
    sweep(flow)
    assert [each.id for each in flow.world.queue.sent].count(head.id) == 1, "when it was accepted, and never since"
    assert flow.world.jobs.get(head.id) == head


def test_a_policy_in_the_shadow_holds_nothing() -> None:
    flow = Flow([HERONS])
    item = flow.world.database.get("registry", "GUARDRAIL#people", "GUARDRAIL")
    assert item is not None
    flow.world.register(item | {"shadow": True})
    head = flow(ask("A heron."))
    assert head.status is Status.SUCCEEDED
    assert [each["action"] for each in flow.look(head.id)["guardrails"]] == ["review", "review"]


def test_a_block_beside_a_hold_blocks_at_once() -> None:
    flow = Flow([BEFORE, BEFORE | {"action": "block", "terms": ["pond"]}])
    head = flow(ask("A heron by a pond."))
    assert (head.status, head.review) == (Status.BLOCKED, {})


def test_what_other_rules_take_out_stays_out_of_what_is_held_and_of_what_is_given() -> None:
    flow = Flow([HERONS, MAIL])
    head = flow(ask("A heron for ann@lamps.example."))
    texts = [each.text for each in _texts(flow, head, "input")]
    assert texts == ["A heron for <EMAIL_1>."]
    head = release(flow, head, "input")
    assert [each.text for each in _texts(flow, head, "output")] == ["You: A heron for <EMAIL_1>."]
    ended = release(flow, head, "output")
    assert flow.look(ended.id, "jobs:read pii:read")["output"]["text"] == "You: A heron for ann@lamps.example."
    assert "ann@lamps" not in str(flow.sent) + flow.kept()


def _texts(flow: Flow, head: Head, stage: str) -> Any:
    from broker.reviews.texts import seen_at

    return seen_at(flow.world.payloads, head, stage, head.review.get("output"))


def test_an_answer_that_was_held_is_not_kept_for_others() -> None:
    flow = Flow([AFTER])
    head = flow(ask("A heron.", cache={}))
    release(flow, head, "output")
    again = flow(ask("A heron.", cache={}))
    assert (again.is_held, len(flow.sent)) == (True, 2), "each answer is looked at for itself"


def test_an_answer_that_another_job_brought_is_held_for_itself_and_asked_for_once() -> None:
    flow = Flow([AFTER])
    flow.stage.provider.script.append(Answer({"text": "A heron."}, input_tokens=10, output_tokens=20))
    first, second = (flow.submit(ask("Tell.", coalesce=True)) for _ in range(2))
    first = flow.run(first)
    second = flow.run(second)
    assert (first.is_held, second.is_held, len(flow.sent)) == (True, True, 1), "who waits is not held up by a review"
    assert release(flow, second, "output").spent == 0
    assert (release(flow, first, "output").status, len(flow.sent)) == (Status.SUCCEEDED, 1)


def test_each_hold_and_each_release_is_told_once() -> None:
    flow = Flow([HERONS])
    head = release(flow, release(flow, flow(ask("A heron.")), "input"), "output")
    changes = [(Head.from_item(old) if old else None, Head.from_item(new)) for old, new in flow.world.database.stream]
    told = [event for change in changes if (event := review_event_of(*change, BASE_URL))]
    assert [(kind, detail["data"]["review"]["stage"]) for kind, detail in told] == [
        ("JobHeld", "input"),
        ("JobReleased", "input"),
        ("JobHeld", "output"),
        ("JobReleased", "output"),
    ]
    assert len({detail["metadata"]["event_id"] for _, detail in told}) == 4
    assert "heron" not in str(told), "ids and references, never a text"
    marked = [new.get("news") for _, new in flow.world.database.stream if new["id"] == head.id]
    assert marked.count(2) == 4


def test_a_plain_job_pays_nothing_for_reviews() -> None:
    flow = Flow([HERONS])
    head = flow(ask("A lamp."))
    assert "review" not in head.to_item()
    assert not [note for note in flow.world.jobs.notes(head.id) if note.startswith(("REVIEW", "AUDIT"))]
    assert all("held" not in each and "released" not in each for each in flow.travelled if isinstance(each, dict))


def test_a_conversation_knows_nothing_of_a_held_turn_until_it_is_released() -> None:
    flow = Flow([AFTER])
    head = flow(ask("A heron.", conversation_id="c1"))
    turns = flow.world.turns
    assert turns.newest("acme", "c1", limit=9, now=flow.now) == []
    release(flow, head, "output")
    assert len(turns.newest("acme", "c1", limit=9, now=flow.now)) == 1


def test_a_job_is_not_released_within_an_hour_and_then_expires() -> None:
    flow = Flow([BEFORE])
    head = flow(ask("A heron.", deadline_seconds=3600))
    flow.now += HOUR
    with pytest.raises(Conflict):
        deciding(flow).release(head.id, "input", ADA, "late", flow.now)
    sweep(flow)
    assert (flow.world.jobs.get(head.id).error or {})["code"] == "not_reviewed"
