"""Settle Job keeps an answer before anybody can see that its job succeeded, and takes back what should not be there."""

from typing import Any

import pytest
from broker.cache.answers import NOTE, Given
from broker.errors import Conflict
from broker.jobs.ending import cancel_job
from broker.jobs.head import Status
from broker.jobs.reconciling import reconcile
from broker.steps.context import Run
from broker.steps.selecting import SelectModel
from broker.steps.settling import SettleJob
from broker.tenants.registry import Tenants

from tests.fakes.circuits import FakeCircuits
from tests.fakes.questions import cache_lookup_of
from tests.fakes.settling import settling_of
from tests.fakes.stage import Stage
from tests.fakes.world import MINUTE, NOW, World

CACHED: dict[str, Any] = {"input": {"text": "How are you?"}, "cache": {}}
LATER = NOW + 5
MUCH_LATER = NOW + 10 * MINUTE


def started(world: World, body: dict[str, Any] | None = None) -> Run:
    return world.start(world.accept(body or CACHED, now=NOW).head.id, now=NOW)


def select(world: World, run: Run) -> dict[str, Any]:
    lookup = cache_lookup_of(world)
    step = SelectModel(world.jobs, world.payloads, world.models(), Tenants(world.database), lookup, FakeCircuits())
    return step(run, NOW)


def asked() -> tuple[Stage, Run, dict[str, Any]]:
    """A job that found nothing in the cache, and its model's answer."""
    stage = Stage()
    stage.world.tenant()
    run = started(stage.world)
    assert select(stage.world, run)["keep"] is True
    return stage, run, {"answer": stage("large", run)}


def hit(world: World) -> bool:
    """True where who asks the same is answered from the cache."""
    return "cached" in select(world, started(world))


def test_whoever_sees_that_it_succeeded_gets_the_answer_from_the_cache() -> None:
    stage, run, ending = asked()
    seen: list[bool] = []

    def look() -> None:
        seen.append(stage.world.jobs.get(run.id).status is Status.SUCCEEDED)
        seen.append(hit(stage.world))

    # The first write is the cache's; what comes right before the second sees what a client may see.
    stage.world.database.meanwhile += [lambda: None, look]
    head = settling_of(stage.world)(run, ending, LATER, keeps=True)
    assert (head.status, seen) == (Status.SUCCEEDED, [False, True])
    assert hit(stage.world)


def test_what_is_kept_tells_what_the_call_took_and_cost() -> None:
    stage, run, ending = asked()
    head = settling_of(stage.world)(run, ending, LATER, keeps=True)
    other = started(stage.world)
    found = select(stage.world, other)["cached"]["facts"]
    assert found == {"model": head.model, **head.usage}
    assert stage.world.jobs.notes(other.id)[NOTE]["saved"] == head.spent > 0


def test_a_job_that_did_not_ask_keeps_nothing_and_asks_nothing_of_the_cache() -> None:
    stage, run, ending = asked()

    def refuse() -> Any:
        raise AssertionError("the cache is not looked at")

    settling_of(stage.world, cache=refuse)(run, ending, LATER)
    assert not hit(stage.world)


@pytest.mark.parametrize(
    "ending", [{"blocked": {"stage": "output", "rules": ["secrets"]}}, {"failure": {"Error": "x"}}]
)
def test_an_answer_that_did_not_pass_is_not_kept(ending: dict[str, Any]) -> None:
    stage, run, answer = asked()
    settling_of(stage.world)(run, answer | ending, LATER, keeps=True)
    assert not hit(stage.world)


def test_a_job_that_is_canceled_meanwhile_takes_its_answer_back() -> None:
    stage, run, ending = asked()
    stage.world.database.meanwhile += [lambda: None, lambda: cancel_job(stage.world.jobs, run.id, run.tenant, NOW)]
    with pytest.raises(Conflict):
        settling_of(stage.world)(run, ending, LATER, keeps=True)
    assert not hit(stage.world)


def test_what_another_job_gave_for_the_same_question_is_not_taken_back() -> None:
    stage, run, ending = asked()
    other = started(stage.world)
    assert select(stage.world, other)["keep"] is True
    answer = {"answer": stage("large", other)}
    step = settling_of(stage.world)

    def meanwhile() -> None:
        cancel_job(stage.world.jobs, run.id, run.tenant, NOW)
        step(other, answer, LATER, keeps=True)

    stage.world.database.meanwhile += [lambda: None, meanwhile]
    with pytest.raises(Conflict):
        step(run, ending, LATER, keeps=True)
    assert hit(stage.world)


def test_a_late_execution_of_a_job_that_succeeded_leaves_what_is_kept() -> None:
    stage, run, ending = asked()
    step = settling_of(stage.world)
    first = step(run, ending, LATER, keeps=True)
    assert step(run, ending, LATER + 1, keeps=True) == first, "a repeat after a lost reply"
    assert hit(stage.world)


def test_an_answer_that_cannot_be_kept_costs_its_job_nothing() -> None:
    stage, run, ending = asked()
    told: list[str] = []

    def broken() -> Any:
        raise RuntimeError("no table")

    world = stage.world
    unkept = lambda run, error: told.append(f"{run.id}: {error}")  # noqa: E731
    step = SettleJob(world.jobs, world.payloads, lambda: world.turns, broken, unkept)
    assert step(run, ending, LATER, keeps=True).status is Status.SUCCEEDED
    assert told == [f"{run.id}: no table"]
    assert not hit(stage.world)


def broke_off(stage: Stage, run: Run, ending: dict[str, Any]) -> Run:
    """The next run of a job whose function was killed between the cache and the job's end."""

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    stage.world.database.meanwhile += [lambda: None, kill]
    with pytest.raises(Killed):
        settling_of(stage.world)(run, ending, LATER, keeps=True)
    stage.world.jobs.change(run.id, lambda head: reconcile(head, now=MUCH_LATER))
    return stage.world.start(run.id, "exec-2", MUCH_LATER)


@pytest.mark.parametrize("mode", ["use", "refresh"])
def test_a_run_that_broke_off_after_it_gave_its_answer_leaves_the_next_one_free(mode: str) -> None:
    """Of an answer that another job's call brought, the next run finds nothing: it has to ask the cache again."""
    stage = Stage()
    stage.world.tenant()
    run = started(stage.world, CACHED | {"cache": {"mode": mode}})
    assert select(stage.world, run)["keep"] is True
    given = cache_lookup_of(stage.world).answers
    output = "OUTPUT#kept.1.00000000"
    stage.world.payloads.save(run, output, {"text": "Fine."})
    facts = {"model": "large", "input_tokens": 1, "output_tokens": 2}
    again = broke_off(stage, run, {"answer": {"output": output, "facts": facts, "given": True}})
    assert hit(stage.world), "it had passed the rules"
    found = select(stage.world, again)
    assert "cached" in found if mode == "use" else found["keep"] is True
    ending = {"answer": found.get("cached") or stage("small", again, MUCH_LATER)}
    head = settling_of(stage.world)(again, ending, MUCH_LATER, keeps=bool(found.get("keep")))
    assert head.status is Status.SUCCEEDED
    given.forget(run.id)
    assert not hit(stage.world), "whatever it gave goes with the job"


def test_the_next_run_that_takes_an_answer_which_is_there_gives_it_to_the_cache() -> None:
    stage, run, _ = asked()
    assert stage.world.jobs.get(run.id).open_calls, "the answer is paid for, and its run dies"
    stage.world.jobs.change(run.id, lambda head: reconcile(head, now=MUCH_LATER))
    again = stage.world.start(run.id, "exec-2", MUCH_LATER)
    taken = select(stage.world, again)
    assert (taken["candidates"], taken["keep"]) == ([], True)
    head = settling_of(stage.world)(again, {"answer": taken["released"]}, MUCH_LATER, keeps=True)
    assert (head.status, len(head.calls)) == (Status.SUCCEEDED, 1)
    assert hit(stage.world)
    cache_lookup_of(stage.world).answers.forget(run.id)
    assert not hit(stage.world), "and it goes with the job"


def test_a_job_without_the_cache_gives_it_nothing_in_its_second_run_either() -> None:
    stage = Stage()
    stage.world.tenant()
    run = started(stage.world, {"input": {"text": "How are you?"}})
    stage("large", run)
    stage.world.jobs.change(run.id, lambda head: reconcile(head, now=MUCH_LATER))
    assert "keep" not in select(stage.world, stage.world.start(run.id, "exec-2", MUCH_LATER))


@pytest.mark.parametrize("stage_of", ["input", "output"])
def test_what_a_run_gave_that_broke_off_is_taken_back_where_the_next_one_blocks_it(stage_of: str) -> None:
    stage, run, ending = asked()
    again = broke_off(stage, run, ending)
    assert hit(stage.world), "then nothing is proved"
    blocked: dict[str, Any] = {"blocked": {"stage": stage_of, "rules": ["secrets"]}}
    if stage_of == "output":
        blocked["answer"] = select(stage.world, again)["released"]
    assert settling_of(stage.world)(again, blocked, MUCH_LATER).status is Status.BLOCKED
    assert not hit(stage.world)


def test_what_is_given_while_it_is_withdrawn_is_still_found_to_be_forgotten() -> None:
    stage, run, ending = asked()
    step, answers = settling_of(stage.world), cache_lookup_of(stage.world).answers
    head = step(run, ending, LATER, keeps=True)

    def meanwhile() -> None:
        answers.withdraw(run.id)
        given = Given("large", {"text": "Well."}, {}, 1)
        assert answers.keep(head, given, LATER + 1)

    stage.world.database.meanwhile.append(meanwhile)
    answers.withdraw(run.id)
    assert hit(stage.world)
    answers.forget(run.id)
    assert not hit(stage.world)
