"""The cache and shared calls: what was spared, and what is dropped on order."""

import pytest

from tests.e2e.stack import Stack, chat

CACHED = {"model": "answers", "cache": {"ttl_seconds": 600}}


def test_the_same_question_is_answered_from_the_cache_at_no_cost(stack: Stack) -> None:
    body = chat("Summarize: The kettle sang. The tea was green.", **CACHED)
    first, second = stack.run(body), stack.run(body)
    assert first["cache"]["hit"] is False
    assert (second["cache"]["hit"], second["cache"]["kind"]) == (True, "exact")
    assert second["output"] == first["output"]
    assert second["usage"]["cost_usd"] == 0 < second["cache"]["saved_usd"]
    assert stack.calls_of(second) == []
    assert stack.run(chat("Summarize: The kettle sang. The tea was green.", model="answers"))["cache"] is None


def test_another_tenant_and_a_refresh_ask_anew(stack: Stack) -> None:
    body = chat("Summarize: The gate was open. The dog was not.", **CACHED)
    stack.run(body)
    assert stack.run(body, stack.as_tenant("noting"))["cache"]["hit"] is False
    assert stack.run({**body, "cache": {"mode": "refresh"}})["cache"]["hit"] is False
    assert stack.run(body)["cache"]["hit"] is True


def test_an_answer_that_moderation_blocked_is_not_kept(stack: Stack) -> None:
    body = chat("What is the sentiment of: I love this gate", **CACHED)
    jobs = [stack.run(body, stack.as_tenant("noting")) for _ in range(2)]
    assert [(job["status"], len(job["attempts"])) for job in jobs] == [("blocked", 1)] * 2


def test_bypass_neither_takes_nor_gives(stack: Stack) -> None:
    body = chat("Summarize: The bell rang twice. It was noon.", model="answers")
    stack.run({**body, "cache": {"mode": "bypass"}})
    assert stack.run({**body, "cache": {}})["cache"]["hit"] is False
    assert len(stack.run({**body, "cache": {"mode": "bypass"}})["attempts"]) == 1


def test_erasing_a_job_drops_what_it_gave(stack: Stack) -> None:
    body = chat("Summarize: The letter came late. It was read at once.", **CACHED)
    first = stack.run(body)
    assert stack.api.call("DELETE", f"/jobs/{first['id']}").status == 204
    assert stack.run(body)["cache"]["hit"] is False


def test_identical_jobs_under_way_share_one_call(stack: Stack) -> None:
    body = chat("Summarize: The mill turned all night. Nobody heard.", model="slow", coalesce=True)
    accepted = [stack.api.submit(body).body["id"] for _ in range(3)]
    jobs = [stack.api.finished(each) for each in accepted]
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert sorted(len(job["attempts"]) for job in jobs) == [0, 0, 1]
    assert len({job["output"]["text"] for job in jobs}) == 1
    shared = [job["cache"] for job in jobs if not job["attempts"]]
    assert {each["kind"] for each in shared} == {"coalesced"}


@pytest.mark.parametrize("tenant", ["alike", "alike-by-titan"])
def test_a_similar_question_is_answered_where_tenant_and_job_ask_for_it(stack: Stack, tenant: str) -> None:
    alike = stack.as_tenant(tenant)
    facts = {"model": "answers", "cache": {"similarity": 0.5}}
    first = stack.run(chat("Summarize: The keeper lit the old lamp in the tower.", **facts), alike)
    assert [attempt["cost_usd"] > 0 for attempt in first["attempts"]] == [True, True], "the embedding is paid for too"
    second = stack.run(chat("Summarize: The keeper lit the old lamp in the tower!", **facts), alike)
    assert (second["cache"]["kind"], len(second["attempts"])) == ("semantic", 1)
    assert second["output"] == first["output"]
