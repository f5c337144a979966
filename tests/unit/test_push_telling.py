"""Telling connections: each its own, in order, and no tenant at another's expense."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.batches.batch import BatchStatus
from broker.jobs.head import HELD, Status
from broker.push.changes import BatchChange, News
from broker.push.connection import LONGEST_MS
from broker.push.telling import MOST_BYTES, MOST_FAILURES, messages_of
from broker.push.watching import CHECK_MS

from tests.fakes.database import Crash
from tests.fakes.world import BASE_URL, JOB_ID, NOW
from tests.unit.push_case import BATCH_ID, COMPLETED, DIGESTS, DONE, QUEUED, RUNNING, Push, a_batch, a_change, ends


@pytest.fixture
def push() -> Push:
    made = Push()
    made.put()
    return made


def test_who_listens_to_a_job_hears_each_status_in_order_with_its_sequence(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.tells(a_change(None, QUEUED), a_change(QUEUED, RUNNING), a_change(RUNNING, DONE))
    heard = push.heard("c1")
    assert [(each["type"], each["sequence"]) for each in heard] == [
        ("job.queued", 1),
        ("job.running", 2),
        ("job.succeeded", 3),
    ]
    assert len(push.gateway.sent) == 1, "one message, whatever there is to tell"
    assert heard[-1]["url"] == f"{BASE_URL}/jobs/{JOB_ID}" and heard[-1]["model"] == "small"


def test_what_is_told_is_no_payload(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.tells(ends())
    (told,) = push.heard("c1")
    facts = {"job_id", "status", "task", "model", "error", "usage", "url"}
    assert told.keys() == facts | {"type", "timestamp", "sequence"}


@pytest.mark.parametrize(
    ("before", "after"),
    [(QUEUED, replace(QUEUED, nudges=1, rev=2)), (RUNNING, replace(RUNNING, rev=3)), (DONE, replace(DONE, rev=4))],
)
def test_a_change_of_no_status_is_not_told(push: Push, before: Any, after: Any) -> None:
    push.listens("c1", all=True)
    assert push.tells(a_change(before, after)) == 0


def test_a_job_that_goes_back_to_its_queue_is_told_of(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.tells(a_change(RUNNING, replace(QUEUED, rev=3, run=1)))
    assert [(each["type"], each["sequence"]) for each in push.heard("c1")] == [("job.queued", 3)]


def test_a_hold_and_its_release_are_told_of_and_not_the_operators_page(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    review = {"state": HELD, "since": NOW + 3, "stage": "input", "rules": ["r1"]}
    held = replace(QUEUED, review=review, rev=2)
    push.tells(a_change(QUEUED, held))
    push.tells(a_change(held, replace(QUEUED, review=review | {"state": "released", "at": NOW + 9}, rev=3)))
    first, second = push.heard("c1")
    assert (first["type"], first["review"]["rules"]) == ("job.held", ["r1"])
    assert second["type"] == "job.released" and "review" not in second
    assert "admin" not in json.dumps([first, second])


def test_another_tenant_hears_nothing_whatever_it_listens_to(push: Push) -> None:
    push.listens("c1", "rival", all=True)
    assert push.tells(ends(), COMPLETED) == 0
    assert push.gateway.posts == []


def test_a_connection_hears_what_it_listens_to_and_no_more(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.open("c2")
    push.tells(ends("job_other"))
    assert push.gateway.posts == []
    push.tells(ends())
    assert push.gateway.posts == ["c1"]


def test_all_is_rows_and_batches_too(push: Push) -> None:
    push.listens("c1", all=True)
    push.tells(ends(batch=BATCH_ID, row=4), COMPLETED)
    assert [each["type"] for each in push.heard("c1")] == ["job.succeeded", "batch.completed"]


@pytest.mark.parametrize(("rows", "told"), [(False, ["batch.completed"]), (True, ["job.succeeded", "batch.completed"])])
def test_a_batch_is_told_of_and_its_rows_where_they_are_asked_for(push: Push, rows: bool, told: list[str]) -> None:
    push.put_batch()
    push.listens("c1", batch=BATCH_ID, rows=rows)
    push.tells(ends(batch=BATCH_ID, row=4), ends("job_other", batch="batch_other", row=1), COMPLETED)
    assert [each["type"] for each in push.heard("c1")] == told


def test_a_batch_that_counts_is_not_told_of(push: Push) -> None:
    push.listens("c1", all=True)
    batch = a_batch(status=BatchStatus.IN_PROGRESS)
    assert push.tells(BatchChange(batch, replace(batch, rev=2, shards=3))) == 0


def test_a_connection_that_is_gone_is_forgotten_and_others_hear(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.listens("c2", job=JOB_ID)
    push.gateway.opened.discard("c1")
    push.tells(ends())
    assert [each.id for each in push.connections.open_in("acme", NOW)] == ["c2"]
    assert len(push.heard("c2")) == 1
    push.tells(ends())
    assert push.gateway.posts.count("c1") == 1, "it is asked once"


def test_who_missed_something_is_closed(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.gateway.slow.add("c1")
    push.tells(ends())
    assert "c1" not in push.gateway.opened
    assert push.connections.open_in("acme", NOW) == []
    assert push.unsent == [("c1", "TimeoutError")]


def test_who_missed_something_and_could_not_be_closed_is_closed_at_its_next_message(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.gateway.slow.add("c1")
    push.gateway.stuck.add("c1")
    push.tells(ends())
    assert push.says("c1", action="ping") is None


def test_or_at_the_next_change_and_hears_nothing_then(push: Push) -> None:
    push.listens("c1", all=True)
    push.gateway.slow.add("c1")
    push.gateway.stuck.add("c1")
    push.tells(ends())
    push.gateway.slow.clear()
    push.gateway.stuck.clear()
    push.tells(ends("job_other"))
    assert "c1" not in push.gateway.opened and push.heard("c1") == []


def test_a_tenant_whose_connections_are_slow_is_not_tried_for_long(push: Push) -> None:
    for number in range(20):
        push.listens(f"slow{number:02}", all=True)
        push.gateway.slow.add(f"slow{number:02}")
    push.listens("other", "rival", all=True)
    push.tells(ends(), ends("job_rival", tenant="rival"))
    assert push.gateway.posts.index("other") == 1, "tenants are told in turn"
    assert len(push.gateway.posts) == MOST_FAILURES + 1
    left = push.connections.open_in("acme", NOW)
    assert len(left) == 20 - MOST_FAILURES and all(each.lost for each in left)


def test_what_there_is_no_time_for_is_not_told_and_closes_the_connection(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.listens("c2", "rival", all=True)
    assert push.tells(ends(), seconds_left=lambda: 0.0) == 1
    assert push.gateway.posts == []
    assert push.unsent == [("c1", "no time")]
    assert push.says("c1", action="ping") is None
    assert push.says("c2", "rival", action="ping") == {"type": "pong"}


def test_nothing_is_read_where_there_is_no_news_and_a_tenants_once_else(
    push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    query = push.world.database.query

    def counted(table: Any, pk: str, prefix: str = "") -> Any:
        reads.append(pk)
        return query(table, pk, prefix)

    monkeypatch.setattr(type(push.world.database), "query", lambda self, *of: counted(*of))
    push.tells(a_change(DONE, replace(DONE, rev=4)))
    assert reads == []
    push.tells(ends(), ends("job_2"), ends("job_3"), ends("job_4", tenant="rival"))
    assert sorted(reads) == ["PUSH#acme", "PUSH#rival"]


def test_a_connection_whose_key_is_revoked_hears_nothing_a_minute_later(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.key("acme", DIGESTS["acme"], status="revoked")
    push.tells(ends(), now=NOW + CHECK_MS - 1)
    assert len(push.heard("c1")) == 1, "that is what a minute means"
    push.tells(ends(), now=NOW + CHECK_MS)
    assert len(push.heard("c1")) == 1
    assert "c1" not in push.gateway.opened


def test_a_key_that_is_good_is_asked_about_once_a_minute(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.tells(ends(), now=NOW + CHECK_MS)
    (found,) = push.connections.open_in("acme", NOW)
    assert found.checked_at == NOW + CHECK_MS
    assert len(push.heard("c1")) == 1


def test_a_connection_whose_token_or_time_is_over_hears_nothing(push: Push) -> None:
    push.open("c1", digest="", until=NOW + 1_000)
    push.says("c1", action="subscribe", all=True)
    push.listens("c2", all=True)
    push.tells(ends(), now=NOW + 1_000)
    assert push.gateway.posts == ["c2"]
    assert push.tells(ends(), now=NOW + LONGEST_MS) == 0


def test_a_batch_of_the_stream_that_comes_again_after_a_crash_is_told_with_the_same_sequence(push: Push) -> None:
    push.listens("c1", job=JOB_ID)

    def crash(connection_id: str) -> None:
        push.gateway.before_post = lambda connection_id: None
        raise Crash

    push.tells(ends())
    push.gateway.before_post = crash
    with pytest.raises(Crash):
        push.tells(ends())
    push.tells(ends())
    assert [each["sequence"] for each in push.heard("c1")] == [3, 3]


def test_messages_are_never_larger_than_api_gateway_takes_and_lose_nothing() -> None:
    told = [
        News("acme", {"type": "job.failed", "error": {"message": "x" * 600}, "n": n}, f"job_{n}") for n in range(500)
    ]
    texts = messages_of(told)
    assert len(texts) > 1
    assert all(len(text.encode()) < MOST_BYTES + 2_000 < 128 * 1024 for text in texts)
    assert [change["n"] for text in texts for change in json.loads(text)["changes"]] == list(range(500))
    assert messages_of([]) == []


def test_a_job_that_was_canceled_before_it_began_is_told_of(push: Push) -> None:
    push.listens("c1", job=JOB_ID)
    push.tells(a_change(QUEUED, replace(QUEUED, status=Status.CANCELED, ended_at=NOW + 1, rev=2)))
    assert [each["type"] for each in push.heard("c1")] == ["job.canceled"]
