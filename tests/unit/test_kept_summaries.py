"""Summaries that are kept with a conversation: paid for once, true of what is kept, and gone with what they are of."""

from itertools import pairwise

import pytest
from broker.errors import Conflict, PermissionDenied, Unavailable
from broker.jobs.ending import cancel_job
from broker.jobs.head import Status
from broker.providers.wire.base import Answer
from broker.registry.document import parse_registry

from tests.fakes.provider import failing
from tests.fakes.talk import Talk
from tests.fakes.world import HOUR, NOW, SECOND


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_a_summary_is_paid_for_once_and_used_by_the_jobs_that_follow(talk: Talk) -> None:
    payer = talk.until_summarised()
    assert talk.shown(payer)["context"]["summary"] == "made"
    assert [each["operation"] for each in talk.shown(payer)["attempts"]] == ["summarize", "answer"]
    user = talk()
    shown = talk.shown(user)
    assert "Gist 1." in talk.sent and "Word 1:" not in talk.sent
    assert f"Word {talk.said - 1}:" in talk.sent, "newer turns stay as they were said"
    assert talk.paid == 1
    assert [each["operation"] for each in shown["attempts"]] == ["answer"]
    assert shown["usage"]["cost_usd"] == shown["attempts"][0]["cost_usd"]
    assert (shown["context"]["strategy"], shown["context"]["summary"]) == ("summarize", "kept")
    assert shown["context"]["dropped_turns"] >= 2
    assert shown["context"]["tokens_before"] > shown["context"]["tokens_after"]


def test_it_serves_for_more_than_one_job(talk: Talk) -> None:
    talk.until_summarised()
    for _ in range(2):
        talk()
    assert talk.paid == 1


def test_the_next_summary_is_made_of_the_last_and_of_what_fell_out(talk: Talk) -> None:
    talk.until_summarised()
    talk.until_summarised()
    asked = str([call for call in talk.stage.provider.calls if call.model == "cheap-1"][-1].input)
    assert "Gist 1." in asked and "Word 1:" not in asked
    talk()
    assert "Gist 2." in talk.sent and "Gist 1." not in talk.sent
    words = [number for number in range(1, talk.said) if f"Word {number}:" in talk.sent or f"Word {number}:" in asked]
    first = words[0]
    assert words == list(range(first, talk.said)), "each word is in a summary or is told as it was said"
    assert f"Word {first}:" in asked
    counted = talk.shown(talk())["context"]["dropped_turns"]
    sent = sum(f"Word {number}:" in talk.sent for number in range(1, talk.said))
    assert counted == 2 * (talk.said - 1 - sent), "the summary counts as what it stands for"


def test_nobody_goes_on_from_a_summary_of_what_a_model_said_that_they_may_not_use(talk: Talk) -> None:
    talk.until_summarised()
    talk.until_summarised()
    world = talk.stage.world
    summary = world.turns.place("acme", "c-1", talk.now).summary
    assert summary and summary.by == ["narrow"], "the turns of the summary before it are in it"
    for turn in world.turns.newest("acme", "c-1", limit=100, now=talk.now):
        if turn.job_id > summary.through:
            world.turns.erase_turn("acme", "c-1", turn.job_id)
    assert talk.begin(model="large")
    closed = {"id": "closed", "models": ["narrow"], "deny": {"tenants": ["acme"]}}
    world.register(parse_registry({"permissions": [closed]}).permissions[0].item())
    with pytest.raises(PermissionDenied) as refused:
        talk.begin(model="large")
    assert refused.value.param == "conversation_id"


def test_a_users_turns_never_stand_in_a_row(talk: Talk) -> None:
    talk.until_summarised()
    talk()
    roles = [message["role"] for message in talk.stage.provider.calls[-1].input["messages"]]
    assert all(one != other for one, other in pairwise(roles)), roles


def test_turns_are_kept_without_the_summary(talk: Talk) -> None:
    talk.until_summarised()
    talk()
    turns = talk.stage.world.turns.newest("acme", "c-1", limit=100, now=talk.now)
    assert len(turns) == talk.said
    assert "Gist" not in str([turn.load() for turn in turns])


def test_other_strategies_are_told_the_turns_as_they_were(talk: Talk) -> None:
    talk.until_summarised()
    talk.stage.world.turns.asked.clear()
    for strategy in ("error", "truncate_oldest"):
        talk(model="large", context={"strategy": strategy})
        assert "Word 1:" in talk.sent and "Gist" not in talk.sent
    assert "place" not in talk.stage.world.turns.asked


def test_a_job_without_a_conversation_reads_nothing_more(talk: Talk) -> None:
    talk.stage.world.turns.asked.clear()
    talk(conversation_id=None)
    assert talk.stage.world.turns.asked == []


def test_a_job_that_fails_after_its_summary_has_not_paid_in_vain(talk: Talk) -> None:
    run = talk.until_too_long()
    talk.stage("narrow", run, talk.now)
    cancel_job(talk.stage.world.jobs, run.id, "acme", talk.now)
    talk()
    assert (talk.paid, "Gist 1." in talk.sent) == (1, True)


def test_of_two_at_once_one_keeps_its_summary_and_both_are_answered(talk: Talk) -> None:
    first = talk.until_too_long()
    second = talk.begin()
    talk.end(first)
    assert talk.end(second).status is Status.SUCCEEDED
    assert talk.paid == 2, "neither knew of the other"
    talk()
    assert "Gist 1." in talk.sent and talk.paid == 2
    assert all(f"Word {number}:" in talk.sent for number in range(talk.said - 2, talk.said))


@pytest.mark.parametrize("when", ["after it", "while it is made"])
def test_a_turn_that_comes_late_is_told_all_the_same(talk: Talk, when: str) -> None:
    """Its job was accepted before others and ends after them."""
    talk()
    slow = talk.begin(model="large")
    word = f"Word {talk.said}:"
    payer = talk.until_too_long()
    if when == "while it is made":

        def during() -> None:
            talk.stage.provider.during = lambda: None
            talk.end(slow, "large")

        talk.stage.provider.during = during
    talk.end(payer)
    if when == "after it":
        assert talk.stands
        talk.end(slow, "large")
    assert not talk.stands, "it was made without that turn"
    talk(model="large")
    assert word in talk.sent


@pytest.mark.parametrize("late", [False, True], ids=["while it is made", "right at the write"])
def test_a_stale_run_keeps_no_summary(talk: Talk, late: bool) -> None:
    run = talk.until_too_long()

    def cancel() -> None:
        cancel_job(talk.stage.world.jobs, run.id, "acme", talk.now)

    def during() -> None:
        talk.stage.provider.during = lambda: None
        if late:  # the summary's call is settled by the write before
            talk.stage.world.database.meanwhile.extend([lambda: None, cancel])
        else:
            cancel()

    talk.stage.provider.during = during
    with pytest.raises(Conflict):
        talk.end(run)
    assert talk.stage.world.jobs.get(run.id).status is Status.CANCELED
    assert (talk.paid, talk.stands) == (1, False)


@pytest.mark.parametrize("which", [0, 1])
def test_erasing_a_job_takes_the_summary_of_its_turn_along(talk: Talk, which: int) -> None:
    jobs = [talk(), talk()]
    talk.until_summarised()
    assert talk.stands
    talk.erase(jobs[which])
    assert not talk.stands
    talk(model="large")
    assert "Gist" not in talk.sent
    assert [f"Word {number}:" in talk.sent for number in (1, 2)] == [which != 0, which != 1]


def test_erasing_a_job_that_no_summary_is_of_lets_it_stand(talk: Talk) -> None:
    talk.until_summarised()
    talk.erase(talk())
    talk()
    assert (talk.paid, "Gist 1." in talk.sent) == (1, True)
    assert f"Word {talk.said - 1}:" not in talk.sent, "that was the one"


@pytest.mark.parametrize("what", ["a job", "the conversation"])
def test_what_is_erased_while_a_summary_is_made_is_in_none(talk: Talk, what: str) -> None:
    first, payer = talk(), talk.until_too_long()

    def forget() -> None:
        talk.stage.provider.during = lambda: None
        if what == "a job":
            talk.erase(first)
        else:
            talk.stage.world.turns.erase("acme", "c-1", talk.now)

    talk.stage.provider.during = forget
    talk.end(payer)
    assert (talk.paid, talk.stands) == (1, False)
    talk(model="large")
    assert "Gist" not in talk.sent and "Word 1:" not in talk.sent


def test_erasing_a_conversation_takes_the_summary_along(talk: Talk) -> None:
    talk.until_summarised()
    talk.stage.world.turns.erase("acme", "c-1", talk.now)
    assert not talk.stands
    talk()
    assert "Gist" not in talk.sent


def test_a_summary_goes_with_the_first_of_its_turns_that_goes(talk: Talk) -> None:
    talk(ttl_seconds=7_200)
    talk.until_summarised()
    talk.now = NOW + 2 * HOUR - SECOND
    assert talk.stands
    talk.now += 2 * SECOND
    assert not talk.stands
    talk(model="large")
    assert "Gist" not in talk.sent and "Word 1:" not in talk.sent and "Word 2:" in talk.sent


def test_without_a_new_summary_the_old_one_still_stands_for_its_turns(talk: Talk) -> None:
    talk.until_summarised()
    run = talk.until_too_long()
    talk.stage.provider.script = [failing(Unavailable), Answer({"text": "Fine."})]
    shown = talk.shown(talk.end(run))
    assert [(each["operation"], each["outcome"]) for each in shown["attempts"]] == [
        ("summarize", "Unavailable"),
        ("answer", "succeeded"),
    ]
    assert "Gist 1." in talk.sent
    assert (shown["context"]["strategy"], shown["context"]["summary"]) == ("truncate_oldest", "kept")


@pytest.mark.parametrize("said", ["", "  ", "word " * 2_000], ids=["nothing", "blanks", "too much"])
def test_a_summary_that_is_none_is_not_kept(talk: Talk, said: str) -> None:
    run = talk.until_too_long()
    talk.stage.provider.script = [Answer({"text": said}), Answer({"text": "Fine."})]
    assert talk.end(run).status is Status.SUCCEEDED
    assert (talk.paid, talk.stands) == (1, False)


@pytest.mark.parametrize("writes", [0, 1, 2], ids=["in its call", "after its settling", "before the next call"])
def test_what_a_stale_run_writes_of_a_job_that_was_erased_goes_with_it(talk: Talk, writes: int) -> None:
    run = talk.until_too_long()
    world = talk.stage.world

    def forget() -> None:
        talk.erase(cancel_job(world.jobs, run.id, "acme", talk.now))

    def during() -> None:
        talk.stage.provider.during = lambda: None
        if writes == 0:
            forget()
        world.database.meanwhile.extend([*[lambda: None] * writes, forget] if writes else [])

    talk.stage.provider.during = during
    with pytest.raises(Conflict):
        talk.end(run)
    assert (talk.paid, world.payloads.names(run.id)) == (1, [])
