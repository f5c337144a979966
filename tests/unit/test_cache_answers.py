"""Answers that are kept: found by the same question or a similar one, on both jobs' terms, and dropped on order."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from broker.cache.answers import INLINE_BYTES, NEIGHBOURS, NOTE, Given, Hit, Wish
from broker.cache.vectors import Vector
from broker.jobs.head import Head
from broker.jobs.store import Jobs

from tests.fakes.database import Crash, FakeDatabase
from tests.fakes.questions import GIVEN, answers, question, wish
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND, a_head

BODY: dict[str, Any] = {"input": {"text": "How are you?"}, "cache": {}}
OTHER: dict[str, Any] = {"input": {"text": "Who are you?"}, "cache": {}}
ALIKE: dict[str, Any] = {**BODY, "cache": {"similarity": 0.9}}


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


def job(number: int = 1, **changes: Any) -> Head:
    return a_head(id=f"job_{number}", **changes)


def missed(database: FakeDatabase, head: Head, its: Wish, vector: Vector | None = None) -> Head:
    """A job that found nothing."""
    Jobs(database, ()).note(head, NOTE, its.note(vector))
    return head


def keep(
    database: FakeDatabase, its: Wish, given: Given = GIVEN, *, head: Head | None = None, now: int = NOW, **more: Any
) -> bool:
    """A job that found nothing, and had its own answer."""
    return answers(database).keep(missed(database, head or job(), its, **more), given, now)


def find(database: FakeDatabase, its: Wish, now: int = NOW) -> Hit | None:
    return answers(database).find(its, now)


def stored(database: FakeDatabase) -> list[tuple[str, str]]:
    return [key[1:] for key in database._items if key[0] == "cache"]


def test_the_same_question_finds_the_answer_with_its_facts(database: FakeDatabase) -> None:
    assert find(database, wish(BODY)) is None
    assert keep(database, wish(BODY))
    assert find(database, wish(BODY), NOW + 5 * SECOND) == Hit(GIVEN, "exact", 5_000)
    assert find(database, wish(OTHER)) is None


def test_a_hit_says_what_it_spared(database: FakeDatabase) -> None:
    keep(database, wish(BODY))
    hit = find(database, wish(BODY), NOW + MINUTE)
    assert hit is not None
    assert hit.note() == {"hit": True, "kind": "exact", "age_ms": 60_000, "saved": 11}
    near = replace(hit, kind="semantic", similarity=0.9312)
    assert near.note()["similarity"] == 9312


def test_tenants_never_meet(database: FakeDatabase) -> None:
    keep(database, wish(BODY))
    assert find(database, wish(BODY, tenant="zeta")) is None
    forged = question(BODY, tenant="zeta")
    same_hash = replace(wish(BODY, tenant="zeta"), question=replace(forged, keys=question(BODY).keys))
    assert find(database, same_hash) is None, "the tenant stands in the table's key too, not only in the hash"


@pytest.mark.parametrize(("kept_for", "asked_for"), [(60, 3600), (3600, 60)])
def test_an_answer_is_as_old_as_both_jobs_allow(database: FakeDatabase, kept_for: int, asked_for: int) -> None:
    keep(database, wish({**BODY, "cache": {"ttl_seconds": kept_for}}))
    asked = wish({**BODY, "cache": {"ttl_seconds": asked_for}})
    assert find(database, asked, NOW + MINUTE - 1) is not None
    assert find(database, asked, NOW + MINUTE) is None


def test_an_answer_goes_with_the_job_that_gave_it(database: FakeDatabase) -> None:
    head = job(payloads_until=(NOW + MINUTE) // SECOND)
    keep(database, wish(BODY), head=head)
    assert find(database, wish(BODY), NOW + MINUTE - SECOND) is not None
    assert find(database, wish(BODY), NOW + MINUTE + SECOND) is None


def test_the_table_may_delete_what_nobody_finds_any_more(database: FakeDatabase) -> None:
    keep(database, wish(BODY))
    (item,) = [item for (table, _, _), item in database._items.items() if table == "cache"]
    assert item["expires_at"] * 1000 >= item["until"] == NOW + HOUR
    assert find(database, wish(BODY), item["expires_at"] * 1000) is None


def test_refresh_finds_nothing_and_replaces(database: FakeDatabase) -> None:
    keep(database, wish(BODY))
    anew = wish({**BODY, "cache": {"mode": "refresh"}})
    assert find(database, anew) is None
    newer = replace(GIVEN, output={"text": "Better."})
    assert keep(database, anew, newer, head=job(2), now=NOW + SECOND)
    hit = find(database, wish(BODY), NOW + SECOND)
    assert hit is not None
    assert (hit.given, hit.age_ms) == (newer, 0)


def test_an_hour_unless_said_otherwise() -> None:
    assert wish(BODY).ttl_ms == HOUR


def test_a_fallbacks_answer_is_found_where_that_model_comes_first(database: FakeDatabase) -> None:
    large = replace(GIVEN, model="large")
    assert keep(database, wish(BODY), large)
    assert find(database, wish(BODY)) is None
    both = wish(BODY).question
    first = replace(wish(BODY), question=replace(both, keys={"large": both.keys["large"]}))
    assert find(database, first) == Hit(large, "exact", 0)


@pytest.mark.parametrize(
    "given",
    [
        replace(GIVEN, model="stranger"),
        replace(GIVEN, output={"files": [{"s3": "s3://outbox/x"}]}),
        replace(GIVEN, output={"text": Random(7).randbytes(INLINE_BYTES).hex()}),
    ],
    ids=["no candidate", "files", "large"],
)
def test_what_is_not_kept(database: FakeDatabase, given: Given) -> None:
    assert keep(database, wish(BODY), given) is False
    assert stored(database) == []


def test_a_job_that_asked_for_nothing_or_was_given_an_answer_keeps_nothing(database: FakeDatabase) -> None:
    assert answers(database).keep(job(), GIVEN, NOW) is False
    Jobs(database, ()).note(job(), NOTE, Hit(GIVEN, "exact", 0).note())
    assert answers(database).keep(job(), GIVEN, NOW) is False
    assert stored(database) == []


def test_keeping_may_be_repeated(database: FakeDatabase) -> None:
    vector = Vector.of([1, 2, 3])
    head = missed(database, job(), wish(ALIKE, embedding_model="titan"), vector)
    for later in range(2):
        assert answers(database).keep(head, GIVEN, NOW + later)
    assert len(stored(database)) == 2


# ------------------------------------------------------------ forgetting


def test_what_a_job_gave_is_dropped_with_it(database: FakeDatabase) -> None:
    keep(database, wish(ALIKE, embedding_model="titan"), vector=Vector.of([1, 2, 3]))
    for _ in range(2):
        answers(database).forget("job_1")
        assert stored(database) == []
    note = Jobs(database, ()).notes("job_1")[NOTE]
    assert not {"vector", "square"} & note.keys(), "an embedding tells much of its text"


def test_what_another_job_gave_since_stays(database: FakeDatabase) -> None:
    keep(database, wish(BODY))
    keep(database, wish({**BODY, "cache": {"mode": "refresh"}}), head=job(2))
    answers(database).forget("job_1")
    assert find(database, wish(BODY)) is not None
    answers(database).forget("job_2")
    assert find(database, wish(BODY)) is None


def test_a_job_that_was_erased_before_it_gave_gives_no_more(database: FakeDatabase) -> None:
    head = missed(database, job(), wish(ALIKE, embedding_model="titan"), Vector.of([1, 2]))
    database.meanwhile.append(lambda: answers(database).forget(head.id))
    assert answers(database).keep(head, GIVEN, NOW) is False
    assert stored(database) == []


def test_forgetting_a_job_without_the_cache_leaves_no_trace(database: FakeDatabase) -> None:
    answers(database).forget("job_1")
    assert database._items == {}


def test_a_crash_while_keeping_leaves_nothing_that_cannot_be_forgotten(database: FakeDatabase) -> None:
    head = missed(database, job(), wish(BODY))
    database.crash_in = 0
    with pytest.raises(Crash):
        answers(database).keep(head, GIVEN, NOW)
    database.crash_in = None
    assert stored(database) == []
    assert answers(database).keep(head, GIVEN, NOW)
    answers(database).forget(head.id)
    assert stored(database) == []


# ------------------------------------------------------------ similar questions


def near(body: dict[str, Any] = ALIKE, **facts: Any) -> Wish:
    return wish(body, **{"embedding_model": "titan", **facts})


def similar(database: FakeDatabase, embedding: list[float], its: Wish | None = None, now: int = NOW) -> Hit | None:
    return answers(database).find_similar(
        its or near({**OTHER, "cache": {"similarity": 0.9}}), Vector.of(embedding), now
    )


def test_a_similar_question_finds_the_answer_and_how_alike_it_is(database: FakeDatabase) -> None:
    keep(database, near(), vector=Vector.of([1, 0.1]))
    hit = similar(database, [1, 0.2], now=NOW + MINUTE)
    assert hit is not None
    assert (hit.given, hit.kind, hit.age_ms) == (GIVEN, "semantic", MINUTE)
    assert hit.similarity == pytest.approx(0.995, abs=0.002)


def test_the_threshold_is_the_requests(database: FakeDatabase) -> None:
    keep(database, near(), vector=Vector.of([1, 0]))
    for threshold, found in ((0.79, True), (0.81, False)):
        its = near({**OTHER, "cache": {"similarity": threshold}})
        assert (similar(database, [0.8, 0.6], its) is not None) == found


def test_the_most_alike_is_taken(database: FakeDatabase) -> None:
    for number, embedding in enumerate(([1, 0.3], [1, 0.1], [1, 0.2]), 1):
        body = {"input": {"text": f"Question {number}"}, "cache": {"similarity": 0.9}}
        given = replace(GIVEN, output={"text": f"Answer {number}"})
        keep(database, near(body), given, head=job(number), now=NOW + number, vector=Vector.of(embedding))
    hit = similar(database, [1, 0.1], now=NOW + 10)
    assert hit is not None
    assert hit.given.output == {"text": "Answer 2"}


def test_similar_questions_of_another_tenant_or_shape_are_not_seen(database: FakeDatabase) -> None:
    keep(database, near(), vector=Vector.of([1, 0]))
    assert similar(database, [1, 0], near(tenant="zeta")) is None
    assert similar(database, [1, 0], near({**ALIKE, "parameters": {"temperature": 1}})) is None
    assert similar(database, [1, 0], near(embedding_model="cohere")) is None
    assert similar(database, [1, 0], near()) is not None


@pytest.mark.parametrize(
    "its",
    [
        near({**ALIKE, "cache": {"mode": "refresh", "similarity": 0.9}}),
        near(BODY),
        wish(ALIKE),
    ],
    ids=["refresh", "no threshold", "no embedding model"],
)
def test_similarity_has_to_be_asked_for(database: FakeDatabase, its: Wish) -> None:
    keep(database, near(), vector=Vector.of([1, 0]))
    assert not its.compares
    assert similar(database, [1, 0], its) is None


def test_similar_answers_are_as_old_as_both_jobs_allow(database: FakeDatabase) -> None:
    keep(database, near(), vector=Vector.of([1, 0]))
    brief = near({**ALIKE, "cache": {"similarity": 0.9, "ttl_seconds": 60}})
    assert similar(database, [1, 0], brief, NOW + MINUTE - 1) is not None
    assert similar(database, [1, 0], brief, NOW + MINUTE) is None
    assert similar(database, [1, 0], near(), NOW + HOUR) is None


def test_a_question_whose_answer_is_gone_finds_none(database: FakeDatabase) -> None:
    keep(database, near(), vector=Vector.of([1, 0]))
    (gone,) = [key for key in stored(database) if key[1] == "ANSWER"]
    database.delete("cache", *gone)
    assert similar(database, [1, 0]) is None


def test_a_fallbacks_answer_is_not_found_by_likeness(database: FakeDatabase) -> None:
    keep(database, near(), replace(GIVEN, model="large"), vector=Vector.of([1, 0]))
    assert similar(database, [1, 0]) is None


def test_only_the_newest_are_compared(database: FakeDatabase) -> None:
    for number in range(NEIGHBOURS + 1):
        body = {"input": {"text": f"Question {number}"}, "cache": {"similarity": 0.9}}
        embedding = [1.0, 0.0] if number == 0 else [0.0, 1.0]
        keep(database, near(body), head=job(number), now=NOW + number, vector=Vector.of(embedding))
    assert similar(database, [1, 0], now=NOW + SECOND) is None
    assert similar(database, [0, 1], now=NOW + SECOND) is not None


def test_a_wish_comes_back_from_its_note(database: FakeDatabase) -> None:
    for its in (near(), wish(BODY), wish({**BODY, "cache": {"mode": "refresh", "ttl_seconds": 60}})):
        missed(database, job(), its)
        assert Wish.from_note(Jobs(database, ()).notes("job_1")[NOTE]) == its
