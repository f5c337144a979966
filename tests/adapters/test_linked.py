"""Answers that no reply has room for: told by fake and adapter alike; the adapter has them as a plain client wants."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from broker.cloud.database import DynamoDatabase
from broker.cloud.payloads import PayloadStore
from broker.cloud.plain import MANY_NUMBERS
from broker.jobs.store import Payloads
from broker.json_text import MOST_IN_REPLY
from broker.packed_numbers import Vectors

from tests.adapters.conftest import BUCKET, TABLES
from tests.fakes.world import JOB_ID, NOW, a_head

ANSWER = "OUTPUT#1.1"
NAMES = len('{"text":""}')
LARGEST = {"text": "x" * (MOST_IN_REPLY - NAMES - 4)}
"""That a reply has room for, its four quotation marks being two bytes each there."""
LARGE = {"text": LARGEST["text"] + "x"}


def vectors(count: int, numbers: int = 100) -> Vectors:
    made = Vectors()
    made.add([place + 0.5] * numbers for place in range(count))
    return made


def stored(dynamodb: Any) -> Any:
    return DynamoDatabase(dynamodb, TABLES).get("jobs", f"JOB#{JOB_ID}", ANSWER)  # type: ignore[arg-type]


def plain_object(bucket: Any) -> tuple[str, Any]:
    (key,) = [each["Key"] for each in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]]
    found = bucket.get_object(Bucket=BUCKET, Key=key)
    return found["ContentType"], json.loads(found["Body"].read())


@pytest.mark.parametrize("document", [LARGEST, LARGE, {"text": '"' * 1_999_991}, {"text": '"' * 1_999_990}])
def test_what_a_reply_has_room_for_has_no_link(payloads: Payloads, document: dict[str, str]) -> None:
    room = len(json.dumps(json.dumps(document, separators=(",", ":")))) - 2 <= MOST_IN_REPLY
    saved = payloads.save(a_head(), ANSWER, document, {"cost": 7})
    linked = payloads.linked(JOB_ID, ANSWER)
    assert (saved.linked, linked is None) == (not room, room)
    assert payloads.facts(JOB_ID, ANSWER) == {"cost": 7} | ({} if room else {"linked": True})
    assert payloads.load(JOB_ID, ANSWER) == document, "who reads it gets it all the same"
    if linked:
        assert (linked.bytes, linked.media_type) == (
            len(json.dumps(document, separators=(",", ":"))),
            "application/json",
        )


@pytest.mark.parametrize("document", [LARGEST, LARGE])
def test_what_has_a_link_can_be_read_as_the_json_that_it_is(payloads: Payloads, document: dict[str, str]) -> None:
    assert payloads.plain_json(JOB_ID, ANSWER) is None
    payloads.save(a_head(), ANSWER, document)
    found = payloads.plain_json(JOB_ID, ANSWER)
    assert found == (json.dumps(LARGE, separators=(",", ":")).encode() if document is LARGE else None)
    payloads.erase(JOB_ID)
    assert payloads.plain_json(JOB_ID, ANSWER) is None


@pytest.mark.parametrize("document", [{"text": "short"}, LARGEST, LARGE])
def test_what_is_copied_is_the_other_jobs_own(payloads: Payloads, document: dict[str, str]) -> None:
    other = a_head(id="job_of_another")
    payloads.save(a_head(), ANSWER, document, {"cost": 7})
    saved = payloads.copy(other, "OUTPUT#kept.1", JOB_ID, ANSWER)
    assert saved is not None and saved.linked == (document is LARGE)
    payloads.erase(JOB_ID)
    assert payloads.load("job_of_another", "OUTPUT#kept.1") == document
    assert payloads.facts("job_of_another", "OUTPUT#kept.1") is None
    assert payloads.copy(other, "OUTPUT#kept.2", JOB_ID, ANSWER) is None, "of what is gone there is no copy"


def test_only_answers_are_given_out(payloads: Payloads) -> None:
    assert not payloads.save(a_head(), "BODY", LARGE).linked
    assert payloads.linked(JOB_ID, "BODY") is None
    assert payloads.linked(JOB_ID, "OUTPUT#9.9") is None


def test_a_link_is_gone_with_its_answer(payloads: Payloads) -> None:
    for gone in (lambda: payloads.drop(JOB_ID, ANSWER), lambda: payloads.erase(JOB_ID)):
        payloads.save(a_head(), ANSWER, LARGE)
        assert payloads.linked(JOB_ID, ANSWER)
        assert payloads.stands(JOB_ID, ANSWER)
        gone()
        assert payloads.linked(JOB_ID, ANSWER) is None
        assert not payloads.stands(JOB_ID, ANSWER)


@pytest.mark.parametrize("before", [LARGEST, LARGE])
@pytest.mark.parametrize("after", [LARGEST, LARGE, {"text": "short"}])
def test_what_is_changed_is_linked_by_what_it_is_now(payloads: Payloads, before: Any, after: Any) -> None:
    payloads.save(a_head(), ANSWER, before)
    payloads.replace(a_head(), ANSWER, after)
    assert (payloads.linked(JOB_ID, ANSWER) is not None) == (after is LARGE)
    assert payloads.load(JOB_ID, ANSWER, fresh=True) == after


def test_the_object_is_plain_json_and_leaves_with_the_job(store: PayloadStore, bucket: Any) -> None:
    store.save(a_head(), ANSWER, LARGE)
    assert plain_object(bucket) == ("application/json", LARGE)
    store.erase(JOB_ID)
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)


def test_a_link_works_no_longer_than_the_answer_is_kept(store: PayloadStore) -> None:
    for left, seconds in ((5_000, 900), (60, 60)):
        store.save(a_head(payloads_until=NOW // 1000 + left), ANSWER, LARGE)
        linked = store.linked(JOB_ID, ANSWER)
        assert linked is not None
        query = parse_qs(urlsplit(linked.url).query)
        lasts = int(query["X-Amz-Expires"][0]) if "X-Amz-Expires" in query else None
        assert lasts in (seconds, None)
    store.save(a_head(payloads_until=NOW // 1000), ANSWER, LARGE)
    assert store.linked(JOB_ID, ANSWER) is None


@pytest.mark.parametrize("count", [1, MANY_NUMBERS // 100, MANY_NUMBERS // 100 + 1, 10_000])
def test_embeddings_are_kept_as_they_came_however_many(store: PayloadStore, count: int) -> None:
    made = vectors(count)
    saved = store.save(a_head(), ANSWER, {"embeddings": made})
    assert saved.linked == (store.linked(JOB_ID, ANSWER) is not None) == (count == 10_000)
    assert store.load(JOB_ID, ANSWER) == {"embeddings": list(made)}


def test_who_wants_words_does_not_load_a_million_numbers(store: PayloadStore, bucket: Any, dynamodb: Any) -> None:
    store.save(a_head(), ANSWER, {"embeddings": vectors(10_000)})
    linked = store.linked(JOB_ID, ANSWER)
    assert linked is not None
    assert linked.bytes == len(json.dumps(plain_object(bucket)[1], separators=(",", ":")))
    bucket.delete_object(Bucket=BUCKET, Key=stored(dynamodb)["s3"])
    assert store.load(JOB_ID, ANSWER, words=True) == {}
    store.replace(a_head(), ANSWER, LARGE)
    assert store.load(JOB_ID, ANSWER, words=True) == LARGE
