"""The guardrail steps: what they block, what they note, and that a stale run does neither."""

from dataclasses import replace
from typing import Any

import pytest
from broker.errors import Conflict
from broker.jobs.transitions import Fence
from broker.steps.context import Run
from broker.steps.guarding import Guard
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants

from tests.fakes.world import JOB_ID, NOW, World, a_head

CARD = "4111 1111 1111 1111"
WHAT = "a payment card number and words that are not allowed here"


def guarded(text: str, policy: dict[str, Any] | None = None) -> tuple[World, Guard, Run]:
    """A running job that was asked this and answered the same."""
    world = World()
    world.tenant(policy=policy or {})
    head = world.put(a_head())
    world.payloads.save(head, "BODY", {"task": "chat", "input": {"text": text}})
    world.payloads.save(head, "OUTPUT#1.1", {"text": text})
    run = world.start(JOB_ID)
    return world, Guard(world.jobs, world.payloads, Tenants(world.database), Policies(world.database), str), run


def both(guard: Guard, run: Run) -> list[dict[str, Any]]:
    return [guard.check_input(run, NOW), guard.moderate_output(run, "OUTPUT#1.1", NOW)]


def test_a_harmless_text_passes_and_leaves_no_note() -> None:
    world, guard, run = guarded("How are you?")
    assert both(guard, run) == [{"blocked": False, "rules": []}] * 2
    assert world.jobs.notes(JOB_ID, "GUARD#") == {}


def test_what_the_policy_forbids_is_blocked_at_both_ends() -> None:
    world, guard, run = guarded(f"My card is {CARD} and the plan is Bluebird.", {"denied_terms": ["bluebird"]})
    assert both(guard, run) == [
        {"blocked": True, "rules": ["card_numbers", "denied_terms"], "message": message}
        for message in (
            f"Your request was not passed on, because it contains {WHAT}.",
            f"The answer is not shown, because it contains {WHAT}.",
        )
    ]
    notes = world.jobs.notes(JOB_ID, "GUARD#")
    assert sorted(notes) == ["GUARD#1#input", "GUARD#1#output"]
    assert {finding["stage"] for finding in notes["GUARD#1#output"]["findings"]} == {"output"}
    assert CARD not in str(notes)


def test_what_the_policy_lets_pass_is_noted() -> None:
    world, guard, run = guarded(f"My card is {CARD}.", {"block_card_numbers": False})
    assert both(guard, run) == [{"blocked": False, "rules": []}] * 2
    (finding,) = world.jobs.notes(JOB_ID, "GUARD#")["GUARD#1#input"]["findings"]
    assert (finding["rule"], finding["action"]) == ("card_numbers", "flag")


def test_a_repeat_finds_the_same_and_notes_it_once() -> None:
    world, guard, run = guarded(CARD)
    assert both(guard, run) == both(guard, run)
    assert len(world.jobs.notes(JOB_ID, "GUARD#")) == 2


def test_a_stale_run_notes_nothing() -> None:
    world, guard, run = guarded(CARD)
    stale = replace(run, fence=Fence(run.fence.run + 1, "exec-9"))
    with pytest.raises(Conflict):
        guard.check_input(stale, NOW)
    with pytest.raises(Conflict):
        guard.moderate_output(stale, "OUTPUT#1.1", NOW)
    assert world.jobs.notes(JOB_ID, "GUARD#") == {}


def test_who_is_blocked_is_told_in_the_tenants_language() -> None:
    world, guard, run = guarded(CARD)
    world.tenant(language="de")
    message = guard.check_input(run, NOW)["message"]
    assert message == "Ihre Anfrage wurde nicht weitergegeben, denn sie enthält die Nummer einer Zahlungskarte."
    assert "4111" not in message
