"""Objects of the bucket: each has a note before it is there, and goes with it when its time is over."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from broker.cloud.conversations import ConversationStore
from broker.cloud.database import DynamoDatabase
from broker.cloud.objects import BucketObjects, ObjectMissing
from broker.cloud.payloads import PayloadStore
from broker.context.conversations import Turn
from broker.context.listing import listing
from broker.errors import NotFound
from broker.jobs.cleaning import Clean, Cleaned
from broker.storage import Put

from tests.adapters.conftest import BUCKET, TABLES
from tests.adapters.test_payloads import FILES, LARGE, OTHER, SMALL, noise, objects
from tests.fakes.world import JOB_ID, NOW, SECOND, a_head

END = a_head().payloads_until * SECOND
PK = f"JOB#{JOB_ID}"


class Dies(Exception):
    """The function, at this moment."""


@pytest.fixture
def tables(dynamodb: Any) -> DynamoDatabase:
    return DynamoDatabase(dynamodb, TABLES)  # type: ignore[arg-type]


@pytest.fixture
def kept(bucket: Any, dynamodb: Any) -> BucketObjects:
    return BucketObjects(TABLES["jobs"], BUCKET, lambda: bucket, lambda: dynamodb)


@pytest.fixture
def talks(bucket: Any, dynamodb: Any) -> ConversationStore:
    return ConversationStore(TABLES["jobs"], BUCKET, lambda: bucket, lambda: dynamodb)


@pytest.fixture
def clean(tables: DynamoDatabase, kept: BucketObjects) -> Clean:
    return Clean(tables, kept)


def before(client: Any, operation: str, do: Callable[[], object]) -> None:
    """Do something right before the next request of an operation."""
    done: list[bool] = []

    def once(**_: Any) -> None:
        if not done:
            done.append(True)
            do()

    client.meta.events.register(f"before-call.{client.meta.service_model.service_id.hyphenize()}.{operation}", once)


def die() -> None:
    raise Dies


def notes(tables: DynamoDatabase, pk: str = PK) -> list[str]:
    return [item["sk"] for item in tables.query("jobs", pk, "ENDS#")]


def test_all_that_a_job_has_in_the_bucket_ends_with_its_time(
    store: PayloadStore, bucket: Any, tables: DynamoDatabase, clean: Clean
) -> None:
    store.save(a_head(), "BODY", LARGE)
    store.save(a_head(), "OUTPUT#1.1", SMALL, files=FILES)
    store.hand(a_head(), "b/in.jsonl", b"{}")
    bucket.put_object(Bucket=BUCKET, Key=store.hand(a_head(), "b/in.jsonl.out"), Body=b"{}")
    assert len(objects(bucket)) == 5
    assert clean(END - 1) == Cleaned()
    assert len(objects(bucket)) == 5
    assert clean(END) == Cleaned(objects=5)
    assert (objects(bucket), notes(tables)) == ([], [])
    assert clean(END) == Cleaned()


def test_cleaning_one_tenants_objects_leaves_anothers_whatever_the_names(
    store: PayloadStore, talks: ConversationStore, bucket: Any, clean: Clean
) -> None:
    turn = Turn(JOB_ID, NOW, 9, [noise(60_000)])
    soon, later = END // SECOND, END // SECOND + 1
    # Names that begin alike: what ends one must not be a prefix of the other's.
    store.save(a_head(), "BODY", LARGE)
    store.save(a_head(id=f"{JOB_ID}0", tenant="other", payloads_until=later), "BODY", LARGE)
    talks.stage("acme", "talk", turn, soon)
    talks.stage("acme-2", "talk", turn, later)
    talks.stage("acme", "talk-2", turn, later)
    assert clean(END) == Cleaned(objects=2)
    assert objects(bucket) == [
        f"conversations/acme-2/talk/{JOB_ID}",
        f"conversations/acme/talk-2/{JOB_ID}",
        f"jobs/{JOB_ID}0/BODY",
    ]


def test_more_than_a_page_is_deleted(kept: BucketObjects, bucket: Any, clean: Clean, tables: DynamoDatabase) -> None:
    for number in range(60):
        kept.put(PK, f"jobs/{JOB_ID}/MEDIA-{number}", b"x", END // SECOND)
    assert clean(END) == Cleaned(objects=60)
    assert (objects(bucket), notes(tables)) == ([], [])


def test_what_a_function_left_that_died_ends_too(
    store: PayloadStore, bucket: Any, tables: DynamoDatabase, clean: Clean
) -> None:
    dynamodb = tables._client
    before(bucket, "PutObject", lambda: before(dynamodb, "PutItem", die))
    with pytest.raises(Dies):
        store.save(a_head(), "BODY", LARGE)
    assert (objects(bucket), store.load(JOB_ID, "BODY")) == ([f"jobs/{JOB_ID}/BODY"], None)
    assert clean(END) == Cleaned(objects=1)
    assert objects(bucket) == []


def test_what_a_function_left_that_died_is_erased_with_the_rest(store: PayloadStore, bucket: Any) -> None:
    before(bucket, "PutObject", lambda: before(store._dynamodb(), "PutItem", die))
    with pytest.raises(Dies):
        store.save(a_head(), "BODY", LARGE)
    store.save(a_head(id=OTHER), "BODY", LARGE)
    store.erase(JOB_ID)
    assert objects(bucket) == [f"jobs/{OTHER}/BODY"]


def test_what_a_service_writes_after_the_erasure_ends_with_the_jobs_time(
    store: PayloadStore, bucket: Any, clean: Clean
) -> None:
    late = store.hand(a_head(), "b/in.jsonl.out")
    store.erase(JOB_ID)
    bucket.put_object(Bucket=BUCKET, Key=late, Body=b"{}")
    clean(END)
    assert objects(bucket) == []


def test_a_cleaning_that_dies_is_repeated(
    store: PayloadStore, bucket: Any, tables: DynamoDatabase, clean: Clean
) -> None:
    store.save(a_head(), "BODY", LARGE)
    before(tables._client, "BatchWriteItem", die)
    with pytest.raises(Dies):
        clean(END)
    assert (objects(bucket), len(notes(tables))) == ([], 1)
    assert clean(END) == Cleaned(objects=1)
    assert notes(tables) == []


def test_what_s3_would_not_delete_is_counted_and_keeps_its_note(
    store: PayloadStore, bucket: Any, tables: DynamoDatabase, clean: Clean
) -> None:
    store.save(a_head(), "BODY", LARGE)
    key = f"jobs/{JOB_ID}/BODY"
    reply = {"Errors": [{"Key": key, "Code": "InternalError", "Message": "We encountered an internal error."}]}
    bucket.meta.events.register_last(
        "after-call.s3.DeleteObjects", lambda parsed, **_: parsed.update(reply), unique_id="broken"
    )
    assert clean(END) == Cleaned(failed=1)
    assert notes(tables) == [f"ENDS#{key}"]
    bucket.meta.events.unregister("after-call.s3.DeleteObjects", unique_id="broken")
    assert clean(END) == Cleaned(objects=1)


@pytest.mark.parametrize("document", [SMALL, LARGE], ids=["small", "large"])
def test_what_is_over_is_not_given_though_it_is_still_there(
    store: PayloadStore, bucket: Any, dynamodb: Any, tables: DynamoDatabase, document: Any
) -> None:
    store.save(a_head(), "BODY", document)
    now = [END - 1]
    later = PayloadStore(tables, TABLES["jobs"], BUCKET, lambda: bucket, lambda: dynamodb, lambda: now[0])
    assert later.load(JOB_ID, "BODY") == document
    now[0] = END
    assert later.load(JOB_ID, "BODY") is None
    assert later.load(JOB_ID, "BODY", tables.get("jobs", PK, "BODY")) is None


def forbid_what_is_missing(bucket: Any) -> None:
    """As S3 answers who may not list the bucket (Amazon S3 API reference, GetObject)."""

    def answer(parsed: Any, http_response: Any, **_: Any) -> None:
        if http_response.status_code == 404:
            http_response.status_code = 403
            parsed["Error"]["Code"], parsed["Error"]["Message"] = "AccessDenied", "Access Denied"

    bucket.meta.events.register("after-call.s3.GetObject", answer)


@pytest.mark.parametrize("forbidden", [False, True], ids=["404", "403"])
def test_a_read_at_the_moment_of_erasure_finds_nothing(store: PayloadStore, bucket: Any, forbidden: bool) -> None:
    if forbidden:
        forbid_what_is_missing(bucket)
    store.save(a_head(), "BODY", LARGE)
    before(bucket, "GetObject", lambda: store.erase(JOB_ID))
    assert store.load(JOB_ID, "BODY") is None


def test_a_read_between_the_deletion_of_an_item_and_of_its_object_finds_nothing(
    store: PayloadStore, bucket: Any
) -> None:
    forbid_what_is_missing(bucket)
    store.save(a_head(), "BODY", LARGE)
    seen: list[Any] = []
    before(bucket, "DeleteObject", lambda: seen.append(store.load(JOB_ID, "BODY")))
    store.erase(JOB_ID)
    assert seen == [None]


def test_an_object_that_may_not_be_read_is_not_called_gone(store: PayloadStore, bucket: Any) -> None:
    forbid_what_is_missing(bucket)
    store.save(a_head(), "BODY", LARGE)
    bucket.delete_object(Bucket=BUCKET, Key=f"jobs/{JOB_ID}/BODY")  # its item stands, so it should be there
    with pytest.raises(ObjectMissing) as failure:
        store.load(JOB_ID, "BODY")
    assert isinstance(failure.value.__cause__, ClientError)


def test_an_object_that_is_surely_not_there_is_gone(store: PayloadStore, bucket: Any) -> None:
    store.save(a_head(), "BODY", LARGE)
    bucket.delete_object(Bucket=BUCKET, Key=f"jobs/{JOB_ID}/BODY")
    assert store.load(JOB_ID, "BODY") is None


def keep_turn(talks: ConversationStore, tables: DynamoDatabase, job_id: str, until: int) -> None:
    turn = Turn(job_id, NOW, 9, [noise(60_000)])
    staged = talks.stage("acme", "talk", turn, until)
    tables.write(Put("jobs", staged.item))


@pytest.mark.parametrize("forbidden", [False, True], ids=["404", "403"])
def test_a_turn_that_is_erased_while_it_is_read_is_left_out(
    talks: ConversationStore, tables: DynamoDatabase, bucket: Any, forbidden: bool
) -> None:
    if forbidden:
        forbid_what_is_missing(bucket)
    keep_turn(talks, tables, JOB_ID, END // SECOND)
    keep_turn(talks, tables, OTHER, END // SECOND)
    before(bucket, "GetObject", lambda: talks.erase_turn("acme", "talk", JOB_ID))
    shown = listing(talks, "acme", "talk", limit=20, cursor=None, now=NOW)
    assert [row["job_id"] for row in shown["data"]] == [OTHER]


def test_a_conversation_is_erased_with_what_a_function_left_that_died(
    talks: ConversationStore, bucket: Any, tables: DynamoDatabase
) -> None:
    keep_turn(talks, tables, JOB_ID, END // SECOND)
    talks.stage("acme", "talk", Turn(OTHER, NOW, 9, [noise(60_000)]), END // SECOND)  # and never committed
    talks.stage("other", "talk", Turn(JOB_ID, NOW, 9, [noise(60_000)]), END // SECOND)
    talks.erase("acme", "talk", NOW)
    assert objects(bucket) == [f"conversations/other/talk/{JOB_ID}"]
    assert notes(tables, "CONV#acme#talk") == []
    with pytest.raises(NotFound):
        listing(talks, "acme", "talk", limit=20, cursor=None, now=NOW)


def test_nothing_is_noted_of_what_the_table_holds(store: PayloadStore, tables: DynamoDatabase) -> None:
    store.save(a_head(), "BODY", SMALL)
    store.save(a_head(), "OUTPUT#1.1", SMALL)
    assert notes(tables) == []
    assert tables.index("due", "ENDS#0", limit=10).items == []
